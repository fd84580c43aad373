// H: I/O and WAL.
#include <algorithm>

#include "base/text.h"
#include "explain/plan_findings.h"
#include "explain/plan_rules.h"
#include "explain/words.h"

namespace pgtend::explain {
namespace {

constexpr double kColdShareMin = 0.9;       // H1, of the pages
constexpr double kWaitedShareMin = 0.5;     // H1, of the time
constexpr double kSlowBlockMs = 1;          // H2
constexpr double kSlowBlocksMin = 20;       // H2
constexpr double kDirtiedMin = 100;         // H3
constexpr double kDirtiedShareMin = 0.1;    // H3, of the pages
constexpr double kAgainBlocksMin = 10'000;  // H4
constexpr double kAgainFactorMin = 10;      // H4: of the pages that there are
constexpr double kImagesMin = 100;          // H5
constexpr double kImageShareMin = 0.5;      // H5, of the WAL
constexpr double kLocalBlocksMin = 1000;    // H7

// Time of reading shared blocks; 17 and later tell it by kind.
double read_ms(const Node& node) {
  return number_in(node, "I/O Read Time") + number_in(node, "Shared I/O Read Time");
}

void find_reads(const Examination& in, Diagnosis& out) {
  const Node& root = in.plan.root();
  if (!root.blocks || !in.plan.timed()) return;
  const double read = root.blocks->read, waited = read_ms(root);
  const auto weight = weigh(in, {.ms = waited});
  if (!weight) return;
  if (read >= kSlowBlocksMin && waited >= kSlowBlockMs * read) {
    care::Finding& finding = add_finding(in, out, "H2", {0}, *weight);
    finding.what = cat("reading ", counted(read), " pages takes ", milliseconds_text(waited / read),
                       " a page");
    finding.prediction =
        "that is a disk that turns, or a network, or one that is busy: look at the storage; "
        "effective_io_concurrency lets bitmap scans read ahead";
    return;
  }
  if (read < kColdShareMin * root.blocks->shared() || weight->share < kWaitedShareMin) return;
  care::Finding& finding = add_hint(in, out, "H1", {0}, *weight);
  finding.what = cat(percent(read / root.blocks->shared()), " of ", counted(root.blocks->shared()),
                     " pages were not in shared_buffers, and reading them is most of the time");
  finding.prediction =
      "run it again before judging: nothing follows from one cold run; pg_prewarm, or more "
      "shared_buffers, if it stays so";
}

bool writes(const Plan& plan) {
  return std::ranges::any_of(plan.nodes, [](const Node& node) {
    return node.type == "ModifyTable" || node.type == "LockRows";
  });
}

void find_h3(const Examination& in, Diagnosis& out) {
  const Node& root = in.plan.root();
  if (!root.actual || !root.blocks || writes(in.plan)) return;
  const double dirtied = root.blocks->dirtied, all = root.blocks->shared();
  if (dirtied < kDirtiedMin || dirtied < kDirtiedShareMin * all) return;
  // The table that it is most about.
  int most = 0;
  for (size_t id = 0; id < in.plan.nodes.size(); ++id) {
    const Node& node = in.plan.nodes[id];
    const Node& best = at(in.plan, most);
    const bool table = !node.object.relation.empty() && node.blocks;
    const bool more = best.object.relation.empty() || !best.blocks ||
                      (table && node.blocks->dirtied > best.blocks->dirtied);
    if (table && more) most = static_cast<int>(id);
  }
  care::Finding& finding = add_hint(in, out, "H3", {most}, {});
  finding.what = cat("a reading statement changes ", counted(dirtied), " of ", counted(all),
                     " pages: it notes which transactions have ended, after a load without VACUUM");
  finding.why = "the first reader pays, and the pages have to be written again";
  finding.prediction = "run it again: the second reader does not pay; VACUUM after bulk loads";
  if (!at(in.plan, most).object.relation.empty()) {
    finding.statements = {cat("VACUUM (ANALYZE) ", table_name(at(in.plan, most)))};
  }
}

// Pages of the table and of the index that the scan reads it by; 0 when unknown.
double pages_there(const RelationFacts& facts, std::string_view index) {
  if (!facts.table || facts.table->size.pages <= 0) return 0;
  auto out = static_cast<double>(facts.table->size.pages);
  const auto found = std::ranges::find(facts.indexes, index, &facts::IndexFacts::name);
  if (found != facts.indexes.end()) out += static_cast<double>(found->size.count) / 8192;
  return out;
}

// The nested loop whose inner side the scan is, by way of a Memoize at most; kNone if there is
// none.
int loop_of(const Plan& plan, int scan) {
  int below = scan, up = at(plan, scan).parent;
  if (up != kNone && at(plan, up).type == "Memoize") {
    below = up;
    up = at(plan, up).parent;
  }
  const bool inner =
      up != kNone && at(plan, up).type == "Nested Loop" && at(plan, below).relationship == "Inner";
  return inner ? up : kNone;
}

void find_h4(const Examination& in, Diagnosis& out) {
  each_run(in, "", [&](int id, const Node& node) {
    if (node.type != "Index Scan" && node.type != "Index Only Scan") return;
    const int loop = loop_of(in.plan, id);
    if (loop == kNone || !node.blocks || is_told(out, id) || is_told(out, loop)) return;
    const RelationFacts* facts = in.facts.find(node.object.schema, node.object.relation);
    const double there = facts ? pages_there(*facts, node.object.index) : 0;
    const double touched = time_of(in, id).self_blocks;
    if (there <= 0 || touched < kAgainBlocksMin || touched < kAgainFactorMin * there) return;
    const auto weight = weigh(in, self_of(in, id) * (1 - kAgainFactorMin * there / (2 * touched)));
    if (!weight) return;
    care::Finding& finding = add_question(in, out, "H4", {id, loop}, *weight);
    finding.what = cat("the nested loop touches ", counted(touched), " pages of ",
                       printable(table_name(node)), ", which has ", counted(there),
                       " with its index: ", counted(node.actual->loops), " look-ups");
    finding.prediction =
        "a hash join reads each page once: see whether a setting or the estimate of the outer side "
        "keeps the planner from it; outer rows in the order of the key, at least, meet the same "
        "page while it is at hand";
  });
}

void find_wal(const Examination& in, Diagnosis& out) {
  const Node& root = in.plan.root();
  if (!root.actual) return;
  const double images = number_in(root, "WAL FPI"), bytes = number_in(root, "WAL Bytes");
  // An image leaves the free space of its page out.
  const double image_bytes = std::min(images * 8192, bytes);
  if (images >= kImagesMin && image_bytes >= kImageShareMin * bytes) {
    care::Finding& finding = add_hint(in, out, "H5", {0}, {});
    finding.what = cat("most of ", human(Bytes{static_cast<int64_t>(std::min(bytes, 1e18))}),
                       " of WAL are ", counted(images), " images of whole pages");
    finding.why = "the first change of a page after a checkpoint writes all of it to the WAL";
    finding.prediction =
        "rarer checkpoints (max_wal_size, checkpoint_timeout) and wal_compression; keys in order "
        "of time (UUIDv7 rather than v4) touch fewer pages";
  }
  const double full = number_in(root, "WAL Buffers Full");
  if (full <= 0) return;
  care::Finding& finding = add_hint(in, out, "H6", {0}, {});
  finding.what = cat("the WAL buffers were full ", counted(full),
                     " times: the statement had to write "
                     "them out itself");
  finding.why = "it waits for each of these writes";
  finding.prediction = "more wal_buffers (needs a restart)";
  finding.statements = {"ALTER SYSTEM SET wal_buffers = '64MB'"};
}

void find_h7(const Examination& in, Diagnosis& out) {
  const Node& root = in.plan.root();
  if (!root.actual) return;
  const double moved =
      number_in(root, "Local Read Blocks") + number_in(root, "Local Written Blocks");
  const double hit = number_in(root, "Local Hit Blocks");
  if (moved < kLocalBlocksMin || moved < hit) return;
  care::Finding& finding = add_hint(in, out, "H7", {0}, {});
  finding.what = cat(counted(moved), " blocks of temporary tables are read from disk or written, ",
                     counted(hit), " are in memory");
  finding.why = "temporary tables have a cache of their own, temp_buffers, for each session";
  finding.prediction =
      "set it before the session's first use of a temporary table; it cannot be changed after that";
  double megabytes = 16;
  while (megabytes * 128 < moved && megabytes < 4096) megabytes *= 2;
  finding.statements = {cat("SET temp_buffers = '", counted(megabytes), "MB'")};
}

// Of a rule that find_reads() or find_wal() finds.
void with_io(const Examination& /*in*/, Diagnosis& /*out*/) {}

constexpr Rule kIoRules[] = {
    {"H1", "Cold caches",
     "nine tenths of the pages are read, and that is half of the time (needs track_io_timing)",
     "the pages were not in memory", "a second run", find_reads},
    {"H2", "Slow storage", "reading takes 1 ms a page or more (needs track_io_timing)",
     "the storage is slow or busy", "storage, read-ahead", with_io},
    {"H3", "A reader that writes", "a reading statement changes a tenth of the pages it touches",
     "it notes which transactions have ended", "VACUUM after loads", find_h3},
    {"H4", "Same pages again and again",
     "the look-ups of a nested loop touch ten times the pages that the table and the index have, "
     "10,000 at least, and no other rule speaks of the join",
     "each look-up descends the index again", "a hash join, outer rows in order", find_h4},
    {"H5", "Full-page images", "half of the WAL or more are page images, 100 at least (needs WAL)",
     "each page's first change after a checkpoint logs all of it", "rarer checkpoints", find_wal},
    {"H6", "WAL buffers full", "PostgreSQL 18 says that the WAL buffers were full (needs WAL)",
     "the statement writes them out itself", "wal_buffers", with_io},
    {"H7", "Temporary tables beyond their cache",
     "1,000 local blocks or more are read or written, more than are found in memory",
     "temp_buffers is too small", "temp_buffers", find_h7},
};

}  // namespace

std::span<const Rule> io_rules() { return kIoRules; }

}  // namespace pgtend::explain
