// A table becomes a partitioned one while it is locked: the plan, as pure functions.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "partition/names.h"
#include "partition/partition.h"
#include "partition/statements.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

using care::LockMode;
using care::Step;
using pg::ident;
using pg::literal;
using pg::qualified;

constexpr double kRowsPerSecond = 150'000;  // copied, hashed twice and indexed, on two small cores

// A snapshot taken before our commit sees none of the copied rows, and under the table's name there
// is then nothing else. Idle transactions that hold one (REPEATABLE READ, open cursors) are waited
// for like a lock: the error code is that of a lock, so the gate backs off and tries again.
constexpr std::string_view kNoOldSnapshot =
    "DO $$DECLARE holders text; BEGIN"
    " SELECT string_agg('pid ' || pid, ', ') INTO holders FROM pg_catalog.pg_stat_activity"
    " WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()"
    " AND backend_xmin IS NOT NULL AND state LIKE 'idle in transaction%';"
    " IF holders IS NOT NULL THEN RAISE EXCEPTION"
    " 'older snapshots, in which the table would be empty, are held by %', holders"
    " USING ERRCODE = 'lock_not_available'; END IF; END$$";

// Builds the steps of one conversion.
class Builder {
 public:
  Builder(const Definition& definition, const Proposal& proposal, const ConvertOptions& options)
      : d_(definition),
        p_(proposal),
        options_(options),
        table_(d_.qualified()),
        old_name_(name_with(d_.name, "_old")),
        old_(qualified(d_.schema, old_name_)) {}

  Conversion build(const std::vector<std::string>& taken, const Policy& policy);

 private:
  void step(std::string sql, LockMode lock) {
    steps_.push_back({.sql = std::move(sql), .lock = lock});
  }
  void all(std::vector<std::string> statements, LockMode lock) {
    for (std::string& sql : statements) step(std::move(sql), lock);
  }
  void each(std::string_view settings) {
    for (const std::string_view sql : split(settings, ';')) {
      step(std::string(trim(sql)), LockMode::None);
    }
  }
  void check(std::string sql, std::string failure) {
    steps_.push_back({.sql = std::move(sql), .check = true, .failure = std::move(failure)});
  }

  void mark(const IndexTraits& traits, const std::string& index) {
    all(comment_index(traits, qualified(d_.schema, index)), LockMode::ShareUpdateExclusive);
    all(mark_index(traits, qualified(d_.schema, index)), LockMode::ShareUpdateExclusive);
  }

  void move_away();
  void copy_rows();
  void add_constraints();
  void add_indexes();
  void move_sequences();
  void add_rest();
  void finish();
  std::vector<std::string> undo() const;

  std::vector<std::string> names_wanted() const;
  bool has_identity_always() const;

  const Definition& d_;
  const Proposal& p_;
  const ConvertOptions& options_;
  std::string table_;
  std::string old_name_;
  std::string old_;
  std::vector<Step> steps_;
  Conversion out_;
};

bool Builder::has_identity_always() const {
  return std::ranges::any_of(d_.columns, [](const Column& c) { return c.identity == "a"; });
}

std::vector<std::string> Builder::names_wanted() const {
  std::vector<std::string> out{old_name_};
  for (const std::string& index : index_names(d_)) out.push_back(name_with(index, "_old"));
  for (const Column& column : d_.columns) {
    if (!column.identity.empty()) out.push_back(name_with(column.sequence_name, "_old"));
  }
  for (const Slice& slice : p_.slices) out.push_back(slice.name);
  return out;
}

// Frees the old names, so that the catalogs' own definitions can be used word for word.
void Builder::move_away() {
  all(locks_of_followers(d_.followers), LockMode::AccessExclusive);
  step(cat("LOCK TABLE ", table_, " IN ACCESS EXCLUSIVE MODE"), LockMode::AccessExclusive);
  // Now rather than after the copy, when a busy table could still spoil everything, or deadlock.
  std::vector<std::string> referenced;
  for (const Constraint& constraint : d_.constraints) {
    if (constraint.kind != "f" || contains(referenced, constraint.references)) continue;
    referenced.push_back(constraint.references);
    step(cat("LOCK TABLE ", constraint.references, " IN SHARE ROW EXCLUSIVE MODE"),
         LockMode::ShareRowExclusive);
    out_.changes.push_back(cat("during the conversion writers of ", constraint.references,
                               " wait, because a foreign key of the table points to it"));
  }
  each(reshape::kPlainTexts);
  step(std::string(kNoOldSnapshot), LockMode::None);
  if (!d_.fingerprint.empty()) {
    check(unchanged_sql(d_),
          cat(table_, " has changed since the conversion was planned; plan it again"));
  }
  // What CHECKs say of rows may depend on the zone.
  each(reshape::kTextsAsEver);
  step("SET LOCAL search_path = ''", LockMode::None);
  for (const std::string& index : index_names(d_)) {
    step(cat("ALTER INDEX ", qualified(d_.schema, index), " RENAME TO ",
             ident(name_with(index, "_old"))),
         LockMode::ShareUpdateExclusive);
  }
  for (const Column& column : d_.columns) {
    if (column.identity.empty()) continue;
    step(cat("ALTER SEQUENCE ", column.sequence, " RENAME TO ",
             ident(name_with(column.sequence_name, "_old"))),
         LockMode::AccessExclusive);
  }
  all(rename_statistics(d_, "", "_old"), LockMode::None);
  step(cat("ALTER TABLE ", table_, " RENAME TO ", ident(old_name_)), LockMode::AccessExclusive);
}

void Builder::copy_rows() {
  const std::string columns = column_list(stored_columns(d_));
  step(cat("INSERT INTO ", table_, " (", columns, ")",
           has_identity_always() ? " OVERRIDING SYSTEM VALUE" : "", " SELECT ", columns,
           " FROM ONLY ", old_),
       LockMode::RowExclusive);
  check(cat("SELECT a = b FROM (", digest_sql(cat("ONLY ", old_)), ") a, (", digest_sql(table_),
            ") b"),
        cat("the rows in the partitions are not those of ", old_));
}

void Builder::add_constraints() {
  for (const Constraint& constraint : d_.constraints) {
    step(cat("ALTER TABLE ", table_, " ADD CONSTRAINT ", ident(constraint.name), " ",
             constraint_definition(constraint, p_.key())),
         constraint.kind == "f" ? LockMode::ShareRowExclusive : LockMode::AccessExclusive);
    if (!constraint.comment.empty()) {
      step(cat("COMMENT ON CONSTRAINT ", ident(constraint.name), " ON ", table_, " IS ",
               literal(constraint.comment)),
           LockMode::ShareUpdateExclusive);
    }
    mark(constraint.traits, constraint.index);
  }
}

void Builder::add_indexes() {
  for (const Index& index : d_.indexes) {
    step(index_on(index, table_, index.name, table_), LockMode::Share);
    mark(index.traits, index.name);
  }
}

// A serial's sequence changes its owner; an identity has a new one that goes on where the old was.
void Builder::move_sequences() {
  for (const Column& column : d_.columns) {
    if (column.sequence.empty()) continue;
    if (column.identity.empty()) {
      step(cat("ALTER SEQUENCE ", column.sequence, " OWNED BY ", table_, ".", ident(column.name)),
           LockMode::ShareRowExclusive);
      continue;
    }
    const size_t bare = column.sequence.size() - ident(column.sequence_name).size();
    const std::string old_sequence =
        cat(column.sequence.substr(0, bare), ident(name_with(column.sequence_name, "_old")));
    step(cat("SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence(", literal(table_), ", ",
             literal(column.name), "), last_value, is_called) FROM ", old_sequence),
         LockMode::RowExclusive);
  }
}

void Builder::add_rest() {
  all(create_triggers(d_), LockMode::ShareRowExclusive);
  const auto same = [](const Statistics& one) { return one.name; };
  all(create_statistics(d_, table_, same), LockMode::ShareUpdateExclusive);
  all(create_slice_statistics(d_, p_), LockMode::ShareUpdateExclusive);
  for (const Column& column : d_.columns) {
    all(column.sequence_rest, LockMode::None);
  }
  if (!d_.comment.empty()) {
    step(cat("COMMENT ON TABLE ", table_, " IS ", literal(d_.comment)),
         LockMode::ShareUpdateExclusive);
  }
  all(d_.grants, LockMode::None);
  all(follow(d_.followers, old_), LockMode::AccessExclusive);
  // Default privileges may have added rights that the old table did not give.
  check(same_rights(old_, table_),
        cat("the rights on the new table would not be those of the old one; look at its owner's "
            "own rights and at ALTER DEFAULT PRIVILEGES"));
  if (d_.owned) return;
  const std::string owner = cat(" OWNER TO ", ident(d_.owner));
  for (const Slice& slice : p_.slices) {
    step(cat("ALTER TABLE ", qualified(d_.schema, slice.name), owner), LockMode::AccessExclusive);
  }
}

void Builder::finish() {
  step(std::string(kNoOldSnapshot), LockMode::None);
  if (options_.drop_old) {
    step(cat("DROP TABLE ", old_), LockMode::AccessExclusive);
    out_.changes.push_back("the old table is dropped: the conversion cannot be undone");
  } else {
    out_.old_table = old_;
    out_.changes.push_back(cat("the old table stays as ", old_,
                               " with all its rows, until DROP "
                               "TABLE ",
                               old_));
  }
}

// Takes the rows back as they are then, so that nothing written after the conversion is lost.
std::vector<std::string> Builder::undo() const {
  const std::string columns = column_list(stored_columns(d_));
  std::vector<std::string> out = locks_of_followers(d_.followers);
  out.push_back(cat("LOCK TABLE ", table_, ", ", old_, " IN ACCESS EXCLUSIVE MODE"));
  out.push_back(cat("TRUNCATE ", old_));
  out.push_back(cat("INSERT INTO ", old_, " (", columns, ")",
                    has_identity_always() ? " OVERRIDING SYSTEM VALUE" : "", " SELECT ", columns,
                    " FROM ", table_));
  for (const Column& column : d_.columns) {
    if (column.sequence.empty()) continue;
    if (column.identity.empty()) {
      out.push_back(
          cat("ALTER SEQUENCE ", column.sequence, " OWNED BY ", old_, ".", ident(column.name)));
    } else {
      out.push_back(cat("SELECT setval(pg_get_serial_sequence(", literal(old_), ", ",
                        literal(column.name), "), last_value, is_called) FROM ", column.sequence));
    }
  }
  const std::string away = name_with(d_.name, "_new");
  out.push_back(cat("ALTER TABLE ", table_, " RENAME TO ", ident(away)));
  out.push_back(cat("ALTER TABLE ", old_, " RENAME TO ", ident(d_.name)));
  append(out, follow_back(d_.followers, qualified(d_.schema, away)));
  out.push_back(cat("DROP TABLE ", qualified(d_.schema, away)));
  append(out, rename_statistics(d_, "_old", ""));
  for (const std::string& index : index_names(d_)) {
    out.push_back(cat("ALTER INDEX ", qualified(d_.schema, name_with(index, "_old")), " RENAME TO ",
                      ident(index)));
  }
  for (const Column& column : d_.columns) {
    if (column.identity.empty()) continue;
    const size_t bare = column.sequence.size() - ident(column.sequence_name).size();
    out.push_back(cat("ALTER SEQUENCE ", column.sequence.substr(0, bare),
                      ident(name_with(column.sequence_name, "_old")), " RENAME TO ",
                      ident(column.sequence_name)));
  }
  return out;
}

Conversion Builder::build(const std::vector<std::string>& taken, const Policy& policy) {
  out_.definition = d_;
  out_.proposal = p_;
  Examined examined = examine(d_, p_, options_, policy);
  examine_whole(d_, examined);
  examine_names(d_, names_wanted(), taken, examined);
  out_.refusals = std::move(examined.refusals);
  out_.changes = std::move(examined.changes);
  care::Action& action = out_.action;
  action.kind = "partition";
  action.object = table_;
  if (!out_.refusals.empty()) return std::move(out_);
  move_away();
  step(create_like(d_, p_, table_, old_), LockMode::AccessShare);
  all(alter_columns(d_, table_), LockMode::AccessExclusive);
  if (!d_.owned) {
    step(cat("ALTER TABLE ", table_, " OWNER TO ", ident(d_.owner)), LockMode::AccessExclusive);
  }
  all(create_slices(d_, p_, table_), LockMode::AccessExclusive);
  copy_rows();
  add_constraints();
  add_indexes();
  move_sequences();
  add_rest();
  finish();
  action.steps = std::move(steps_);
  action.verify_sql =
      cat("select exists (select from pg_class where oid = to_regclass(", literal(table_),
          ") and relkind = 'p') and (select count(*) from "
          "pg_inherits where inhparent = to_regclass(",
          literal(table_), ")) >= ", p_.slices.size());
  if (!options_.drop_old) action.undo = undo();
  action.undo_in_transaction = true;
  action.expected_seconds = d_.rows / kRowsPerSecond;
  action.extra_disk = d_.heap + d_.index_bytes;
  action.wal = d_.heap + d_.index_bytes;
  return std::move(out_);
}

}  // namespace

Conversion plan_conversion(const Definition& definition, const Proposal& proposal,
                           const ConvertOptions& options, const std::vector<std::string>& taken,
                           const Policy& policy) {
  return Builder(definition, proposal, options).build(taken, policy);
}

}  // namespace pgtend::partition
