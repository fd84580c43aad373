#include "cli/doctor.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "cli/findings.h"
#include "cli/lookout.h"
#include "pg/capability.h"
#include "pg/connection.h"
#include "vacuum/rules_bloat.h"
#include "vacuum/vacuum.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kDoctorParameters[] = {
    {"--fail-on", "SEVERITY", "exit 1 when a finding is info, notice, warning or critical"},
};
// Extensions that make the advice better, and what for.
constexpr std::pair<std::string_view, std::string_view> kUseful[] = {
    {"hypopg", "lets the planner try a proposed index before it is built"},
    {"pg_stat_statements", "shows which statements cost most"},
    {"pgstattuple", "measures bloat exactly"},
};
constexpr std::string_view kPreloaded = "pg_stat_statements";  // counts nothing otherwise
constexpr size_t kOwnersMax = 20;

json::object to_json(const pg::Capability& capability) {
  json::array extensions;
  for (const auto& [name, use] : kUseful) {
    const pg::Extension* extension = capability.extension(name);
    extensions.push_back(json::object{{"name", name},
                                      {"available", extension != nullptr},
                                      {"installed", capability.installed(name)}});
  }
  return {{"version", capability.version},         {"provider", capability.provider},
          {"in_recovery", capability.in_recovery}, {"user", capability.user},
          {"database", capability.database},       {"superuser", capability.superuser},
          {"extensions", std::move(extensions)}};
}

void print_server(Output& output, const pg::Capability& capability) {
  output.data()["server"] = to_json(capability);
  output.line(cat("PostgreSQL ", capability.version, ", ", capability.provider,
                  capability.in_recovery ? ", a standby: nothing can be changed here" : ""));
  output.line(cat("connected to ", printable(capability.database), " as ",
                  printable(capability.user), capability.superuser ? " (superuser)" : ""));
  for (const auto& [name, use] : kUseful) {
    const pg::Extension* extension = capability.extension(name);
    if (capability.installed(name)) {
      output.line(cat("  ", name, " ", extension->installed, " is installed"));
    } else if (extension != nullptr) {
      output.line(cat("  ", name, " could be installed: CREATE EXTENSION ", name,
                      name == kPreloaded ? ", with shared_preload_libraries and a restart" : "",
                      "; it ", use));
    } else {
      output.line(cat("  ", name, " is not on the server; it ", use));
    }
  }
}

// The levels whose own rights are all there. They need not be without gaps: an owner may change its
// tables and yet not see the sessions of others.
std::string rights_text(const pg::LevelReport& report) {
  std::vector<std::string> held;
  for (const pg::Level level :
       {pg::Level::Watch, pg::Level::Advise, pg::Level::Maintain, pg::Level::Change}) {
    const bool missing = std::ranges::any_of(
        report.missing, [&](const pg::MissingRight& right) { return right.level == level; });
    if (!missing) held.emplace_back(pg::name(level));
  }
  return held.empty() ? "none" : join(held, ", ");
}

// What the role may do with the tables of each owner.
Status print_levels(Output& output, pg::Connection& conn, const pg::Capability& capability,
                    const vacuum::Facts& facts) {
  std::set<std::string> owners;
  for (const facts::TableFacts& table : facts.tables) owners.insert(table.owner);
  std::set<std::string> told;  // a right may be missing for several owners
  json::array levels;
  size_t shown = 0;
  for (const std::string& owner : owners) {
    if (++shown > kOwnersMax) {
      output.note(cat(owners.size() - kOwnersMax, " more owners are not listed"));
      break;
    }
    const pg::LevelReport level = TRY(pg::read_level(conn, capability, owner));
    output.line(cat("rights on tables of ", printable(owner), ": ", rights_text(level)));
    levels.push_back(json::object{{"owner", owner}, {"level", pg::name(level.reached)}});
    for (const pg::MissingRight& missing : level.missing) {
      const std::string text = cat(missing.what, ": ", missing.grant);
      if (told.insert(text).second) output.missing_right(text);
    }
  }
  if (owners.empty() || owners.size() > kOwnersMax) {  // else the levels have told all of them
    for (const facts::MissingRight& missing : facts.missing) {
      output.missing_right(cat(missing.what, "; ", missing.grant, " would show it"));
    }
  }
  output.data()["levels"] = std::move(levels);
  return ok();
}
}  // namespace

std::span<const Parameter> doctor_parameters() { return kDoctorParameters; }

Result<int> run_doctor(const Args& args, Output& output) {
  const FailOn limit = TRY(fail_on(args));  // a typing mistake should cost no work
  Lookout lookout(args, output);
  pg::Connection conn = TRY(lookout.connect());
  TRY(conn.guard());
  const pg::Capability capability = TRY(pg::read_capability(conn));
  print_server(output, capability);
  vacuum::Facts facts = TRY(vacuum::load(conn));
  TRY(vacuum::add_bloat(conn, facts));
  TRY(print_levels(output, conn, capability, facts));
  output.line();
  const auto findings = vacuum::review(facts);
  if (findings.empty()) {
    output.line(
        output.styled(Style::Good, cat(facts.tables.size(), " tables looked at, no findings")));
  }
  print_findings(output, findings);
  return exit_for(limit, findings);
}

}  // namespace pgtend::cli
