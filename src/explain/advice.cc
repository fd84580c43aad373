#include "explain/advice.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text.h"
#include "explain/existing.h"
#include "explain/index_model.h"
#include "explain/obstacles.h"
#include "pg/quote.h"
#include "sql/expression.h"

namespace pgtend::explain {
namespace {

constexpr double kBrinCorrelationMin = 0.99;
constexpr double kBrinChangedShareMax = 0.05;  // rows updated or deleted, of those inserted
constexpr double kBrinSavingShareMin = 0.9;    // of what the btree saves
constexpr double kKeptShareMax = 0.1;
constexpr double kRareShareMax = 0.05;     // A17: of a value worth a partial index
constexpr double kRareDistinctMax = 1000;  // A17: of a column of states rather than of names
constexpr size_t kKeyColumnsMax = 4;

bool is_time(std::string_view type) { return type.starts_with("timestamp") || type == "date"; }

const facts::ColumnFacts* column_of(const Access& access, const std::string& name) {
  return access.facts ? access.facts->column(name) : nullptr;
}

// The conditions sorted by what they mean for an index.
struct Sorted {
  SearchKeys keys;
  int unusable = 0;
  std::optional<Obstacle> blocked;
  bool volatility_unknown = false;
};

bool seekable(const sql::Predicate& predicate, const facts::ColumnFacts* column) {
  if (predicate.column.empty() || predicate.other == sql::OtherSide::PerRow) return false;
  if (predicate.operators == sql::OperatorClass::Other) return false;
  return !column || column->btree;
}

// One range column: that of the order, else the one that follows the clock, else the first. With an
// order no other one can be searched.
void choose_range(Sorted& out, const std::vector<const sql::Predicate*>& ranges) {
  std::string chosen;
  if (!out.keys.order.empty()) {
    chosen = out.keys.order[0].column;
  } else if (!ranges.empty()) {
    const auto clock = std::ranges::find_if(ranges, &sql::Predicate::relative_to_now);
    chosen = (clock == ranges.end() ? ranges[0] : *clock)->column;
  }
  for (const sql::Predicate* range : ranges) {
    if (range->column == chosen && !names_column(out.keys.equality, range->column)) {
      out.keys.range.push_back(range);
    } else {
      ++out.unusable;
    }
  }
}

Sorted sort_out(const Access& access, const Examination& in) {
  Sorted out;
  std::vector<const sql::Predicate*> ranges;
  for (const sql::Predicate& predicate : access.predicates) {
    const facts::ColumnFacts* column = column_of(access, predicate.column);
    if (auto found = obstacle_of(predicate, in, column)) {
      ++out.unusable;
      if (!out.blocked || (!out.blocked->key && found->key)) out.blocked = std::move(found);
      continue;
    }
    if (!seekable(predicate, column) || (predicate.any && !access.order.empty())) {
      ++out.unusable;
      continue;
    }
    out.volatility_unknown |= std::ranges::any_of(predicate.functions, [&](const std::string& f) {
      return in.facts.volatility(f) == sql::Volatility::Unknown;
    });
    if (predicate.operators == sql::OperatorClass::Range) {
      ranges.push_back(&predicate);
    } else if (!names_column(out.keys.equality, predicate.column)) {
      out.keys.equality.push_back(&predicate);
    }
  }
  for (const sql::SortKey& key : access.order) {
    if (!names_column(out.keys.equality, key.column)) out.keys.order.push_back(key);
  }
  choose_range(out, ranges);
  return out;
}

// Equality columns with the most selective last (their order is free for this query, and fewer
// values in front serve more other queries), then the range column or the order.
std::vector<KeyPart> key_parts(const SearchKeys& keys, const Access& access) {
  struct Weighed {
    std::string column;
    double distinct;
  };
  std::vector<Weighed> equality;
  for (const sql::Predicate* predicate : keys.equality) {
    const facts::ColumnFacts* column = column_of(access, predicate->column);
    equality.push_back({predicate->column,
                        column && column->stats ? column->stats->distinct(access.table_rows) : 0});
  }
  std::ranges::stable_sort(equality, {}, &Weighed::distinct);
  if (equality.size() > kKeyColumnsMax) {
    equality.erase(equality.begin(), equality.end() - static_cast<std::ptrdiff_t>(kKeyColumnsMax));
  }
  std::vector<KeyPart> out;
  for (Weighed& entry : equality) out.push_back({.column = std::move(entry.column)});
  // Read backward, an index is in the opposite order.
  const bool turned = std::ranges::all_of(
      keys.order, [](const sql::SortKey& key) { return key.descending && key.nulls_first; });
  for (const sql::SortKey& key : keys.order) {
    out.push_back({.column = key.column,
                   .descending = !turned && key.descending,
                   .nulls_first = !turned && key.nulls_first});
  }
  if (keys.order.empty() && !keys.range.empty()) out.push_back({.column = keys.range[0]->column});
  return out;
}

// Share of the rows that the usable conditions alone select; nullopt when others may be what
// drops the rows and the statistics do not tell.
std::optional<double> usable_share(const Sorted& sorted, const Access& access) {
  const double share = access.wanted_share();
  if (sorted.unusable == 0) return share;
  if (!sorted.keys.order.empty()) {
    // As many rows are read as it takes to pass the other conditions.
    return std::min(share / std::max(access.kept_share(), 1e-6), 1.0);
  }
  double selected = 1;
  bool known = sorted.keys.range.empty();
  for (const sql::Predicate* predicate : sorted.keys.equality) {
    const facts::ColumnFacts* column = column_of(access, predicate->column);
    if (!column || !column->stats) return {};
    selected *= predicate->literal
                    ? column->stats->frequency(*predicate->literal, access.table_rows)
                    : 1 / column->stats->distinct(access.table_rows);
  }
  known |= selected <= kKeptShareMax;
  if (!known) return {};
  return std::max(selected, share);
}

Heap heap_of(const Access& access, const std::string& column) {
  Heap out{access.table_pages, access.table_rows, 0};
  const facts::ColumnFacts* facts = column_of(access, column);
  if (facts && facts->stats && facts->stats->correlation) {
    out.correlation = std::min(std::abs(*facts->stats->correlation), 1.0);
  }
  return out;
}

KeyShape key_shape(const std::vector<KeyPart>& keys, const Access& access) {
  KeyShape out{0, 1, true};
  for (const KeyPart& key : keys) {
    const facts::ColumnFacts* facts = column_of(access, key.column);
    out.width += facts && facts->stats ? facts->stats->avg_width : 8;
    out.distinct *=
        facts && facts->stats ? facts->stats->distinct(access.table_rows) : access.table_rows;
    out.deduplicates &= facts && facts->deduplicates;
  }
  out.distinct = std::min(out.distinct, access.table_rows);
  return out;
}

Candidate btree_candidate(std::vector<KeyPart> keys, const Access& access, double share) {
  Candidate out{.method = "btree", .keys = std::move(keys)};
  const Heap heap = heap_of(access, out.keys.back().column);
  const double probes = std::max(access.probes, 1.0);
  out.size = btree_size(heap, key_shape(out.keys, access));
  const double most = heap.pages + static_cast<double>(out.size.count) / 8192;
  out.query_pages_max = probes * std::min(btree_pages(heap, out.size, share), most);
  out.query_pages = std::min(probes * btree_pages({heap.pages, heap.rows, 1}, out.size, share),
                             out.query_pages_max);
  out.build_seconds = build_seconds(heap, true);
  return out;
}

Candidate brin_candidate(const std::string& column, const Access& access, double share) {
  Candidate out{.method = "brin", .keys = {{.column = column}}};
  const Heap heap = heap_of(access, column);
  out.pages_per_range = pages_per_range(heap);
  out.size = brin_size(heap, key_shape(out.keys, access).width, out.pages_per_range);
  out.query_pages_max = brin_pages(heap, out.size, share, out.pages_per_range);
  out.query_pages = out.query_pages_max;
  out.build_seconds = build_seconds(heap, false);
  return out;
}

std::string size_ratio(const Candidate& big, const Candidate& small) {
  return cat(human(small.size), " instead of ", human(big.size));
}

// Why BRIN would not do, "" if it would.
std::string brin_refusal(const Access& access, const Candidate& brin, const Candidate& btree) {
  const facts::ColumnFacts* column =
      access.facts ? access.facts->column(brin.keys[0].column) : nullptr;
  if (!column || !column->stats) {
    return cat("physical order unknown: ",
               column ? printable(column->stats_why_not) : "no facts about the column");
  }
  if (!column->brin) return cat("no BRIN operator class for ", printable(column->type));
  const double correlation = std::abs(column->stats->correlation.value_or(0));
  const std::string shown = cat(std::round(correlation * 10'000) / 10'000);
  if (correlation < kBrinCorrelationMin) {
    return cat("the rows do not lie in the order of the column (correlation ", shown,
               ", BRIN needs ", kBrinCorrelationMin, ")");
  }
  const facts::TableCounters& counters = access.facts->table->counters;
  const auto changed = static_cast<double>(counters.updated + counters.deleted);
  const double written = std::max(static_cast<double>(counters.inserted), access.table_rows);
  if (counters.present && changed > kBrinChangedShareMax * written) {
    return cat(grouped(counters.updated + counters.deleted),
               " rows were updated or deleted, which scatters the physical order");
  }
  const double saved = access.pages - brin.query_pages;
  if (saved < kBrinSavingShareMin * (access.pages - btree.query_pages_max)) {
    return cat("its block ranges are too coarse here: ", grouped(std::llround(brin.query_pages)),
               " pages a query against ", grouped(std::llround(btree.query_pages_max)));
  }
  return {};
}

void choose_method(Advice& out, const Access& access, Candidate btree, double share) {
  const bool window = out.time_window && access.order.empty() && access.probes <= 1;
  if (btree.keys.size() != 1 || access.predicates.empty() || !window) {
    out.candidates = {std::move(btree)};
    return;
  }
  Candidate brin = brin_candidate(btree.keys[0].column, access, share);
  const std::string refusal = brin_refusal(access, brin, btree);
  if (refusal.empty()) {
    brin.reason = cat("rows lie in the order of the column and stay where they are: ",
                      size_ratio(btree, brin), ", and inserts pay almost nothing for it");
    btree.reason = "finds single rows and short windows faster, for the larger size";
    out.candidates = {std::move(brin), std::move(btree)};
  } else {
    btree.reason = cat("BRIN would be ", size_ratio(btree, brin), ", but ", refusal);
    out.candidates = {std::move(btree)};
  }
}

void add_notes(Advice& out, const Access& access, bool volatility_unknown) {
  const facts::TableFacts* table =
      access.facts && access.facts->table ? &*access.facts->table : nullptr;
  if (!table) {
    out.notes.push_back(
        cat("existing indexes, physical order and write load of the table are unknown",
            access.facts && !access.facts->why_not.empty()
                ? cat(" (", printable(access.facts->why_not), ")")
                : " (no server was asked)"));
  } else if (table->counters.present && table->counters.inserted > 0) {
    const facts::TableCounters& counters = table->counters;
    out.notes.push_back(cat("write price: one more entry for each of ", grouped(counters.inserted),
                            " inserts counted so far",
                            counters.updated > 0 ? cat("; ", grouped(counters.updated_hot), " of ",
                                                       grouped(counters.updated),
                                                       " updates were HOT, those that change "
                                                       "an indexed column no longer will be")
                                                 : ""));
  }
  if (volatility_unknown) {
    out.notes.push_back(
        "the condition calls a function whose volatility is unknown here: were it "
        "volatile, no index would be used");
  }
  if (out.time_window) {
    out.notes.push_back(
        "alternative: range partitions on the column, none longer than the usual "
        "window; the scan then reads one or two partitions, and old ones are "
        "detached instead of deleted");
  }
}

bool over_time(const sql::Predicate& predicate, const Access& access) {
  const facts::ColumnFacts* column = column_of(access, predicate.column);
  return predicate.operators == sql::OperatorClass::Range &&
         (predicate.relative_to_now || (column && is_time(column->type)));
}

// The key of the condition that a plain index does not serve, behind the equality columns.
void advise_on_obstacle(Advice& out, const Sorted& sorted, const Access& access) {
  const Obstacle& obstacle = *sorted.blocked;
  if (!obstacle.key) return;
  const std::string there = index_on(access, *obstacle.key, obstacle.method);
  if (!there.empty()) {
    out.existing = there;
    return;
  }
  const double share = access.wanted_share();
  if (share > kKeptShareMax) return;
  if (obstacle.method == "btree") {
    const SearchKeys equality{.equality = sorted.keys.equality};
    std::vector<KeyPart> keys = key_parts(equality, access);
    keys.push_back(*obstacle.key);
    out.candidates = {btree_candidate(std::move(keys), access, share)};
  } else {
    Candidate candidate{.method = obstacle.method, .keys = {*obstacle.key}};
    candidate.build_seconds = build_seconds(heap_of(access, ""), true);
    candidate.reason = "its size and its price for each write depend on the values: try it first";
    out.candidates = {std::move(candidate)};
  }
}

// A condition that each call has in the same words, as the predicate of a partial index.
std::string fixed_condition(const sql::Predicate& predicate) {
  const std::string column = pg::ident(predicate.column);
  if (predicate.wrapping != sql::Wrapping::None || predicate.column.empty()) return {};
  std::string out;
  if (predicate.op == "IS NULL" || predicate.op == "IS NOT NULL") {
    out = cat(column, " ", predicate.op);
  } else if (predicate.op == "IS TRUE") {
    out = column;
  } else if (predicate.op == "NOT") {
    out = cat("NOT ", column);
  } else if (predicate.op == "=" && predicate.literal && !predicate.any) {
    out = cat(column, " = ", predicate.value);
  }
  return out.empty() || !sql::parse_expression(out) ? std::string() : out;
}

// A17: only tests that no key is searched with, and few rows pass them.
void advise_partial(Advice& out, const Access& access) {
  if (access.predicates.size() != 1) return;
  const sql::Predicate& predicate = access.predicates[0];
  const facts::ColumnFacts* column = column_of(access, predicate.column);
  const std::string condition = fixed_condition(predicate);
  const double share = access.wanted_share();
  if (condition.empty() || share > kRareShareMax || (column && !column->btree)) return;
  Candidate candidate = btree_candidate({{.column = predicate.column}}, access, share);
  candidate.predicate = condition;
  candidate.size.count = std::max<int64_t>(
      16'384, static_cast<int64_t>(static_cast<double>(candidate.size.count) * share));
  out.existing = index_on(access, candidate.keys[0], "btree");
  if (out.existing.empty()) out.existing = index_of_only_these(access);
  if (!out.existing.empty()) return;
  candidate.reason = "it holds the few rows that the condition asks for, and no others";
  out.candidates = {std::move(candidate)};
  out.partial = true;
}

// The same index for the rare value alone, as a second choice.
void add_partial(Advice& out, const Sorted& sorted, const Access& access) {
  if (out.candidates.size() != 1 || out.candidates[0].method != "btree") return;
  for (const sql::Predicate* predicate : sorted.keys.equality) {
    const facts::ColumnFacts* column = column_of(access, predicate->column);
    if (!column || !column->stats || !predicate->literal) continue;
    const double share = column->stats->frequency(*predicate->literal, access.table_rows);
    const bool state = column->stats->distinct(access.table_rows) <= kRareDistinctMax;
    const bool listed = std::ranges::find(column->stats->common_values, *predicate->literal) !=
                        column->stats->common_values.end();
    const std::string condition = fixed_condition(*predicate);
    if (!state || !listed || share > kRareShareMax || condition.empty()) continue;
    Candidate partial = out.candidates[0];
    partial.predicate = condition;
    if (partial.keys.size() > 1) {
      std::erase_if(partial.keys,
                    [&](const KeyPart& key) { return key.column == predicate->column; });
    }
    partial.size.count = std::max<int64_t>(
        16'384, static_cast<int64_t>(static_cast<double>(partial.size.count) * share));
    partial.reason = cat("smaller and cheaper to keep, if the statement always asks for ",
                         printable(*predicate->literal), ": a parameter would never use it");
    out.candidates.push_back(std::move(partial));
    return;
  }
}

// Nothing is proposed when an index is there already.
bool settled_by_existing(Advice& out, const Access& access, const SearchKeys& keys) {
  const ExistingIndexes existing = look_at_indexes(access, keys);
  out.existing = existing.serving;
  if (out.existing.empty()) out.broken = existing.broken;
  out.unusable = existing.unusable;
  if (!existing.behind.empty()) {
    out.notes.push_back(
        cat("index ", printable(existing.behind), " has the column, but behind another one"));
  }
  return !out.existing.empty() || !out.broken.empty();
}

}  // namespace

Advice advise(const Access& access, const Examination& examination) {
  Advice out;
  const Sorted sorted = sort_out(access, examination);
  out.time_window = std::ranges::any_of(access.predicates, [&](const sql::Predicate& predicate) {
    return over_time(predicate, access);
  });
  if (sorted.blocked) {
    out.blocked = sorted.blocked->text;
    out.blocked_id = sorted.blocked->id;
  }
  const bool searched = !sorted.keys.equality.empty() || !sorted.keys.range.empty();
  if (!searched && sorted.keys.order.empty()) {
    if (sorted.blocked) {
      advise_on_obstacle(out, sorted, access);
    } else {
      advise_partial(out, access);
    }
    if (!out.candidates.empty()) add_notes(out, access, sorted.volatility_unknown);
    return out;
  }
  if (settled_by_existing(out, access, sorted.keys)) return out;
  const std::optional<double> share = usable_share(sorted, access);
  const bool weak = !share || *share > kKeptShareMax;
  if (weak && sorted.blocked) {  // the condition to rewrite may be the one
    advise_on_obstacle(out, sorted, access);
    return out;
  }
  if (share && *share > kKeptShareMax) {
    out.notes.push_back(cat("the conditions that an index could serve select about ",
                            std::llround(*share * 100), " % of the rows: no index would help"));
    return out;
  }
  if (!share) {
    out.notes.push_back(
        "other conditions of the filter, which the index cannot serve, may be what "
        "drops the rows");
  }
  const double searched_share = share.value_or(access.wanted_share());
  Candidate btree = btree_candidate(key_parts(sorted.keys, access), access, searched_share);
  add_notes(out, access, sorted.volatility_unknown);
  choose_method(out, access, std::move(btree), searched_share);
  add_partial(out, sorted, access);
  return out;
}

}  // namespace pgtend::explain
