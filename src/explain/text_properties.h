// Lines of TEXT that are no nodes: "Filter: (a = 1)", "Buffers: shared hit=3", and the properties
// that JSON has for them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "explain/properties.h"

namespace pgtend::explain {

// Adds the properties on `line` (without indent), which they borrow, to `out`. What is not known is
// kept: "Label: value" as a property of that name, other lines as a name without value. Thread:
// any. Cost: O(size).
void read_property(std::string_view line, Properties& out);

// Adds a property. Of a name that `out` has already its value becomes a list of lists of one; a
// name that belongs to a node's own line gets a colon.
void add_property(Properties& out, std::string_view name, Value value);

// What follows `label` and ": " in `line`; nullopt if it does not begin so.
std::optional<std::string_view> after_label(std::string_view line, std::string_view label);

// "a, b" as JSON's list of texts.
Value list_value(std::string_view text, Arena& arena);

// What TEXT prints for property `name` of `properties`: its lines, without indent. Names of others
// that stand on the same line are added to `done`. Nothing for what TEXT leaves out, and for
// objects.
std::vector<std::string> write_property(const Properties& properties, std::string_view name,
                                        std::vector<std::string_view>& done);

// "a = 'b', c = 'd'". False, with nothing in `out` that counts, when it would not be written the
// same.
bool read_settings(std::string_view text, Properties& out);
std::string write_settings(const Properties& settings);
// "Trigger x for constraint c on t: time=0.061 calls=3", as an entry of JSON's list.
bool read_trigger(std::string_view line, Properties& out);
std::string write_trigger(const Properties& trigger, bool verbose, bool several_relations);

}  // namespace pgtend::explain
