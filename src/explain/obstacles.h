// Conditions that no plain index on the column serves as they are written, and what would. Pure.
#pragma once

#include <optional>
#include <string>

#include "explain/access.h"
#include "explain/advice.h"

namespace pgtend::explain {

struct Obstacle {
  std::string id = {};    // the rule: A12 (wrapped), A13 (converted), A14 (pattern), A15 (inside)
  std::string text = {};  // what is in the way, and what to write or to build instead
  // The key that serves the condition as it stands, when an index may have it.
  std::optional<KeyPart> key = {};
  std::string method = "btree";
  bool range = false;  // the key is searched by range
};

// nullopt when an index on the column serves `predicate`, or nothing does and nothing can be said.
// `column` is nullptr when its type is not known.
std::optional<Obstacle> obstacle_of(const sql::Predicate& predicate, const Examination& in,
                                    const facts::ColumnFacts* column);

}  // namespace pgtend::explain
