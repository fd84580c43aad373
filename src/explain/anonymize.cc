#include "explain/anonymize.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "explain/plan_builder.h"

namespace pgtend::explain {
namespace {

// Of node types, labels and what EXPLAIN says with words of its own.
constexpr std::string_view kVocabulary =
    "Actual Aggregate Alias Allocated And Anti Append Arbiter As Async Average Aware Backward "
    "Batch Batches Bitmap BitmapAnd BitmapOr Blocks Bound Buckets Buffers By Bytes CTE Cache "
    "Call Calls Capable Capacity Command Cond Condition Conflict Conflicting Constraint Copy "
    "Cost Count Custom Deform Deforming Delete Deleted Deletes Direction Dirtied Disabled "
    "Disk Distinct Emission Estimated Estimates Evaluated Evicted Evictions Exact Exceeded "
    "Except Execution Expressions FPI Fetches Figures File Filter Finalize Foreign Format "
    "Forward Full Function Functions Gather Generation Group GroupAggregate Grouping Groups "
    "Hash HashAgg HashAggregate HashSetOp Hashed Hashing Heap Hinted Hit Hits I Identifier In "
    "Incremental Index Indexes InitPlan Inlining Inner Insert Inserted Inserts Intersect Item "
    "JIT Join Key Keys Launched Left Limit Local LockRows Lookup Lookups Loop Loops Lossy "
    "Materialize Maximum Member Memoize Memory Merge Method Methods Misses Mixed "
    "MixedAggregate Mode ModifyTable Multi N NOTHING NULL Name Named Nested NoMovement Node "
    "Nodes None Number O One Only Operation Optimization Options Order Original Outer Output "
    "Overflows Parallel Parameters Params Parent Parents Partial Partitions Peak Percent "
    "Plain Plan Planned Planning Plans Pre Prefetch Presorted Program ProjectSet Provider "
    "Query REPEATABLE Range Read Recheck Records Recursive Reentry Relation Relations "
    "Relationship Remote Removed Repeatable Replaces Resolution Result Reuse Reused Right "
    "Rows Run SQL Sample Sampling Scan Schema Searches Seed Select Semi Seq Serialization "
    "SetOp Sets Settings Shared Shown Simple Single Size Skipped Slots Snapshot Sort Sorted "
    "Space Startup Storage Strategy SubPlan Subplan Subplans Subquery TID Table Tables Target "
    "Temp Text Tid Time Timing Timings Total Transition Trigger Triggers Tuples Tuplestore "
    "Type UPDATE Union Unique Unknown Update Updated Updates Usage Used Values Volume WAL "
    "Width Window WindowAgg WorkTable Worker Workers Write Written all bernoulli binary by "
    "external full heapsort in logical merge never off on progress quicksort sort still "
    "system text top using ";

bool is_own_word(std::string_view word) {
  static const std::vector<std::string_view> words = [] {
    std::vector<std::string_view> out = split(kVocabulary, ' ');
    std::ranges::sort(out);
    return out;
  }();
  return !word.empty() && std::ranges::binary_search(words, word);
}

// Whether `text` is made of EXPLAIN's words, blanks, dashes and slashes only.
bool is_own_text(std::string_view text) {
  constexpr std::string_view kBetween = " -/";
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(kBetween), text.size());
    if (!is_own_word(text.substr(0, end))) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

// What the value of a property is.
enum class Content : unsigned char { Expression, Words, Name, Subplan, Path };
struct Known {
  std::string_view name;
  Content content;
  NameKind kind = NameKind::Other;
};
constexpr Known kKnown[] = {
    {"Node Type", Content::Words},
    {"Parent Relationship", Content::Words},
    {"Join Type", Content::Words},
    {"Scan Direction", Content::Words},
    {"Strategy", Content::Words},
    {"Partial Mode", Content::Words},
    {"Operation", Content::Words},
    {"Command", Content::Words},
    {"Sort Method", Content::Words},
    {"Sort Methods Used", Content::Words},
    {"Sort Space Type", Content::Words},
    {"Conflict Resolution", Content::Words},
    {"Cache Mode", Content::Words},
    {"Storage", Content::Words},
    {"Format", Content::Words},
    {"Sampling Method", Content::Words},
    {"Subplan Name", Content::Subplan},
    {"Schema", Content::Name, NameKind::Schema},
    {"Function Schema", Content::Name, NameKind::Schema},
    {"Relation Name", Content::Name, NameKind::Table},
    {"Relation", Content::Name, NameKind::Table},
    {"CTE Name", Content::Name, NameKind::Table},
    {"Tuplestore Name", Content::Name, NameKind::Table},
    {"Alias", Content::Name, NameKind::Alias},
    {"Index Name", Content::Name, NameKind::Index},
    {"Conflict Arbiter Indexes", Content::Name, NameKind::Index},
    {"Function Name", Content::Name, NameKind::Function},
    {"Table Function Name", Content::Name, NameKind::Function},
    {"Trigger Name", Content::Name},
    {"Constraint Name", Content::Name},
    {"Custom Plan Provider", Content::Name},
    {"Foreign File", Content::Path},
    {"Foreign Program", Content::Path},
};

// Numbers that the server or a regression test masks.
bool is_mask(std::string_view text) {
  return text == "N" || text == "N.N" || text == "nan" || text == "NaN" || text == "-nan";
}

// Rewrites the properties of one plan. Lives during one call.
class Rewriter {
 public:
  // What it makes lives in `arena`.
  Rewriter(Pseudonyms& pseudonyms, Arena& arena) : pseudonyms_(pseudonyms), arena_(arena) {}

  // Names of objects come first, so that they, not the aliases and columns, decide the letter.
  void meet(const Plan& plan);
  std::string property_name(std::string_view name);
  Value value(std::string_view name, const Value& value);

 private:
  std::string text(std::string_view name, std::string_view text);
  std::string sub_plan(std::string_view text);
  Properties& settings(const Properties& settings);

  Pseudonyms& pseudonyms_;
  Arena& arena_;
};

void Rewriter::meet(const Plan& plan) {
  for (const Node& node : plan.nodes) {
    pseudonyms_.name(node.object.relation, NameKind::Table);
    if (node.text("Function Name").empty()) pseudonyms_.name(node.object.other, NameKind::Table);
  }
  for (const Node& node : plan.nodes) {
    pseudonyms_.name(node.object.schema, NameKind::Schema);
    pseudonyms_.name(node.object.alias, NameKind::Alias);
    pseudonyms_.name(node.object.index, NameKind::Index);
  }
}

std::string Rewriter::property_name(std::string_view name) {
  if (is_own_text(name)) return std::string(name);
  return cat("Property ", pseudonyms_.name(name, NameKind::Other));
}

// "InitPlan 1 (returns $0,$1)", "SubPlan 2", "InitPlan expr_1", "CTE name"
std::string Rewriter::sub_plan(std::string_view text) {
  constexpr std::string_view kCte = "CTE ";
  if (text.starts_with(kCte)) {
    return cat(kCte, pseudonyms_.name(text.substr(kCte.size()), NameKind::Table));
  }
  std::string out;
  for (const SqlToken& token : sql_tokens(text)) {
    const bool word = token.kind == SqlTokenKind::Word;
    const bool number = token.kind == SqlTokenKind::Number && is_whole_number(token.text);
    const bool parameter =
        token.kind == SqlTokenKind::Parameter && is_whole_number(token.text.substr(1));
    const bool plan = token.text == "SubPlan" || token.text == "InitPlan";
    if (plan) {
      out += token.text;
    } else if (token.text == "returns" && out.ends_with('(')) {
      out += "returns ";
    } else if (parameter) {
      out += token.text;
    } else if (number) {
      out += cat(" ", token.text);
    } else if (token.kind == SqlTokenKind::Symbol &&
               std::string_view("(),").contains(token.text[0])) {
      out += token.text == "(" ? " (" : token.text;
    } else {
      out += cat(" ", pseudonyms_.name(word ? token.text : "?", NameKind::Other));
    }
  }
  return out;
}

std::string Rewriter::text(std::string_view name, std::string_view text) {
  if (is_mask(text)) return std::string(text);
  const auto* known = std::ranges::find(kKnown, name, &Known::name);
  const Content content = known == std::end(kKnown) ? Content::Expression : known->content;
  switch (content) {
    case Content::Expression:
      return anonymous_sql(text, pseudonyms_);
    case Content::Words:
      return is_own_text(text) ? std::string(text) : pseudonyms_.name(text, NameKind::Other);
    case Content::Name:
      return pseudonyms_.name(text, known->kind);
    case Content::Subplan:
      return sub_plan(text);
    case Content::Path:
      return pseudonyms_.literal(text);
  }
  return {};
}

// Settings of extensions have a dot; of the server's own only numbers and switches stay.
Properties& Rewriter::settings(const Properties& settings) {
  Properties& out = new_properties(arena_);
  for (const auto& [name, set] : settings) {
    const bool own =
        std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
    static constexpr std::array<std::string_view, 4> kOfSession = {"search_path", "role",
                                                                   "session_authorization", ""};
    Value value = set.is_string() ? Value(arena_.copy(set.get_string())) : set;
    if (set.is_string()) {
      const std::string_view text = set.get_string();
      const size_t unit = std::min(text.find_first_not_of("0123456789.-"), text.size());
      static constexpr std::array<std::string_view, 13> kPlain = {
          "", "B", "kB", "MB", "GB", "TB", "us", "ms", "s", "min", "h", "d", "%"};
      const bool number = unit > 0 && std::ranges::find(kPlain, text.substr(unit)) != kPlain.end();
      const bool flag = text == "on" || text == "off" || text == "auto" || is_own_text(text);
      const bool plan_mode = text.starts_with("force_") && name == "plan_cache_mode";
      if (!own || !(number || flag || plan_mode)) value = arena_.copy(pseudonyms_.literal(text));
    }
    const bool known = own && std::ranges::find(kOfSession, name) == kOfSession.end();
    out.emplace(arena_.name(known ? std::string(name) : pseudonyms_.name(name, NameKind::Other)),
                value);
  }
  return out;
}

Value Rewriter::value(std::string_view name, const Value& source) {
  if (source.is_string()) return arena_.copy(text(name, source.get_string()));
  if (const List* list = source.if_array()) {
    List& out = new_list(arena_);
    for (const Value& entry : *list) out.push_back(value(name, entry));
    return out;
  }
  const Properties* object = source.if_object();
  if (!object) return source;  // numbers, flags, null
  if (name == "Settings") return settings(*object);
  Properties& out = new_properties(arena_);
  for (const auto& [key, inside] : *object) {
    out.emplace(arena_.name(property_name(key)), value(key, inside));
  }
  return out;
}

// The warnings of readers that tell nothing of the text.
bool is_harmless(std::string_view warning) { return warning.starts_with("plan is cut off"); }

}  // namespace

Result<Plan> anonymous_plan(const Plan& plan, Pseudonyms& pseudonyms) {
  PlanBuilder builder({.nodes_max = plan.nodes.size()});
  Rewriter rewriter(pseudonyms, builder.arena());
  rewriter.meet(plan);
  const auto set_all = [&](const Properties& properties) {
    for (const auto& [name, value] : properties) {
      builder.set(rewriter.property_name(name), rewriter.value(name, value));
    }
  };
  for (const Node& node : plan.nodes) {
    while (builder.open_nodes() > static_cast<size_t>(node.depth)) TRY(builder.close_node());
    TRY(builder.open_node());
    set_all(node.properties);
    if (node.type == "Unknown")
      builder.set("Node Type", builder.arena().copy(node.type));  // of a plan that is cut off
  }
  while (builder.open_nodes() > 0) TRY(builder.close_node());
  set_all(plan.properties);
  bool left_out = false;
  for (const std::string& warning : plan.warnings) {
    if (is_harmless(warning)) {
      builder.warn(warning);
    } else {
      left_out = true;
    }
  }
  if (left_out) builder.warn("warnings of the reader are left out: they quote the plan");
  Plan out = TRY(std::move(builder).finish());
  // What readers and servers tell beside the properties.
  out.planning_ms = plan.planning_ms;
  out.execution_ms = plan.execution_ms;
  if (!plan.query_text.empty()) out.query_text = anonymous_sql(plan.query_text, pseudonyms);
  return out;
}

}  // namespace pgtend::explain
