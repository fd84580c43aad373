#include "explain/existing.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace pgtend::explain {
namespace {

// Whether what the index leaves out is what the conditions leave out: each of its predicate's
// conditions stands among them, word for word.
bool implied(const facts::IndexFacts& index, const Access& access) {
  if (index.predicate.empty()) return true;
  const auto wanted = sql::conditions(index.predicate);
  if (!wanted) return false;
  return std::ranges::all_of(*wanted, [&](const sql::Predicate& part) {
    if (part.column.empty() || part.op.empty()) return false;
    return std::ranges::any_of(access.predicates, [&](const sql::Predicate& given) {
      const bool same = given.column == part.column && given.op == part.op &&
                        given.wrapping == part.wrapping && given.any == part.any;
      if (same && given.value == part.value && given.expression == part.expression) return true;
      // A comparison with a value is false for NULL.
      return part.op == "IS NOT NULL" && given.column == part.column &&
             given.operators != sql::OperatorClass::Other && given.wrapping == sql::Wrapping::None;
    });
  });
}

bool follows(const facts::IndexFacts& index, size_t from, const std::vector<sql::SortKey>& order) {
  if (index.keys.size() < from + order.size()) return false;
  bool forward = true, backward = true;
  for (size_t i = 0; i < order.size(); ++i) {
    if (index.keys[from + i] != order[i].column) return false;
    const bool down = from + i < index.descending.size() && index.descending[from + i];
    forward &= down == order[i].descending;
    backward &= down != order[i].descending;
  }
  return forward || backward;
}

// By its columns alone.
bool columns_serve(const facts::IndexFacts& index, const SearchKeys& keys) {
  if (index.keys.empty()) return false;
  const bool range = !keys.range.empty();
  if (index.method == "brin") {
    return keys.equality.empty() && keys.order.empty() && range &&
           std::ranges::find(index.keys, keys.range[0]->column) != index.keys.end();
  }
  if (index.method == "hash") {
    return !range && keys.order.empty() && keys.equality.size() == 1 &&
           index.keys[0] == keys.equality[0]->column;
  }
  if (index.method != "btree") return false;
  // The leading keys must be the equality columns in any order, then the range or the order.
  const size_t equal = keys.equality.size();
  if (index.keys.size() < equal + (range && keys.order.empty() ? 1 : 0)) return false;
  for (size_t i = 0; i < equal; ++i) {
    if (!names_column(keys.equality, index.keys[i])) return false;
  }
  if (!keys.order.empty()) return follows(index, equal, keys.order);
  return !range || index.keys[equal] == keys.range[0]->column;
}

std::string wanted_column(const SearchKeys& keys) {
  if (!keys.equality.empty()) return keys.equality.back()->column;
  if (!keys.range.empty()) return keys.range[0]->column;
  return keys.order.empty() ? std::string() : keys.order[0].column;
}

// Why an index that begins with the right column does not serve; "" when nothing stands out.
std::string why_unusable(const facts::IndexFacts& index, const Access& access,
                         const SearchKeys& keys) {
  if (!implied(index, access)) {
    return cat("holds only the rows WHERE ", printable(index.predicate),
               ", which the condition does not imply");
  }
  if (!index.default_classes) return "has an operator class that the condition does not use";
  if (!index.default_collations) return "is sorted by another collation than the column's";
  if (index.method == "hash" && keys.equality.empty()) return "is a hash index: it finds no ranges";
  return {};
}

}  // namespace

bool names_column(const std::vector<const sql::Predicate*>& list, const std::string& column) {
  return std::ranges::any_of(list, [&](const sql::Predicate* p) { return p->column == column; });
}

ExistingIndexes look_at_indexes(const Access& access, const SearchKeys& keys) {
  ExistingIndexes out;
  if (!access.facts) return out;
  const std::string column = wanted_column(keys);
  for (const facts::IndexFacts& index : access.facts->indexes) {
    const bool fits = implied(index, access) && index.default_classes && index.default_collations;
    if (fits && columns_serve(index, keys)) {
      (index.valid ? out.serving : out.broken) = index.name;
      continue;
    }
    if (!index.valid || column.empty() || index.keys.empty()) continue;
    if (index.keys[0] == column) {
      const std::string why = why_unusable(index, access, keys);
      if (!why.empty()) out.unusable = cat("index ", printable(index.name), " ", why);
    } else if (std::ranges::find(index.keys, column) != index.keys.end()) {
      out.behind = index.name;
    }
  }
  return out;
}

std::string index_on(const Access& access, const KeyPart& key, const std::string& method) {
  if (!access.facts) return {};
  for (const facts::IndexFacts& index : access.facts->indexes) {
    if (index.method != method || !index.valid || !implied(index, access)) continue;
    for (size_t i = 0; i < index.keys.size(); ++i) {
      const std::string expression = i < index.expressions.size() ? index.expressions[i] : "";
      const bool same = key.column.empty() ? expression == key.expression ||
                                                 expression == cat("(", key.expression, ")")
                                           : index.keys[i] == key.column;
      // A default class does not find what another one was asked for.
      if (same && (key.opclass.empty() || !index.default_classes || method != "btree")) {
        return index.name;
      }
    }
  }
  return {};
}

std::string index_of_only_these(const Access& access) {
  if (!access.facts) return {};
  const auto& list = access.facts->indexes;
  const auto found = std::ranges::find_if(list, [&](const facts::IndexFacts& index) {
    return index.valid && !index.predicate.empty() && implied(index, access);
  });
  return found == list.end() ? std::string() : found->name;
}

}  // namespace pgtend::explain
