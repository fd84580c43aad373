#include "cli/findings.h"

#include <algorithm>

#include "base/text.h"
#include "base/units.h"

namespace pgtend::cli {

namespace {
constexpr care::Severity kSeverities[] = {care::Severity::Info, care::Severity::Notice,
                                          care::Severity::Warning, care::Severity::Critical};

Style style_of(care::Severity severity) {
  switch (severity) {
    case care::Severity::Info:
      return Style::Dim;
    case care::Severity::Notice:
      return Style::Plain;
    case care::Severity::Warning:
      return Style::Warn;
    case care::Severity::Critical:
      return Style::Bad;
  }
  return Style::Plain;
}

// Many tables have findings of one kind: the table comes first.
std::string heading(const care::Finding& finding) {
  return finding.object.empty() ? printable(finding.what)
                                : cat(printable(finding.object), ": ", printable(finding.what));
}

void print_action(Output& output, const care::Action& action) {
  for (const care::Step& step : action.steps) {
    output.line(cat("    ", output.styled(Style::Good, cat(printable(step.sql, true), ";"))));
    if (step.lock == care::LockMode::None) continue;
    output.line(output.styled(Style::Dim,
                              cat("      ", care::name(step.lock), ": ", care::effect(step.lock))));
  }
}
}  // namespace

void print_findings(Output& output, const std::vector<care::Finding>& findings) {
  json::array list;
  for (const care::Finding& finding : findings) {
    list.push_back(care::to_json(finding));
    output.line(cat(output.styled(style_of(finding.severity), cat("[", finding.id, "]")), " ",
                    output.styled(Style::Bold, heading(finding))));
    output.line(cat("    ", printable(finding.why)));
    if (!finding.actions.empty()) print_action(output, finding.actions.front());
    for (const std::string& sql : finding.statements) {
      output.line(cat("    ", output.styled(Style::Good, cat(printable(sql, true), ";"))));
    }
    if (!finding.prediction.empty()) {
      output.line(cat("    ", printable(finding.prediction), " (", care::name(finding.proof), ")"));
    }
    output.line();
  }
  output.data()["findings"] = std::move(list);
}

Result<FailOn> fail_on(const Args& args) {
  if (!args.has("--fail-on")) return FailOn{};
  const std::string wanted = lower(args.get("--fail-on"));
  for (const care::Severity severity : kSeverities) {
    if (lower(care::name(severity)) == wanted) return FailOn{severity};
  }
  return Error{ErrorCode::Invalid, cat("--fail-on takes info, notice, warning or critical, not \"",
                                       printable(wanted), "\"")};
}

int exit_for(const FailOn& limit, const std::vector<care::Finding>& findings) {
  const auto grave = [&](const care::Finding& f) { return f.severity >= *limit.severity; };
  return limit.severity && std::ranges::any_of(findings, grave) ? 1 : 0;
}

}  // namespace pgtend::cli
