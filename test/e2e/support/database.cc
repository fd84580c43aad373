#include "e2e/support/database.h"

#include <unistd.h>

#include <atomic>
#include <map>
#include <memory>

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::e2e {
namespace {

std::string fresh_name(const std::string& prefix) {
  static std::atomic<int> counter{0};
  return cat(prefix, "_", ++counter);
}

using Servers = std::map<std::pair<std::string, Settings>, pg::Cluster>;

// The servers of this program by version and settings, ended when the last test is done.
class SharedServers : public ::testing::Environment {
 public:
  void TearDown() override { running_.clear(); }
  Servers& running() { return running_; }

 private:
  Servers running_;
};

// GoogleTest owns it.
SharedServers* const shared_servers =
    static_cast<SharedServers*>(::testing::AddGlobalTestEnvironment(new SharedServers));

// The error is for the test's report; the message names what to install.
bool is_missing(const Error& error) { return error.code == ErrorCode::NotFound; }

}  // namespace

Result<pg::ClusterOptions> cluster_options(const std::string& version, const Settings& settings) {
  pg::ClusterOptions options;
  options.version = version;
  options.binaries = TRY(binaries_of(version));
  options.durable = false;
  options.settings = {{"shared_buffers", "32MB"}, {"max_connections", "100"}};
  options.settings.insert(options.settings.end(), settings.begin(), settings.end());
  return options;
}

Result<pg::Cluster*> shared_cluster(const std::string& version, const Settings& settings) {
  Servers& running = shared_servers->running();
  const std::pair key(version, settings);
  if (const auto at = running.find(key); at != running.end()) {
    if (!at->second.running()) TRY(at->second.restart());
    return &at->second;
  }
  const auto options = TRY(cluster_options(version, settings));
  auto cluster = TRY(pg::Cluster::start(options));
  return &running.emplace(key, std::move(cluster)).first->second;
}

void DatabaseTest::SetUp() {
  if (const auto there = binaries_of(version()); !there && is_missing(there.error())) {
    GTEST_SKIP() << there.error().message;
  }
  cluster_ = must(shared_cluster(version(), settings()));
  database_ = fresh_name("test");
  auto admin = connect(cluster_->options());
  // Copied as files: half the work of 15's default, which logs every page.
  must(admin.exec(cat("CREATE DATABASE ", pg::ident(database_), " TEMPLATE template0",
                      admin.server_version() >= 150000 ? " STRATEGY file_copy" : "")));
}

void DatabaseTest::TearDown() {
  if (cluster_ == nullptr || !cluster_->running()) return;
  auto admin = connect(cluster_->options());
  must(admin.exec(cat("DROP DATABASE ", pg::ident(database_), " WITH (FORCE)")));
  for (const std::string& role : roles_) {
    must(admin.exec(cat("DROP OWNED BY ", pg::ident(role), "; DROP ROLE ", pg::ident(role))));
  }
}

pg::Options DatabaseTest::options() const { return cluster_->options(database_); }

pg::Options DatabaseTest::tcp_options() const {
  pg::Options tcp = options();
  tcp.set("host", "127.0.0.1");
  return tcp;
}

pg::Connection DatabaseTest::connect(const pg::Options& options) {
  return must(pg::Connection::open(options));
}

pg::Options DatabaseTest::create_role(const std::string& prefix,
                                      const std::vector<std::string>& grants) {
  const std::string role = fresh_name(prefix);
  const std::string password = cat("secret of ", role);
  auto admin = connect();
  must(admin.exec(cat("CREATE ROLE ", pg::ident(role), " LOGIN PASSWORD ", pg::literal(password))));
  roles_.push_back(role);
  for (std::string grant : grants) {
    for (size_t at = grant.find('%'); at != std::string::npos; at = grant.find('%')) {
      grant.replace(at, 1, pg::ident(role));
    }
    must(admin.exec(grant));
  }
  pg::Options login = options();
  login.set("user", role).set("password", password);
  return login;
}

}  // namespace pgtend::e2e
