// What the end-to-end tests share: one private PostgreSQL a program (and version), started when the
// first test asks for it and ended with the program; a fresh database a test.
//
// The common case, on PostgreSQL 15:
//
//   class Vacuum : public e2e::DatabaseTest {};
//
//   TEST_F(Vacuum, DeadRowsAreGoneAfterApply) {
//     auto conn = connect();                       // superuser, in this test's own database
//     must(conn.exec("CREATE TABLE t AS SELECT generate_series(1, 1000) AS id"));
//     …
//   }
//
// On several versions (see Spread); a version whose programs are not there is skipped, with the
// reason:
//
//   class Capability : public e2e::VersionTest {};
//   TEST_P(Capability, LevelsFollowTheRights) { auto conn = connect(); … version() … }
//   PGTEND_ON_ALL_VERSIONS(Capability);
//
// A suite that needs settings of its own overrides `settings()`, before the first connect(): suites
// with equal settings and version share a server.
//
//   class Preloaded : public e2e::DatabaseTest {
//     Settings settings() const override { return {{"max_connections", "60"}}; }
//   };
//
// A test that stops or crashes servers, or needs its own, starts a pg::Cluster itself with
// cluster_options(version, settings). Programs beside us (psql, pgbench, pgtend) are run with
// run(). Never sleep: wait_until(condition) waits with a deadline.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "pg/cluster.h"
#include "pg/connection.h"
#include "pg/temp_folder.h"

namespace pgtend::e2e {

using Settings = std::vector<std::pair<std::string, std::string>>;
using Environment = std::vector<std::pair<std::string, std::string>>;

// 15 is Debian's and the default of TEST_F.
inline constexpr const char* kDefaultVersion = "15";

// On which of 13 … 18 a suite runs.
enum class Spread {
  All,   // what reads the catalogs or follows the formulas of each version
  Some,  // the newest, and an older one that the suite's name picks
  Ends   // the oldest and the newest: what takes long
};

// Whether the environment asks for every test on every version, with all seeds: PGTEND_TESTS=all.
bool thorough();

std::vector<std::string> versions(Spread spread, std::string_view suite);

// The folder of the server programs of `version`: Debian's for 15, else deps/node_modules/pg<NN>
// (made ready on first use). Errors: NotFound, the message says what to install.
Result<std::string> binaries_of(const std::string& version);

// For a server of the test's own: fast, not durable, fsync off. Errors: as binaries_of().
Result<pg::ClusterOptions> cluster_options(const std::string& version = kDefaultVersion,
                                           const Settings& settings = {});

// The program's shared server of this version and settings, started by the first call. The
// settings come on top of: fsync off, shared_buffers 32 MB, autovacuum on, max_connections 100.
// Errors: as pg::Cluster::start().
Result<pg::Cluster*> shared_cluster(const std::string& version = kDefaultVersion,
                                    const Settings& settings = {});

// The value of `result`, or ends the program with the error's text: for arranging only.
template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().message << " [" << result.error().sqlstate << "]";
    CHECK(result);
  }
  return std::move(result).take();
}

// Waits until `condition` holds, asking every 5 ms; false when `deadline` has passed.
bool wait_until(const std::function<bool()>& condition, milliseconds deadline = seconds(10));

// What a program left behind.
struct Outcome {
  int exit_code = -1;  // 128 + signal when a signal ended it
  std::string out;
  std::string err;
};

// Runs `argv` (argv[0] is looked up in PATH) with `environment` on top of ours minus every PG*
// variable, `input` as its standard input, to its end; killed after `deadline` (exit code 137).
Outcome run(const std::vector<std::string>& argv, const Environment& environment = {},
            const std::string& input = "", seconds deadline = seconds(60));

// PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE for `options`, for run().
Environment environment_of(const pg::Options& options);

// `sql` through psql -X -A -t -v ON_ERROR_STOP=1, as `options` say.
Outcome psql(const pg::Options& options, const std::string& sql);

// A folder that goes away with the object (or, if we are killed, with the next start of a private
// server), for service files, configurations and the like. Mode 0711 for root, else 0700.
class Scratch {
 public:
  Scratch();
  const std::string& path() const { return folder_.path(); }
  // Writes `text` to `name` in it (mode 0600) and returns the whole path.
  std::string write(const std::string& name, const std::string& text) const;

 private:
  pg::TempFolder folder_;
};

// The base of tests with a database of their own. Skips the test when the version is not there.
class DatabaseTest : public ::testing::Test {
 protected:
  virtual std::string version() const { return kDefaultVersion; }
  virtual Settings settings() const { return {}; }

  void SetUp() override;
  void TearDown() override;

  // The shared server and this test's database in it.
  pg::Cluster& cluster() { return *cluster_; }
  const std::string& database() const { return database_; }
  // To this test's database as superuser, by socket; change it as needed.
  pg::Options options() const;
  // The same by TCP.
  pg::Options tcp_options() const;
  pg::Connection connect() { return connect(options()); }
  pg::Connection connect(const pg::Options& options);

  // A login role without any right but those of PUBLIC (plus `grants`: "GRANT pg_monitor TO %",
  // where % stands for the role), removed after the test. Returns the options to log in as it.
  pg::Options create_role(const std::string& prefix = "plain",
                          const std::vector<std::string>& grants = {});

 private:
  pg::Cluster* cluster_ = nullptr;
  std::string database_;
  std::vector<std::string> roles_;
};

// The same on the version of the parameter.
class VersionTest : public DatabaseTest, public ::testing::WithParamInterface<std::string> {
 protected:
  std::string version() const override { return GetParam(); }
};

}  // namespace pgtend::e2e

// Test names end in /pg13 … /pg18.
#define PGTEND_ON_VERSIONS(Suite, spread)                                                  \
  INSTANTIATE_TEST_SUITE_P(                                                                \
      Versions, Suite,                                                                     \
      ::testing::ValuesIn(::pgtend::e2e::versions(::pgtend::e2e::Spread::spread, #Suite)), \
      [](const ::testing::TestParamInfo<std::string>& version_info) {                      \
        return "pg" + version_info.param;                                                  \
      })
#define PGTEND_ON_ALL_VERSIONS(Suite) PGTEND_ON_VERSIONS(Suite, All)
#define PGTEND_ON_SOME_VERSIONS(Suite) PGTEND_ON_VERSIONS(Suite, Some)
#define PGTEND_ON_OLDEST_AND_NEWEST(Suite) PGTEND_ON_VERSIONS(Suite, Ends)
