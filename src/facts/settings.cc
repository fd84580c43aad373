#include "facts/settings.h"

#include <map>

#include "base/text.h"
#include "facts/members.h"

namespace pgtend::facts {
namespace {

// Each setting once: PostgreSQL's name for it, its name in JSON, and where it goes.
template <class Visitor, class Settings>
void visit_settings(Visitor& visit, Settings& s) {
  auto& a = s.autovacuum;
  visit("autovacuum", a.enabled);
  visit("autovacuum_vacuum_threshold", a.vacuum_threshold);
  visit("autovacuum_vacuum_scale_factor", a.vacuum_scale);
  visit("autovacuum_vacuum_max_threshold", a.vacuum_threshold_max);
  visit("autovacuum_vacuum_insert_threshold", a.insert_threshold);
  visit("autovacuum_vacuum_insert_scale_factor", a.insert_scale);
  visit("autovacuum_analyze_threshold", a.analyze_threshold);
  visit("autovacuum_analyze_scale_factor", a.analyze_scale);
  visit("autovacuum_freeze_max_age", a.freeze_age_max);
  visit("autovacuum_multixact_freeze_max_age", a.freeze_mxid_age_max);
  visit("autovacuum_naptime", a.naptime_s);
  visit("autovacuum_max_workers", a.workers_max);
  visit("default_statistics_target", s.statistics_target);
  visit("max_locks_per_transaction", s.locks_per_transaction);
  visit("max_connections", s.connections_max);
  visit("max_prepared_transactions", s.prepared_transactions_max);
  visit("TimeZone", s.time_zone);
}

// Takes values out of pg_settings rows, where all are text; what is absent keeps its default.
class SettingReader {
 public:
  explicit SettingReader(const std::map<std::string, std::string>& values) : values_(values) {}

  void operator()(std::string_view name, bool& value) {
    if (const std::string* text = find(name)) value = *text == "on";
  }
  void operator()(std::string_view name, std::string& value) {
    if (const std::string* text = find(name)) value = *text;
  }
  void operator()(std::string_view name, int64_t& value) {
    const std::string* text = find(name);
    if (text == nullptr) return;
    keep(parse_int(*text), name, value);
  }
  void operator()(std::string_view name, double& value) {
    const std::string* text = find(name);
    if (text == nullptr) return;
    keep(parse_double(*text), name, value);
  }
  void operator()(std::string_view name, std::optional<int64_t>& value) {
    int64_t number = 0;
    if (find(name) == nullptr) return;
    (*this)(name, number);
    value = number;
  }
  Status finish() {
    if (mistake_.empty()) return ok();
    return Error{ErrorCode::Corrupt, mistake_};
  }

 private:
  const std::string* find(std::string_view name) const {
    const auto found = values_.find(std::string(name));
    return found == values_.end() ? nullptr : &found->second;
  }
  template <class T>
  void keep(const Result<T>& number, std::string_view name, T& value) {
    if (number) {
      value = *number;
    } else {
      mistake_ = cat("setting ", name, " is not a number");
    }
  }

  const std::map<std::string, std::string>& values_;
  std::string mistake_;
};

}  // namespace

Result<ServerSettings> load_settings(pg::Connection& conn) {
  const pg::Rows rows = TRY_DURING(
      conn.query("select name, setting from pg_settings where name like 'autovacuum%' or name in "
                 "('track_counts', 'default_statistics_target', 'max_locks_per_transaction', "
                 "'max_connections', 'max_prepared_transactions', 'TimeZone')"),
      "reading settings");
  std::map<std::string, std::string> values;
  for (const pg::Row row : rows) values[std::string(row.text(0))] = std::string(row.text(1));
  ServerSettings settings{.version = conn.server_version()};
  SettingReader reader(values);
  visit_settings(reader, settings);
  TRY_DURING(reader.finish(), "reading settings");
  if (values["track_counts"] == "off") settings.autovacuum.enabled = false;
  return settings;
}

json::object to_json(const ServerSettings& settings) {
  MemberWriter writer;
  writer("version", settings.version);
  visit_settings(writer, settings);
  return std::move(writer).take();
}

Result<ServerSettings> settings_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "settings must be an object"};
  ServerSettings settings;
  MemberReader reader(value.as_object());
  reader("version", settings.version);
  visit_settings(reader, settings);
  TRY_DURING(reader.finish(), "settings");
  return settings;
}

}  // namespace pgtend::facts
