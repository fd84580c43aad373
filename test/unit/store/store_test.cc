#include "store/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "store/audit.h"

namespace pgtend::store {
namespace {

namespace fs = std::filesystem;

class StoreFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "pgtend-store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string file(const std::string& name = "state/pgtend.db") const {
    return (folder_ / name).string();
  }
  static mode_t mode(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
  }

  fs::path folder_;
};

AuditRecord sample() {
  return {.action_id = "a1",
          .event = AuditEvent::Verified,
          .who = "me",
          .role = "app",
          .place = "h:1/db",
          .kind = "vacuum",
          .object = "public.\"\"\"; drop\"",
          .sql = "VACUUM",
          .lock_mode = "ShareUpdateExclusiveLock",
          .lock_wait = milliseconds(7),
          .duration = milliseconds(11),
          .result = "ok",
          .before = "{}",
          .after = "{\"pages\":1}",
          .undo = ""};
}

TEST_F(StoreFile, FileAndFolderAreForTheOwnerAlone) {
  const auto store = Store::open(file());

  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(mode(file()), mode_t{0600});
  EXPECT_EQ(mode((folder_ / "state").string()), mode_t{0700});
}

TEST_F(StoreFile, ReadableFileIsClosedToOthers) {
  std::ofstream(file("open.db")).close();
  ASSERT_EQ(::chmod(file("open.db").c_str(), 0644), 0);

  ASSERT_TRUE(Store::open(file("open.db")));

  EXPECT_EQ(mode(file("open.db")), mode_t{0600});
}

TEST_F(StoreFile, SymbolicLinkIsRefused) {
  std::ofstream(file("target.db")).close();
  fs::create_symlink(file("target.db"), file("link.db"));

  const auto store = Store::open(file("link.db"));

  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::Denied);
}

TEST_F(StoreFile, PathThatCannotBeMadeIsDeniedWithAHint) {
  std::ofstream(file("plain")).close();

  const auto store = Store::open(file("plain/x/pgtend.db"));

  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::Denied);
  EXPECT_NE(store.error().hint.find("PGTEND_STATE"), std::string::npos);
}

TEST_F(StoreFile, GarbageFileIsCorruptNotOverwritten) {
  std::ofstream(file("garbage.db")) << std::string(5000, 'x');

  const auto store = Store::open(file("garbage.db"));

  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::Corrupt);
  EXPECT_EQ(fs::file_size(file("garbage.db")), 5000U);
}

TEST_F(StoreFile, MigrationsRunOnceAndInOrder) {
  constexpr std::string_view kFirst[] = {"CREATE TABLE t (a INTEGER) STRICT"};
  constexpr std::string_view kBoth[] = {kFirst[0],
                                        "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"};
  auto store = Store::open(file());
  ASSERT_TRUE(store);

  ASSERT_TRUE(store->migrate(kFirst));
  ASSERT_TRUE(store->migrate(kBoth));
  ASSERT_TRUE(store->migrate(kBoth));

  const auto rows = store->query("SELECT sum(a) FROM t");
  ASSERT_TRUE(rows);
  EXPECT_EQ(std::get<int64_t>(rows->at(0).at(0)), 3);
}

TEST_F(StoreFile, FailedMigrationLeavesNothing) {
  constexpr std::string_view kBroken[] = {"CREATE TABLE t (a INTEGER) STRICT", "CREATE nonsense"};
  auto store = Store::open(file());
  ASSERT_TRUE(store);

  EXPECT_FALSE(store->migrate(kBroken));

  EXPECT_FALSE(store->query("SELECT * FROM t"));
  EXPECT_TRUE(store->migrate(std::span(kBroken).first(1)));
}

TEST_F(StoreFile, NewerSchemaIsRefused) {
  constexpr std::string_view kTwo[] = {"CREATE TABLE a (x) ", "CREATE TABLE b (x)"};
  auto store = Store::open(file());
  ASSERT_TRUE(store && store->migrate(kTwo));

  const Status older = store->migrate(std::span(kTwo).first(1));

  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().code, ErrorCode::Invalid);
}

TEST(StatePath, EnvironmentDecidesInOrder) {
  std::map<std::string, std::string> values;
  const auto environment = [&](const char* name) -> const char* {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : found->second.c_str();
  };

  EXPECT_EQ(state_path(environment).error().code, ErrorCode::NotFound);
  values["HOME"] = "/home/x";
  EXPECT_EQ(*state_path(environment), "/home/x/.local/state/pgtend/pgtend.db");
  values["XDG_STATE_HOME"] = "/s";
  EXPECT_EQ(*state_path(environment), "/s/pgtend/pgtend.db");
  values["PGTEND_STATE"] = "/p.db";
  EXPECT_EQ(*state_path(environment), "/p.db");
}

TEST_F(StoreFile, AuditRecordsReadBackAsWritten) {
  ManualClock clock;
  clock.advance(milliseconds(1'500));
  auto audit = Audit::open(file(), clock);
  ASSERT_TRUE(audit) << audit.error().message;

  ASSERT_TRUE(audit->append(sample()));

  const auto entries = audit->latest(10);
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 1U);
  const AuditEntry& entry = entries->front();
  EXPECT_EQ(entry.at, "1970-01-01T00:00:01.500Z");
  EXPECT_EQ(entry.record.object, sample().object);
  EXPECT_EQ(entry.record.event, AuditEvent::Verified);
  EXPECT_EQ(entry.record.lock_wait, milliseconds(7));
  EXPECT_EQ(entry.record.after, sample().after);
}

TEST_F(StoreFile, AuditRecordsCannotBeChangedOrRemoved) {
  auto audit = Audit::open(file(), system_clock());
  ASSERT_TRUE(audit && audit->append(sample()));
  auto store = Store::open(file());
  ASSERT_TRUE(store);

  for (const std::string_view sql : {"UPDATE audit SET result = 'x'", "DELETE FROM audit",
                                     "INSERT OR REPLACE INTO audit SELECT * FROM audit"}) {
    const Status status = store->run(sql);
    ASSERT_FALSE(status) << sql;
    EXPECT_EQ(status.error().code, ErrorCode::Invalid) << status.error().message;
  }

  EXPECT_EQ(audit->latest(10)->size(), 1U);
}

TEST_F(StoreFile, LastVerifiedIgnoresOtherPlacesAndEvents) {
  auto audit = Audit::open(file(), system_clock());
  ASSERT_TRUE(audit);
  AuditRecord elsewhere = sample();
  elsewhere.place = "other:1/db";
  AuditRecord begun = sample();
  begun.event = AuditEvent::Begin;
  ASSERT_TRUE(audit->append(sample()) && audit->append(elsewhere) && audit->append(begun));

  const auto last = audit->last_verified("h:1/db", "vacuum", sample().object);

  ASSERT_TRUE(last && *last);
  EXPECT_EQ((*last)->id, 1);
  EXPECT_FALSE(*audit->last_verified("h:1/db", "analyze", sample().object));
}

}  // namespace
}  // namespace pgtend::store
