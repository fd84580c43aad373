// The tour's steps about the server and its clients.
#include <fmt/core.h>
#include <unistd.h>

#include "base/text.h"
#include "base/units.h"
#include "demo/load.h"
#include "demo/pool_process.h"
#include "demo/tour_state.h"
#include "pg/data_template.h"
#include "pg/quote.h"

namespace pgtend::demo {

namespace {
constexpr const char* kDatabase = "metering";
constexpr const char* kOwner = "meterapp";
constexpr milliseconds kThink{100};  // clients of applications pause between requests
constexpr size_t kProgressColumns = 100;

// The role that owns the tables, its database, and HypoPG where the server has it.
Status make_database(TourState& state) {
  const std::string password = TRY(pg::random_password());
  pg::Connection admin = TRY(pg::Connection::open(state.cluster->options()));
  const std::string verifier = TRY(admin.password_verifier(kOwner, password));
  TRY(admin.query(cat("CREATE ROLE ", kOwner, " LOGIN PASSWORD ", pg::literal(verifier))));
  TRY(admin.query(cat("CREATE DATABASE ", kDatabase, " OWNER ", kOwner)));
  pg::Connection inside = TRY(pg::Connection::open(state.cluster->options(kDatabase)));
  const pg::Rows hypopg =
      TRY(inside.query("SELECT 1 FROM pg_available_extensions WHERE name = 'hypopg'"));
  if (!hypopg.empty()) TRY(inside.query("CREATE EXTENSION hypopg"));
  state.owner = state.cluster->options(kDatabase);
  state.owner.set("host", "127.0.0.1").set("user", kOwner).set("password", password);
  state.conn = TRY(pg::Connection::open(state.owner));
  return ok();
}

Status open_audit(TourState& state) {
  const pg::Account self{.uid = getuid(), .gid = getgid(), .name = ""};
  const auto bases = pg::temp_bases(self);
  if (bases.empty()) return Error{ErrorCode::Denied, "no folder for temporary files"};
  state.folder = TRY(pg::TempFolder::create(bases.front(), self));
  state.audit = std::make_unique<store::Audit>(
      TRY(store::Audit::open(cat(state.folder->path(), "/audit.db"), *state.options.clock)));
  return ok();
}

Result<LoadFigures> run_clients(TourState& state, const pg::Options& target,
                                const std::string& name) {
  LoadOptions load;
  load.holdings = {.seed = state.options.seed,
                   .scale = state.generation.scale,
                   .calendar = state.generated.calendar};
  load.clients = state.options.clients;
  load.duration = state.options.load_time;
  load.think = kThink;
  load.mix = Mix::Light;
  load.on_refusal = OnRefusal::GiveUp;
  load.stop = state.options.stop;
  const LoadResult result = TRY(run_load(target, load, [&state](const Progress& progress) {
    state.voice.progress(progress_line(progress, kProgressColumns));
  }));
  const auto ms = [&](double share) {
    return static_cast<double>(result.latency_us.quantile(share)) / 1000;
  };
  const LoadFigures figures{.per_second = result.tps(),
                            .p50_ms = ms(0.5),
                            .p95_ms = ms(0.95),
                            .transactions = result.transactions,
                            .served = result.clients_served,
                            .refused = result.refused,
                            .errors = result.failed + result.lost};
  state.say(
      fmt::format("{:<28} {} of {} connections refused, {:.0f} transactions/s, p50 {:.2f} ms, "
                  "p95 {:.2f} ms, {} errors",
                  name, figures.refused, result.attempts, figures.per_second, figures.p50_ms,
                  figures.p95_ms, figures.errors));
  if (!result.first_refusal.empty()) state.say(cat("  ", printable(result.first_refusal)));
  state.data()[name] = to_json(result);
  return figures;
}

Result<LoadFigures> run_clients_through_pool(TourState& state) {
  const PoolProcess pool = TRY(PoolProcess::start({.program = state.options.pool_program,
                                                   .server = state.owner,
                                                   .pool_size = state.options.pool_size,
                                                   .clients_max = state.options.clients + 100}));
  return run_clients(state, pool.options(),
                     fmt::format("pgtend-pool, {} connections", state.options.pool_size));
}
}  // namespace

Status start_server(TourState& state) {
  TRY(open_audit(state));
  pg::ClusterOptions options;
  options.keep = state.options.keep;
  options.cached = false;  // a tour leaves nothing behind, not even what initdb made
  options.settings = {{"max_connections", cat(state.options.connections_max)},
                      {"shared_buffers", "256MB"},
                      {"max_wal_size", "2GB"},
                      {"jit", "off"}};
  state.cluster = TRY(pg::Cluster::start(options));
  TRY(make_database(state));
  state.say(cat("PostgreSQL ", state.cluster->version(), " on 127.0.0.1:", state.cluster->port(),
                ", max_connections = ", state.options.connections_max, ", removed at the end"));
  if (state.options.keep) state.say(cat("kept in ", state.cluster->data_folder()));
  state.data() = {{"version", state.cluster->version()},
                  {"max_connections", state.options.connections_max}};
  return ok();
}

Status load_readings(TourState& state) {
  state.generation.scale = TRY(scale_named(state.options.size));
  state.generation.seed = state.options.seed;
  state.generation.stop = state.options.stop;
  state.generated = TRY(generate(state.owner, state.generation, [&state](const Progress& progress) {
    state.voice.progress(progress_line(progress, kProgressColumns));
  }));
  const Totals& totals = state.generated.totals;
  const double load_s = std::chrono::duration<double>(state.generated.load_time).count();
  const pg::Rows size =
      TRY(state.conn->query("SELECT pg_total_relation_size('t_dlpdata'), "
                            "(SELECT sum(kwh_reading) FROM t_dlpdata) = $1::numeric / 10000",
                            {cat(totals.kwh_units)}));
  const int64_t bytes = TRY(size[0].get<int64_t>(0));
  const bool same = TRY(size[0].get<bool>(1));
  state.say(cat(grouped(totals.customers), " customers, ", grouped(totals.meters), " meters, ",
                grouped(totals.readings), " readings (", human(Bytes{bytes}), "), ",
                compact(static_cast<double>(totals.readings) / load_s), " rows/s"));
  if (!same) return Error{ErrorCode::Internal, "the readings' sum is not what was generated"};
  state.say("the sum of all kWh equals the closed form");
  state.data() = {{"customers", totals.customers},
                  {"meters", totals.meters},
                  {"readings", totals.readings},
                  {"bytes", bytes},
                  {"copy_seconds", load_s}};
  return ok();
}

Status many_clients(TourState& state) {
  state.direct = TRY(run_clients(state, state.owner, "straight to PostgreSQL"));
  TRY(state.check_stop());
  state.pooled = TRY(run_clients_through_pool(state));
  return ok();
}

Status many_clients_again(TourState& state) {
  state.pooled_after = TRY(run_clients_through_pool(state));
  return ok();
}

}  // namespace pgtend::demo
