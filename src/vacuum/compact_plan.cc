#include "vacuum/compact_plan.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "pg/quote.h"
#include "vacuum/compact_fit.h"
#include "vacuum/wording.h"

namespace pgtend::vacuum {
namespace {

// Measured on two cores with PostgreSQL 15, 1 M rows of 150 bytes, 60 % deleted, two indexes. WAL
// in bytes: an update that stays on its page logs next to nothing of the row, one that leaves it
// the whole row and an entry in each index.
constexpr double kWalFill = 80;
constexpr double kWalMove = 80;
constexpr double kWalLock = 60;
constexpr double kWalIndexEntry = 72;
constexpr double kWalVacuumPage = 250;
constexpr double kUpdatesPerSecond = 60'000;
constexpr double kIndexEntriesPerSecond = 200'000;
constexpr double kVacuumPagesPerSecond = 20'000;
constexpr double kVacuums = 3;
constexpr double kRestFactor = 1.2;  // rounds rest a fifth of their time
constexpr double kRewriteBytesPerSecond = 50e6;
constexpr double kReindexBytesPerSecond = 25e6;
// Measured on 13 to 18 with values of 3 to 20 kB: read, compressed again and written.
constexpr double kStoreBytesPerSecond = 15e6;
constexpr double kWalStoreShare = 1.15;  // of the bytes, with the entries of its index
constexpr double kRepackFactor = 2.5;    // of the time of VACUUM FULL, under writes

constexpr std::string_view kNames[] = {"nothing",   "reindex",    "tail",       "in-place",
                                       "pg_repack", "pg_squeeze", "vacuum-full"};

Bytes bytes(double count) { return Bytes{std::llround(std::max(count, 0.0))}; }

// The sizes that all formulas use, in bytes and rows.
struct Sizes {
  double block = 8192;
  double heap = 0;       // bytes now
  double dense = 0;      // bytes after a rewrite
  double indexes = 0;    // bytes of all after a rewrite, as now where unknown
  double worth = 0;      // bytes of those indexes that are worth a REINDEX, after it
  double worth_won = 0;  // what that gives back
  double largest = 0;    // of them
  double row = 0;        // bytes
  double rows = 0;
  double index_count = 0;
};

Sizes sizes_of(const CompactFacts& facts, const CompactPolicy& policy) {
  Sizes out{.block = static_cast<double>(facts.table.block_size), .rows = facts.rows};
  out.heap = static_cast<double>(facts.heap.pages) * out.block;
  out.dense =
      (facts.heap.known() ? facts.heap.needed.best : static_cast<double>(facts.heap.pages)) *
      out.block;
  out.dense = std::min(out.dense, out.heap);
  out.row = out.dense / std::max(out.rows, 1.0);
  out.index_count = static_cast<double>(facts.indexes.size());
  for (const CompactIndex& index : facts.indexes) {
    const double now = static_cast<double>(index.bloat.pages) * out.block;
    const double after =
        index.bloat.known() ? std::min(now, index.bloat.needed.best * out.block) : now;
    out.indexes += after;
    if (!worth_reindex(index.bloat, policy)) continue;
    out.worth += after;
    out.worth_won += now - after;
    out.largest = std::max(out.largest, after);
  }
  return out;
}

WayCost reindex_cost(const Sizes& sizes) {
  WayCost out{.way = Way::Reindex};
  if (sizes.worth_won <= 0) out.why_not = "no index is worth it";
  out.seconds = sizes.worth / kReindexBytesPerSecond;
  out.wal = out.wal_max = bytes(sizes.worth);
  out.disk = bytes(sizes.largest);
  out.lock = "none";
  out.won = bytes(sizes.worth_won);
  return out;
}

// Moving `rows` rows off pages that are filled to `density`, which are filled up first.
WayCost moving_cost(const Sizes& sizes, double rows, double density, double pages) {
  const double updates = rows / std::clamp(density, 0.003, 1.0);
  WayCost out;
  out.seconds = kRestFactor * (updates / kUpdatesPerSecond +
                               rows * sizes.index_count / kIndexEntriesPerSecond) +
                kVacuums * sizes.heap / sizes.block / kVacuumPagesPerSecond;
  const double wal = (updates - rows) * kWalFill + rows * (sizes.row + kWalMove + kWalLock) +
                     rows * sizes.index_count * kWalIndexEntry + pages * kWalVacuumPage;
  out.wal = bytes(wal);
  out.wal_max =
      bytes(wal + sizes.heap + std::min(rows * sizes.index_count * sizes.block, sizes.indexes));
  out.lock = "rows up to 20 ms, the table for the instant of truncation";
  return out;
}

WayCost tail_cost(const CompactFacts& facts, const Sizes& sizes) {
  if (!facts.tail || facts.tail->pages == 0) {
    return {.way = Way::Tail,
            .why_not = facts.tail ? "the last pages are not nearly empty" : "not looked at",
            .lock = "rows up to 20 ms, the table for the instant of truncation"};
  }
  const auto rows = static_cast<double>(facts.tail->rows);
  const auto pages = static_cast<double>(facts.tail->pages);
  WayCost out = moving_cost(sizes, rows, rows * sizes.row / (pages * sizes.block), pages);
  out.way = Way::Tail;
  out.why_not = rows > 0 ? facts.why_not_move : "";
  out.won = bytes(pages * sizes.block);
  return out;
}

WayCost in_place_cost(const CompactFacts& facts, const Sizes& sizes) {
  const double density = sizes.heap > 0 ? sizes.dense / sizes.heap : 1;
  WayCost out = moving_cost(sizes, sizes.rows * (1 - density), density,
                            (sizes.heap - sizes.dense) / sizes.block);
  out.way = Way::InPlace;
  out.why_not = facts.why_not_move;
  if (!facts.heap.known()) out.lock += "; cost unknown";
  // Moved rows have new index entries: the indexes are written anew at the end.
  out.seconds += sizes.indexes / kReindexBytesPerSecond;
  out.wal = out.wal + bytes(sizes.indexes);
  out.wal_max = out.wal_max + bytes(sizes.indexes);
  out.disk = bytes(sizes.indexes);  // at most; one index at a time
  out.won = bytes(sizes.heap - sizes.dense + sizes.worth_won);
  return out;
}

// What storing the values outside of the rows anew adds to moving them.
void add_storing(WayCost& cost, const CompactFacts& facts, const CompactPolicy& policy) {
  if (!worth_storing(facts, policy) || !facts.why_not_store.empty()) return;
  const double live = facts.toast.needed.best * facts.table.block_size;
  const double all = static_cast<double>(facts.toast.pages) * facts.table.block_size;
  cost.seconds += live / kStoreBytesPerSecond;
  cost.wal = cost.wal + bytes(live * kWalStoreShare);
  cost.wal_max = cost.wal_max + bytes(live * kWalStoreShare + all);
  cost.won = cost.won + bytes(all - live);
}

WayCost full_cost(const CompactFacts& facts, const Sizes& sizes) {
  WayCost out{.way = Way::VacuumFull};
  out.seconds = sizes.dense / kRewriteBytesPerSecond + sizes.indexes / kReindexBytesPerSecond;
  out.wal = out.wal_max = bytes(sizes.dense + sizes.indexes);
  out.disk =
      bytes(sizes.dense + sizes.indexes + static_cast<double>(facts.toast_pages) * sizes.block);
  out.lock = "all readers and writers, all the time";
  out.won = bytes(sizes.heap - sizes.dense + sizes.worth_won);
  if (facts.toast.known()) {
    out.won = out.won + bytes(facts.toast.wasted().best * sizes.block);
  }
  out.command = cat("VACUUM (FULL, ANALYZE) ", facts.table.table);
  out.why_not = "not carried out: it blocks everybody";
  return out;
}

std::string why_not_repack(const Rewriters& rewriters, Bytes needed) {
  if (rewriters.repack.empty()) return "not installed";
  if (!rewriters.key) return "needs a primary key or a unique index on NOT NULL columns";
  if (!rewriters.superuser) return "needs a superuser";
  if (rewriters.client.program.empty()) return "its client program is not installed here";
  if (rewriters.client.version != rewriters.repack) {
    return cat("its client is ", rewriters.client.version, ", its extension ", rewriters.repack);
  }
  if (rewriters.free_bytes && *rewriters.free_bytes < needed.count) {
    return cat("needs ", human(needed), " of free disk, there are ",
               human(Bytes{*rewriters.free_bytes}));
  }
  return "";
}

std::string why_not_squeeze(const Rewriters& rewriters) {
  if (rewriters.squeeze.empty()) return "not installed";
  if (!rewriters.key) return "needs a primary key or replica identity";
  if (!rewriters.logical) return "needs wal_level = logical";
  if (!rewriters.superuser) return "needs a superuser";
  return "not carried out: see the command";
}

WayCost rewriter_cost(const CompactFacts& facts, const Sizes& sizes, Way way) {
  WayCost out = full_cost(facts, sizes);
  out.way = way;
  out.seconds *= kRepackFactor;
  if (way == Way::Repack) {
    out.why_not = why_not_repack(facts.rewriters, out.disk);
    out.lock = "all up to 1 s, a few times; it is ended when anybody waits longer";
    out.command = facts.rewriters.repack.empty()
                      ? ""
                      : cat("pg_repack --no-kill-backend --wait-timeout=60 --no-order --table=",
                            shell_word(facts.table.table), " ", shell_word(facts.database));
  } else {
    out.why_not = why_not_squeeze(facts.rewriters);
    out.lock = "all for an instant (squeeze.max_xlock_time)";
    out.command = "";
    if (!facts.rewriters.squeeze.empty()) {
      out.command = cat("SET squeeze.max_xlock_time = 100; SELECT squeeze.squeeze_table(",
                        pg::literal(facts.table.schema), ", ", pg::literal(facts.table.name), ")");
    }
  }
  return out;
}

std::string whole_percent(double share) { return cat(std::llround(100 * share), " %"); }

// The pick and its reason, for a table whose own bloat is not worth moving anything.
void pick_indexes(CompactPlan& plan, const std::string& because) {
  const bool worth = plan.cost(Way::Reindex).why_not.empty();
  plan.pick = worth ? Way::Reindex : Way::Nothing;
  plan.because = worth ? cat(because, "; its indexes are worth it") : because;
}

bool tail_is_enough(const CompactFacts& facts, const Sizes& sizes, const CompactPolicy& policy) {
  if (!facts.tail || facts.heap.pages == 0) return false;
  const auto pages = static_cast<double>(facts.tail->pages);
  const auto all = static_cast<double>(facts.heap.pages);
  const double left = (all - pages) * sizes.block;
  return pages / all >= policy.tail_share_min &&
         (left <= 0 || 1 - sizes.dense / left < policy.share_min);
}

void pick(CompactPlan& plan, const CompactFacts& facts, const Sizes& sizes,
          const CompactPolicy& policy) {
  if (facts.heap.pages < kCompactPagesMin) {
    return pick_indexes(plan, cat("the table has less than ", kCompactPagesMin, " pages"));
  }
  if (!facts.heap.known()) {
    return pick_indexes(plan, cat("how much of it is free is unknown: ", facts.heap.why));
  }
  const double share = facts.heap.share().best;
  if (share < policy.share_min) {
    return pick_indexes(plan, cat(whole_percent(share), " free is headroom"));
  }
  const double free = sizes.heap - sizes.dense;
  if (facts.growth_bytes_day && *facts.growth_bytes_day * policy.reuse_days >= free) {
    const auto days = std::llround(std::ceil(free / *facts.growth_bytes_day));
    return pick_indexes(plan, cat("at its growth the free space is filled in ", days,
                                  days == 1 ? " day" : " days"));
  }
  if (plan.cost(Way::Tail).why_not.empty() && tail_is_enough(facts, sizes, policy)) {
    plan.pick = Way::Tail;
    plan.because = cat("its last ", grouped(facts.tail->pages), " pages are nearly empty");
  } else if (plan.cost(Way::InPlace).why_not.empty()) {
    plan.pick = Way::InPlace;
    plan.because = cat(whole_percent(share), " of it is free");
    if (!facts.rewriters.repack.empty() && 1 - share < 0.25) {
      plan.because += "; pg_repack would write less";
    }
  } else if (plan.cost(Way::Repack).why_not.empty()) {
    plan.pick = Way::Repack;
    plan.because = cat(whole_percent(share),
                       " of it is free, and rows must not be moved: ", facts.why_not_move);
  } else {
    pick_indexes(plan, cat(whole_percent(share), " of it is free, but: ", facts.why_not_move));
  }
}

// TOAST is stored anew with the rows' own moving: its pass makes dead rows, too.
void consider_toast(CompactPlan& plan, const CompactFacts& facts, const CompactPolicy& policy) {
  if (!worth_storing(facts, policy)) return;
  const std::string free = cat(whole_percent(facts.toast.share().best), " of its TOAST is free");
  const std::string& why_not =
      facts.why_not_move.empty() ? facts.why_not_store : facts.why_not_move;
  if (!why_not.empty()) {
    plan.because += cat("; ", free, ", but its values are not stored anew: ", why_not);
  } else if (plan.pick == Way::InPlace) {
    plan.toast = true;
    plan.because += cat(", and ", free);
  } else {
    plan.pick = Way::InPlace;
    plan.toast = true;
    plan.because = free;
  }
}

}  // namespace

std::string_view name(Way way) { return kNames[static_cast<size_t>(way)]; }

Result<Way> way_named(std::string_view text) {
  std::vector<std::string> known;
  for (const Way way : kWays) {
    if (text == name(way)) return way;
    known.emplace_back(name(way));
  }
  return Error{ErrorCode::Invalid, cat("no way \"", printable(text), "\"")}.hinting(
      cat("one of ", join(known, ", ")));
}

bool carried_out(Way way) { return way != Way::Squeeze && way != Way::VacuumFull; }

bool worth_reindex(const Bloat& bloat, const CompactPolicy& policy) {
  return bloat.known() && bloat.share().best >= policy.share_min &&
         bloat.wasted().best >= static_cast<double>(policy.index_pages_min);
}

bool worth_storing(const CompactFacts& facts, const CompactPolicy& policy) {
  return policy.toast && facts.toast.known() && facts.toast.share().best >= policy.share_min &&
         facts.toast.wasted().best >= static_cast<double>(policy.toast_pages_min);
}

Result<CompactPlan> plan_compaction(const CompactFacts& facts, std::optional<Way> wanted,
                                    const CompactPolicy& policy) {
  const Sizes sizes = sizes_of(facts, policy);
  CompactPlan out;
  out.ways = {WayCost{.way = Way::Nothing, .lock = "none"},
              reindex_cost(sizes),
              tail_cost(facts, sizes),
              in_place_cost(facts, sizes),
              rewriter_cost(facts, sizes, Way::Repack),
              rewriter_cost(facts, sizes, Way::Squeeze),
              full_cost(facts, sizes)};
  add_storing(out.ways[static_cast<size_t>(Way::InPlace)], facts, policy);
  if (!wanted) {
    pick(out, facts, sizes, policy);
    consider_toast(out, facts, policy);
    return out;
  }
  out.pick = *wanted;
  out.because = "it was asked for";
  if (out.pick == Way::InPlace) consider_toast(out, facts, policy);
  const WayCost& cost = out.cost(*wanted);
  if (cost.why_not.empty()) return out;
  Error error{ErrorCode::Invalid, cat("way ", name(*wanted), ": ", cost.why_not)};
  return cost.command.empty() ? error : std::move(error).hinting(cat("run: ", cost.command));
}

json::object to_json(const CompactPlan& plan) {
  json::array ways;
  for (const WayCost& cost : plan.ways) {
    ways.emplace_back(json::object{{"way", name(cost.way)},
                                   {"possible", cost.why_not.empty()},
                                   {"why_not", cost.why_not},
                                   {"seconds", cost.seconds},
                                   {"wal_bytes", cost.wal.count},
                                   {"wal_bytes_max", cost.wal_max.count},
                                   {"disk_bytes", cost.disk.count},
                                   {"lock", cost.lock},
                                   {"won_bytes", cost.won.count},
                                   {"command", cost.command}});
  }
  return {{"pick", name(plan.pick)},
          {"toast", plan.toast},
          {"because", plan.because},
          {"ways", std::move(ways)}};
}

}  // namespace pgtend::vacuum
