#include "cli/vacuum_tune.h"

#include <map>
#include <set>
#include <thread>

#include "base/text.h"
#include "base/units.h"
#include "care/trail.h"
#include "cli/gate_session.h"
#include "cli/lookout.h"
#include "cli/vacuum_variants.h"
#include "vacuum/tune_load.h"
#include "vacuum/tune_trail.h"

namespace pgtend::cli {
namespace {

constexpr Parameter kTuneParameters[] = {
    {"[TABLE]", "...", "advise on these tables; all of --min-size and more when left out"},
    {"--min-size", "MB", "leave smaller tables as they are (100)"},
    {"--for", "SECONDS", "look so long how much is written, instead of trusting the counters"},
    {"--trace", "FILE", "take what is written from a recording of pgtend vacuum record"},
    {"--server", "", "change the server's settings, too (ALTER SYSTEM), not only the tables'"},
    {"--apply", "", "do it; without it advice and statements are shown"},
    {"--verify", "", "show what was set, whether it still holds, and what it has brought"},
    {"--restore", "", "take back what was set, but for what somebody has changed since"},
};

using vacuum::SettingAdvice;
using vacuum::SettingChanges;
using vacuum::SettingsNow;
using vacuum::Tuned;

// Quoted names as the server has them, of what the user wrote.
Result<std::vector<std::string>> tables_of(pg::Connection& conn, const Args& args) {
  std::vector<std::string> out;
  for (const std::string& table : args.list("TABLE")) {
    const facts::Tables loaded = TRY(facts::load_tables(conn, {.table = table}));
    for (const facts::TableFacts& one : loaded.tables) out.push_back(one.qualified());
  }
  return out;
}

// A standby has no counters of what is written, and none of its settings are its own.
Status on_primary(pg::Connection& conn) {
  const pg::Rows rows = TRY(conn.query("select pg_is_in_recovery()"));
  if (!TRY(rows[0].get<bool>(0))) return ok();
  return Error{ErrorCode::Unavailable, "the server is a standby and does not know what is written",
               "25006"}
      .hinting("connect to the primary");
}

Result<vacuum::TuneAdvice> look(const Args& args, Output& output, pg::Connection& conn) {
  TRY(on_primary(conn));
  const int64_t length = TRY(args.number("--for", 0, 1, 86'400));
  vacuum::TunePolicy policy;
  policy.size_min = Bytes{TRY(args.number("--min-size", 100, 0, 1'000'000'000)) << 20};
  const std::vector<std::string> tables = TRY(tables_of(conn, args));
  if (!tables.empty()) policy.size_min = {};
  vacuum::LoadedTune loaded = TRY(vacuum::load_tune(conn));
  for (const facts::MissingRight& missing : loaded.recorder.missing()) {
    output.missing_right(cat(missing.what, "; ", missing.grant, " would show it"));
  }
  if (args.has("--trace")) {
    const vacuum::Trace recorded = TRY(load_trace(args.get("--trace")));
    vacuum::take_rates(loaded.input, recorded);
  } else if (args.has("--for")) {
    output.note(cat("looking for ", human(seconds(length)), " how much is written"));
    std::this_thread::sleep_for(seconds(length));
    vacuum::Trace recorded = loaded.recorder.head();
    recorded.samples.push_back(TRY(loaded.recorder.sample(conn, false)));
    vacuum::take_rates(loaded.input, recorded);
  }
  return vacuum::advise(loaded.input, tables, policy);
}

void print_advice(Output& output, const vacuum::TuneAdvice& advice) {
  Table table{.headings = {"table", "setting", "now", "advised", "because"},
              .align = {Align::Left, Align::Left, Align::Right, Align::Right, Align::Left},
              .rows = {}};
  std::string last = "?";
  for (const auto* list : {&advice.tables, &advice.server}) {
    for (const SettingAdvice& one : *list) {
      const std::string object = one.table.empty() ? "(the server)" : one.table;
      table.rows.push_back({object == last ? "" : object, one.name,
                            cat(one.now, one.own ? " (its own)" : ""), one.advised,
                            cat(one.why, one.restart ? "; needs a restart" : "")});
      last = object;
    }
  }
  if (table.rows.empty()) {
    output.line("the settings fit: nothing to advise");
  } else {
    output.table(table);
  }
  if (!advice.today) {
    output.note(
        "how much is written is not known yet: --for and --trace tell; shares of the tables' rows "
        "are all this rests on");
    return;
  }
  output.line();
  output.line(cat(time_text(advice.duration_s), " of these writes to ", advice.tables_replayed,
                  advice.tables_replayed == 1 ? " table" : " tables", ", simulated:"));
  print_variants(output, {*advice.today, *advice.advised});
  output.line();
}

// What is to be changed of each object.
std::map<std::string, SettingChanges> changes_of(const vacuum::TuneAdvice& advice, bool server) {
  std::map<std::string, SettingChanges> out;
  for (const SettingAdvice& one : advice.tables) out[one.table][one.name] = one.advised;
  if (!server) return out;
  for (const SettingAdvice& one : advice.server) out[""][one.name] = one.advised;
  return out;
}

std::vector<std::string> setting_names(const std::map<std::string, SettingChanges>& changes) {
  std::set<std::string> out;
  for (const auto& [object, settings] : changes) {
    for (const auto& [name, value] : settings) out.insert(name);
  }
  return {out.begin(), out.end()};
}

// What the server was started with goes before what ALTER SYSTEM sets: it is told, and left.
void leave_fixed(Output& output, const std::vector<SettingsNow>& now,
                 std::map<std::string, SettingChanges>& changes) {
  const auto server = std::ranges::find(now, std::string(), &SettingsNow::object);
  const auto wanted = changes.find("");
  if (server == now.end() || wanted == changes.end()) return;
  for (const std::string& name : server->fixed) {
    if (wanted->second.erase(name) == 0) continue;
    output.warn(cat(name,
                    " is set on the server's command line, which goes before ALTER SYSTEM: "
                    "change it where the server is started"));
  }
  if (wanted->second.empty()) changes.erase(wanted);
}

// One exit code for all objects: that of the first failure.
Result<int> carry_out(const Args& args, Output& output, std::string_view kind,
                      const std::map<std::string, SettingChanges>& changes,
                      const std::vector<SettingsNow>& now) {
  const auto session = TRY(GateSession::open(args, output));
  int code = 0;
  json::array outcomes;
  for (const auto& [object, settings] : changes) {
    const auto found = std::ranges::find(now, object, &SettingsNow::object);
    if (found == now.end() || !found->present) continue;
    care::Gate gate(session->setup());
    auto outcome = gate.run(vacuum::settings_action(kind, *found, settings));
    const std::string shown = object.empty() ? "the server" : printable(object);
    if (!outcome) {
      const Error& error = outcome.error();
      if (error.code == ErrorCode::Cancelled) return error;
      output.warn(cat(shown, ": ", printable(error.message),
                      error.hint.empty() ? "" : cat(" (", error.hint, ")")));
      if (code == 0) code = exit_code(error);
      continue;
    }
    print_outcome(output, *outcome);
    if (outcome->applied) output.line(cat(shown, ": done"));
    outcomes.emplace_back(care::to_json(*outcome));
  }
  output.data()["outcomes"] = std::move(outcomes);
  return code;
}

// What the trail says that we have set here, and what it is now.
struct OurSettings {
  std::vector<Tuned> settings = {};
  std::vector<SettingsNow> now = {};
  std::vector<vacuum::Effect> effects = {};
};

Result<OurSettings> our_settings(pg::Connection& conn) {
  OurSettings out;
  const auto audit = TRY(existing_audit());
  if (audit == nullptr) return out;
  const std::string place = TRY(care::place_of(conn));
  out.settings = TRY(vacuum::load_tuned(*audit, place));
  std::set<std::string> objects;
  std::set<std::string> names;
  for (const Tuned& setting : out.settings) {
    objects.insert(setting.object);
    if (setting.object.empty()) names.insert(setting.name);
  }
  out.now = TRY(vacuum::load_settings_now(conn, {objects.begin(), objects.end()},
                                          {names.begin(), names.end()}));
  out.effects = TRY(vacuum::load_effects(conn, out.settings));
  return out;
}

std::string fate_text(const Tuned& setting, const OurSettings& ours) {
  switch (vacuum::fate_of(setting, ours.now)) {
    case vacuum::Fate::InForce:
      return "in force";
    case vacuum::Fate::Original:
      return "as it was before";
    case vacuum::Fate::Gone:
      return "the table is gone";
    case vacuum::Fate::Changed:
      break;
  }
  const auto value = vacuum::value_now(setting, ours.now);
  return cat("changed since by somebody, to ", value ? *value : "nothing", ": left to them");
}

void print_ours(Output& output, const OurSettings& ours) {
  Table table{.headings = {"table", "setting", "before", "set", "at", "now"},
              .align = {Align::Left, Align::Left, Align::Right, Align::Right, Align::Left},
              .rows = {}};
  json::array list;
  for (const Tuned& setting : ours.settings) {
    const std::string fate = fate_text(setting, ours);
    table.rows.push_back({setting.object.empty() ? "(the server)" : setting.object, setting.name,
                          setting.original.value_or("not set"), setting.ours, setting.at, fate});
    list.emplace_back(json::object{
        {"table", setting.object},
        {"setting", setting.name},
        {"before", setting.original ? json::value(*setting.original) : json::value(nullptr)},
        {"set", setting.ours},
        {"at", setting.at},
        {"now", fate}});
  }
  output.data()["settings"] = std::move(list);
  if (ours.settings.empty()) return output.line("nothing is set by pgtend here");
  output.table(table);
}

void print_effects(Output& output, const OurSettings& ours) {
  json::array list;
  for (const vacuum::Effect& effect : ours.effects) {
    output.line(cat(printable(effect.table), " since ", effect.since, ": ", effect.autovacuums,
                    " autovacuums (at most ", compact(effect.autovacuums_due), " were due), ",
                    effect.autoanalyzes, " automatic analyzes (", compact(effect.autoanalyzes_due),
                    "); ", effect.verdict()));
    list.emplace_back(json::object{{"table", effect.table},
                                   {"since", effect.since},
                                   {"autovacuums", effect.autovacuums},
                                   {"autovacuums_due", effect.autovacuums_due},
                                   {"autoanalyzes", effect.autoanalyzes},
                                   {"autoanalyzes_due", effect.autoanalyzes_due},
                                   {"verdict", effect.verdict()}});
  }
  output.data()["effects"] = std::move(list);
}

Result<int> verify(const Args& args, Output& output) {
  Lookout lookout(args, output);
  pg::Connection conn = TRY(lookout.connect());
  TRY(conn.guard());
  const OurSettings ours = TRY(our_settings(conn));
  print_ours(output, ours);
  print_effects(output, ours);
  return 0;
}

Result<int> restore(const Args& args, Output& output) {
  OurSettings ours;
  {
    Lookout lookout(args, output);
    pg::Connection conn = TRY(lookout.connect());
    TRY(conn.guard());
    ours = TRY(our_settings(conn));
  }
  print_ours(output, ours);
  const auto changes = vacuum::restoration(ours.settings, ours.now);
  if (changes.empty()) {
    if (!ours.settings.empty()) output.line("nothing to take back");
    return 0;
  }
  return carry_out(args, output, vacuum::kRestoreKind, changes, ours.now);
}

}  // namespace

std::span<const Parameter> vacuum_tune_parameters() { return kTuneParameters; }

Result<int> run_vacuum_tune(const Args& args, Output& output) {
  if (args.has("--verify") && (args.has("--restore") || args.apply)) {
    return Error{ErrorCode::Invalid,
                 "--verify only looks: it goes with neither --restore nor --apply"};
  }
  if (args.has("--for") && args.has("--trace")) {
    return Error{ErrorCode::Invalid, "--for and --trace both tell what is written: give one"};
  }
  if (args.has("--verify")) return verify(args, output);
  if (args.has("--restore")) return restore(args, output);
  std::map<std::string, SettingChanges> changes;
  std::vector<SettingsNow> now;
  {
    Lookout lookout(args, output);
    pg::Connection conn = TRY(lookout.connect());
    TRY(conn.guard());
    const vacuum::TuneAdvice advice = TRY(look(args, output, conn));
    output.data() = vacuum::to_json(advice);
    print_advice(output, advice);
    changes = changes_of(advice, args.has("--server"));
    std::vector<std::string> objects;
    for (const auto& [object, settings] : changes) objects.push_back(object);
    now = TRY(vacuum::load_settings_now(conn, objects, setting_names(changes)));
    leave_fixed(output, now, changes);
    if (!args.has("--server") && !advice.server.empty()) {
      output.note("the server's settings are changed with --server only");
    }
  }
  if (changes.empty()) return 0;
  return carry_out(args, output, vacuum::kTuneKind, changes, now);
}

}  // namespace pgtend::cli
