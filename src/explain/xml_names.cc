#include "explain/xml_names.h"

#include <algorithm>
#include <array>
#include <utility>

#include "explain/number.h"

namespace pgtend::explain {
namespace {

// Names with a dash or slash of their own.
constexpr std::pair<std::string_view, std::string_view> kNames[] = {
    {"One-Time-Filter", "One-Time Filter"},
    {"Full-sort-Groups", "Full-sort Groups"},
    {"Pre-sorted-Groups", "Pre-sorted Groups"},
    {"I-O-Read-Time", "I/O Read Time"},
    {"I-O-Write-Time", "I/O Write Time"},
    {"Shared-I-O-Read-Time", "Shared I/O Read Time"},
    {"Shared-I-O-Write-Time", "Shared I/O Write Time"},
    {"Local-I-O-Read-Time", "Local I/O Read Time"},
    {"Local-I-O-Write-Time", "Local I/O Write Time"},
    {"Temp-I-O-Read-Time", "Temp I/O Read Time"},
    {"Temp-I-O-Write-Time", "Temp I/O Write Time"},
};

// Properties that hold names and expressions, which may look like numbers or flags.
constexpr std::array<std::string_view, 40> kTexts = {"Alias",
                                                     "CTE Name",
                                                     "Cache Key",
                                                     "Command",
                                                     "Conflict Filter",
                                                     "Conflict Resolution",
                                                     "Constraint Name",
                                                     "Custom Plan Provider",
                                                     "Filter",
                                                     "Foreign File",
                                                     "Foreign Program",
                                                     "Function Call",
                                                     "Function Name",
                                                     "Hash Cond",
                                                     "Index Cond",
                                                     "Index Name",
                                                     "Item",
                                                     "Join Filter",
                                                     "Merge Cond",
                                                     "Node Type",
                                                     "One-Time Filter",
                                                     "Order By",
                                                     "Query Parameters",
                                                     "Query Text",
                                                     "Recheck Cond",
                                                     "Relation",
                                                     "Relation Name",
                                                     "Relations",
                                                     "Remote SQL",
                                                     "Repeatable Seed",
                                                     "Run Condition",
                                                     "Sampling Method",
                                                     "Schema",
                                                     "Subplan Name",
                                                     "TID Cond",
                                                     "Table Function Call",
                                                     "Table Function Name",
                                                     "Trigger Name",
                                                     "Tuplestore Name",
                                                     "Window"};

bool is_text(std::string_view name) {
  return std::binary_search(kTexts.begin(), kTexts.end(), name);
}

}  // namespace

std::string xml_property_name(std::string_view tag) {
  for (const auto& [dashed, name] : kNames) {
    if (tag == dashed) return std::string(name);
  }
  std::string out(tag);
  std::replace(out.begin(), out.end(), '-', ' ');
  return out;
}

Value xml_property_value(std::string_view name, std::string_view text) {
  if (!is_text(name)) {
    if (text == "true" || text == "false") return text == "true";
    if (looks_like_number(text)) return number_value(text);
  }
  return text;
}

bool is_xml_list(std::string_view tag, const std::vector<XmlMember>& members) {
  if (members.empty()) return true;
  const std::string_view first = members.front().tag;
  const bool alike = std::all_of(members.begin(), members.end(),
                                 [&](const XmlMember& member) { return member.tag == first; });
  if (!alike) return false;
  const bool plural = tag.size() == first.size() + 1 && tag.starts_with(first) && tag.back() == 's';
  const bool entry =
      first.size() > tag.size() && first.starts_with(tag) && first[tag.size()] == '-';
  return members.size() > 1 || first == "Item" || plural || entry;
}

}  // namespace pgtend::explain
