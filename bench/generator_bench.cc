// How fast the metering generator loads rows, against COPY of the same rows from a file on the
// server: alternating rounds on one private PostgreSQL. Prints a section of bench/RESULTS.md.
//
// generator_bench [rounds [meters [days]]]
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/text.h"
#include "base/units.h"
#include "demo/generator.h"
#include "demo/generator_model.h"
#include "demo/generator_rows.h"
#include "demo/schema.h"
#include "pg/cluster.h"
#include "pg/connection.h"
#include "pg/quote.h"

namespace pgtend {
namespace {

struct Plan {
  int rounds = 7;
  demo::Scale scale = {.customers = 1, .meters = 4'000, .days = 14};
};

// One way to fill the table, and the rows a second of each round.
struct Contender {
  std::string name;
  int connections = 0;  // 0: COPY from the file
  std::vector<double> rates = {};
};

double quantile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return std::string(trim(line.substr(line.find(':') + 1)));
  }
  return "unknown processor";
}

Status empty_table(pg::Connection& conn) {
  TRY(conn.exec("DROP TABLE IF EXISTS t_dlpdata, m_meterinfo, m_customerinfo"));
  TRY(conn.exec(demo::create_tables_sql()));
  return conn.exec("CHECKPOINT");
}

class Bench {
 public:
  Bench(pg::Cluster& cluster, const Plan& plan)
      : cluster_(cluster),
        plan_(plan),
        population_(1, plan.scale),
        // A winter fortnight: no clock change, the same rows on every day this runs.
        calendar_{.first = 1'929'312, .slots = int64_t{plan.scale.days} * 96, .changes = {{0, 4}}},
        model_(1, population_, calendar_),
        order_(model_, demo::WriteOrder::Headend, true) {}

  Status run() {
    pg::Connection conn = TRY(pg::Connection::open(cluster_.options()));
    TRY(make_file(conn));
    const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    contenders_ = {{"COPY FROM a file on the server", 0}, {"generator, 1 connection", 1}};
    if (cores > 1) contenders_.push_back({cat("generator, ", cores, " connections"), cores});
    for (int round = 0; round < plan_.rounds; ++round) {
      for (Contender& contender : contenders_) {
        TRY(empty_table(conn));
        const double spent = TRY(fill(conn, contender));
        contender.rates.push_back(static_cast<double>(rows_) / spent);
      }
    }
    return report(conn);
  }

 private:
  Status make_file(pg::Connection& conn) {
    file_ = cluster_.data_folder() + "/generator_bench.copy";
    TRY(empty_table(conn));
    TRY(generate(1));
    return conn.exec(cat("COPY t_dlpdata TO ", pg::literal(file_), " (FORMAT binary)"));
  }

  Status generate(int connections) {
    const pg::Options target = cluster_.options();
    const ProgressFn quiet;
    const demo::GenerateContext context{target, {}, quiet, system_clock()};
    const demo::Sent sent =
        TRY(demo::copy_readings(model_, order_, demo::Ids::Computed, connections, context));
    rows_ = sent.rows + sent.superseded;
    return ok();
  }

  Result<double> fill(pg::Connection& conn, const Contender& contender) {
    const SteadyTime began = system_clock().steady();
    if (contender.connections > 0) {
      TRY(generate(contender.connections));
    } else {
      TRY(conn.exec(cat("COPY t_dlpdata FROM ", pg::literal(file_), " (FORMAT binary)")));
    }
    return std::chrono::duration<double>(system_clock().steady() - began).count();
  }

  Status report(pg::Connection& conn) {
    const pg::Rows today = TRY(conn.query("SELECT now()::date"));
    const std::string date = TRY(today.scalar());
    fmt::print("## Generator\n\n`./run bench generator`, {}, {} x {}, PostgreSQL {}.\n", date,
               std::thread::hardware_concurrency(), processor(), cluster_.version());
    fmt::print("{} rows of `t_dlpdata` a round, no keys, {} rounds, the ways in turn.\n\n",
               grouped(rows_), plan_.rounds);
    fmt::print("| way | rows/s (median) | slowest … fastest round | against the file |\n");
    fmt::print("|---|---|---|---|\n");
    const double base = quantile(contenders_[0].rates, 0.5);
    for (const Contender& contender : contenders_) {
      const double median = quantile(contender.rates, 0.5);
      fmt::print("| {} | {} | {} … {} | {:.0f} % |\n", contender.name, compact(median),
                 compact(quantile(contender.rates, 0)), compact(quantile(contender.rates, 1)),
                 100 * median / base);
    }
    return ok();
  }

  pg::Cluster& cluster_;
  const Plan plan_;
  demo::Population population_;
  demo::Calendar calendar_;
  demo::Model model_;
  demo::RowOrder order_;
  std::string file_;
  int64_t rows_ = 0;
  std::vector<Contender> contenders_;
};

Result<Plan> plan_from(int argc, char** argv) {
  Plan plan;
  int* const places[] = {&plan.rounds, &plan.scale.meters, &plan.scale.days};
  for (int i = 1; i < argc && i <= 3; ++i) {
    const int64_t value = TRY_DURING(parse_int(argv[i]), argv[i]);
    if (value < 1 || value > demo::kMetersMax) return Error{ErrorCode::Invalid, argv[i]};
    *places[i - 1] = static_cast<int>(value);
  }
  TRY(demo::check(plan.scale));
  return plan;
}

Status bench(int argc, char** argv) {
  const Plan plan = TRY(plan_from(argc, argv));
  pg::ClusterOptions options;
  options.settings = {{"shared_buffers", "256MB"}, {"max_wal_size", "8GB"}, {"autovacuum", "off"}};
  pg::Cluster cluster = TRY(pg::Cluster::start(options));
  return Bench(cluster, plan).run();
}

}  // namespace
}  // namespace pgtend

int main(int argc, char** argv) {
  const auto status = pgtend::bench(argc, argv);
  if (status) return 0;
  fmt::print(stderr, "generator_bench: {}\n", status.error().message);
  return pgtend::exit_code(status.error());
}
