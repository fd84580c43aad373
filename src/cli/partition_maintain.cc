#include "cli/partition_maintain.h"

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "base/units.h"
#include "cli/gate_session.h"
#include "partition/upkeep.h"

namespace pgtend::cli {

namespace {
constexpr const char* kUsualConfig = "pgtend.toml";
constexpr int64_t kMaintainWaitMax = 86'400;

constexpr Parameter kMaintain[] = {
    {"[TABLE]", "", "this table alone; without it all that the file has policies for"},
    {"--config", "FILE", "policies, [partition.\"schema.table\"] each; pgtend.toml by default"},
    {"--every", "INTERVAL", "'1 month', '6 hours'; without it as wide as the newest partitions"},
    {"--zone", "ZONE", "whose calendar divides, UTC by default"},
    {"--anchor", "TIME", "a local time at which a partition begins, also on the 31st of a month"},
    {"--ahead", "N", "partitions after that of the present or the newest row (3)"},
    {"--data-ahead", "N", "rows further ahead of the clock are outliers and do not count (100)"},
    {"--create-max", "N", "more missing partitions at once are refused (100)"},
    {"--keep", "INTERVAL", "retire partitions that end longer ago; without it none"},
    {"--retire", "WAY", "detach (the default), archive, move or drop"},
    {"--folder", "FOLDER", "archive: where the files go"},
    {"--tablespace", "NAME", "move: where the partitions go"},
    {"--at", "TIME", "show what would be done at that time; not with --apply"},
    {"--wait", "SECONDS",
     "how long a DETACH waits for older transactions (60); the next run goes on"},
    {"--apply", "", "do it; without it the statements are shown"},
};

// The switches of a command line over `policy`.
Result<partition::UpkeepPolicy> with_switches(const Args& args, partition::UpkeepPolicy policy) {
  if (args.has("--every")) policy.every = TRY(partition::width_from(args.get("--every")));
  if (args.has("--keep")) policy.keep = TRY(partition::width_from(args.get("--keep")));
  if (args.has("--retire")) policy.retire = TRY(partition::retire_from(args.get("--retire")));
  policy.time_zone = args.get("--zone", policy.time_zone);
  policy.anchor = args.get("--anchor", policy.anchor);
  policy.folder = args.get("--folder", policy.folder);
  policy.tablespace = args.get("--tablespace", policy.tablespace);
  policy.ahead =
      static_cast<int>(TRY(args.number("--ahead", policy.ahead, 0, partition::kAheadMost)));
  policy.data_ahead = static_cast<int>(
      TRY(args.number("--data-ahead", policy.data_ahead, 0, partition::kDataAheadMost)));
  policy.create_max = static_cast<int>(
      TRY(args.number("--create-max", policy.create_max, 1, partition::kCreateMost)));
  TRY(partition::check_policy(policy));
  return policy;
}

bool any_switch(const Args& args) {
  return std::ranges::any_of(std::span(kMaintain).subspan(2, 10),
                             [&](const Parameter& parameter) { return args.has(parameter.name); });
}

Result<std::vector<partition::UpkeepPolicy>> wanted_policies(const Args& args) {
  std::vector<partition::UpkeepPolicy> all = TRY(configured_policies(args));
  if (!args.has("TABLE")) {
    if (any_switch(args)) {
      return Error{ErrorCode::Invalid, "the switches are for one table"}.hinting("name it");
    }
    if (all.empty()) {
      return Error{ErrorCode::Invalid, "there is no policy"}.hinting(
          "name a table, or write [partition.\"schema.table\"] into pgtend.toml");
    }
    return all;
  }
  const std::string table = args.get("TABLE");
  const auto found = std::ranges::find(all, table, &partition::UpkeepPolicy::table);
  partition::UpkeepPolicy policy{.table = table};
  if (found != all.end()) policy = *found;
  return std::vector{TRY(with_switches(args, std::move(policy)))};
}

void print_done(Output& output, const partition::Done& done) {
  for (const care::StatementReport& statement : done.outcome.statements) {
    output.line(cat("    ", printable(statement.sql, true), ";"));
    if (statement.lock == care::LockMode::None) continue;
    output.line(output.styled(
        Style::Dim, cat("      ", care::name(statement.lock), ": ", care::effect(statement.lock))));
  }
  for (const std::string& warning : done.outcome.warnings) output.warn(warning);
  if (!done.outcome.applied && !done.outcome.refusal.empty()) {
    output.warn(cat("--apply would be refused: ", done.outcome.refusal));
  }
  if (done.outcome.applied && !done.outcome.undo.empty()) {
    output.line(cat("    to undo: ", printable(join(done.outcome.undo, "; "))));
  }
}

void print_list(Output& output, const std::vector<partition::Done>& list,
                std::string_view nothing) {
  if (list.empty()) output.line(cat("  ", nothing));
  for (const partition::Done& done : list) {
    if (done.error) {
      output.line(output.styled(
          Style::Bad, cat("  ", printable(done.partition), ": ", printable(done.error->message))));
      if (!done.error->hint.empty()) output.line(cat("    ", printable(done.error->hint)));
    } else {
      output.line(cat("  ", printable(done.partition), ": ", done.what));
    }
    for (const std::string& note : done.notes) output.line(cat("    ", printable(note)));
    print_done(output, done);
  }
}

void print_set(Output& output, const partition::SetReport& report) {
  const partition::SetPlan& plan = report.plan;
  std::string head = plan.layout.name.empty() ? plan.policy.table : plan.layout.qualified();
  if (!plan.width.empty()) {
    head += cat(" by ", plan.layout.column, ", every ", plan.width, " of ", plan.policy.time_zone);
  }
  output.line(output.styled(Style::Bold, printable(head)));
  if (report.error) {
    output.line(output.styled(Style::Bad, cat("  ", printable(report.error->message))));
    return;
  }
  for (const std::string& warning : plan.warnings) output.warn(warning);
  if (!plan.newest.empty()) output.line(cat("  the newest row is of ", plan.newest));
  if (plan.refusal.empty()) {
    print_list(output, report.births, "nothing is missing ahead");
  } else {
    output.line(output.styled(Style::Bad, cat("  ", printable(plan.refusal))));
  }
  if (plan.policy.keep || !report.departures.empty()) {
    print_list(output, report.departures, "nothing is too old");
  }
}

// All that failed wanted a lock: 6, else 5.
int code_of(const std::vector<partition::SetReport>& reports) {
  bool failed = false;
  bool locks_only = true;
  const auto look = [&](const std::vector<partition::Done>& list) {
    for (const partition::Done& done : list) {
      if (done.error && done.error->code != ErrorCode::Conflict) locks_only = false;
    }
  };
  for (const partition::SetReport& report : reports) {
    failed = failed || report.failed();
    if (report.error || !report.plan.refusal.empty()) locks_only = false;
    look(report.births);
    look(report.departures);
  }
  if (!failed) return 0;
  return traits(locks_only ? ErrorCode::Conflict : ErrorCode::Internal).exit_code;
}
}  // namespace

std::span<const Parameter> partition_maintain_parameters() { return kMaintain; }

Result<std::vector<partition::UpkeepPolicy>> configured_policies(const Args& args) {
  if (args.has("--config")) return partition::load_policies(args.get("--config"));
  std::error_code failure;
  if (!std::filesystem::exists(kUsualConfig, failure)) {
    return std::vector<partition::UpkeepPolicy>();
  }
  return partition::load_policies(kUsualConfig);
}

Result<int> run_partition_maintain(const Args& args, Output& output) {
  if (args.has("--at") && args.apply) {
    return Error{ErrorCode::Invalid, "--at shows another time, --apply acts in this one"}.hinting(
        "leave one of them out");
  }
  const std::vector<partition::UpkeepPolicy> policies = TRY(wanted_policies(args));
  const auto session = TRY(GateSession::open(args, output));
  partition::UpkeepSetup setup{.gate = session->setup(), .now = args.get("--at")};
  setup.detach_patience = seconds(TRY(args.number("--wait", 60, 1, kMaintainWaitMax)));
  const auto reports = TRY(partition::run_upkeep(setup, policies));
  json::array sets;
  for (const partition::SetReport& report : reports) {
    print_set(output, report);
    sets.emplace_back(partition::to_json(report));
    if (report.failed()) {
      output.keep_warning(cat(report.plan.policy.table, " is not kept as its policy says"));
    }
  }
  output.data()["sets"] = std::move(sets);
  if (!args.apply) output.note("dry run: nothing was changed; --apply runs it");
  return code_of(reports);
}

}  // namespace pgtend::cli
