#include <cmath>

#include "cli/pool_screen.h"

namespace pgtend::cli {

namespace {
json::value or_null(std::optional<double> value) {
  return value ? json::value(std::round(*value * 1000) / 1000) : json::value();
}

double per_second(int64_t count, nanoseconds elapsed) {
  return static_cast<double>(count) / std::chrono::duration<double>(elapsed).count();
}

json::value spread_json(const std::optional<TimeSpread>& spread) {
  if (!spread) return {};
  return json::object{{"count", spread->count},
                      {"p50_us", spread->p50_us},
                      {"p95_us", spread->p95_us},
                      {"p99_us", spread->p99_us}};
}

json::array pools_json(const PoolRates& rates) {
  json::array all;
  for (const PoolRow& row : rates.pools) {
    all.push_back({{"database", row.now.database},
                   {"user", row.now.user},
                   {"clients_active", row.now.clients_active},
                   {"clients_waiting", row.now.clients_waiting},
                   {"servers_active", row.now.servers_active},
                   {"servers_idle", row.now.servers_idle},
                   {"wait_max_us", row.now.wait_max_us},
                   {"wait", spread_json(row.wait)},
                   {"query", spread_json(row.query)}});
  }
  return all;
}

json::value rates_json(const PoolRates& rates) {
  if (rates.elapsed.count() <= 0) return {};
  const DatabaseTotals& sum = rates.sum;
  const auto rate = [&](int64_t count) { return or_null(per_second(count, rates.elapsed)); };
  return json::object{
      {"transactions_per_s", rate(sum.transactions)},
      {"queries_per_s", rate(sum.queries)},
      {"bytes_in_per_s", rate(sum.bytes_in)},
      {"bytes_out_per_s", rate(sum.bytes_out)},
      {"mean_wait_us", or_null(mean(sum.wait_us, sum.transactions))},
      {"mean_query_us", or_null(mean(sum.query_us, sum.queries))},
      {"mean_transaction_us", or_null(mean(sum.transaction_us, sum.transactions))},
      {"databases_restarted", json::array(rates.restarted.begin(), rates.restarted.end())}};
}

json::value shapes_json(const PoolScene& scene, ShapeSort sort) {
  if (!scene.reading.shapes || scene.rates.elapsed.count() <= 0) return {};
  std::vector<ShapeTotals> shapes = scene.rates.shapes;
  sort_shapes(shapes, sort);
  json::array all;
  for (const ShapeTotals& shape : shapes) {
    const bool known = !shape.shape.empty();
    all.push_back({{"database", shape.database},
                   {"user", shape.user},
                   {"shape", known ? json::value(shape.shape) : json::value()},
                   {"query", known ? json::value(shape.text) : json::value()},
                   {"calls", shape.calls},
                   {"calls_per_s", or_null(per_second(shape.calls, scene.rates.elapsed))},
                   {"errors", shape.errors},
                   {"rows", shape.rows},
                   {"total_us", shape.time_us},
                   {"mean_us", or_null(mean(shape.time_us, shape.calls))},
                   {"p95_since_first_seen_us", known ? json::value(shape.p95_us) : json::value()}});
  }
  return all;
}

json::value events_json(const PoolReading& reading) {
  if (!reading.events) return {};
  json::array all;
  for (const PoolEvent& event : *reading.events) {
    all.push_back({{"time", event.time},
                   {"kind", event.kind},
                   {"database", event.database},
                   {"user", event.user},
                   {"command", event.command},
                   {"target", event.target},
                   {"rows", event.rows}});
  }
  return all;
}
}  // namespace

json::object pool_json(const PoolScene& scene, ShapeSort sort) {
  const PoolReading& reading = scene.reading;
  const double elapsed = std::chrono::duration<double>(scene.rates.elapsed).count();
  const auto seconds_since = std::chrono::duration<double>(reading.wall.time_since_epoch()).count();
  json::object data;
  data["version"] = reading.version;
  data["server"] = reading.where;
  data["state"] = reading.state.empty() ? json::value() : json::value(reading.state);
  data["unix_time"] = or_null(seconds_since);
  data["interval_s"] = elapsed > 0 ? or_null(elapsed) : json::value();
  data["rates"] = rates_json(scene.rates);
  data["pools"] = pools_json(scene.rates);
  data["queries"] = shapes_json(scene, sort);
  data["events"] = events_json(reading);
  return data;
}

}  // namespace pgtend::cli
