#include "cli/partition_status.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/units.h"
#include "cli/lookout.h"
#include "cli/partition_maintain.h"
#include "partition/status.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kStatus[] = {
    {"[TABLE]", "", "this table alone; without it all partitioned tables"},
    {"--config", "FILE", "the policies; pgtend.toml in the working directory by default"},
    {"--fail-on-findings", "", "exit code 1 if a table is not as it should be"},
};
constexpr size_t kLinesShown = 24;
constexpr double kDay = 86'400;

void print_picture(Output& output, const facts::Layout& layout) {
  const std::vector<std::string> marks =
      output.terminal().ascii
          ? std::vector<std::string>{"_", ".", ":", "-", "=", "+", "*", "#", "@"}
          : std::vector<std::string>{"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const partition::Picture picture = partition::picture_of(layout, marks);
  const size_t skipped =
      picture.lines.size() > kLinesShown ? picture.lines.size() - kLinesShown : 0;
  if (skipped > 0) output.line(cat("    ", skipped, " older lines are left out"));
  for (size_t i = skipped; i < picture.lines.size(); ++i) {
    const auto& [label, signs] = picture.lines[i];
    output.line(cat("    ", printable(label), " ", join(signs, "")));
  }
}

void print_status(Output& output, const partition::SetStatus& status) {
  const facts::Layout& layout = status.layout;
  std::string head = layout.name.empty() ? status.table : layout.qualified();
  if (!layout.key.empty()) head += cat(" by ", layout.strategy, " ", layout.key);
  if (status.plan && !status.plan->width.empty()) head += cat(", every ", status.plan->width);
  output.line(output.styled(Style::Bold, printable(head)));
  if (!layout.partitions.empty()) {
    Bytes all;
    for (const facts::Partition& part : layout.partitions) all = all + part.bytes;
    std::string line = cat(layout.partitions.size(), " partitions, ", human(all));
    const std::string runway = runway_text(layout);
    output.line(cat("  ", line, runway.empty() ? "" : "; ", runway));
    print_picture(output, layout);
  }
  for (const std::string& complaint : status.complaints) {
    output.line(output.styled(Style::Warn, cat("  ", printable(complaint))));
  }
  if (status.complaints.empty()) {
    output.line(status.has_policy ? "  kept as its policy says" : "  nothing is wrong; no policy");
  }
}
}  // namespace

std::string runway_text(const facts::Layout& layout) {
  if (!layout.runway_s) return "";
  const double left = std::abs(*layout.runway_s);
  const std::string time = left < 2 * kDay ? human(seconds(static_cast<int64_t>(left)))
                                           : cat(static_cast<int64_t>(left / kDay), " days");
  return *layout.runway_s >= 0 ? cat("the last partition ends in ", time)
                               : cat("the last partition ended ", time, " ago");
}

std::span<const Parameter> partition_status_parameters() { return kStatus; }

Result<int> run_partition_status(const Args& args, Output& output) {
  const std::vector<partition::UpkeepPolicy> policies = TRY(configured_policies(args));
  Lookout lookout(args, output);
  pg::Connection conn = TRY(lookout.connect());
  TRY(conn.guard());
  const auto all = TRY(partition::load_status(conn, policies, args.get("TABLE")));
  json::array sets;
  bool wrong = false;
  for (const partition::SetStatus& status : all) {
    print_status(output, status);
    sets.emplace_back(partition::to_json(status));
    wrong = wrong || !status.complaints.empty();
    for (const std::string& complaint : status.complaints) {
      output.keep_warning(cat(status.table, ": ", complaint));
    }
  }
  if (all.empty()) output.line("no table is partitioned");
  output.data()["sets"] = std::move(sets);
  return wrong && args.has("--fail-on-findings") ? 1 : 0;
}

}  // namespace pgtend::cli
