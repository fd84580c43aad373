// The ways to give a table's space back, what each costs, and which one to take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/units.h"
#include "vacuum/bloat.h"
#include "vacuum/compact_facts.h"
#include "vacuum/compact_repack.h"

namespace pgtend::vacuum {

enum class Way : uint8_t { Nothing, Reindex, Tail, InPlace, Repack, Squeeze, VacuumFull };
inline constexpr Way kWays[] = {Way::Nothing, Way::Reindex, Way::Tail,      Way::InPlace,
                                Way::Repack,  Way::Squeeze, Way::VacuumFull};
std::string_view name(Way way);  // "nothing", "reindex", "tail", "in-place", "pg_repack", …
// Errors: Invalid, naming the ways.
Result<Way> way_named(std::string_view text);
// Whether this program carries it out.
bool carried_out(Way way);

struct CompactIndex {
  std::string name = {};  // qualified, quoted when needed
  bool btree = true;
  Bloat bloat = {};
};

// The last pages of a table, looked at from the end until they are no longer nearly empty.
struct Tail {
  int64_t pages = 0;  // that were nearly empty
  int64_t rows = 0;   // in them
};

// Extensions that write a table anew, as far as they are installed in the database.
struct Rewriters {
  std::string repack = {};   // version of pg_repack, "" if not installed
  std::string squeeze = {};  // of pg_squeeze
  bool key = false;          // a primary key, or a unique index on NOT NULL columns
  bool logical = false;      // wal_level = logical
  bool superuser = false;
  RepackClient client = {};                // of pg_repack
  std::optional<int64_t> free_bytes = {};  // where the table is; nullopt: not on this machine
};

struct CompactFacts {
  CompactTable table = {};
  std::string why_not_move = {};  // why rows must not be moved in place, "" if they may
  std::string database = {};
  Bloat heap = {};
  double rows = 0;
  int64_t toast_pages = 0;
  Bloat toast = {};                // unknown when it was not measured, and without any
  std::string why_not_store = {};  // why its values must not be stored anew, "" if they may
  std::vector<CompactIndex> indexes = {};
  std::optional<Tail> tail = {};                // nullopt: not looked at
  std::optional<double> growth_bytes_day = {};  // of the heap; nullopt: unknown
  Rewriters rewriters = {};
  std::vector<std::string> standbys = {};  // names of those that replay what happens here
};

struct CompactPolicy {
  double share_min = 0.2;  // bloat below this is headroom
  int64_t index_pages_min = 10;
  double reuse_days = 7;       // free space that growth fills within is left alone
  double density_tail = 0.05;  // of pages that a tail trim clears
  double tail_share_min = 0.125;
  int64_t toast_pages_min = 1'000;  // that a smaller TOAST would give back are not worth it
  bool toast = true;                // its values may be stored anew
};

// Estimates, for comparing: seconds and bytes of this program's reference machine.
struct WayCost {
  Way way = Way::Nothing;
  std::string why_not = {};  // "" if it can be taken
  double seconds = 0;
  Bytes wal = {};
  Bytes wal_max = {};     // when each page is written for the first time since a checkpoint
  Bytes disk = {};        // needed for a while beside what is there
  std::string lock = {};  // the longest that others wait, in words
  Bytes won = {};
  std::string command = {};  // what a person would run; "" if this program does it
};

struct CompactPlan {
  std::vector<WayCost> ways = {};  // all of kWays, in that order
  Way pick = Way::Nothing;
  bool toast = false;  // in place, and before it the values outside of the rows are stored anew
  std::string because = {};
  const WayCost& cost(Way way) const { return ways[static_cast<size_t>(way)]; }
};

// Whether REINDEX of an index with this bloat is worth it.
bool worth_reindex(const Bloat& bloat, const CompactPolicy& policy = {});

// Whether the TOAST has so much free space that it is worth storing its values anew.
bool worth_storing(const CompactFacts& facts, const CompactPolicy& policy = {});

// Compares all ways and picks one, or takes `wanted`. Errors: Invalid, when `wanted` cannot be
// taken. Pure. Thread: any.
Result<CompactPlan> plan_compaction(const CompactFacts& facts, std::optional<Way> wanted = {},
                                    const CompactPolicy& policy = {});

json::object to_json(const CompactPlan& plan);

}  // namespace pgtend::vacuum
