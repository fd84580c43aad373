// Whether running a text may touch a table, told without a catalog and without the grammar: for the
// admin console's HOLD TABLE. In doubt it may.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pgtend::pool {

// A table (or view …) as the server has it: folded, at most 63 bytes a part.
struct TableName {
  std::string schema = {};  // "": whichever
  std::string name;

  bool operator==(const TableName&) const = default;
};
// As SQL would write it: quoted where that is needed.
std::string text_of(const TableName& table);

// Takes `[schema.]name`, quoted parts as in SQL, from the front of `text`. Nothing, and `text` as
// it was, when there is no such thing.
std::optional<TableName> take_table_name(std::string_view& text);

// False if running `sql` asks for no lock on any of `tables`, as far as its text can tell: it does
// not name one, and calls nothing but what PostgreSQL brings along. Views, triggers, rules, foreign
// keys, policies and operators of the database are not seen: their tables must be among `tables`.
// `whole`: that is all of the text. Thread: any. Cost: O(n), no allocation.
bool may_touch(std::string_view sql, std::span<const TableName> tables, bool whole = true);

// Whether `sql` only begins or ends a transaction, sets or shows: nothing is locked after it.
bool only_begins(std::string_view sql);

// How a text begins a transaction and does nothing else.
enum class Beginning : uint8_t {
  None,     // it does something else
  Certain,  // the server will not refuse it
  Perhaps,  // a server may: a standby knows no SERIALIZABLE and no READ WRITE
};
Beginning beginning_of(std::string_view sql);

}  // namespace pgtend::pool
