#include "cli/doctor.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "cli/findings.h"
#include "pg/capability.h"
#include "pg/connection.h"
#include "vacuum/vacuum.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kParameters[] = {
    {"--fail-on", "SEVERITY", "exit 1 when a finding is info, notice, warning or critical"},
};
// Extensions that make the advice better, and what for.
constexpr std::pair<std::string_view, std::string_view> kUseful[] = {
    {"hypopg", "lets the planner try a proposed index before it is built"},
    {"pg_stat_statements", "shows which statements cost most"},
    {"pgstattuple", "measures bloat exactly"},
};
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
      output.line(cat("  ", name, " could be installed: CREATE EXTENSION ", name, "; it ", use));
    } else {
      output.line(cat("  ", name, " is not on the server; it ", use));
    }
  }
}

// What the role may do with the tables of each owner.
Status print_levels(Output& output, pg::Connection& conn, const pg::Capability& capability,
                    const std::vector<facts::TableFacts>& tables) {
  std::set<std::string> owners;
  for (const facts::TableFacts& table : tables) owners.insert(table.owner);
  json::array levels;
  size_t shown = 0;
  for (const std::string& owner : owners) {
    if (++shown > kOwnersMax) {
      output.note(cat(owners.size() - kOwnersMax, " more owners are not listed"));
      break;
    }
    const pg::LevelReport level = TRY(pg::read_level(conn, capability, owner));
    output.line(cat("rights on tables of ", printable(owner), ": ", pg::name(level.reached)));
    levels.push_back(json::object{{"owner", owner}, {"level", pg::name(level.reached)}});
    for (const pg::MissingRight& missing : level.missing) {
      output.missing_right(cat(missing.what, ": ", missing.grant));
    }
  }
  output.data()["levels"] = std::move(levels);
  return ok();
}
}  // namespace

std::span<const Parameter> doctor_parameters() { return kParameters; }

Result<int> run_doctor(const Args& args, Output& output) {
  pg::Connection conn = TRY(pg::Connection::open(args.connection));
  TRY(conn.guard());
  const pg::Capability capability = TRY(pg::read_capability(conn));
  print_server(output, capability);
  const vacuum::Facts facts = TRY(vacuum::load(conn));
  TRY(print_levels(output, conn, capability, facts.tables));
  for (const facts::MissingRight& missing : facts.missing) {
    output.missing_right(cat(missing.what, "; ", missing.grant, " would show it"));
  }
  output.line();
  const auto findings = vacuum::review(facts);
  if (findings.empty()) {
    output.line(
        output.styled(Style::Good, cat(facts.tables.size(), " tables looked at, no findings")));
  }
  print_findings(output, findings);
  return exit_for(args, findings);
}

}  // namespace pgtend::cli
