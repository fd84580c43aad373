#include "demo/generator.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/text.h"
#include "demo/generator_model.h"
#include "demo/generator_people.h"
#include "demo/generator_rows.h"
#include "pg/connection.h"

namespace pgtend::demo {

namespace {

constexpr size_t kBufferBytes = 65'536;
constexpr int kConnectionsAuto = 8;

Status check(const GenerateOptions& options) {
  TRY(check(options.scale));
  if (options.connections < 0 || options.connections > kConnectionsMax) {
    return Error{ErrorCode::Invalid,
                 cat("connections must be 0 to ", kConnectionsMax, ", not ", options.connections)};
  }
  if (options.scale.days > kDaysMax) {
    return Error{ErrorCode::Invalid,
                 cat("days must be 1 to ", kDaysMax, ", not ", options.scale.days)};
  }
  if ((options.faults & ~kAllFaults) != 0) {
    return Error{ErrorCode::Invalid, cat("unknown faults in ", options.faults)};
  }
  return ok();
}

int connections_of(const GenerateOptions& options) {
  if (options.connections > 0) return options.connections;
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kConnectionsAuto);
}

Status refuse_existing(pg::Connection& conn) {
  for (const std::string_view table : kTables) {
    const auto rows = TRY(conn.query("SELECT to_regclass($1) IS NOT NULL", {std::string(table)}));
    if (TRY(rows[0].get<bool>(0))) {
      return Error{ErrorCode::Invalid,
                   cat("table ", table, " exists already in ", conn.options().describe()),
                   {},
                   "choose an empty database, or ask for the tables to be replaced"};
    }
  }
  return ok();
}

constexpr std::string_view kDropTables =
    "DROP TABLE IF EXISTS t_dlpdata, m_meterinfo, m_customerinfo";
// After a failure, somebody who reads the half-filled tables must not keep us waiting.
constexpr std::string_view kDropTablesSoon =
    "SET lock_timeout = '5s'; DROP TABLE IF EXISTS t_dlpdata, m_meterinfo, m_customerinfo";

// Calls `append(i, out)` for i in [0, count) as one COPY into `table`.
template <class Append>
Status copy_table(pg::Connection& conn, std::string_view table, int count,
                  const GenerateContext& context, const Append& append) {
  int next = 0;
  bool ended = false;
  const SteadyTime began = context.clock.steady();
  const auto fill = [&](std::string& buffer) -> Status {
    if (ended) return ok();
    if (context.stop.stop_requested()) return Error{ErrorCode::Cancelled, "stopped on request"};
    CopyEncoder out(buffer);
    if (next == 0) out.begin();
    while (next < count && buffer.size() < kBufferBytes) append(next++, out);
    ended = next == count;
    if (ended) out.end();
    context.report({std::string(table), "rows", next, count, context.clock.steady() - began});
    return ok();
  };
  TRY_DURING(conn.copy_in(cat("COPY ", table, " FROM STDIN (FORMAT binary)"), fill),
             cat("copying ", table));
  return ok();
}

// One load, from the empty schema to the statistics.
class Load {
 public:
  Load(pg::Connection& conn, const GenerateOptions& options, const Calendar& calendar,
       const GenerateContext& context)
      : conn_(conn),
        options_(options),
        context_(context),
        population_(options.seed, options.scale),
        model_(options.seed, population_, calendar),
        order_(model_, options.order, options.read_again) {}

  Result<Generated> run() {
    Generated result;
    result.calendar = model_.calendar();
    result.answer_key = answer_key(options_.faults);
    result.totals.customers = options_.scale.customers;
    result.totals.meters = options_.scale.meters;
    TRY(copy_people());
    const SteadyTime began = context_.clock.steady();
    const Sent sent =
        TRY(copy_readings(model_, order_, Ids::Computed, connections_of(options_), context_));
    result.load_time = context_.clock.steady() - began;
    result.totals.readings = sent.rows;
    result.totals.kwh_units = sent.kwh_units;
    result.totals.corrected = sent.superseded;
    if (options_.read_again) {
      TRY_DURING(delete_superseded(conn_, order_, sent.superseded, context_),
                 "correcting readings");
    }
    TRY(add_keys());
    if (options_.analyze) TRY(analyze());
    return result;
  }

 private:
  Status copy_people() {
    const int64_t first_s = model_.calendar().first * kQuarterSeconds;
    TRY(copy_table(
        conn_, "m_customerinfo", options_.scale.customers, context_,
        [&](int i, CopyEncoder& out) { append_customer(out, options_.seed, i + 1, first_s); }));
    return copy_table(conn_, "m_meterinfo", options_.scale.meters, context_,
                      [&](int i, CopyEncoder& out) {
                        append_meter(out, options_.seed, population_, i, first_s);
                      });
  }

  Status add_keys() {
    const auto statements = key_statements(options_.faults);
    Progress state{.step = "keys", .unit = "statements"};
    state.total = static_cast<int64_t>(statements.size());
    TRY(conn_.exec("SET maintenance_work_mem = '256MB'"));
    for (const std::string_view sql : statements) {
      TRY_DURING(run_stoppable(conn_, sql, context_, state), sql);
      ++state.done;
      context_.report(state);
    }
    TRY(conn_.query("SELECT setval(pg_get_serial_sequence('t_dlpdata', 'reading_id'), $1)",
                    {cat(order_.places())}));
    return ok();
  }

  Status analyze() {
    Progress state{.step = "statistics", .unit = "tables", .total = std::ssize(kTables)};
    for (const std::string_view table : kTables) {
      TRY(run_stoppable(conn_, cat("ANALYZE ", table), context_, state));
      ++state.done;
      context_.report(state);
    }
    return ok();
  }

  pg::Connection& conn_;
  const GenerateOptions& options_;
  const GenerateContext& context_;
  Population population_;
  Model model_;
  RowOrder order_;
};

}  // namespace

Result<Generated> generate(const pg::Options& target, const GenerateOptions& options,
                           const ProgressFn& progress) {
  TRY(check(options));
  pg::Connection conn = TRY(pg::Connection::open(target));
  const Calendar calendar =
      TRY(load_calendar(conn, options.end, options.scale.days, options.time_zone));
  if (options.replace) {
    TRY_DURING(conn.exec(kDropTables), "replacing the metering tables");
  } else {
    TRY(refuse_existing(conn));
  }
  const GenerateContext context{target, options.stop, progress, *options.clock};
  // One transaction: when a table of somebody else is in the way after all, none is ours to drop.
  TRY_DURING(conn.exec(create_tables_sql()), "creating the metering tables");
  auto result = Load(conn, options, calendar, context).run();
  if (!result) {
    // Nothing half done stays behind; the link may be the reason, so a new one is tried as well.
    if (!conn.exec(kDropTablesSoon)) {
      auto again = pg::Connection::open(target);
      const bool dropped = again && again->exec(kDropTablesSoon);
      if (!dropped) {
        return std::move(result).error().hinting(
            "the half-filled tables could not be dropped: drop t_dlpdata, m_meterinfo and "
            "m_customerinfo by hand");
      }
    }
  }
  return result;
}

Result<Generated> one_more_day(const pg::Options& target, const GenerateOptions& options,
                               const Calendar& known, Extend where, const ProgressFn& progress) {
  TRY(check(options));
  pg::Connection conn = TRY(pg::Connection::open(target));
  const Calendar day = TRY(load_next_day(conn, known, where, options.time_zone));
  const GenerateContext context{target, options.stop, progress, *options.clock};
  const Population population(options.seed, options.scale);
  const Model model(options.seed, population, day);
  const RowOrder order(model, options.order, false);
  const SteadyTime began = context.clock.steady();
  const Sent sent = TRY(copy_readings(model, order, Ids::ByTable, 1, context));
  Generated result;
  result.calendar = day;
  result.totals.readings = sent.rows;
  result.totals.kwh_units = sent.kwh_units;
  result.load_time = context.clock.steady() - began;
  return result;
}

Totals expected(const GenerateOptions& options, const Calendar& calendar) {
  const Population population(options.seed, options.scale);
  const Model model(options.seed, population, calendar);
  Totals totals;
  totals.customers = options.scale.customers;
  totals.meters = options.scale.meters;
  totals.readings = model.rows();
  for (int meter = 0; meter < population.meters(); ++meter) {
    for (int slot = 0; slot < model.slots(); ++slot) {
      if (!model.present(meter, slot)) continue;
      const bool corrected = options.read_again && model.read_again(meter, slot);
      totals.corrected += corrected ? 1 : 0;
      totals.kwh_units += corrected ? model.corrected_kwh(meter, slot) : model.kwh(meter, slot);
    }
  }
  return totals;
}

}  // namespace pgtend::demo
