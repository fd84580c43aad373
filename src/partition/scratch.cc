#include "partition/scratch.h"

#include <algorithm>

#include "base/text.h"
#include "partition/statements.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

std::string temporary(std::string_view name) { return cat("pg_temp.", pg::ident(name)); }

// "btree (a, b DESC)" of an index on plain columns with the server's own operator classes; "" for
// any other.
std::string plain_method(const Index& index) {
  constexpr std::string_view kUsing = " USING ";
  const size_t at = index.definition.find(kUsing);
  if (at == std::string::npos) return {};
  std::string method = index.definition.substr(at + kUsing.size());
  const size_t open = method.find('(');
  if (open == std::string::npos || method.find('(', open + 1) != std::string::npos) return {};
  if (method.back() != ')' || method.find('.') != std::string::npos) return {};
  return method.starts_with("btree") || method.starts_with("brin") ? method : std::string();
}

std::vector<std::string> with_key(std::vector<std::string> columns, const std::string& key) {
  if (!contains(columns, key)) columns.push_back(key);
  return columns;
}

}  // namespace

std::vector<std::string> scratch_statements(const Definition& table, const Proposal& proposal) {
  std::vector<std::string> columns;
  for (const Column& column : table.columns) {
    columns.push_back(
        cat(pg::ident(column.name), " ", column.type, column.not_null ? " NOT NULL" : ""));
  }
  std::vector<std::string> out;
  const std::string parent = temporary(table.name);
  out.push_back(cat("CREATE TABLE ", parent, " (", join(columns, ", "), ") PARTITION BY RANGE (",
                    pg::ident(proposal.column), ")"));
  for (const Slice& slice : proposal.slices) {
    out.push_back(cat("CREATE TABLE ", temporary(slice.name), " PARTITION OF ", parent, " ",
                      for_values(slice)));
  }
  for (const Constraint& constraint : table.constraints) {
    if (constraint.kind == "f") continue;
    out.push_back(cat("CREATE UNIQUE INDEX ON ", parent, " (",
                      column_list(with_key(constraint.columns, proposal.column)), ")"));
  }
  for (const Index& index : table.indexes) {
    const std::string method = plain_method(index);
    if (!method.empty()) out.push_back(cat("CREATE INDEX ON ", parent, " USING ", method));
  }
  return out;
}

std::vector<Slice> scratch_slices(const Definition& table, const Proposal& proposal, size_t most) {
  if (table.locks_max > 0) {
    const int64_t each = 2 + static_cast<int64_t>(index_names(table).size());
    most =
        std::min(most, static_cast<size_t>(std::max<int64_t>(table.locks_max * 4 / 10 / each, 4)));
  }
  const size_t count = std::min(most, proposal.slices.size());
  return {proposal.slices.end() - static_cast<ptrdiff_t>(count), proposal.slices.end()};
}

KeyTable key_table(const Definition& table, const Proposal& proposal) {
  KeyTable out{.schema = table.schema,
               .name = table.name,
               .column = proposal.column,
               .type = proposal.type,
               .version = table.version};
  for (const Column& column : table.columns) {
    out.columns.push_back(column.name);
    if (column.name == proposal.column) out.nullable = !column.not_null;
  }
  for (const Constraint& constraint : table.constraints) {
    if (constraint.kind != "f")
      out.indexes.push_back(with_key(constraint.columns, proposal.column));
  }
  for (const Index& index : table.indexes) {
    if (plain_method(index).starts_with("btree")) out.indexes.push_back(index.columns);
  }
  return out;
}

}  // namespace pgtend::partition
