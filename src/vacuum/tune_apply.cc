#include "vacuum/tune_apply.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::vacuum {
namespace {

constexpr std::string_view kToastOption = "toast.";

// The options of a table as a JSON list of "name=value", in the server's order.
std::string table_options_sql(const std::string& table) {
  return cat(
      "(select array_to_json(coalesce(c.reloptions, '{}') || coalesce((select array_agg('toast.' "
      "|| o) from pg_class t, unnest(t.reloptions) o where t.oid = c.reltoastrelid), '{}'))::text "
      "from pg_class c where c.oid = to_regclass(",
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

// LOCK takes no materialised views; an option that is not set is reset instead, which changes
// nothing under the same lock.
std::string lock_sql(const SettingsNow& now) {
  if (!now.view) return cat("LOCK TABLE ONLY ", now.object, " IN SHARE UPDATE EXCLUSIVE MODE");
  for (const char* name : {"autovacuum_vacuum_cost_delay", "autovacuum_vacuum_cost_limit",
                           "autovacuum_freeze_table_age", "log_autovacuum_min_duration"}) {
    if (!now.values.contains(name)) return cat("ALTER TABLE ", now.object, " RESET (", name, ")");
  }
  return cat("ANALYZE ", now.object);
}

care::Action table_action(const SettingsNow& now, const SettingChanges& changes) {
  const std::string& table = now.object;
  care::Action out{.object = table};
  const auto lock = care::LockMode::ShareUpdateExclusive;
  out.steps.push_back({.sql = lock_sql(now), .lock = lock});
  std::vector<std::string> after;
  const auto has = [&](const std::string& name, const std::optional<std::string>& value) {
    const bool toast = name.starts_with(kToastOption);
    return cat(
        "(select o.option_value from pg_class c, pg_options_to_table(c.reloptions) o where "
        "c.oid = ",
        toast ? "(select reltoastrelid from pg_class where oid = " : "(", "to_regclass(",
        pg::literal(table),
        ")) and o.option_name = ", pg::literal(toast ? name.substr(kToastOption.size()) : name),
        ") is not distinct from ", value ? pg::literal(*value) : "null");
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
          pg::literal(pgtend::to_text(wanted_json(changes))), " as wanted, ",
          counter("autovacuum_count"), " as autovacuums, ", counter("autoanalyze_count"),
          " as autoanalyzes, ", counter("tuples_inserted"), " as inserted, ",
          counter("tuples_updated"), " + ", counter("tuples_deleted"), " as changed");
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
      {.sql =
           cat("select ", server_options_sql(names), "::jsonb = ",
               pg::literal(pgtend::to_text(json::array(before.begin(), before.end()))), "::jsonb"),
       .in_transaction = false,
       .check = true,
       .failure = "somebody has changed these settings meanwhile"});
  for (std::string& sql : alter_system(changes)) {
    out.steps.push_back({.sql = std::move(sql), .in_transaction = false});
  }
  out.measure_sql = cat("select ", server_options_sql(names), " as options, ",
                        pg::literal(pgtend::to_text(wanted_json(changes))), " as wanted");
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

// Those of `names` that the server was started with.
Result<std::vector<std::string>> fixed_settings(pg::Connection& conn,
                                                const std::vector<std::string>& names) {
  std::vector<std::string> out;
  if (names.empty()) return out;
  const pg::Rows rows =
      TRY(conn.query(cat("select name from pg_settings where source = 'command line' and name in (",
                         literals(names), ") order by name")));
  for (const pg::Row row : rows) out.emplace_back(row.text(0));
  return out;
}

}  // namespace

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
    if (object.empty()) {
      now.fixed = TRY(fixed_settings(conn, names));
    } else if (now.present) {
      const pg::Rows kind = TRY(
          conn.query("select relkind = 'm' from pg_class where oid = to_regclass($1)", {object}));
      now.view = !kind.empty() && TRY(kind[0].get<bool>(0));
    }
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

}  // namespace pgtend::vacuum
