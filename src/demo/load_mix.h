// The workload: which statement a client sends next. Pure: a choice is f(seed, client, number).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "demo/generator_calendar.h"
#include "demo/generator_population.h"

namespace pgtend::demo {

// What clients do; each is a row of kKinds, in this order.
enum class Kind : uint8_t {
  LatestReading,
  DayProfile,
  MonthBill,
  FeederSum,
  GapCheck,
  TopMeters,
  CustomerSearch,
  BatchInsert,
  CorrectReading,
  NPlusOne,
};
inline constexpr size_t kKindCount = 10;

// Which kinds take part.
enum class Mix : uint8_t {
  All,
  ReadOnly,
  Light,  // served from the keys or a small table: for measuring connections, not queries
};

struct KindRow {
  Kind kind;
  std::string_view name;
  int weight;
  bool writes;
  bool light;
};
inline constexpr KindRow kKinds[] = {
    {Kind::LatestReading, "latest reading", 30, false, false},
    {Kind::DayProfile, "one-day profile", 20, false, false},
    {Kind::MonthBill, "month bill", 10, false, false},
    {Kind::FeederSum, "feeder sum", 5, false, false},
    {Kind::GapCheck, "gap check", 5, false, false},
    {Kind::TopMeters, "top meters", 3, false, false},
    {Kind::CustomerSearch, "customer search", 5, false, true},
    {Kind::BatchInsert, "batch insert", 15, true, false},
    {Kind::CorrectReading, "upsert of a re-read", 5, true, false},
    {Kind::NPlusOne, "N+1 of an ORM", 2, false, true},
};

inline constexpr int kBatchRows = 10;       // readings of one batch insert
inline constexpr int kNPlusOneMeters = 10;  // customers of one N+1, each with its own query

// One statement with parameters $1, $2, … in text form; each is cast in the SQL.
struct Call {
  std::string_view sql;
  std::vector<std::string> parameters = {};
};

// One transaction as its client sees it: the calls are sent one after the other, each on its own.
struct Request {
  Kind kind = Kind::LatestReading;
  std::vector<Call> calls = {};
};

// What the database holds, for choosing rows that exist.
struct Holdings {
  uint64_t seed = 1;  // of the data
  Scale scale = {};
  Calendar calendar = {};
};

// Immutable. Thread: any.
class Workload {
 public:
  Workload(const Holdings& holdings, Mix mix, uint64_t seed, int clients);

  // Request `number` (from 0) of `client` (from 0). Cost: about 1 us.
  Request request(int client, int64_t number) const;

 private:
  class Dice;
  Kind choose_kind(Dice& dice) const;
  int64_t meter(Dice& dice) const;
  int64_t time_s(Dice& dice) const;
  Request n_plus_one(Dice& dice) const;
  Request batch(Dice& dice, int client, int64_t number) const;

  Holdings holdings_;
  uint64_t seed_;
  int clients_;
  int feeders_;
  std::vector<KindRow> kinds_;
  int weight_total_ = 0;
};

// `call` as one text for the simple protocol: each parameter in its place as a literal.
std::string with_literals(const Call& call);

}  // namespace pgtend::demo
