// The private PostgreSQL: settings, stop, crash, restart, and that nothing of it stays behind,
// however its owner ends.
#include "pg/cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/text.h"
#include "e2e/support/database.h"
#include "pg/account.h"
#include "pg/supervisor.h"
#include "pg/temp_folder.h"

namespace pgtend::e2e {
namespace {

namespace fs = std::filesystem;

bool exists(pid_t pid) { return kill(pid, 0) == 0; }

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

pid_t parent_of(pid_t pid) {
  const std::string stat = read_file(cat("/proc/", pid, "/stat"));
  const auto fields = split(std::string_view(stat).substr(stat.rfind(')') + 2), ' ');
  return static_cast<pid_t>(must(parse_int(fields[1])));
}

// TMPDIR for one scope, so that caches and run folders of the test lie apart.
class OwnTemp {
 public:
  // Cold: without a template, so that the first start runs initdb.
  enum class Cache : uint8_t { Cold, Warm };

  explicit OwnTemp(Cache cache = Cache::Warm, const std::string& sub = "") {
    chmod(scratch_.path().c_str(), 0755);
    path_ = scratch_.path() + sub;
    fs::create_directories(path_);
    if (cache == Cache::Warm) copy_template();
    if (const char* before = std::getenv("TMPDIR")) before_ = before;
    setenv("TMPDIR", path_.c_str(), 1);
  }
  ~OwnTemp() {
    unsetenv("TMPDIR");
    if (!before_.empty()) setenv("TMPDIR", before_.c_str(), 1);
  }
  OwnTemp(const OwnTemp&) = delete;
  OwnTemp& operator=(const OwnTemp&) = delete;
  const std::string& path() const { return path_; }
  // The template of the default version from the cache of all tests, made there if need be; linked,
  // because nobody writes to a template.
  void copy_template() const {
    const std::string cache = cat(fs::temp_directory_path().string(), "/pgtend-cache-", geteuid());
    static const auto first = must(pg::Cluster::start(must(cluster_options()))).major();
    const std::string ours = cat(path_, "/pgtend-cache-", geteuid());
    if (!fs::exists(cache)) return;
    mkdir(ours.c_str(), 0755);
    for (const auto& entry : fs::directory_iterator(cache)) {
      const std::string entry_name = entry.path().filename().string();
      if (!entry_name.starts_with(cat("template-", first, "-"))) continue;
      EXPECT_EQ(run({"cp", "-al", entry.path(), ours}).exit_code, 0);
    }
  }
  // Names in it that start with `prefix`.
  std::vector<std::string> names(const std::string& prefix) const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(path_)) {
      const std::string entry_name = entry.path().filename().string();
      if (entry_name.starts_with(prefix)) out.push_back(entry_name);
    }
    return out;
  }

 private:
  Scratch scratch_;
  std::string path_;
  std::string before_;
};

// A process of ours that owns a private server, as another program would.
class Owner {
 public:
  explicit Owner(const std::function<void()>& before = [] {}) {
    int ends[2] = {-1, -1};
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    pid_ = fork();
    CHECK(pid_ >= 0);
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      before();
      own(ends[1]);
    }
    close(ends[1]);
    std::array<int, 2> told{};
    pollfd entry{ends[0], POLLIN, 0};
    if (poll(&entry, 1, 60'000) == 1 && read(ends[0], told.data(), sizeof told) == sizeof told) {
      postmaster_ = told[0];
      port_ = told[1];
    }
    close(ends[0]);
  }
  ~Owner() {
    if (pid_ > 0) end(SIGTERM);  // returns when its folders are gone
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  int end(int signal_number) {
    int status = 0;
    kill(pid_, signal_number);
    waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }
  // 0 when the server did not start.
  pid_t postmaster() const { return postmaster_; }
  int port() const { return port_; }

 private:
  [[noreturn]] static void own(int tell) {
    signal(SIGTERM, [](int) {
      pg::end_all_servers(seconds(20));
      _exit(0);
    });
    auto cluster = pg::Cluster::start(must(cluster_options()));
    if (!cluster) {
      fprintf(stderr, "%s\n", cluster.error().message.c_str());
      _exit(1);
    }
    const std::array<int, 2> told{cluster->postmaster(), cluster->port()};
    CHECK(write(tell, told.data(), sizeof told) == sizeof told);
    while (true) pause();
  }

  pid_t pid_ = -1;
  pid_t postmaster_ = 0;
  int port_ = 0;
};

class PgCluster : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto there = binaries_of(kDefaultVersion); !there) {
      GTEST_SKIP() << there.error().message;
    }
  }
  static std::string one(const pg::Options& options, const std::string& sql) {
    auto conn = must(pg::Connection::open(options));
    return must(must(conn.query(sql)).scalar());
  }
};

class PgClusterVersions : public ::testing::TestWithParam<std::string> {};

TEST_P(PgClusterVersions, StopsCrashesAndRestartsOnTheSameData) {
  if (const auto there = binaries_of(GetParam()); !there) GTEST_SKIP() << there.error().message;
  auto cluster = must(pg::Cluster::start(must(cluster_options(GetParam()))));
  const auto count = [&] {
    auto conn = must(pg::Connection::open(cluster.options()));
    return must(must(conn.query("SELECT count(*) FROM t")).scalar());
  };
  {
    auto conn = must(pg::Connection::open(cluster.options()));
    must(conn.exec("CREATE TABLE t (id int); INSERT INTO t VALUES (1)"));
  }
  const int port = cluster.port();

  must(cluster.stop());
  EXPECT_FALSE(cluster.running());
  must(cluster.restart());
  EXPECT_EQ(count(), "1");
  auto open = must(pg::Connection::open(cluster.options()));
  must(cluster.crash());
  EXPECT_FALSE(cluster.running());
  const Status lost = open.exec("SELECT 1");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::Unavailable) << lost.error().message;
  EXPECT_FALSE(open.alive());
  EXPECT_FALSE(pg::Connection::open(cluster.options(), seconds(2)));
  must(cluster.restart());

  EXPECT_TRUE(cluster.running());
  EXPECT_EQ(count(), "1");
  EXPECT_EQ(cluster.port(), port);
  EXPECT_EQ(cat(cluster.major()), GetParam());
  EXPECT_NE(read_file(cluster.log_file()).find("automatic recovery"), std::string::npos);
}

PGTEND_ON_ALL_VERSIONS(PgClusterVersions);

TEST_F(PgCluster, NeverRunsAsRootAndFolderGoesWithIt) {
  std::string folder;
  pid_t postmaster = 0;
  {
    auto cluster = must(pg::Cluster::start(must(cluster_options())));
    folder = fs::path(cluster.data_folder()).parent_path();
    postmaster = cluster.postmaster();
    struct stat info {};
    ASSERT_EQ(stat(cat("/proc/", postmaster).c_str(), &info), 0);
    EXPECT_NE(info.st_uid, 0U);
    ASSERT_EQ(stat(cluster.data_folder().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0700U);
  }

  EXPECT_FALSE(exists(postmaster));
  EXPECT_FALSE(fs::exists(folder));
}

TEST_F(PgCluster, PasswordIsAskedForAndStandsInNoCommandLine) {
  auto cluster = must(pg::Cluster::start(must(cluster_options())));
  const std::string password = cluster.options().get("password");
  pg::Options wrong = cluster.options();

  const auto refused = pg::Connection::open(wrong.set("password", "guess"));

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Denied);
  EXPECT_GE(password.size(), 32U);
  for (const pid_t pid : {cluster.postmaster(), parent_of(cluster.postmaster())}) {
    EXPECT_EQ(read_file(cat("/proc/", pid, "/cmdline")).find(password), std::string::npos);
  }
  EXPECT_EQ(read_file(cluster.log_file()).find(password), std::string::npos);
  EXPECT_EQ(one(cluster.options(),
                "SELECT left(rolpassword, 14) FROM pg_authid WHERE rolname = 'postgres'"),
            "SCRAM-SHA-256$");
}

TEST_F(PgCluster, PasswordOfTheTemplateDoesNotOpenTheServer) {
  const OwnTemp temp(OwnTemp::Cache::Cold);
  auto cluster = must(pg::Cluster::start(must(cluster_options())));
  std::string secret;
  for (const auto& entry : fs::recursive_directory_iterator(
           temp.path(), fs::directory_options::skip_permission_denied)) {
    if (entry.path().filename() == "password") secret = read_file(entry.path());
  }
  ASSERT_FALSE(secret.empty());
  pg::Options login = cluster.options();

  EXPECT_FALSE(pg::Connection::open(login.set("password", secret)));
}

TEST_F(PgCluster, SettingsArriveWhateverCharactersTheyHold) {
  auto options = must(cluster_options(
      kDefaultVersion, {{"max_connections", "17"}, {"cluster_name", "it's a \\ \"name\""}}));

  auto cluster = must(pg::Cluster::start(options));

  EXPECT_EQ(one(cluster.options(), "SHOW max_connections"), "17");
  EXPECT_EQ(one(cluster.options(), "SHOW cluster_name"), "it's a \\ \"name\"");
  must(cluster.set({{"max_connections", "18"}}));
  must(cluster.restart());
  EXPECT_EQ(one(cluster.options(), "SHOW max_connections"), "18");
}

TEST_F(PgCluster, HostileSettingsAreRefused) {
  for (const auto& setting :
       Settings{{"a = 1\nb", "1"}, {"work_mem", "1\nfsync = off"}, {"", ""}}) {
    const auto refused = pg::Cluster::start(must(cluster_options(kDefaultVersion, {setting})));

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::Invalid);
  }
}

TEST_F(PgCluster, WrongSettingEndsWithTheServersOwnWords) {
  const auto refused =
      pg::Cluster::start(must(cluster_options(kDefaultVersion, {{"no_such_setting", "1"}})));

  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("no_such_setting"), std::string::npos);
}

TEST_F(PgCluster, MissingVersionIsNotFoundAndSaysWhatIsThere) {
  auto options = must(cluster_options());
  options.version = "12";

  const auto refused = pg::Cluster::start(options);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::NotFound);
  EXPECT_NE(refused.error().message.find("found"), std::string::npos) << refused.error().message;
  EXPECT_NE(refused.error().hint.find("postgresql-12"), std::string::npos);
}

TEST_F(PgCluster, TwoServersLiveSideBySide) {
  const OwnTemp temp;
  auto first = must(pg::Cluster::start(must(cluster_options())));
  auto second = must(pg::Cluster::start(must(cluster_options())));

  EXPECT_NE(first.port(), second.port());
  EXPECT_NE(first.options().get("password"), second.options().get("password"));
  EXPECT_EQ(one(first.options(), "SHOW data_directory"), first.data_folder());
  EXPECT_EQ(one(second.options(), "SHOW data_directory"), second.data_folder());
}

TEST_F(PgCluster, ConcurrentFirstStartsShareOneTemplate) {
  const OwnTemp temp(OwnTemp::Cache::Cold);
  std::vector<std::thread> threads;
  std::atomic<int> started{0};
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      auto cluster = pg::Cluster::start(must(cluster_options()));
      if (cluster && one(cluster->options(), "SELECT 1") == "1") ++started;
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(started, 3);
  int templates = 0;
  for (const auto& entry :
       fs::directory_iterator(temp.path() + "/" + temp.names("pgtend-cache").at(0))) {
    EXPECT_TRUE(entry.path().filename().string().starts_with("template-")) << entry.path();
    ++templates;
  }
  EXPECT_EQ(templates, 1);
  EXPECT_TRUE(temp.names("pgtend-run-").empty());
}

// PDEATHSIG counts threads, not processes: the thread that started the server may end.
TEST_F(PgCluster, ServerOutlivesTheThreadThatStartedIt) {
  std::optional<pg::Cluster> cluster;
  std::thread([&] { cluster.emplace(must(pg::Cluster::start(must(cluster_options())))); }).join();

  EXPECT_EQ(one(cluster->options(), "SELECT 1"), "1");
  EXPECT_TRUE(cluster->running());
}

TEST_F(PgCluster, LongTempFolderWithSpacesWorks) {
  const OwnTemp temp(OwnTemp::Cache::Warm,
                     "/a folder, with: 'spaces' and " + std::string(120, 'x'));

  auto cluster = must(pg::Cluster::start(must(cluster_options())));

  EXPECT_EQ(one(cluster.options(), "SELECT 1"), "1");
  EXPECT_TRUE(cluster.data_folder().starts_with(temp.path()));
  EXPECT_LE(cluster.socket_folder().size(), 90U);
  EXPECT_EQ(psql(cluster.options(), "SELECT 2").out, "2\n");
}

TEST_F(PgCluster, TakenPortIsExchangedAtRestart) {
  auto cluster = must(pg::Cluster::start(must(cluster_options())));
  const int port = cluster.port();
  must(cluster.stop());
  const int taker = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int reuse = 1;
  setsockopt(taker, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
  ASSERT_EQ(bind(taker, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(taker, 1), 0);

  must(cluster.restart());
  close(taker);

  EXPECT_NE(cluster.port(), port);
  pg::Options tcp = cluster.options();
  EXPECT_EQ(one(tcp.set("host", "127.0.0.1"), "SELECT 1"), "1");
}

TEST_F(PgCluster, KeptDataStayInTheGivenFolder) {
  const OwnTemp temp;
  auto options = must(cluster_options());
  options.keep = true;
  options.folder = temp.path() + "/kept";
  { auto cluster = must(pg::Cluster::start(options)); }

  EXPECT_TRUE(fs::exists(options.folder + "/PG_VERSION"));
  EXPECT_FALSE(fs::exists(options.folder + "/postmaster.pid"));  // a clean shutdown
  const auto again = pg::Cluster::start(options);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::Invalid);
  EXPECT_TRUE(fs::exists(options.folder + "/PG_VERSION"));
}

TEST_F(PgCluster, KeptDataSurviveTheNextStartsSweep) {
  const OwnTemp temp;
  auto options = must(cluster_options());
  options.keep = true;
  std::string kept;
  std::string password;
  {
    auto cluster = must(pg::Cluster::start(options));
    kept = cluster.data_folder();
    password = cluster.options().get("password");
  }

  auto next = must(pg::Cluster::start(must(cluster_options())));
  pg::sweep_dead(temp.path());

  EXPECT_TRUE(fs::exists(kept + "/PG_VERSION"));
  const std::string secret = fs::path(kept).parent_path().string() + "/password";
  EXPECT_EQ(read_file(secret), password + "\n");
  EXPECT_EQ(fs::status(secret).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(PgCluster, GivenFolderGoesWithAServerThatIsNotKept) {
  const OwnTemp temp;
  auto options = must(cluster_options());
  options.folder = temp.path() + "/not kept";
  { auto cluster = must(pg::Cluster::start(options)); }

  EXPECT_FALSE(fs::exists(options.folder));
}

TEST_F(PgCluster, KilledOwnerLeavesNothing) {
  const OwnTemp temp;
  Owner owner;
  ASSERT_GT(owner.postmaster(), 0);

  owner.end(SIGKILL);

  EXPECT_TRUE(wait_until([&] { return !exists(owner.postmaster()); }));
  EXPECT_TRUE(wait_until([&] { return temp.names("pgtend-run-").empty(); }));
}

TEST_F(PgCluster, OwnerAndSupervisorKilledLeaveOnlyAFolderForTheNextStart) {
  const OwnTemp temp;
  Owner owner;
  ASSERT_GT(owner.postmaster(), 0);

  kill(parent_of(owner.postmaster()), SIGKILL);
  owner.end(SIGKILL);

  EXPECT_TRUE(wait_until([&] { return !exists(owner.postmaster()); }));
  ASSERT_EQ(temp.names("pgtend-run-").size(), 1U);
  const std::string stale = temp.names("pgtend-run-").front();
  EXPECT_TRUE(wait_until([&] {  // until the last backend has let go of the lock
    return pg::Cluster::start(must(cluster_options())) && temp.names(stale).empty();
  }));
}

TEST_F(PgCluster, TerminatedOwnerCanWaitForItsServersEnd) {
  const OwnTemp temp;
  Owner owner;
  ASSERT_GT(owner.postmaster(), 0);

  EXPECT_EQ(owner.end(SIGTERM), 0);

  EXPECT_FALSE(exists(owner.postmaster()));
  EXPECT_TRUE(temp.names("pgtend-run-").empty());
}

TEST_F(PgCluster, UnprivilegedOwnerWorksToo) {
  if (geteuid() != 0) GTEST_SKIP() << "already unprivileged: every other test shows it";
  const OwnTemp temp(OwnTemp::Cache::Cold);
  chmod(temp.path().c_str(), 01777);
  const pg::Account nobody{65534, 65534, "nobody"};

  Owner owner([&] { CHECK(pg::become(nobody)); });

  ASSERT_GT(owner.postmaster(), 0);
  struct stat info {};
  ASSERT_EQ(stat(cat("/proc/", owner.postmaster()).c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, nobody.uid);
}

TEST_F(PgCluster, ProgramsBelowAClosedFolderAreCopiedForTheServersAccount) {
  if (geteuid() != 0) GTEST_SKIP() << "only root starts the server as somebody else";
  const auto programs = binaries_of("17");
  if (!programs) GTEST_SKIP() << programs.error().message;
  const OwnTemp temp(OwnTemp::Cache::Cold);
  const Scratch closed;
  ASSERT_EQ(chmod(closed.path().c_str(), 0700), 0);
  ASSERT_EQ(run({"cp", "-a", fs::path(*programs).parent_path(), closed.path()}).exit_code, 0);
  auto options = must(cluster_options("17"));
  options.binaries = closed.path() + "/native";

  auto first = must(pg::Cluster::start(options));
  auto second = must(pg::Cluster::start(options));

  EXPECT_EQ(first.major(), 17);
  EXPECT_TRUE(first.binaries().starts_with(temp.path()));
  EXPECT_EQ(first.binaries(), second.binaries());
  EXPECT_EQ(one(first.options(), "SELECT 1"), "1");
}

TEST_F(PgCluster, CacheOfSomebodyElseIsNotTrusted) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make a folder of somebody else";
  const OwnTemp temp(OwnTemp::Cache::Cold);
  const std::string foreign = temp.path() + "/pgtend-cache-0";
  ASSERT_EQ(mkdir(foreign.c_str(), 0755), 0);
  ASSERT_EQ(chown(foreign.c_str(), 65534, 65534), 0);

  auto cluster = must(pg::Cluster::start(must(cluster_options())));

  EXPECT_EQ(one(cluster.options(), "SELECT 1"), "1");
  EXPECT_TRUE(fs::is_empty(foreign));
}

TEST_F(PgCluster, SweepTouchesOnlyDeadFoldersOfOurs) {
  const OwnTemp temp(OwnTemp::Cache::Cold);
  const auto account = must(pg::server_account());
  auto living = must(pg::TempFolder::create(temp.path(), account));
  auto dead = must(pg::TempFolder::create(temp.path(), account));
  close(dead.lock());  // as if its owner had died
  dead.keep();
  const std::string unlocked = temp.path() + "/pgtend-run-fresh0";  // its owner is about to lock it
  const std::string link = temp.path() + "/pgtend-run-link00";
  const std::string other = temp.path() + "/other";
  fs::create_directory(unlocked);
  fs::create_directory(other);
  std::ofstream(other + "/lock") << "";
  fs::create_directory_symlink(other, link);

  EXPECT_EQ(pg::sweep_dead(temp.path()), 1);

  EXPECT_TRUE(fs::exists(living.path()));
  EXPECT_FALSE(fs::exists(dead.path()));
  EXPECT_TRUE(fs::exists(unlocked));
  EXPECT_TRUE(fs::exists(link));
  EXPECT_TRUE(fs::exists(other + "/lock"));
}

TEST_F(PgCluster, SweepNeverTakesAFolderThatWasJustMade) {
  const OwnTemp temp(OwnTemp::Cache::Cold);
  const auto account = must(pg::server_account());
  std::atomic<bool> done{false};
  std::vector<std::thread> sweepers;
  for (int i = 0; i < 2; ++i) {
    sweepers.emplace_back([&] {
      while (!done) pg::sweep_dead(temp.path());
    });
  }
  int lost = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto folder = must(pg::TempFolder::create(temp.path(), account));
    lost += fs::exists(folder.path() + "/lock") ? 0 : 1;
  }
  done = true;
  for (std::thread& sweeper : sweepers) sweeper.join();

  EXPECT_EQ(lost, 0);
}

TEST_F(PgCluster, SweepLeavesFoldersOfOthers) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make a folder of somebody else";
  const OwnTemp temp(OwnTemp::Cache::Cold);
  const std::string foreign = temp.path() + "/pgtend-run-foreign";
  fs::create_directory(foreign);
  std::ofstream(foreign + "/lock") << "";
  ASSERT_EQ(chown(foreign.c_str(), 65534, 65534), 0);

  EXPECT_EQ(pg::sweep_dead(temp.path()), 0);

  EXPECT_TRUE(fs::exists(foreign + "/lock"));
}

}  // namespace
}  // namespace pgtend::e2e
