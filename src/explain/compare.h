// Whether two plans say the same, whatever format each was read from.
#pragma once

#include <string>

#include "explain/tree.h"

namespace pgtend::explain {

struct CompareOptions {
  // false: times, rows, blocks, memory and what else differs between two runs of one plan is not
  // looked at.
  bool measured = true;
};

// The first difference between `a` and `b` in words; "" when there is none. What TEXT cannot show
// (zeros, flags that are false, the word that JSON has for a child of a ModifyTable …) is left out
// on both sides. Thread: any. Cost: O(size).
std::string describe_difference(const Plan& a, const Plan& b, const CompareOptions& options = {});

}  // namespace pgtend::explain
