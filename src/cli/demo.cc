#include "cli/demo.h"

#include <fmt/core.h>

#include "base/text.h"
#include "demo/generator_population.h"
#include "demo/pool_process.h"
#include "demo/tour.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kDemoParameters[] = {
    {"--size", "s|m|l", "how much data: 1.3 M (s), 20 M (m) or 202 M (l) readings"},
    {"--clients", "N", "clients of the load runs, 300 by default"},
    {"--seed", "N", "of data and load, 1 by default"},
    {"--keep", "", "leave the server's data folder behind"},
};

demo::TourVoice voice_on(Output& output) {
  demo::TourVoice voice;
  voice.step = [&output](const std::string& title) {
    output.line();
    output.line(output.styled(Style::Bold, title));
  };
  voice.line = [&output](const std::string& text) {
    output.line(wrapped(cat("  ", printable(text)), output.terminal().width, 4));
  };
  voice.progress = [&output](const std::string& text) { output.progress(printable(text)); };
  voice.done = [&output](double seconds) {
    output.line(output.styled(Style::Dim, fmt::format("  {:.1f} s", seconds)));
  };
  return voice;
}

void print_table(Output& output, const demo::TourReport& report) {
  Table table{.headings = {"", "before", "after", "change", ""},
              .align = {Align::Left, Align::Right, Align::Right, Align::Right, Align::Left},
              .rows = {}};
  for (const demo::TourRow& row : report.table) {
    table.rows.push_back({row.what, demo::value_text(row.before, row.unit),
                          demo::value_text(row.after, row.unit), demo::change_text(row), row.note});
  }
  output.line();
  output.table(table);
}
}  // namespace

std::span<const Parameter> demo_parameters() { return kDemoParameters; }

Result<int> run_demo(const Args& args, Output& output) {
  demo::TourOptions options;
  options.size = args.get("--size", "s");
  TRY(demo::scale_named(options.size));  // a typing mistake should not cost a server's start
  options.clients = static_cast<int>(TRY(args.number("--clients", 300, 1, 10'000)));
  options.seed = static_cast<uint64_t>(TRY(args.number("--seed", 1, 0, INT64_MAX)));
  options.keep = args.has("--keep");
  options.stop = args.stop;
  options.pool_program = TRY(demo::program_beside(args.program, "pgtend-pool"));
  const demo::TourReport report = TRY(demo::tour(options, voice_on(output)));
  print_table(output, report);
  output.data() = demo::to_json(report);
  return 0;
}

}  // namespace pgtend::cli
