// Which tables' rows may be moved in place, and by which column.
#include "vacuum/compact_fit.h"

#include <gmock/gmock.h>

namespace pgtend::vacuum {
namespace {

using testing::HasSubstr;

CompactColumn column(const std::string& name, int number, int length = 4) {
  return {.name = name, .number = number, .length = length, .storage = length < 0 ? 'x' : 'p'};
}

CompactTable table() {
  CompactTable out{.oid = 1, .table = "public.t", .pages = 100, .version = 150000, .role = "me"};
  out.columns = {column("id", 1), column("note", 2, -1), column("v", 3, 8)};
  out.columns[0].indexed = true;
  return out;
}

Error refused(const CompactTable& facts, bool published_too = false) {
  const auto fit = fit_to_move(facts, published_too);
  EXPECT_FALSE(fit);
  return fit ? Error{} : fit.error();
}

TEST(CompactFit, AColumnOfFixedLengthInNoIndexIsPreferred) {
  EXPECT_EQ(fit_to_move(table(), false)->column, "v");

  CompactTable narrow = table();
  narrow.columns.pop_back();
  EXPECT_EQ(fit_to_move(narrow, false)->column, "note");
  narrow.columns.pop_back();
  EXPECT_EQ(fit_to_move(narrow, false)->column, "id");
}

TEST(CompactFit, GeneratedAndIdentityColumnsAndThoseTheyAreMadeOfStay) {
  CompactTable facts = table();
  facts.columns[2].generated = true;
  facts.columns[1].feeds_generated = true;
  EXPECT_EQ(fit_to_move(facts, false)->column, "id");

  facts.columns[0].identity_always = true;
  const Error error = refused(facts);

  EXPECT_EQ(error.code, ErrorCode::Invalid);
  EXPECT_THAT(error.message, HasSubstr("no column"));
}

TEST(CompactFit, NamesAreQuotedWhereTheyMustBe) {
  CompactTable facts = table();
  facts.columns[2].name = "V\"; drop";

  EXPECT_EQ(fit_to_move(facts, false)->column, "\"V\"\"; drop\"");
}

TEST(CompactFit, MissingRightsNameTheGrant) {
  CompactTable facts = table();
  for (CompactColumn& one : facts.columns) one.may_update = false;
  EXPECT_EQ(refused(facts).hint, "GRANT SELECT, UPDATE ON public.t TO me");

  facts = table();
  facts.may_read = false;
  EXPECT_EQ(refused(facts).code, ErrorCode::Denied);

  facts = table();
  facts.row_security = true;
  EXPECT_EQ(refused(facts).code, ErrorCode::Denied);
  EXPECT_THAT(refused(facts).hint, HasSubstr("BYPASSRLS"));
}

TEST(CompactFit, TriggersThatWouldFireNeedTheReplicaRole) {
  CompactTable facts = table();
  facts.triggers = {{.name = "audit"}};
  EXPECT_EQ(refused(facts).code, ErrorCode::Denied);
  EXPECT_EQ(refused(facts).hint, "GRANT SET ON PARAMETER session_replication_role TO me");
  facts.version = 140000;
  EXPECT_THAT(refused(facts).hint, HasSubstr("superuser"));

  facts.replica_role = true;
  EXPECT_TRUE(fit_to_move(facts, false)->replica_role);
}

TEST(CompactFit, TriggersOfOtherColumnsAndDisabledOnesAreNoObstacle) {
  CompactTable facts = table();
  facts.triggers = {{.name = "a", .columns = {3}}, {.name = "b", .enabled = 'D'}};

  EXPECT_EQ(fit_to_move(facts, false)->column, "note");
}

TEST(CompactFit, TriggersThatFireInEveryRoleRefuse) {
  for (const char enabled : {'A', 'R'}) {
    CompactTable facts = table();
    facts.replica_role = true;
    facts.triggers = {{.name = "always", .enabled = enabled}};
    EXPECT_EQ(refused(facts).code, ErrorCode::Invalid);
    EXPECT_THAT(refused(facts).message, HasSubstr("always"));
  }
}

TEST(CompactFit, WhatReplicationWouldCarryIsMovedOnlyWhenAsked) {
  CompactTable facts = table();
  facts.publications = {"feed"};
  EXPECT_THAT(refused(facts).message, HasSubstr("feed"));
  EXPECT_TRUE(fit_to_move(facts, true));

  facts = table();
  facts.decoders = {"cdc"};
  EXPECT_THAT(refused(facts).hint, HasSubstr("--published"));
  EXPECT_TRUE(fit_to_move(facts, true));
}

TEST(CompactFit, OtherRelationsAreRefusedWithWhatToDo) {
  const auto of_kind = [](char kind) {
    CompactTable facts = table();
    facts.kind = kind;
    return refused(facts);
  };
  CompactTable parent = table();
  parent.kind = 'p';
  parent.leaves = {"a", "b", "c", "d", "e", "f", "g"};
  EXPECT_EQ(refused(parent).hint, "compact its partitions: a, b, c, d, e and 2 more");
  EXPECT_THAT(of_kind('f').message, HasSubstr("foreign"));
  EXPECT_THAT(of_kind('m').hint, HasSubstr("REFRESH"));
  EXPECT_EQ(of_kind('v').code, ErrorCode::Invalid);

  CompactTable facts = table();
  facts.standby = true;
  EXPECT_EQ(refused(facts).code, ErrorCode::Unavailable);
  facts = table();
  facts.persistence = 't';
  EXPECT_THAT(refused(facts).message, HasSubstr("temporary"));
  facts.persistence = 'u';
  EXPECT_TRUE(fit_to_move(facts, false));
  facts.access_method = "columnar";
  EXPECT_THAT(refused(facts).message, HasSubstr("columnar"));
  facts = table();
  facts.update_rules = true;
  EXPECT_THAT(refused(facts).message, HasSubstr("rule"));
  facts = table();
  facts.catalog = true;
  EXPECT_EQ(refused(facts).code, ErrorCode::Invalid);
}

// Of columns whose values may lie outside of their rows.
CompactTable wide() {
  CompactTable out = table();
  out.columns.push_back(column("tags", 4, -1));
  out.columns.push_back(column("plain", 5, -1));
  out.columns[1].in_array = true;
  out.columns[3].array = true;
  out.columns[4].storage = 'p';
  return out;
}

TEST(CompactFit, ValuesOfColumnsThatMayLieOutsideAreStoredAnew) {
  const ToastFit fit = *fit_to_store(wide());

  ASSERT_EQ(fit.columns.size(), 2U);
  EXPECT_EQ(fit.columns[0].name, "note");
  EXPECT_FALSE(fit.columns[0].array);
  EXPECT_EQ(fit.columns[1].name, "tags");
  EXPECT_TRUE(fit.columns[1].array);
  EXPECT_TRUE(fit.left_out.empty());
  EXPECT_FALSE(fit.indexed);
}

TEST(CompactFit, ValuesThatMustNotBeWrittenAreLeftOutWithTheReason) {
  CompactTable facts = wide();
  facts.columns[1].feeds_generated = true;
  EXPECT_EQ(fit_to_store(facts)->left_out[0], "note feeds a generated column");
  facts.columns[1] = column("note", 2, -1);
  EXPECT_EQ(fit_to_store(facts)->left_out[0], "note is of a type without an array type");
  facts.triggers.push_back({.name = "tell", .columns = {4}});

  const auto none = fit_to_store(facts);

  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::Invalid);
  EXPECT_THAT(none.error().message,
              HasSubstr("tags has triggers that role me may not silence: tell"));
  EXPECT_THAT(none.error().hint, HasSubstr("VACUUM FULL"));
  facts.replica_role = true;
  EXPECT_EQ(fit_to_store(facts)->columns.size(), 1U);
}

}  // namespace
}  // namespace pgtend::vacuum
