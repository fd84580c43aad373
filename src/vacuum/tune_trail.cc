#include "vacuum/tune_trail.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "facts/settings.h"
#include "facts/tables.h"
#include "vacuum/triggers.h"

namespace pgtend::vacuum {
namespace {

constexpr double kDueClearly = 3;  // runs that should have happened, before none is suspicious

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
