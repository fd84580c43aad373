// test/golden/explain_formats/<case>: one plan in the formats of one server. All must give the same
// nodes with the same properties, in names, types and order.
#include <gmock/gmock.h>

#include "base/text.h"
#include "explain/parse_json.h"
#include "explain/parse_xml.h"
#include "explain/parse_yaml.h"
#include "golden/golden.h"

namespace pgtend::explain {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// All that a plan says, a line a node.
std::string described(const Plan& plan) {
  std::string out = cat(to_text(plan.properties), "\n");
  for (const Node& node : plan.nodes) {
    out += cat(node.parent, " ", node.depth, " ", static_cast<int>(node.relation), " ",
               to_text(node.properties), "\n");
  }
  return out;
}

class PlanFormats : public golden::Test {};

TEST_P(PlanFormats, GiveTheSameNodesAndProperties) {
  const auto json = parse_json_plan(file("plan.json"));
  const auto yaml = parse_yaml_plan(file("plan.yaml"));
  const auto xml = parse_xml_plan(file("plan.xml"));

  ASSERT_TRUE(json) << json.error().message;
  ASSERT_TRUE(yaml) << yaml.error().message;
  ASSERT_TRUE(xml) << xml.error().message;
  EXPECT_EQ(described(*yaml), described(*json));
  EXPECT_EQ(described(*xml), described(*json));
  EXPECT_TRUE(json->warnings.empty() && yaml->warnings.empty() && xml->warnings.empty());
}

// Cut anywhere, a plan gives an error or less of itself, and never anything else.
TEST_P(PlanFormats, CutAnywhereGiveAPartOrAnError) {
  const size_t nodes = parse_json_plan(file("plan.json"))->nodes.size();
  for (const auto& [name, parse] :
       {std::pair("plan.yaml", &parse_yaml_plan), std::pair("plan.xml", &parse_xml_plan)}) {
    const std::string whole = file(name);
    for (size_t size = 0; size < whole.size(); size += 7) {
      const auto plan = parse(whole.substr(0, size), ParseLimits{});
      EXPECT_LE(plan ? plan->nodes.size() : 0, nodes) << name << " cut at " << size;
    }
  }
}

PGTEND_GOLDEN_CASES(PlanFormats, "explain_formats");

std::string message_of(const Result<Plan>& plan) {
  return plan ? std::string("parsed") : plan.error().message;
}

TEST(ParseYaml, BrokenDocumentsNameLineAndReason) {
  EXPECT_THAT(message_of(parse_yaml_plan("")), HasSubstr("no \"Plan:\""));
  EXPECT_THAT(message_of(parse_yaml_plan("- Plan: \n    Node Type: \"A\n    Alias: \"b\"\n")),
              HasSubstr("line 2"));
  EXPECT_THAT(message_of(parse_yaml_plan("- Plan: \n    Plan Rows: 1\n")), HasSubstr("Node Type"));
  EXPECT_THAT(message_of(parse_yaml_plan("- Plan: \n    Node Type: \"A\"\n   X: 1\n")),
              HasSubstr("line 3: an odd indentation"));
  EXPECT_THAT(message_of(parse_yaml_plan("- Plan: \n    Node Type: \"A\"\n    Plans: 3\n")),
              HasSubstr("no list"));
  EXPECT_THAT(message_of(parse_yaml_plan("- Plan: \n    Node Type: \"A\"\n\nbehind\n")),
              HasSubstr("other text"));
}

TEST(ParseYaml, CutOffPlanGivesWhatWasReadAndAWarning) {
  const std::string whole =
      "- Plan: \n    Node Type: \"Limit\"\n    Plans: \n      - Node Type: \"Seq Scan\"\n"
      "        Filter: \"(a > 1)\"\n";
  const auto string = parse_yaml_plan(whole.substr(0, whole.size() - 4));
  const auto list = parse_yaml_plan(whole.substr(0, whole.find("      -")));
  const auto name = parse_yaml_plan(whole.substr(0, whole.find("er: ")));

  ASSERT_TRUE(string && list && name);
  EXPECT_EQ(string->nodes.size(), 2u);
  EXPECT_THAT(string->warnings, ElementsAre("plan is cut off after line 5"));
  EXPECT_EQ(list->nodes.size(), 1u);
  EXPECT_THAT(list->warnings, ElementsAre("plan is cut off after line 3"));
  EXPECT_THAT(name->warnings, ElementsAre("plan is cut off after line 4"));
}

TEST(ParseYaml, SeveralPlansOfOneStatementAreAllRead) {
  const auto read = read_yaml_plans(
      "- Plan: \n    Node Type: \"Result\"\n- Plan: \n    Node Type: \"ModifyTable\"\n\nnext", {});

  EXPECT_FALSE(read.error);
  EXPECT_EQ(read.plans.size(), 2u);
  EXPECT_THAT(message_of(parse_yaml_plan("- Plan: \n    Node Type: \"A\"\n- Plan: \n"
                                         "    Node Type: \"B\"\n")),
              HasSubstr("there are 2"));
}

TEST(ParseYaml, TwentyThousandListsInAListAreRefused) {
  std::string text = "- Plan: \n    Node Type: \"A\"\n    X: \n      ";
  for (int i = 0; i < 20'000; ++i) text += "- ";

  EXPECT_EQ(parse_yaml_plan(text + "1\n").error().code, ErrorCode::Limit);
  EXPECT_EQ(parse_yaml_plan(text + std::string(20'000, '[')).error().code, ErrorCode::Limit);
}

TEST(ParseXml, BrokenDocumentsNameLineAndReason) {
  EXPECT_THAT(message_of(parse_xml_plan("")), HasSubstr("no <Plan>"));
  EXPECT_THAT(message_of(parse_xml_plan("<html><body/></html>")), HasSubstr("begins no plan"));
  EXPECT_THAT(message_of(parse_xml_plan("<explain>\n<Query>\n</explain>")),
              HasSubstr("line 3: </explain> ends no open element"));
  EXPECT_THAT(
      message_of(parse_xml_plan("<explain><Plan><Plan-Rows>1</Plan-Rows></Plan></explain>")),
      HasSubstr("Node Type"));
  EXPECT_THAT(message_of(parse_xml_plan("<!DOCTYPE x [<!ENTITY a \"b\">]><explain/>")),
              HasSubstr("<!"));
}

TEST(ParseXml, CutOffPlanGivesWhatWasReadAndAWarning) {
  const std::string whole =
      "<explain>\n<Query>\n<Plan>\n<Node-Type>Limit</Node-Type>\n<Plans>\n<Plan>\n"
      "<Node-Type>Seq Scan</Node-Type>\n<Filter>(a &gt; 1)</Filter>\n</Plan>\n";
  const auto element = parse_xml_plan(whole);
  const auto text = parse_xml_plan(whole.substr(0, whole.find("; 1")));
  const auto child = parse_xml_plan(whole.substr(0, whole.find("Seq")));

  ASSERT_TRUE(element && text && child);
  EXPECT_EQ(element->nodes[1].text("Filter"), "(a > 1)");
  EXPECT_THAT(element->warnings, ElementsAre("plan is cut off after line 9"));
  EXPECT_EQ(text->nodes.size(), 2u);
  EXPECT_THAT(text->warnings, ElementsAre("plan is cut off after line 8"));
  EXPECT_EQ(child->nodes.size(), 1u);
}

TEST(ParseXml, TwentyThousandLevelsAreReadAndNestedValuesRefused) {
  std::string text = "<explain><Query>", close;
  for (int i = 0; i < 20'000; ++i) {
    text += i > 0 ? "<Plans><Plan><Node-Type>A</Node-Type>" : "<Plan><Node-Type>A</Node-Type>";
    close += i > 0 ? "</Plan></Plans>" : "";
  }
  const auto plan = parse_xml_plan(text + close + "</Plan></Query></explain>");
  std::string values = text.substr(0, text.find("<Plans>"));
  for (int i = 0; i < 20'000; ++i) values += "<a>";

  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->nodes.size(), 20'000u);
  EXPECT_EQ(parse_xml_plan(values).error().code, ErrorCode::Limit);
}

TEST(ParseXml, TypesFollowTheNameAndTheLook) {
  const auto plan = parse_xml_plan(
      "<explain><Query><Plan><Node-Type>A</Node-Type><Filter>false</Filter><Alias>1</Alias>"
      "<New-Flag>true</New-Flag><New-Number>2.50</New-Number><New-Text>2 x</New-Text>"
      "<Shared-I-O-Read-Time>0.1</Shared-I-O-Read-Time></Plan>"
      "<Settings><jit>1</jit><a.b>on</a.b></Settings></Query></explain>");

  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(to_text(plan->root().properties),
            R"({"Node Type":"A","Filter":"false","Alias":"1","New Flag":true,"New Number":2.5E0,)"
            R"("New Text":"2 x","Shared I/O Read Time":1E-1})");
  EXPECT_EQ(to_text(plan->properties), R"({"Settings":{"jit":"1","a.b":"on"}})");
}

}  // namespace
}  // namespace pgtend::explain
