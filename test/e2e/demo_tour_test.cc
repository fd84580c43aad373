// The guided tour as a person runs it: its table, its JSON, and that it leaves nothing behind.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "base/text.h"
#include "support/database.h"

namespace pgtend {
namespace {

using testing::HasSubstr;

const std::string kProgram = PGTEND_BINARY_DIR "/pgtend";

// The command lines of all processes that mention `word`.
std::vector<std::string> processes_with(const std::string& word) {
  std::vector<std::string> found;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", failure)) {
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    // A process that ends now makes the stream fail; an iterator over its buffer would throw.
    std::ostringstream line;
    line << file.rdbuf();
    if (line.str().find(word) != std::string::npos) found.push_back(line.str());
  }
  return found;
}

// What a run leaves below its temporary folder, without the cache of initdb's work.
std::vector<std::string> left_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("pgtend-run-")) names.push_back(name);
  }
  return names;
}

class Tour : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::permissions(scratch_.path(), std::filesystem::perms::all);
  }
  e2e::Environment environment() const { return {{"TMPDIR", scratch_.path()}}; }

  // Starts the tour, its standard error in a file; returns the process.
  pid_t start() {
    const std::string log = scratch_.path() + "/log";
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      setenv("TMPDIR", scratch_.path().c_str(), 1);
      if (std::freopen(log.c_str(), "w", stdout) == nullptr) _exit(126);
      execl(kProgram.c_str(), kProgram.c_str(), "demo", "--clients", "20", nullptr);
      _exit(127);
    }
    return pid;
  }
  std::string log() const {
    std::ifstream file(scratch_.path() + "/log");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  e2e::Scratch scratch_;
};

TEST_F(Tour, EndsWithATableOfBeforeAndAfter) {
  const auto outcome = e2e::run({kProgram, "demo", "--json"}, environment(), "", seconds(400));

  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto document = parse_json(outcome.out);
  ASSERT_TRUE(document) << outcome.out.substr(0, 1000);
  EXPECT_EQ(document->at("schema"), "pgtend.demo/1");
  const auto row = [&](const char* what) -> json::object {
    for (const json::value& entry : document->at("data").at("table").as_array()) {
      if (entry.at("what") == what) return entry.as_object();
    }
    ADD_FAILURE() << what << " is missing";
    return {};
  };
  const json::object refused = row("refused connections");
  // How many there are in the time of the step is a matter of the machine.
  EXPECT_GT(refused.at("before").to_number<double>(), 0);
  EXPECT_EQ(refused.at("after").to_number<double>(), 0);
  const json::object buffers = row("day query, buffers");
  EXPECT_GT(buffers.at("before").to_number<double>(), 5 * buffers.at("after").to_number<double>());
  EXPECT_TRUE(left_in(scratch_.path()).empty());
  EXPECT_TRUE(processes_with(scratch_.path()).empty());
}

TEST_F(Tour, CtrlCEndsItWithoutProcessOrData) {
  const pid_t pid = start();
  ASSERT_TRUE(e2e::wait_until([&] { return log().find("load the readings") != std::string::npos; },
                              seconds(60)));

  kill(pid, SIGINT);
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);

  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_TRUE(left_in(scratch_.path()).empty());
  EXPECT_TRUE(processes_with(scratch_.path()).empty());
}

TEST_F(Tour, KilledInTheMiddleItLeavesNoServerRunning) {
  const pid_t pid = start();
  ASSERT_TRUE(e2e::wait_until([&] { return log().find("load the readings") != std::string::npos; },
                              seconds(60)));
  EXPECT_FALSE(processes_with(scratch_.path()).empty());

  kill(pid, SIGKILL);
  ASSERT_EQ(waitpid(pid, nullptr, 0), pid);

  EXPECT_TRUE(
      e2e::wait_until([&] { return processes_with(scratch_.path()).empty(); }, seconds(20)));
}

TEST(Demo, AnUnknownSizeIsRefusedBeforeAnythingStarts) {
  const auto outcome = e2e::run({kProgram, "demo", "--size", "xxl"});

  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("xxl"));
  EXPECT_THAT(outcome.out, testing::Not(HasSubstr("PostgreSQL")));
}

}  // namespace
}  // namespace pgtend
