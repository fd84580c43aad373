#include "pool/names.h"

#include <gtest/gtest.h>

namespace pgtend::pool {
namespace {

// Answers when the test says so.
class HeldResolver final : public net::Resolver {
 public:
  void look_up(const std::string& host, std::function<void(Result<net::Found>)> done) override {
    hosts.push_back(host);
    lookups.push_back(std::move(done));
  }
  void read_serial(const std::string&, std::function<void(Result<int64_t>)> done) override {
    serials.push_back(std::move(done));
  }

  std::vector<std::string> hosts;
  std::vector<std::function<void(Result<net::Found>)>> lookups;
  std::vector<std::function<void(Result<int64_t>)>> serials;
};

net::Found found(const std::string& address, int64_t ttl = 100) {
  return {{net::Address::ip(address, 0).take()}, seconds(ttl)};
}

class NamesTest : public testing::Test {
 protected:
  NamesTest() {
    settings_.ttl_max = seconds(15);
    settings_.failure_ttl = seconds(5);
  }

  // What one who asks now is told: an address, an error's text, or "" when nothing yet.
  std::shared_ptr<std::string> ask(const std::string& host = "db.example.test") {
    auto told = std::make_shared<std::string>();
    names_.find(host, [told](const Names::Addresses& addresses) {
      *told = addresses ? addresses->front().host() : addresses.error().message;
    });
    return told;
  }
  void answer(Result<net::Found> what) { resolver_.lookups.back()(std::move(what)); }
  void pass(int64_t count) { now_ += seconds(count); }

  DnsSettings settings_;
  HeldResolver resolver_;
  SteadyTime now_{};
  std::vector<std::string> changed_;
  Names names_{{.resolver = &resolver_,
                .now = [this] { return now_; },
                .settings = [this]() -> const DnsSettings& { return settings_; },
                .post = [](const Names::Task& task) { task(); },
                .changed =
                    [this](const std::string& host, const std::vector<net::Address>& addresses) {
                      changed_.push_back(host + " " + addresses.front().host());
                    }}};
};

TEST_F(NamesTest, OneQuestionAnswersAllWhoAskMeanwhile) {
  const auto first = ask();
  const auto second = ask();
  EXPECT_EQ(names_.pending(), 1U);

  answer(found("10.0.0.1"));

  EXPECT_EQ(resolver_.hosts.size(), 1U);
  EXPECT_EQ(*first, "10.0.0.1");
  EXPECT_EQ(*second, "10.0.0.1");
  EXPECT_EQ(names_.pending(), 0U);
}

TEST_F(NamesTest, AnswerHoldsForItsTimeToLiveUpToTheSetting) {
  ask();
  answer(found("10.0.0.1", 3));
  pass(2);
  EXPECT_EQ(*ask(), "10.0.0.1");
  pass(1);
  EXPECT_EQ(*ask(), "");
  answer(found("10.0.0.1", 100));

  pass(14);
  EXPECT_EQ(*ask(), "10.0.0.1");
  pass(1);
  EXPECT_EQ(*ask(), "");
  EXPECT_EQ(resolver_.hosts.size(), 3U);
}

TEST_F(NamesTest, FailureHoldsForItsOwnTime) {
  ask();
  answer(Error{ErrorCode::NotFound, "no such name"});
  pass(4);
  EXPECT_EQ(*ask(), "no such name");

  pass(1);

  EXPECT_EQ(*ask(), "");
}

TEST_F(NamesTest, LastAddressesStandInWhileNobodyAnswers) {
  ask();
  answer(found("10.0.0.1"));
  pass(15);
  const auto late = ask();

  answer(Error{ErrorCode::Unavailable, "timeout"});

  EXPECT_EQ(*late, "10.0.0.1");
  EXPECT_TRUE(changed_.empty());
}

TEST_F(NamesTest, NameThatIsGoneHasNoAddresses) {
  ask();
  answer(found("10.0.0.1"));
  pass(15);
  const auto late = ask();

  answer(Error{ErrorCode::NotFound, "no such name"});

  EXPECT_EQ(*late, "no such name");
}

TEST_F(NamesTest, OtherAddressesAreTold) {
  ask();
  answer(found("10.0.0.1"));
  pass(15);
  ask();
  answer(found("10.0.0.1"));
  EXPECT_TRUE(changed_.empty());
  pass(15);
  ask();

  answer(found("10.0.0.2"));

  EXPECT_EQ(changed_, std::vector<std::string>{"db.example.test 10.0.0.2"});
}

TEST_F(NamesTest, NewSerialOfAZoneAsksForItsNamesAgain) {
  settings_.zone_check = seconds(10);
  ask("db.example.test");
  answer(found("10.0.0.1"));
  ask("plain");
  answer(found("10.0.0.9"));
  pass(10);
  names_.look_after();
  names_.look_after();
  ASSERT_EQ(resolver_.serials.size(), 1U);
  resolver_.serials.back()(1);
  EXPECT_EQ(resolver_.hosts.size(), 2U);
  pass(10);
  names_.look_after();

  resolver_.serials.back()(2);

  ASSERT_EQ(resolver_.hosts.size(), 3U);
  EXPECT_EQ(resolver_.hosts.back(), "db.example.test");
  ASSERT_EQ(names_.zones().size(), 1U);
  EXPECT_EQ(names_.zones()[0].serial, 2);
  EXPECT_EQ(names_.zones()[0].names, 1U);
}

TEST_F(NamesTest, ReloadForgetsWhatHasExpired) {
  ask("old.test");
  answer(found("10.0.0.1"));
  pass(15);
  ask("new.test");
  answer(found("10.0.0.2"));

  names_.forget_expired();

  ASSERT_EQ(names_.names().size(), 1U);
  EXPECT_EQ(names_.names()[0].name, "new.test");
  EXPECT_EQ(names_.names()[0].ttl, seconds(15));
}

TEST_F(NamesTest, WithoutAResolverNoNameIsKnown) {
  Names none({.resolver = nullptr,
              .now = [] { return SteadyTime{}; },
              .settings = [this]() -> const DnsSettings& { return settings_; },
              .post = {},
              .changed = {}});
  std::string told;

  none.find("db", [&](const Names::Addresses& addresses) { told = addresses.error().message; });

  EXPECT_EQ(told, "there is no name resolver");
}

}  // namespace
}  // namespace pgtend::pool
