#include "vacuum/tune_apply.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "facts/tables.h"
#include "pg/quote.h"
#include "vacuum/triggers.h"

namespace pgtend::vacuum {
namespace {

constexpr double kDueClearly = 3;  // runs that should have happened, before none is suspicious

// The options of a table as a JSON list of "name=value", in the server's order.
std::string table_options_sql(const std::string& table) {
  return cat(
      "(select coalesce(array_to_json(c.reloptions)::text, '[]') from pg_class c where c.oid"
      " = to_regclass(",
      pg::literal(table), "))");
}

std::string literals(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) out.push_back(pg::literal(text));
  return join(out, ", ");
}

// The same of the server, for what ALTER SYSTEM has set among `names`.
std::string server_options_sql(const std::vector<std::string>& names) {
  return cat(
      "(select coalesce(json_agg(s.name || '=' || s.setting order by s.name)::text, '[]')"
      " from pg_settings s where s.sourcefile ~ '[/\\\\]postgresql\\.auto\\.conf$'"
      " and s.name in (",
      literals(names), "))");
}

Result<Settings> settings_from(std::string_view text) {
  Settings out;
  const json::value list = TRY(parse_json(text));
  if (!list.is_array()) return Error{ErrorCode::Corrupt, "a list of settings was expected"};
  for (const json::value& entry : list.get_array()) {
    if (!entry.is_string()) return Error{ErrorCode::Corrupt, "a setting is no text"};
    const std::string_view pair = entry.get_string();
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    out[std::string(pair.substr(0, equals))] = pair.substr(equals + 1);
  }
  return out;
}

std::vector<std::string> names_of(const SettingChanges& changes) {
  std::vector<std::string> out;
  for (const auto& [name, value] : changes) out.push_back(name);
  return out;
}

json::object wanted_json(const SettingChanges& changes) {
  json::object out;
  for (const auto& [name, value] : changes) {
    out[name] = value ? json::value(*value) : json::value(nullptr);
  }
  return out;
}

// ALTER TABLE statements; `to` of each name.
std::vector<std::string> alter_table(const std::string& table, const SettingChanges& changes) {
  std::vector<std::string> set;
  std::vector<std::string> reset;
  for (const auto& [name, value] : changes) {
    if (value) set.push_back(cat(name, " = ", pg::literal(*value)));
    if (!value) reset.push_back(name);
  }
  std::vector<std::string> out;
  if (!set.empty()) out.push_back(cat("ALTER TABLE ", table, " SET (", join(set, ", "), ")"));
  if (!reset.empty()) out.push_back(cat("ALTER TABLE ", table, " RESET (", join(reset, ", "), ")"));
  return out;
}

std::vector<std::string> alter_system(const SettingChanges& changes) {
  std::vector<std::string> out;
  for (const auto& [name, value] : changes) {
    out.push_back(value ? cat("ALTER SYSTEM SET ", name, " = ", pg::literal(*value))
                        : cat("ALTER SYSTEM RESET ", name));
  }
  out.emplace_back("SELECT pg_reload_conf()");
  return out;
}

// What the names have now, as changes back to it.
SettingChanges as_they_are(const SettingsNow& now, const SettingChanges& changes) {
  SettingChanges out;
  for (const auto& [name, value] : changes) {
    const auto found = now.values.find(name);
    out[name] = found == now.values.end() ? std::nullopt : std::optional(found->second);
  }
  return out;
}

care::Action table_action(const SettingsNow& now, const SettingChanges& changes) {
  const std::string& table = now.object;
  care::Action out{.object = table};
  const auto lock = care::LockMode::ShareUpdateExclusive;
  out.steps.push_back(
      {.sql = cat("LOCK TABLE ONLY ", table, " IN SHARE UPDATE EXCLUSIVE MODE"), .lock = lock});
  std::vector<std::string> after;
  const auto has = [&](const std::string& name, const std::optional<std::string>& value) {
    return cat(
        "(select o.option_value from pg_class c, pg_options_to_table(c.reloptions) o where "
        "c.oid = to_regclass(",
        pg::literal(table), ") and o.option_name = ", pg::literal(name), ") is not distinct from ",
        value ? pg::literal(*value) : "null");
  };
  for (const auto& [name, value] : changes) after.push_back(has(name, value));
  out.steps.push_back(
      {.sql = cat("select ", table_options_sql(table), " = ", pg::literal(now.text)),
       .check = true,
       .failure = "somebody has changed these options meanwhile"});
  for (std::string& sql : alter_table(table, changes)) {
    out.steps.push_back({.sql = std::move(sql), .lock = lock});
  }
  const std::string oid = cat("to_regclass(", pg::literal(table), ")");
  const auto counter = [&](std::string_view name) {
    return cat("coalesce(pg_stat_get_", name, "(", oid, "), 0)");
  };
  out.measure_sql =
      cat("select ", table_options_sql(table), " as options, ",
          pg::literal(to_text(wanted_json(changes))), " as wanted, ", counter("autovacuum_count"),
          " as autovacuums, ", counter("autoanalyze_count"), " as autoanalyzes, ",
          counter("tuples_inserted"), " as inserted, ", counter("tuples_updated"), " + ",
          counter("tuples_deleted"), " as changed");
  out.verify_sql = cat("select ", join(after, " and "));
  out.undo = alter_table(table, as_they_are(now, changes));
  out.undo_in_transaction = true;
  return out;
}

care::Action server_action(const SettingsNow& now, const SettingChanges& changes) {
  care::Action out;
  const std::vector<std::string> names = names_of(changes);
  std::vector<std::string> before;
  for (const auto& [name, value] : now.values) {
    if (changes.contains(name)) before.push_back(cat(name, "=", value));
  }
  out.steps.push_back(
      {.sql = cat("select ", server_options_sql(names), "::jsonb = ",
                  pg::literal(to_text(json::array(before.begin(), before.end()))), "::jsonb"),
       .in_transaction = false,
       .check = true,
       .failure = "somebody has changed these settings meanwhile"});
  for (std::string& sql : alter_system(changes)) {
    out.steps.push_back({.sql = std::move(sql), .in_transaction = false});
  }
  out.measure_sql = cat("select ", server_options_sql(names), " as options, ",
                        pg::literal(to_text(wanted_json(changes))), " as wanted");
  std::vector<std::string> after;
  for (const auto& [name, value] : changes) {
    // What waits for a restart has been taken note of.
    after.push_back(cat("exists (select from pg_settings s where s.name = ", pg::literal(name),
                        " and (s.pending_restart or ",
                        value ? cat("s.setting = ", pg::literal(*value))
                              : std::string("coalesce(s.sourcefile, '') !~ "
                                            "'[/\\\\]postgresql\\.auto\\.conf$'"),
                        "))"));
  }
  out.verify_sql = cat("select ", join(after, " and "));
  out.undo = alter_system(as_they_are(now, changes));
  return out;
}

// One action of the trail, put together from its records.
struct Recorded {
  bool restores = false;
  std::string object = {};
  std::string at = {};
  bool verified = false;
  bool failed = false;
  json::object before = {};
};

std::optional<std::string> text_of(const json::object& record, std::string_view name) {
  const json::value* found = record.if_contains(name);
  if (found == nullptr || !found->is_string()) return {};
  return std::string(found->get_string());
}

std::optional<CountersThen> counters_of(const json::object& record) {
  CountersThen out;
  const auto read = [&](std::string_view name, int64_t& value) {
    const json::value* found = record.if_contains(name);
    if (found == nullptr || !found->is_int64()) return false;
    value = found->get_int64();
    return true;
  };
  if (!read("autovacuums", out.autovacuums) || !read("autoanalyzes", out.autoanalyzes) ||
      !read("inserted", out.inserted) || !read("changed", out.changed)) {
    return {};
  }
  return out;
}

// The actions in the order in which they began.
std::vector<Recorded> recorded_actions(const std::vector<store::AuditEntry>& tunes,
                                       const std::vector<store::AuditEntry>& restores,
                                       std::string_view place) {
  using store::AuditEvent;
  std::map<int64_t, const store::AuditEntry*> order;
  for (const auto* list : {&tunes, &restores}) {
    for (const store::AuditEntry& entry : *list) order[entry.id] = &entry;
  }
  const std::string_view server = place.substr(0, place.rfind('/'));
  std::vector<Recorded> out;
  std::map<std::string, size_t> places;
  for (const auto& [id, entry] : order) {
    const store::AuditRecord& record = entry->record;
    const std::string_view where = record.place;
    const bool here =
        record.object.empty() ? where.substr(0, where.rfind('/')) == server : where == place;
    if (!here || record.event == AuditEvent::DryRun || record.event == AuditEvent::Refused)
      continue;
    const auto [found, fresh] = places.try_emplace(record.action_id, out.size());
    if (fresh) {
      out.push_back({.restores = record.kind == kRestoreKind, .object = record.object});
    }
    Recorded& action = out[found->second];
    action.at = entry->at;
    action.verified = action.verified || record.event == AuditEvent::Verified;
    // The last word counts: after a try that failed, the next may have come to an end of which
    // nobody could tell.
    action.failed = record.event == AuditEvent::Failed || record.event == AuditEvent::Cancelled ||
                    record.event == AuditEvent::Undone;
    const auto before = parse_json(record.before);
    if (action.before.empty() && before && before->is_object()) action.before = before->as_object();
  }
  return out;
}

// Follows one action through the settings that are ours.
void follow(const Recorded& action, std::map<std::pair<std::string, std::string>, Tuned>& ours) {
  const auto wanted_text = text_of(action.before, "wanted");
  const auto options_text = text_of(action.before, "options");
  if (!wanted_text || !options_text) return;
  const auto wanted = parse_json(*wanted_text);
  const auto options = settings_from(*options_text);
  if (!wanted || !wanted->is_object() || !options) return;
  for (const auto& member : wanted->as_object()) {
    const std::string name(member.key());
    const std::pair key(action.object, name);
    if (action.restores) {
      if (action.verified) ours.erase(key);
      continue;
    }
    if (!member.value().is_string()) continue;
    const auto had = options->find(name);
    const std::optional<std::string> before =
        had == options->end() ? std::nullopt : std::optional(had->second);
    const auto known = ours.find(key);
    // What we set once more is still to go back to what was there before the first time.
    const bool again = known != ours.end() && before == known->second.ours;
    const std::optional<std::string> original = again ? known->second.original : before;
    ours[key] = {.object = action.object,
                 .name = name,
                 .original = original,
                 .ours = std::string(member.value().get_string()),
                 .at = action.at,
                 .counters = counters_of(action.before)};
  }
}

const SettingsNow* object_now(const Tuned& setting, const std::vector<SettingsNow>& now) {
  const auto found = std::ranges::find(now, setting.object, &SettingsNow::object);
  return found == now.end() || !found->present ? nullptr : &*found;
}

}  // namespace

Result<std::vector<SettingsNow>> load_settings_now(pg::Connection& conn,
                                                   const std::vector<std::string>& objects,
                                                   const std::vector<std::string>& names) {
  std::vector<SettingsNow> out;
  for (const std::string& object : objects) {
    SettingsNow now{.object = object};
    if (object.empty()) {
      const pg::Rows rows = TRY(conn.query("select pg_has_role('pg_read_all_settings', 'USAGE')"));
      if (!TRY(rows[0].get<bool>(0))) {
        return Error{ErrorCode::Denied, "the role does not see what ALTER SYSTEM has set", "42501"}
            .hinting("GRANT pg_read_all_settings TO the role");
      }
    }
    const pg::Rows rows = TRY(conn.query(
        cat("select ", object.empty() ? server_options_sql(names) : table_options_sql(object))));
    now.present = !rows[0].null(0);
    if (now.present) {
      now.text = rows[0].text(0);
      now.values = TRY(settings_from(now.text));
    }
    out.push_back(std::move(now));
  }
  return out;
}

care::Action settings_action(std::string_view kind, const SettingsNow& now,
                             const SettingChanges& changes) {
  care::Action out = now.object.empty() ? server_action(now, changes) : table_action(now, changes);
  out.kind = kind;
  return out;
}

std::vector<Tuned> tuned(const std::vector<store::AuditEntry>& tunes,
                         const std::vector<store::AuditEntry>& restores, std::string_view place) {
  std::map<std::pair<std::string, std::string>, Tuned> ours;
  for (const Recorded& action : recorded_actions(tunes, restores, place)) {
    if (action.failed) continue;
    follow(action, ours);
  }
  std::vector<Tuned> out;
  for (auto& [key, setting] : ours) out.push_back(std::move(setting));
  return out;
}

Result<std::vector<Tuned>> load_tuned(store::Audit& audit, std::string_view place) {
  const auto tunes = TRY(audit.history(kTuneKind));
  const auto restores = TRY(audit.history(kRestoreKind));
  return tuned(tunes, restores, place);
}

std::optional<std::string> value_now(const Tuned& setting, const std::vector<SettingsNow>& now) {
  const SettingsNow* object = object_now(setting, now);
  if (object == nullptr) return {};
  const auto found = object->values.find(setting.name);
  return found == object->values.end() ? std::nullopt : std::optional(found->second);
}

Fate fate_of(const Tuned& setting, const std::vector<SettingsNow>& now) {
  if (object_now(setting, now) == nullptr) return Fate::Gone;
  const std::optional<std::string> value = value_now(setting, now);
  if (value == setting.ours) return Fate::InForce;
  return value == setting.original ? Fate::Original : Fate::Changed;
}

std::map<std::string, SettingChanges> restoration(const std::vector<Tuned>& settings,
                                                  const std::vector<SettingsNow>& now) {
  std::map<std::string, SettingChanges> out;
  for (const Tuned& setting : settings) {
    if (fate_of(setting, now) != Fate::InForce) continue;
    out[setting.object][setting.name] = setting.original;
  }
  return out;
}

std::string Effect::verdict() const {
  const auto missing = [](int64_t ran, double due) { return ran == 0 && due >= kDueClearly; };
  if (missing(autovacuums, autovacuums_due)) {
    return "autovacuum has not come although it was due: pgtend vacuum horizon and pgtend vacuum "
           "progress tell what is in its way";
  }
  if (missing(autoanalyzes, autoanalyzes_due)) return "no automatic ANALYZE although it was due";
  if (autovacuums + autoanalyzes == 0) return "nothing was due yet";
  return "autovacuum follows the new limits";
}

Result<std::vector<Effect>> load_effects(pg::Connection& conn, const std::vector<Tuned>& settings) {
  const facts::ServerSettings server = TRY(facts::load_settings(conn));
  std::map<std::string, const Tuned*> newest;
  for (const Tuned& setting : settings) {
    if (setting.object.empty() || !setting.counters) continue;
    const Tuned*& latest = newest[setting.object];
    if (latest == nullptr || latest->at < setting.at) latest = &setting;
  }
  std::vector<Effect> out;
  for (const auto& [table, setting] : newest) {
    auto loaded = facts::load_tables(conn, {.table = table});
    if (!loaded && loaded.error().code == ErrorCode::NotFound) continue;
    const facts::Tables tables = TRY(std::move(loaded));
    const facts::TableFacts& now = tables.tables.front();
    const pg::Rows rows =
        TRY(conn.query("select coalesce(pg_stat_get_autovacuum_count($1::oid), 0), "
                       "coalesce(pg_stat_get_autoanalyze_count($1::oid), 0)",
                       {std::to_string(now.oid)}));
    const CountersThen& then = *setting->counters;
    Effect effect{.table = table, .since = setting->at};
    effect.autovacuums = TRY(rows[0].get<int64_t>(0)) - then.autovacuums;
    effect.autoanalyzes = TRY(rows[0].get<int64_t>(1)) - then.autoanalyzes;
    const auto inserted = static_cast<double>(now.counters.inserted - then.inserted);
    const auto changed =
        static_cast<double>(now.counters.updated + now.counters.deleted - then.changed);
    // Counters that were lost begin anew: nothing can be said.
    if (effect.autovacuums < 0 || effect.autoanalyzes < 0 || inserted < 0 || changed < 0) continue;
    const Triggers limits = triggers(now, server);
    const auto due = [](double came, double limit) { return limit > 0 ? came / limit : 0; };
    effect.autovacuums_due =
        std::max(due(changed, limits.dead), due(inserted, limits.inserts.value_or(0)));
    effect.autoanalyzes_due = due(inserted + changed, limits.changes.value_or(0));
    out.push_back(std::move(effect));
  }
  return out;
}

}  // namespace pgtend::vacuum
