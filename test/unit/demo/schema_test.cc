#include "demo/schema.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace pgtend::demo {
namespace {

std::string file(const std::string& path) {
  std::ifstream in(std::string(PGTEND_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Schema, TheExampleFileIsTheDeliveredSchema) {
  const std::string example = file("examples/metering/schema.sql");

  EXPECT_NE(example.find(create_tables_sql()), std::string::npos);
  size_t at = 0;
  for (const std::string_view sql : key_statements(kAsDelivered)) {
    at = example.find(std::string(sql) + ";\n", at);
    EXPECT_NE(at, std::string::npos) << sql;
  }
}

TEST(Faults, EachHasItsOwnLineInTheAnswerKey) {
  std::set<std::string_view> ids;
  for (const Fault& fault : answer_key(kAllFaults)) {
    EXPECT_TRUE(has(kAllFaults, fault.kind));
    EXPECT_TRUE(ids.insert(fault.id).second) << fault.id;
    EXPECT_FALSE(fault.remedy.empty());
  }
  EXPECT_EQ(ids.size(), 5U);
  EXPECT_TRUE(answer_key(kNoFaults).empty());
}

TEST(Faults, EveryFaultChangesTheStatements) {
  const auto sound = key_statements(kNoFaults);
  for (const Fault& fault : answer_key(kAllFaults)) {
    EXPECT_NE(key_statements(kNoFaults | fault.kind), sound) << fault.id;
  }
}

TEST(Faults, TheDeliveredSchemaHasNothingButKeys) {
  for (const std::string_view sql : key_statements(kAsDelivered)) {
    EXPECT_TRUE(sql.starts_with("ALTER TABLE")) << sql;
  }
}

}  // namespace
}  // namespace pgtend::demo
