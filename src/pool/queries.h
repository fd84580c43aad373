// What clients ask, by shape; and what of it others should hear of. Each worker counts for itself;
// the console sums.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/histogram.h"
#include "pool/shape.h"

namespace pgtend::pool {

// What is counted of a shape, or of several.
struct QueryCounts {
  uint64_t calls = 0;
  uint64_t errors = 0;
  uint64_t rows = 0;   // read or written, by the command tag
  uint64_t bytes = 0;  // of answers
  uint64_t time_us = 0;

  void add(const QueryCounts& other);
};

// The call of a query is over.
struct QueryEnd {
  bool failed = false;
  uint64_t rows = 0;
  uint64_t bytes = 0;
  microseconds time{};
};

// One shape as the console shows it; add() sums the same one of two workers.
struct QueryFigures {
  std::string database;
  std::string user;
  uint64_t shape = 0;  // 0: all calls that no shape of its own counts
  std::string text;
  QueryCounts counts;
  SmallHistogram times;  // microseconds
  SteadyTime first_seen{};
  SteadyTime last_seen{};

  void add(const QueryFigures& other);
};

// Counts the calls of at most kShapesMax shapes exactly, and all others together. Which they are is
// decided by a count-min sketch (Cormode and Muthukrishnan 2005) of the calls of those without a
// place: one that seems to be called more often than a counted one takes its place, whose counts go
// to the others. The sums are exact always. Thread: one loop's. Memory: about 4 MiB at most.
class Queries {
 public:
  static constexpr size_t kShapesMax = 1000;
  static constexpr size_t kTextBytesMax = 2048;
  // Whose calls are counted together.
  struct Owner {
    Owner(std::string database, std::string user);

    std::string database;
    std::string user;
    uint64_t salt;  // tells the keys of owners apart
  };

  // A call of the shape `shape` (of shape_of()) begins. Returns what end() is to be told: a key of
  // shape and owner. `sql` is read when the shape is new. Cost: O(1), no allocation for a known
  // one.
  uint64_t begin(const Owner& owner, uint64_t shape, std::string_view sql, SteadyTime now);
  // A call ends; a `key` that is not known any more, or 0, counts with the others.
  void end(const Owner& owner, uint64_t key, const QueryEnd& end, SteadyTime now);

  // shape_of(sql), remembered.
  uint64_t shape(std::string_view sql) { return cache_.shape(sql); }
  // The text of a counted shape, or "".
  std::string_view text(uint64_t key) const;
  std::vector<QueryFigures> figures() const;

 private:
  static constexpr size_t kRows = 4;
  static constexpr size_t kColumns = 1024;

  uint32_t sketch(uint64_t key);
  void replace_rare(uint32_t calls);
  QueryFigures& others(const std::string& database, const std::string& user);

  ShapeCache cache_;
  std::unordered_map<uint64_t, std::unique_ptr<QueryFigures>> shapes_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<QueryFigures>> others_;
  std::array<std::array<uint32_t, kColumns>, kRows> sketch_{};
};

// How long clients of one pool waited for a link, and what they asked took; microseconds.
struct PoolTimes {
  SmallHistogram wait;
  SmallHistogram query;
  SmallHistogram transaction;

  void merge(const PoolTimes& other) {
    wait.merge(other.wait);
    query.merge(other.query);
    transaction.merge(other.transaction);
  }
};

// Something that maintenance should know of.
struct Event {
  enum class Kind : uint8_t { Load, Schema, Failure };

  WallTime at{};
  Kind kind = Kind::Load;
  std::string database = {};
  std::string user = {};
  std::string command = {};  // the tag without its count, or what happened
  std::string target = {};  // the table's name as written, or the server's address; "" when unknown
  uint64_t rows = 0;
};

std::string_view name_of(Event::Kind kind);

// The last kKept events. Thread: one loop's.
class Events {
 public:
  static constexpr size_t kKept = 1000;
  // So many rows in one command are a load.
  static constexpr uint64_t kLoadRows = 1000;

  void add(Event event);
  // Whether a command that ended so is an event.
  static bool matters(std::string_view tag, uint64_t rows);
  // One that matters ended with `tag`; `sql` is its text or the shape of it.
  void note_command(const Queries::Owner& owner, std::string_view tag, uint64_t rows,
                    std::string_view sql, WallTime at);
  const std::deque<Event>& all() const { return events_; }

 private:
  std::deque<Event> events_;
};

// The number at the end of a command tag; 0 without one.
uint64_t rows_of_tag(std::string_view tag);

}  // namespace pgtend::pool
