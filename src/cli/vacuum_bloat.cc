#include "cli/vacuum_bloat.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/units.h"
#include "cli/findings.h"
#include "cli/lookout.h"
#include "pg/connection.h"
#include "vacuum/bloat_report.h"
#include "vacuum/rules_bloat.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kBloatParameters[] = {
    {"[TABLE]", "...", "these tables (with their partitions); all when left out"},
    {"--exact", "", "read whole tables, as far as --read allows, instead of estimating"},
    {"--read", "PAGES",
     "pages that may be read to measure, 20000 by default; 0: only what needs none"},
    {"--all", "", "list every table, not only the 20 that waste most"},
};
constexpr size_t kBloatShown = 20;
constexpr int64_t kPagesMax = int64_t{1} << 40;

using vacuum::Bloat;
using vacuum::Interval;

std::string size_text(double pages, int block_size) {
  return human(Bytes{std::llround(pages) * block_size});
}

// "59.8 % (59.1 to 60.4)"
std::string share_text(const Interval& share) {
  const auto tenths = [](double value) {
    const auto rounded = std::llround(value * 1000);
    return cat(rounded / 10, '.', rounded % 10);
  };
  return cat(tenths(share.best), " % (", tenths(share.low), " to ", tenths(share.high), ")");
}

std::vector<std::string> row_of(const std::string& relation, const Bloat& bloat, int block_size) {
  const std::string now = size_text(static_cast<double>(bloat.pages), block_size);
  if (!bloat.known()) return {relation, now, "", "", "unknown", cat(" ", bloat.why)};
  const std::string why = bloat.why.empty() ? "" : cat(", ", bloat.why);
  return {relation,
          now,
          size_text(bloat.needed.best, block_size),
          size_text(bloat.wasted().best, block_size),
          share_text(bloat.share()),
          cat(vacuum::name(bloat.method), why)};
}

void print_tables(Output& output, const vacuum::BloatReport& report, bool all) {
  Table table{.headings = {"relation", "size", "rewritten", "bloat", "share", "how"},
              .align = {Align::Left, Align::Right, Align::Right, Align::Right, Align::Right},
              .rows = {}};
  size_t shown = 0;
  for (const vacuum::TableBloat& one : report.tables) {
    if (!all && shown >= kBloatShown) break;
    ++shown;
    const std::string name =
        one.partitioned ? cat(one.table, " (", one.partitions, " partitions)") : one.table;
    table.rows.push_back(row_of(name, one.heap, report.block_size));
    if (one.toast && one.toast->pages > 0) {
      table.rows.push_back(row_of("  TOAST", *one.toast, report.block_size));
    }
    for (const vacuum::IndexBloat& index : one.indexes) {
      table.rows.push_back(row_of(cat("  ", index.name), index.bloat, report.block_size));
    }
  }
  output.table(table);
  if (shown < report.tables.size()) {
    output.note(cat(report.tables.size() - shown, " more tables; --all lists them"));
  }
}
}  // namespace

std::span<const Parameter> vacuum_bloat_parameters() { return kBloatParameters; }

Result<int> run_vacuum_bloat(const Args& args, Output& output) {
  vacuum::BloatSetup setup;
  setup.tables = args.list("TABLE");
  setup.exact = args.has("--exact");
  setup.pages_max = TRY(args.number("--read", setup.pages_max, 0, kPagesMax));
  Lookout lookout(args, output);
  pg::Connection conn = TRY(lookout.connect());
  pg::Guards guards;
  // Reading a table may take as long as it takes; a stop ends it.
  if (setup.exact) guards.statement = milliseconds(0);
  TRY(conn.guard(guards));
  const vacuum::BloatReport report = TRY(vacuum::load_bloat(conn, setup));
  for (const facts::MissingRight& missing : report.missing) {
    output.missing_right(cat(missing.what, "; ", missing.grant, " would show it"));
  }
  output.data() = vacuum::to_json(report);
  print_tables(output, report, args.has("--all"));
  if (report.pages_read > 0) {
    output.note(cat(grouped(report.pages_read), " pages were read to measure"));
  }
  output.line();
  print_findings(output, vacuum::bloat_findings(report));
  return 0;
}

}  // namespace pgtend::cli
