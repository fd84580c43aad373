#include "explain/create_index.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::explain {
namespace {

constexpr size_t kNameMax = 63;  // NAMEDATALEN - 1

// The first `size` bytes of `text` without a cut character.
std::string clipped(const std::string& text, size_t size) {
  if (text.size() <= size) return text;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

std::string composed(const std::string& table, const std::string& columns,
                     const std::string& tail) {
  const size_t room = kNameMax - tail.size() - 1;
  size_t left = table.size(), right = columns.size();
  while (left + right > room) (left > right ? left : right)--;
  return cat(clipped(table, left), "_", clipped(columns, right), tail);
}

std::string qualified(const std::string& schema, const std::string& name) {
  return schema.empty() ? pg::ident(name) : pg::qualified(schema, name);
}

// One boolean row: whether the index exists and is valid.
std::string valid_sql(const std::string& schema, const std::string& index) {
  return cat(
      "SELECT coalesce((SELECT i.indisvalid FROM pg_catalog.pg_index i WHERE i.indexrelid = "
      "pg_catalog.to_regclass(",
      pg::literal(qualified(schema, index)), ")), false)");
}

std::string suffix_of(const Candidate& candidate) {
  return candidate.method == "btree" ? "_idx" : cat("_", candidate.method);
}

// What the name says of each key: PostgreSQL, too, calls an expression "expr".
std::vector<std::string> key_names(const Candidate& candidate) {
  std::vector<std::string> out;
  for (const KeyPart& key : candidate.keys) {
    out.push_back(key.column.empty() ? std::string("expr") : key.column);
  }
  return out;
}

std::string key_text(const KeyPart& key) {
  std::string out = key.column.empty() ? cat("(", key.expression, ")") : pg::ident(key.column);
  if (!key.opclass.empty()) out += cat(" ", key.opclass);
  if (key.descending) out += " DESC";
  // What goes without saying is not said.
  if (key.nulls_first != key.descending) out += key.nulls_first ? " NULLS FIRST" : " NULLS LAST";
  return out;
}

// Whether `index` has exactly these plain keys.
bool equal_keys(const facts::IndexFacts& index, const std::vector<KeyPart>& keys) {
  if (index.keys.size() != keys.size()) return false;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] != KeyPart{.column = index.keys[i]} || index.keys[i].empty()) return false;
    if (i < index.descending.size() && index.descending[i]) return false;
  }
  return true;
}

void set_expectations(care::Action& action, const Candidate& candidate) {
  action.expected_seconds = candidate.build_seconds;
  if (candidate.size.count == 0) return;  // nothing predicts it
  action.extra_disk = candidate.size;
  action.wal = candidate.size;
}

care::Action plain(const Candidate& candidate, const IndexTarget& target) {
  const std::string name =
      index_name(target.table, key_names(candidate), suffix_of(candidate), target.names_taken);
  const std::string table = qualified(target.schema, target.table);
  care::Action out{.kind = "create-index", .object = table};
  out.steps.push_back({cat("CREATE INDEX CONCURRENTLY ", pg::ident(name), " ON ", table, " ",
                           index_clause(candidate)),
                       care::LockMode::ShareUpdateExclusive, false});
  out.creates = qualified(target.schema, name);
  out.verify_sql = valid_sql(target.schema, name);
  out.undo = {cat("DROP INDEX CONCURRENTLY IF EXISTS ", out.creates)};
  set_expectations(out, candidate);
  return out;
}

// The valid index of `member` that is what the candidate would be.
const facts::IndexFacts* equal_index(const PartitionMember& member, const Candidate& candidate) {
  const auto it = std::ranges::find_if(member.indexes, [&](const facts::IndexFacts& index) {
    return index.valid && index.method == candidate.method && equal_keys(index, candidate.keys) &&
           index.include == candidate.include && index.predicate == candidate.predicate &&
           index.default_classes && index.default_collations && !index.unique &&
           index.parent.empty();
  });
  return it == member.indexes.end() ? nullptr : &*it;
}

// An index of the tree being made: the names of the members' parts.
struct Part {
  std::string schema;
  std::string name;
};

void add_part(care::Action& action, const PartitionMember& member, const Candidate& candidate,
              const Part& part) {
  const bool parent = member.kind == 'p';
  action.steps.push_back(
      {cat("CREATE INDEX ", parent ? "" : "CONCURRENTLY ", pg::ident(part.name), " ON ",
           parent ? "ONLY " : "", pg::qualified(member.schema, member.name), " ",
           index_clause(candidate)),
       parent ? care::LockMode::Share : care::LockMode::ShareUpdateExclusive, parent});
}

std::optional<care::Action> partitioned(const Candidate& candidate, const IndexTarget& target) {
  const std::vector<PartitionMember>& members = target.tree->members;
  if (!target.tree->why_not.empty() || members.empty()) return {};
  std::vector<std::string> taken = target.names_taken;
  std::vector<Part> parts;
  care::Action out{.kind = "create-index",
                   .object = pg::qualified(members[0].schema, members[0].name)};
  std::vector<std::string> undo;
  for (const PartitionMember& member : members) {
    if (member.kind != 'p' && member.kind != 'r') return {};
    if (const facts::IndexFacts* found =
            member.kind == 'r' ? equal_index(member, candidate) : nullptr) {
      parts.push_back({found->schema, found->name});
      continue;
    }
    parts.push_back({member.schema,
                     index_name(member.name, key_names(candidate), suffix_of(candidate), taken)});
    taken.push_back(parts.back().name);
    add_part(out, member, candidate, parts.back());
    if (member.kind == 'r') {
      undo.push_back(cat("DROP INDEX CONCURRENTLY IF EXISTS ",
                         pg::qualified(parts.back().schema, parts.back().name)));
    }
  }
  for (size_t i = members.size(); i-- > 1;) {
    const Part& parent = parts[static_cast<size_t>(std::max(members[i].parent, 0))];
    out.steps.push_back({cat("ALTER INDEX ", pg::qualified(parent.schema, parent.name),
                             " ATTACH PARTITION ", pg::qualified(parts[i].schema, parts[i].name)),
                         care::LockMode::AccessExclusive, true});
  }
  out.verify_sql = valid_sql(parts[0].schema, parts[0].name);
  // Dropping the parent's index drops the attached ones; what was not attached follows.
  out.undo = {cat("DROP INDEX IF EXISTS ", pg::qualified(parts[0].schema, parts[0].name))};
  out.undo.insert(out.undo.end(), undo.begin(), undo.end());
  set_expectations(out, candidate);
  return out;
}

}  // namespace

std::string index_name(const std::string& table, const std::vector<std::string>& columns,
                       const std::string& suffix, const std::vector<std::string>& taken) {
  const std::string middle = join(columns, "_");
  std::string out = composed(table, middle, suffix);
  for (int number = 1; std::ranges::find(taken, out) != taken.end(); ++number) {
    out = composed(table, middle, cat(suffix, number));
  }
  return out;
}

std::string index_clause(const Candidate& candidate) {
  std::vector<std::string> keys, include;
  for (const KeyPart& key : candidate.keys) keys.push_back(key_text(key));
  for (const std::string& column : candidate.include) include.push_back(pg::ident(column));
  std::string out = cat("USING ", candidate.method, " (", join(keys, ", "), ")");
  if (!include.empty()) out += cat(" INCLUDE (", join(include, ", "), ")");
  // New block ranges are summarised by autovacuum instead of being read in full until VACUUM.
  if (candidate.method == "brin") {
    out += cat(" WITH (pages_per_range = ", candidate.pages_per_range, ", autosummarize = on)");
  }
  if (!candidate.predicate.empty()) out += cat(" WHERE ", candidate.predicate);
  return out;
}

std::optional<care::Action> create_index(const Candidate& candidate, const IndexTarget& target) {
  if (target.tree) return partitioned(candidate, target);
  return plain(candidate, target);
}

}  // namespace pgtend::explain
