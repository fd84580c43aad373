// The drivers that people have: what a program is told by the server alone, it is told through the
// pool, in each mode. The programs are in drivers/; steps.py says what they print.
#include <algorithm>
#include <cstdlib>
#include <ostream>
#include <sstream>

#include "base/text.h"
#include "e2e/support/pool.h"

namespace pgtend::e2e {
namespace {

using Words = std::vector<std::string>;

// A program that prints fewer tests next to nothing.
constexpr size_t kStepsMin = 11;
const std::string kJar = "/usr/share/java/postgresql.jar";

// In the words of a command, @ stands for the folder of the programs and % for one of the test.
struct Driver {
  std::string name;
  std::string package;  // what to install where it is missing
  Words probe;          // succeeds where it is installed
  Words build;          // compiles the program; may be empty
  Words command;        // runs it
};

// For the report of a failure.
std::ostream& operator<<(std::ostream& out, const Driver& driver) { return out << driver.name; }

Driver python_driver(const std::string& name) {
  return {name,
          "apt-get install python3-" + name,
          {"/usr/bin/python3", "-c", "import " + name},
          {},
          {"/usr/bin/python3", cat("@/", name, "_matrix.py")}};
}

std::vector<Driver> drivers() {
  return {{"psql", "apt-get install postgresql-15", {"psql", "-V"}, {}, {"sh", "@/psql_matrix.sh"}},
          {"pgbench",
           "apt-get install postgresql-15",
           {"pgbench", "-V"},
           {},
           {"sh", "@/pgbench_matrix.sh"}},
          python_driver("psycopg"),
          python_driver("psycopg2"),
          python_driver("asyncpg"),
          {"jdbc",
           "apt-get install libpostgresql-jdbc-java default-jdk-headless",
           {"javap", "-cp", kJar, "org.postgresql.Driver"},
           // Both run for a second: the optimising compiler would cost more than it wins.
           {"javac", "-J-XX:TieredStopAtLevel=1", "-encoding", "UTF-8", "-cp", kJar, "-d", "%",
            "@/Matrix.java"},
           {"java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", kJar + ":%", "Matrix"}},
          {"libpq_go",
           "apt-get install golang-go golang-github-lib-pq-dev",
           {"go", "list", "github.com/lib/pq"},
           {"go", "build", "-o", "%/matrix", "@/matrix.go"},
           {"%/matrix"}},
          {"node_pg",
           "cd deps && npm ci --ignore-scripts",
           {"node", "-e", "require('pg')"},
           {},
           {"node", "@/matrix.js"}}};
}

// "[needs] name: result" as the program printed it.
struct Step {
  std::string needs;
  std::string name;
  std::string line;
};

std::vector<Step> steps_of(const std::string& output) {
  std::vector<Step> steps;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const size_t needs_end = line.find("] ");
    const size_t name_end = line.find(": ", needs_end);
    const bool whole = line.starts_with('[') && name_end != std::string::npos;
    if (!whole) ADD_FAILURE() << "not a step: " << line;
    if (!whole) continue;
    steps.push_back({line.substr(1, needs_end - 1),
                     line.substr(needs_end + 2, name_end - needs_end - 2), line});
  }
  return steps;
}

// The lines of the steps that can work in `mode`.
std::string lines_for(const std::string& mode, const std::vector<Step>& steps) {
  static const Words kRanks = {"statement", "transaction", "session"};
  const auto rank = [](const std::string& word) { return std::ranges::find(kRanks, word); };
  std::string out;
  for (const Step& step : steps) {
    if (rank(step.needs) <= rank(mode)) out += step.line + "\n";
  }
  return out;
}

class PoolDrivers : public PoolTest, public ::testing::WithParamInterface<Driver> {
 protected:
  // Compiling a query of a catalog takes longer than running it.
  Settings settings() const override { return {{"jit", "off"}}; }

  void SetUp() override {
    PoolTest::SetUp();
    if (IsSkipped()) return;  // no PostgreSQL
    if (run(filled(GetParam().probe), environment({}, "")).exit_code == 0) return;
    const std::string missing = cat(GetParam().name, " is missing: ", GetParam().package);
    const char* ci = std::getenv("CI");
    if (ci != nullptr && std::string_view(ci) == "true") FAIL() << missing;
    GTEST_SKIP() << missing;
  }
  Words filled(const Words& words) const {
    Words out;
    for (std::string word : words) {
      const auto fill = [&](char mark, const std::string& with) {
        const size_t at = word.find(mark);
        if (at != std::string::npos) word.replace(at, 1, with);
      };
      fill('@', PGTEND_SOURCE_DIR "/test/e2e/drivers");
      fill('%', scratch_.path());
      out.push_back(word);
    }
    return out;
  }
  static Environment environment(const pg::Options& server, const std::string& mode) {
    Environment out = environment_of(server);
    // Nothing is written beside the sources, and nothing is fetched.
    const Environment more = {{"MATRIX_MODE", mode},
                              {"PYTHONDONTWRITEBYTECODE", "1"},
                              {"NODE_PATH", PGTEND_SOURCE_DIR "/deps/node_modules"},
                              {"NODE_NO_WARNINGS", "1"},
                              {"GO111MODULE", "off"},
                              {"GOFLAGS", ""},
                              {"GOPATH", "/usr/share/gocode"},
                              {"GOCACHE", PGTEND_BINARY_DIR "/go-cache"}};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  Outcome in_mode(const std::string& mode, const pg::Options& server) const {
    return run(filled(GetParam().command), environment(server, mode));
  }
  // As drop-in users have it: SCRAM on both sides, and what drivers send at a login swallowed. A
  // client gets another link for each of its transactions. In session mode there is one for each of
  // the six that a program has at a time; in the others there are fewer.
  std::string ini_for(const std::string& mode) const {
    const pg::Options server = tcp_options();
    const std::string users = scratch_.write(
        "users", cat('"', server.get("user"), "\" \"", server.get("password"), "\"\n"));
    return cat("[databases]\n", database(), " = host=127.0.0.1 port=", server.get("port"),
               "\n[pgbouncer]\nauth_type = scram-sha-256\nauth_file = ", users,
               "\npool_mode = ", mode, "\nignore_startup_parameters = extra_float_digits\n",
               "workers = 2\nmin_pool_size = 3\nserver_round_robin = 1\nquery_wait_timeout = 20\n",
               "default_pool_size = ", mode == "session" ? 8 : 3, "\n");
  }
  pg::Options through_scram(const PoolProcess& pool) const {
    pg::Options options = tcp_options();
    options.set("port", cat(pool.port()));
    return options;
  }

  Scratch scratch_;
};

TEST_P(PoolDrivers, AnswersAreThoseOfTheServer) {
  if (!GetParam().build.empty()) {
    const auto built = run(filled(GetParam().build), environment({}, ""), "", seconds(120));
    ASSERT_EQ(built.exit_code, 0) << built.out << built.err;
  }
  const auto direct = in_mode("session", tcp_options());
  ASSERT_EQ(direct.exit_code, 0) << direct.out << direct.err;
  const auto steps = steps_of(direct.out);
  ASSERT_GE(steps.size(), kStepsMin);

  for (const std::string mode : {"session", "transaction", "statement"}) {
    PoolProcess pool(ini_for(mode));
    const auto pooled = in_mode(mode, through_scram(pool));
    EXPECT_EQ(pooled.exit_code, 0) << mode << '\n' << pooled.err << pool.log();
    EXPECT_EQ(pooled.out, lines_for(mode, steps)) << mode;
  }
}

INSTANTIATE_TEST_SUITE_P(Matrix, PoolDrivers, ::testing::ValuesIn(drivers()),
                         [](const auto& driver_info) { return driver_info.param.name; });

}  // namespace
}  // namespace pgtend::e2e
