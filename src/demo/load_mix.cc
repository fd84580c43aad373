#include "demo/load_mix.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/text.h"
#include "demo/generator_people.h"
#include "demo/generator_random.h"
#include "pg/quote.h"

namespace pgtend::demo {

namespace {

static_assert(std::size(kKinds) == kKindCount);

constexpr int64_t kRecentSeconds = 7 * 86'400;
constexpr int kRecentPercent = 80;

constexpr std::string_view kLatestSql =
    "SELECT reading_timestamp, kwh_reading FROM t_dlpdata WHERE meter_id = $1::int"
    " ORDER BY reading_timestamp DESC LIMIT 1";
constexpr std::string_view kProfileSql =
    "SELECT reading_timestamp, kwh_reading FROM t_dlpdata WHERE meter_id = $1::int"
    " AND reading_timestamp >= to_timestamp($2::bigint)"
    " AND reading_timestamp < to_timestamp($2::bigint) + interval '1 day'"
    " ORDER BY reading_timestamp";
constexpr std::string_view kBillSql =
    "SELECT sum(kwh_reading), count(*) FROM t_dlpdata WHERE meter_id = $1::int"
    " AND reading_timestamp >= date_trunc('month', to_timestamp($2::bigint))"
    " AND reading_timestamp < date_trunc('month', to_timestamp($2::bigint)) + interval '1 month'";
constexpr std::string_view kFeederSql =
    "SELECT m.feeder_id, sum(d.kwh_reading) FROM m_meterinfo m"
    " JOIN t_dlpdata d ON d.meter_id = m.meter_id WHERE m.feeder_id = $1::int"
    " AND d.reading_timestamp >= to_timestamp($2::bigint)"
    " AND d.reading_timestamp < to_timestamp($2::bigint) + interval '1 day' GROUP BY m.feeder_id";
constexpr std::string_view kGapSql =
    "SELECT reading_timestamp, gap FROM (SELECT reading_timestamp, reading_timestamp"
    " - lag(reading_timestamp) OVER (ORDER BY reading_timestamp) AS gap"
    " FROM t_dlpdata WHERE meter_id = $1::int"
    " AND reading_timestamp >= to_timestamp($2::bigint)"
    " AND reading_timestamp < to_timestamp($2::bigint) + interval '1 day') AS steps"
    " WHERE gap > interval '15 minutes'";
constexpr std::string_view kTopSql =
    "SELECT meter_id, sum(kwh_reading) FROM t_dlpdata"
    " WHERE reading_timestamp >= to_timestamp($1::bigint)"
    " AND reading_timestamp < to_timestamp($1::bigint) + interval '1 hour'"
    " GROUP BY meter_id ORDER BY 2 DESC LIMIT 10";
constexpr std::string_view kSearchSql =
    "SELECT customer_id, first_name, last_name, city FROM m_customerinfo"
    " WHERE last_name = $1::text AND city = $2::text ORDER BY customer_id LIMIT 20";
constexpr std::string_view kBatchSql =
    "INSERT INTO t_dlpdata (meter_id, reading_timestamp, kwh_reading)"
    " SELECT meter, to_timestamp($2::bigint), kwh"
    " FROM unnest($1::int[], $3::numeric[]) AS batch (meter, kwh)";
// Works with and without a unique key on (meter_id, reading_timestamp), plain and partitioned.
constexpr std::string_view kCorrectSql =
    "WITH corrected AS (UPDATE t_dlpdata SET kwh_reading = $3::numeric WHERE meter_id = $1::int"
    " AND reading_timestamp = to_timestamp($2::bigint) RETURNING 1)"
    " INSERT INTO t_dlpdata (meter_id, reading_timestamp, kwh_reading)"
    " SELECT $1::int, to_timestamp($2::bigint), $3::numeric"
    " WHERE NOT EXISTS (SELECT FROM corrected)";
constexpr std::string_view kCustomersSql =
    "SELECT customer_id, first_name, last_name FROM m_customerinfo"
    " WHERE customer_id >= $1::int ORDER BY customer_id LIMIT 10";
constexpr std::string_view kMeterSql =
    "SELECT meter_id, customer_id, msn, model FROM m_meterinfo WHERE meter_id = $1::int";

std::string kwh_text(uint64_t bits) {
  const int64_t units = below(bits, 30'000);
  const std::string decimals = cat(units % 10'000);
  return cat(units / 10'000, ".", std::string(4 - decimals.size(), '0'), decimals);
}

bool takes_part(const KindRow& row, Mix mix) {
  switch (mix) {
    case Mix::All:
      return true;
    case Mix::ReadOnly:
      return !row.writes;
    case Mix::Light:
      return row.light;
  }
  return false;
}

}  // namespace

// The numbers of one request.
class Workload::Dice {
 public:
  Dice(uint64_t seed, int client, int64_t number)
      : base_(draw(seed, Stream::LoadClient, static_cast<uint64_t>(client),
                   static_cast<uint64_t>(number))) {}

  uint64_t bits() { return mix(base_ += 0x9e3779b97f4a7c15); }
  int64_t below(int64_t count) { return demo::below(bits(), count); }

 private:
  uint64_t base_;
};

Workload::Workload(const Holdings& holdings, Mix mix, uint64_t seed, int clients)
    : holdings_(holdings),
      seed_(seed),
      clients_(clients),
      feeders_(static_cast<int>(feeder_sizes(holdings.scale.meters).size())) {
  CHECK(clients > 0 && holdings.scale.meters > 0 && holdings.calendar.slots > 0);
  for (const KindRow& row : kKinds) {
    if (!takes_part(row, mix)) continue;
    kinds_.push_back(row);
    weight_total_ += row.weight;
  }
}

Kind Workload::choose_kind(Dice& dice) const {
  int64_t rest = dice.below(weight_total_);
  for (const KindRow& row : kinds_) {
    if (rest < row.weight) return row.kind;
    rest -= row.weight;
  }
  return kinds_.back().kind;
}

// Zipf with exponent 1: the k-th most wanted meter is asked for about 1/k as often as the first.
int64_t Workload::meter(Dice& dice) const {
  const int64_t meters = holdings_.scale.meters;
  const double rank = std::pow(static_cast<double>(meters) + 1, unit(dice.bits()));
  const int64_t index = std::clamp<int64_t>(static_cast<int64_t>(rank) - 1, 0, meters - 1);
  // A prime above any number of meters scatters the ranks over all of them.
  return index * 2'147'483'647 % meters + 1;
}

// A quarter-hour of the data; mostly of the last seven days.
int64_t Workload::time_s(Dice& dice) const {
  const Calendar& calendar = holdings_.calendar;
  const int64_t recent = std::min(calendar.slots, kRecentSeconds / kQuarterSeconds);
  const bool is_recent = dice.below(100) < kRecentPercent;
  const int64_t back = dice.below(is_recent ? recent : calendar.slots);
  return (calendar.first + calendar.slots - 1 - back) * kQuarterSeconds;
}

Request Workload::n_plus_one(Dice& dice) const {
  Request request{Kind::NPlusOne};
  const int64_t customers = holdings_.scale.customers;
  const int64_t first = 1 + dice.below(std::max<int64_t>(customers - kNPlusOneMeters + 1, 1));
  request.calls.push_back({kCustomersSql, {cat(first)}});
  for (int64_t i = first; i < first + kNPlusOneMeters && i <= customers; ++i) {
    request.calls.push_back({kMeterSql, {cat(i)}});  // customer i has meter i
  }
  return request;
}

// New readings of kBatchRows meters, behind the end of the data. No two batches of a run are for
// the same meters and time.
Request Workload::batch(Dice& dice, int client, int64_t number) const {
  const int64_t meters = holdings_.scale.meters;
  const int64_t groups = std::max<int64_t>(meters / kBatchRows, 1);
  const int64_t batch_number = number * clients_ + client;
  const int64_t first = batch_number % groups * kBatchRows + 1;
  const int64_t quarter =
      holdings_.calendar.first + holdings_.calendar.slots + batch_number / groups;
  std::string ids = "{";
  std::string kwh = "{";
  for (int64_t meter_id = first; meter_id < first + kBatchRows && meter_id <= meters; ++meter_id) {
    const std::string_view comma = meter_id == first ? "" : ",";
    ids += cat(comma, meter_id);
    kwh += cat(comma, kwh_text(dice.bits()));
  }
  return {Kind::BatchInsert, {{kBatchSql, {ids + "}", cat(quarter * kQuarterSeconds), kwh + "}"}}}};
}

Request Workload::request(int client, int64_t number) const {
  Dice dice(seed_, client, number);
  const Kind kind = choose_kind(dice);
  const auto on_meter = [&](std::string_view sql) {
    const std::string id = cat(meter(dice));
    return Request{kind, {{sql, {id, cat(time_s(dice))}}}};
  };
  switch (kind) {
    case Kind::LatestReading:
      return {kind, {{kLatestSql, {cat(meter(dice))}}}};
    case Kind::DayProfile:
      return on_meter(kProfileSql);
    case Kind::MonthBill:
      return on_meter(kBillSql);
    case Kind::GapCheck:
      return on_meter(kGapSql);
    case Kind::TopMeters:
      return {kind, {{kTopSql, {cat(time_s(dice))}}}};
    case Kind::FeederSum: {
      const std::string feeder = cat(1 + dice.below(feeders_));
      return {kind, {{kFeederSql, {feeder, cat(time_s(dice))}}}};
    }
    case Kind::CustomerSearch: {
      const auto customer = static_cast<int32_t>(1 + dice.below(holdings_.scale.customers));
      return {
          kind,
          {{kSearchSql, {last_name(holdings_.seed, customer), city(holdings_.seed, customer)}}}};
    }
    case Kind::BatchInsert:
      return batch(dice, client, number);
    case Kind::CorrectReading: {
      Request request = on_meter(kCorrectSql);
      request.calls[0].parameters.push_back(kwh_text(dice.bits()));
      return request;
    }
    case Kind::NPlusOne:
      return n_plus_one(dice);
  }
  return {};
}

std::string with_literals(const Call& call) {
  std::string text;
  for (size_t at = 0; at < call.sql.size(); ++at) {
    if (call.sql[at] != '$') {
      text += call.sql[at];
      continue;
    }
    const auto index = static_cast<size_t>(call.sql[++at] - '1');
    CHECK(index < call.parameters.size());
    text += pg::literal(call.parameters[index]);
  }
  return text;
}

}  // namespace pgtend::demo
