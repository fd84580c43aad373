#include "vacuum/triggers.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <string>

#include "base/text.h"

namespace pgtend::vacuum {
namespace {

constexpr int kVersionMaxThreshold = 180000;  // also: inserts count against unfrozen pages only

// What the server reads in a whole number's place (parse_int): also 0x64, 0100 and 1e3.
std::optional<double> whole_number(const std::string& text) {
  char* end = nullptr;
  errno = 0;
  auto number = static_cast<double>(std::strtoll(text.c_str(), &end, 0));
  if (errno != 0 || *end == '.' || *end == 'e' || *end == 'E') {
    number = std::strtod(text.c_str(), &end);
  }
  if (end == text.c_str() || !trim(end).empty()) return {};
  return std::rint(number);
}

// The options that count for a table, as the server keeps them: in the words of the user.
class Options {
 public:
  explicit Options(const facts::TableFacts& table) : options_(table.options) {
    const auto first = options_.lower_bound("toast.");
    const bool own = first != options_.end() && first->first.starts_with("toast.");
    if (table.kind == 't' && own) prefix_ = "toast.";
  }

  double whole(const char* name, int64_t setting) const {
    const std::string* text = find(name);
    const auto number = text == nullptr ? std::nullopt : whole_number(*text);
    return number.value_or(static_cast<double>(setting));
  }
  float share(const char* name, double setting) const {
    const std::string* text = find(name);
    if (text == nullptr) return static_cast<float>(setting);
    const auto number = parse_double(trim(*text));
    return static_cast<float>(number ? *number : setting);
  }
  std::optional<double> number(const char* name) const {
    const std::string* text = find(name);
    if (text == nullptr) return {};
    const auto number = parse_double(trim(*text));
    return number ? std::optional<double>(*number) : whole_number(*text);
  }
  // The server takes any beginning of "false" and "no", and of "off" what is not "on", too.
  bool switched_off(const char* name) const {
    const std::string* text = find(name);
    if (text == nullptr || text->empty()) return false;
    const std::string value = lower(*text);
    const auto begins = [&](std::string_view word) { return word.starts_with(value); };
    return value == "0" || begins("false") || begins("no") || (value != "o" && begins("off"));
  }
  // Ages can only be lowered.
  int64_t age(const char* name, int64_t setting) const {
    return std::min(static_cast<int64_t>(whole(name, setting)), setting);
  }

 private:
  const std::string* find(const char* name) const {
    const auto found = options_.find(cat(prefix_, name));
    return found == options_.end() ? nullptr : &found->second;
  }

  const std::map<std::string, std::string>& options_;
  std::string_view prefix_ = "";
};

// The share of the table's pages that a VACUUM could still freeze; 1 when nothing is known.
float unfrozen_share(const facts::TableSize& size) {
  if (!size.pages_frozen || *size.pages_frozen <= 0 || size.pages_known <= 0) return 1;
  const int64_t frozen = std::min(*size.pages_frozen, size.pages_known);
  return 1 - static_cast<float>(frozen) / static_cast<float>(size.pages_known);
}

Distance of_rows(int64_t counter, double limit) {
  return {.counter = counter, .limit = limit, .due = exceeds(counter, limit)};
}
Distance of_age(int64_t age, int64_t limit) {
  return {.counter = age, .limit = static_cast<double>(limit), .due = age > limit};
}

}  // namespace

Triggers triggers(const facts::TableFacts& table, const facts::ServerSettings& settings) {
  const facts::AutovacuumSettings& set = settings.autovacuum;
  const Options options(table);
  const float rows = std::max(static_cast<float>(table.reltuples), 0.0F);
  Triggers out;
  out.visited = table.kind != 'p' && !table.schema.starts_with("pg_temp_");
  out.enabled = set.enabled && !options.switched_off("autovacuum_enabled");

  float dead =
      static_cast<float>(options.whole("autovacuum_vacuum_threshold", set.vacuum_threshold)) +
      options.share("autovacuum_vacuum_scale_factor", set.vacuum_scale) * rows;
  if (settings.version >= kVersionMaxThreshold) {
    const double most = options.whole("autovacuum_vacuum_max_threshold",
                                      set.vacuum_threshold_max.value_or(100'000'000));
    if (most >= 0) dead = std::min(dead, static_cast<float>(most));
  }
  out.dead = dead;

  const double inserts = options.whole("autovacuum_vacuum_insert_threshold", set.insert_threshold);
  if (inserts >= 0) {
    const float share = settings.version >= kVersionMaxThreshold ? unfrozen_share(table.size) : 1;
    out.inserts =
        static_cast<float>(inserts) +
        options.share("autovacuum_vacuum_insert_scale_factor", set.insert_scale) * rows * share;
  }

  if (table.kind != 'p' && table.kind != 't') {
    out.changes =
        static_cast<float>(options.whole("autovacuum_analyze_threshold", set.analyze_threshold)) +
        options.share("autovacuum_analyze_scale_factor", set.analyze_scale) * rows;
  }

  out.xid_age = options.age("autovacuum_freeze_max_age", set.freeze_age_max);
  out.mxid_age = options.age("autovacuum_multixact_freeze_max_age", set.freeze_mxid_age_max);
  return out;
}

bool exceeds(int64_t counter, double limit) {
  return static_cast<float>(counter) > static_cast<float>(limit);
}

int64_t Distance::left() const {
  if (due) return 0;
  return std::max<int64_t>(static_cast<int64_t>(std::floor(limit)) + 1 - counter, 1);
}

bool Forecast::vacuum() const {
  return is_due(dead) || is_due(inserts) || is_due(xid_age) || is_due(mxid_age);
}
bool Forecast::analyze() const { return is_due(changes); }

std::optional<double> option_number(const facts::TableFacts& table, const char* name) {
  return Options(table).number(name);
}

Forecast forecast(const facts::TableFacts& table, const facts::ServerSettings& settings) {
  return forecast(table, triggers(table, settings), settings.autovacuum.enabled);
}

Forecast forecast(const facts::TableFacts& table, const Triggers& limits, bool autovacuum) {
  const facts::TableCounters& counters = table.counters;
  Forecast out;
  if (!limits.visited) return out;
  out.xid_age = of_age(table.xid_age, limits.xid_age);
  out.mxid_age = of_age(table.mxid_age, limits.mxid_age);
  // A table whose VACUUM is forced is looked at whole, also when its options switch autovacuum off.
  const bool forced = is_due(out.xid_age) || is_due(out.mxid_age);
  if (!limits.enabled && !(forced && autovacuum)) return out;
  out.dead = of_rows(counters.rows_dead, limits.dead);
  if (limits.inserts) out.inserts = of_rows(counters.inserted_since_vacuum, *limits.inserts);
  if (limits.changes) out.changes = of_rows(counters.modified_since_analyze, *limits.changes);
  return out;
}

json::object to_json(const Forecast& forecast) {
  const auto one = [](const std::optional<Distance>& distance) -> json::value {
    if (!distance) return nullptr;
    return json::object{{"counter", distance->counter},
                        {"limit", distance->limit},
                        {"left", distance->left()},
                        {"due", distance->due}};
  };
  return {{"dead_rows", one(forecast.dead)},
          {"inserts", one(forecast.inserts)},
          {"changes", one(forecast.changes)},
          {"xid_age", one(forecast.xid_age)},
          {"mxid_age", one(forecast.mxid_age)}};
}

}  // namespace pgtend::vacuum
