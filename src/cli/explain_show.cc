#include "cli/explain_show.h"

#include <chrono>

#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"
#include "explain/anonymize.h"
#include "explain/plan_diff.h"
#include "explain/render_term.h"
#include "explain/render_text.h"
#include "explain/report_json.h"
#include "explain/rules.h"

namespace pgtend::cli {

namespace {

// The lines of one way to mend it, each statement with what it does to others.
void print_action(const care::Action& action, bool first, Output& output) {
  output.line(cat("  ", first ? "fix:" : "or:"));
  for (const care::Step& step : action.steps) {
    output.line(cat("    ", printable(step.sql), ";"));
    if (step.lock != care::LockMode::None) {
      output.line(cat("      takes ", name(step.lock), " on ", printable(action.object), ": ",
                      effect(step.lock)));
    }
  }
  if (action.expected_seconds) {
    const auto expected = std::chrono::duration<double>(*action.expected_seconds);
    output.line(cat("    takes about ", human(std::chrono::duration_cast<nanoseconds>(expected))));
  }
  if (action.extra_disk) output.line(cat("    disk: ", human(*action.extra_disk)));
  if (!action.verify_sql.empty()) {
    output.line(cat("    done when: ", printable(action.verify_sql), ";"));
  }
  for (const std::string& sql : action.undo) {
    output.line(cat("    undo: ", printable(sql), ";"));
  }
}

void print_rule(std::string_view id, Output& output) {
  for (const explain::Rule& rule : explain::rules()) {
    if (rule.id != id) continue;
    const auto told = [&](std::string_view lead, std::string_view text) {
      const size_t width = output.terminal().width;
      output.line(cat("  ", lead, wrapped(text, width - lead.size() - 2, lead.size() + 2)));
    };
    output.line(cat("\n", rule.id, ": ", rule.title));
    told("signal: ", rule.signal);
    told("why:    ", rule.why);
    told("fix:    ", rule.fix);
  }
}

void print_why(const explain::Report& report, size_t index, Output& output) {
  const care::Finding& finding = report.findings[index];
  const size_t width = output.terminal().width;
  output.line(output.styled(Style::Bold, cat("[", index + 1, "] ", finding.id, " ",
                                             wrapped(printable(finding.what), width, 4))));
  output.line(cat("  severity: ", name(finding.severity), ", proof: ", name(finding.proof)));
  output.line(cat("  ", wrapped(printable(finding.why), width - 2, 2)));
  for (const int node : report.places[index]) {
    const explain::Node& place = explain::at(report.plan, node);
    output.line(cat("  node ", node + 1, ": ", printable(place.type), " ",
                    printable(place.object.relation)));
    for (const std::string_view text : place.expressions()) {
      output.line(cat("    ", printable(text)));
    }
  }
  output.line("  evidence:");
  for (const care::Evidence& evidence : finding.evidence) {
    output.line(cat("    ", evidence.name, ": ", printable(evidence.value)));
  }
  if (!finding.prediction.empty()) {
    output.line(cat("  expected: ", wrapped(printable(finding.prediction), width - 12, 12)));
  }
  for (size_t i = 0; i < finding.actions.size(); ++i) {
    print_action(finding.actions[i], i == 0, output);
  }
  for (const std::string& sql : finding.statements) {
    output.line(cat("  try: ", printable(sql), ";"));
  }
  print_rule(finding.id, output);
}

// Finding `number`, counted over all reports in their order.
Status print_finding(const Reports& reports, int64_t number, Output& output) {
  auto index = static_cast<size_t>(number - 1);
  size_t all = 0;
  for (const explain::Report& report : reports) {
    all += report.findings.size();
    if (index < report.findings.size()) {
      print_why(report, index, output);
      return ok();
    }
    index -= report.findings.size();
  }
  return Error{ErrorCode::Invalid,
               cat("there is no finding ", number, ": ",
                   all == 0 ? cat("nothing was found") : cat("the last is ", all))}
      .hinting("leave --why out to see all");
}

void keep_notes(const explain::Report& report, Output& output) {
  for (const std::string& warning : report.warnings) output.keep_warning(warning);
  for (const facts::MissingRight& missing : report.missing) {
    output.missing_right(cat(missing.what, "; ", missing.grant, " would show it"));
  }
}

}  // namespace

Result<Reports> anonymous_reports(Reports reports, explain::Pseudonyms& pseudonyms) {
  Reports out;
  for (explain::Report& report : reports) {
    explain::ReadPlan read{report.format, report.line,
                           TRY(explain::anonymous_plan(report.plan, pseudonyms))};
    out.push_back(explain::examine_offline(std::move(read)));
  }
  return out;
}

void keep_plans(std::shared_ptr<const Reports> reports, Output& output) {
  output.data_member("plans", [reports](JsonWriter& writer) {
    writer.begin_list();
    for (const explain::Report& report : *reports) explain::write_json(writer, report);
    writer.end();
  });
}

void show_tree(const explain::Report& report, const Args& args, Output& output) {
  const Terminal& terminal = output.terminal();
  const explain::RenderOptions options{.color = terminal.color,
                                       .ascii = terminal.ascii,
                                       .width = static_cast<int>(terminal.width),
                                       .evidence = true,
                                       .fold = !args.has("--all")};
  output.line(trim(explain::render_term(report, options)));
}

Status show_reports(std::shared_ptr<const Reports> reports, const Args& args, Output& output) {
  constexpr int64_t kFindingsMax = 1'000'000;
  const bool why = args.has("--why");
  const int64_t number = TRY(args.number("--why", 1, 1, kFindingsMax));
  keep_plans(reports, output);
  for (size_t i = 0; i < reports->size(); ++i) {
    const explain::Report& report = (*reports)[i];
    keep_notes(report, output);
    if (output.json() || why) continue;
    if (reports->size() > 1) {
      output.line(output.styled(Style::Bold, cat(i > 0 ? "\n" : "", "plan ", i + 1, " of ",
                                                 reports->size(), ", line ", report.line)));
    }
    if (args.has("--text")) {
      const std::string text = TRY(explain::render_text(report.plan));
      output.line(printable(trim(text), true));
    } else {
      show_tree(report, args, output);
    }
  }
  return why && !output.json() ? print_finding(*reports, number, output) : ok();
}

void show_diff(std::shared_ptr<const Reports> reports, Output& output) {
  const explain::Report &before = reports->front(), &after = reports->back();
  keep_plans(reports, output);
  output.data_member("diff", [reports](JsonWriter& writer) {
    explain::write_diff_json(writer, reports->front(), reports->back());
  });
  if (output.json()) return;
  const explain::DiffOptions options{output.terminal().ascii, output.terminal().width};
  output.line(trim(explain::render_diff(before, after, options)));
}

}  // namespace pgtend::cli
