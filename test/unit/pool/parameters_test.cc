#include "pool/parameters.h"

#include <gtest/gtest.h>

namespace pgtend::pool {
namespace {

TEST(Parameters, OnlyWhatDiffersIsSet) {
  const TrackedNames names({"IntervalStyle"});
  Parameters want(names);
  Parameters have(names);
  for (size_t i = 0; i < names.size(); ++i) have.set(i, "x");
  want.set(*names.find("timezone"), "Europe/Rome");
  want.set(*names.find("DateStyle"), "x");

  EXPECT_EQ(Parameters::difference(names, want, have), "SET TimeZone='Europe/Rome';");
}

TEST(Parameters, EqualSetsNeedNoStatement) {
  const TrackedNames names({});
  Parameters want(names);
  want.set(0, "UTF8");

  EXPECT_EQ(Parameters::difference(names, want, want), "");
}

TEST(Parameters, WhatTheServerDoesNotReportIsLeftAlone) {
  const TrackedNames names({"search_path"});
  Parameters want(names);
  const Parameters have(names);
  want.set(*names.find("search_path"), "a");

  EXPECT_EQ(Parameters::difference(names, want, have), "");
}

TEST(Parameters, CopiesPartWhenOneChanges) {
  const TrackedNames names({});
  ParameterSets sets;
  Parameters first(names);
  first.set(0, "UTF8");
  Parameters second(names);
  second.set(0, "UTF8");
  sets.share(first);
  sets.share(second);
  ASSERT_EQ(first, second);
  EXPECT_EQ(&first.get(0), &second.get(0));

  second.set(0, "LATIN1");

  EXPECT_EQ(first.get(0), "UTF8");
  EXPECT_EQ(second.get(0), "LATIN1");
  EXPECT_NE(first, second);
}

TEST(Parameters, MoreSetsThanAreRememberedStayRight) {
  const TrackedNames names({});
  ParameterSets sets;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 40; ++i) {
      Parameters parameters(names);
      parameters.set(0, std::to_string(i));
      sets.share(parameters);
      EXPECT_EQ(parameters.get(0), std::to_string(i));
    }
  }
}

TEST(Parameters, HostileValuesStayLiterals) {
  const TrackedNames names({});
  Parameters want(names);
  Parameters have(names);
  have.set(4, "");
  want.set(4, R"(a'; DROP TABLE t; --\')");

  EXPECT_EQ(Parameters::difference(names, want, have),
            R"(SET application_name= E'a''; DROP TABLE t; --\\''';)");
}

TEST(Parameters, ListsOfNamesAreNotQuotedAsOneName) {
  const TrackedNames names({"search_path"});
  Parameters want(names);
  Parameters have(names);
  const size_t index = *names.find("search_path");
  have.set(index, "public");
  want.set(index, "\"$user\", public");

  EXPECT_EQ(Parameters::difference(names, want, have),
            "SELECT pg_catalog.set_config('search_path','\"$user\", public',false);");
}

TEST(Parameters, UnsetValuesAreFilledFromTheWelcome) {
  const TrackedNames names({});
  Parameters client(names);
  client.set(1, "German");
  const std::vector<std::pair<std::string, std::string>> welcome{
      {"client_encoding", "UTF8"}, {"server_version", "15.1"}, {"DateStyle", "ISO, MDY"}};

  client.fill_unset(names, welcome);

  EXPECT_EQ(client.get(0), "UTF8");
  EXPECT_EQ(client.get(1), "German");
}

TEST(Parameters, NamesAreFoundWithoutRegardToCase) {
  const TrackedNames names({"IntervalStyle", "datestyle"});

  EXPECT_EQ(names.size(), 6u);
  EXPECT_TRUE(names.find("INTERVALSTYLE"));
  EXPECT_FALSE(names.find("work_mem"));
}

TEST(Parameters, BytesBeyondAsciiBecomeQuestionMarks) {
  EXPECT_EQ(plain_text("caf\xc3\xa9\n"), "caf???");
}

}  // namespace
}  // namespace pgtend::pool
