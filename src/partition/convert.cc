// A table becomes a partitioned one while it is locked: the plan, as pure functions.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "partition/names.h"
#include "partition/partition.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

using care::LockMode;
using care::Step;
using pg::ident;
using pg::literal;
using pg::qualified;

constexpr int kCompressionSince = 140000;
constexpr double kRowsPerSecond = 150'000;  // copied, hashed twice and indexed, on two small cores

std::string list(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) out.push_back(ident(name));
  return join(out, ", ");
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

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
  void refuse(std::string reason) { out_.refusals.push_back(std::move(reason)); }
  void step(std::string sql, LockMode lock) {
    steps_.push_back({.sql = std::move(sql), .lock = lock});
  }
  void check(std::string sql, std::string failure) {
    steps_.push_back({.sql = std::move(sql), .check = true, .failure = std::move(failure)});
  }

  void examine_key();
  void examine_uniques();
  void examine_names(const std::vector<std::string>& taken);
  void examine_size(const Policy& policy);

  void move_away();
  void create();
  void create_partitions();
  void copy_rows();
  void add_constraints();
  void add_indexes();
  void move_sequences();
  void add_rest();
  void finish();
  std::vector<std::string> undo() const;

  std::string constraint_definition(const Constraint& constraint) const;
  std::vector<std::string> own_indexes() const;
  std::vector<std::string> copied_columns() const;
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

void Builder::examine_key() {
  const Column* key = d_.column(p_.column);
  if (key == nullptr) return refuse(cat("it has no column ", ident(p_.column)));
  if (!key->not_null) {
    refuse(cat("column ", ident(p_.column), " may be null: ALTER TABLE ", table_, " ALTER COLUMN ",
               ident(p_.column), " SET NOT NULL first"));
  }
  if (key->generated) {
    refuse(cat("column ", ident(p_.column),
               " is generated, which a partition key cannot be: choose another column"));
  }
  if (key->type != "date" && !key->type.starts_with("timestamp")) {
    refuse(cat("column ", ident(p_.column), " is of type ", key->type,
               "; only date and timestamp keys have calendar partitions"));
  }
}

void Builder::examine_uniques() {
  for (const Constraint& constraint : d_.constraints) {
    if (constraint.kind == "f" || contains(constraint.columns, p_.column)) continue;
    const std::string what = cat(constraint.kind == "p" ? "primary key " : "unique constraint ",
                                 ident(constraint.name), " (", list(constraint.columns), ")");
    if (constraint.includes) {
      refuse(cat(what, " has INCLUDE columns and lacks the partition key: replace it first"));
    } else if (constraint.kind == "u" && !options_.widen_unique) {
      refuse(cat(what, " lacks the partition key ", ident(p_.column),
                 ": drop it first, or allow it to be widened, which makes only pairs unique"));
    } else {
      out_.changes.push_back(cat(what, " becomes (", list(constraint.columns), ", ",
                                 ident(p_.column),
                                 "): the server then keeps only these pairs "
                                 "unique, not ",
                                 list(constraint.columns),
                                 " alone; "
                                 "ON CONFLICT and joins that rely on it must name both"));
    }
  }
  for (const Index& index : d_.indexes) {
    if (index.unique && !contains(index.columns, p_.column)) {
      refuse(cat("unique index ", ident(index.name), " lacks the partition key ", ident(p_.column),
                 ": drop it or make it an ordinary index first"));
    }
  }
}

std::vector<std::string> Builder::own_indexes() const {
  std::vector<std::string> names;
  for (const Constraint& constraint : d_.constraints) {
    if (!constraint.index.empty()) names.push_back(constraint.index);
  }
  for (const Index& index : d_.indexes) names.push_back(index.name);
  return names;
}

void Builder::examine_names(const std::vector<std::string>& taken) {
  std::vector<std::string> wanted{old_name_};
  for (const std::string& index : own_indexes()) wanted.push_back(name_with(index, "_old"));
  for (const Column& column : d_.columns) {
    if (!column.identity.empty()) wanted.push_back(name_with(column.sequence_name, "_old"));
  }
  for (const Slice& slice : p_.slices) wanted.push_back(slice.name);
  std::ranges::sort(wanted);
  for (size_t i = 1; i < wanted.size(); ++i) {
    if (wanted[i] == wanted[i - 1]) {
      refuse(cat("two new relations would be called ", ident(wanted[i]),
                 ": shorten the name of the table or its indexes first"));
    }
  }
  for (const std::string& name : wanted) {
    if (contains(taken, name)) {
      refuse(cat("there is a relation ", qualified(d_.schema, name),
                 " already: drop or rename it first"));
    }
  }
}

void Builder::examine_size(const Policy& policy) {
  const auto count = static_cast<int64_t>(p_.slices.size());
  if (count == 0) return refuse("there is nothing to divide into");
  if (count > policy.partitions_max) {
    refuse(cat(count, " partitions are more than ", policy.partitions_max,
               ": choose a wider interval"));
  }
  const int64_t locks = count * static_cast<int64_t>(2 + own_indexes().size());
  if (d_.locks_max > 0 && locks > d_.locks_max * 8 / 10) {
    refuse(cat("one transaction would need about ", grouped(locks), " locks and the server has ",
               grouped(d_.locks_max),
               ": raise max_locks_per_transaction, or choose a wider interval"));
  }
}

bool Builder::has_identity_always() const {
  return std::ranges::any_of(d_.columns, [](const Column& c) { return c.identity == "a"; });
}

std::vector<std::string> Builder::copied_columns() const {
  std::vector<std::string> names;
  for (const Column& column : d_.columns) {
    if (!column.generated) names.push_back(column.name);
  }
  return names;
}

// Frees the old names, so that the catalogs' own definitions can be used word for word.
void Builder::move_away() {
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
  step("SET LOCAL search_path = ''", LockMode::None);
  step(std::string(kNoOldSnapshot), LockMode::None);
  if (!d_.fingerprint.empty()) {
    check(cat("SELECT (", fingerprint_sql(table_), ") = ", literal(d_.fingerprint)),
          cat(table_, " has changed since the conversion was planned; plan it again"));
  }
  for (const std::string& index : own_indexes()) {
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
  step(cat("ALTER TABLE ", table_, " RENAME TO ", ident(old_name_)), LockMode::AccessExclusive);
}

void Builder::create() {
  std::string like = cat("LIKE ", old_,
                         " INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED"
                         " INCLUDING IDENTITY INCLUDING STORAGE INCLUDING STATISTICS"
                         " INCLUDING COMMENTS");
  if (d_.version >= kCompressionSince) like += " INCLUDING COMPRESSION";
  std::string sql =
      cat("CREATE TABLE ", table_, " (", like, ") PARTITION BY RANGE (", ident(p_.column), ")");
  if (!d_.tablespace.empty()) sql += cat(" TABLESPACE ", ident(d_.tablespace));
  step(std::move(sql), LockMode::AccessShare);
  for (const Column& column : d_.columns) {
    for (const std::string& change : column.alter) {
      step(cat("ALTER TABLE ", table_, " ALTER COLUMN ", ident(column.name), " ", change),
           LockMode::AccessExclusive);
    }
  }
}

void Builder::create_partitions() {
  std::string with;
  if (!d_.options.empty()) {
    std::vector<std::string> options;
    for (const std::string& option : d_.options) {
      const size_t equals = option.find('=');
      const std::string_view name = std::string_view(option).substr(0, equals);
      const bool toast = name.starts_with("toast.");
      options.push_back(cat(toast ? "toast." : "", ident(toast ? name.substr(6) : name), " = ",
                            literal(std::string_view(option).substr(equals + 1))));
    }
    with = cat(" WITH (", join(options, ", "), ")");
  }
  const std::string space = d_.tablespace.empty() ? "" : cat(" TABLESPACE ", ident(d_.tablespace));
  for (const Slice& slice : p_.slices) {
    step(cat("CREATE TABLE ", qualified(d_.schema, slice.name), " PARTITION OF ", table_,
             " FOR VALUES FROM (", literal(slice.from), ") TO (", literal(slice.to), ")", with,
             space),
         LockMode::AccessExclusive);
  }
}

void Builder::copy_rows() {
  const std::string columns = list(copied_columns());
  step(cat("INSERT INTO ", table_, " (", columns, ")",
           has_identity_always() ? " OVERRIDING SYSTEM VALUE" : "", " SELECT ", columns,
           " FROM ONLY ", old_),
       LockMode::RowExclusive);
  const auto digest = [](const std::string& from) {
    return cat(
        "SELECT count(*) AS n, coalesce(sum(hashtextextended((x.*)::text, 0)), 0) AS h,"
        " coalesce(sum(hashtextextended((x.*)::text, 1)), 0) AS i FROM ",
        from, " x");
  };
  check(cat("SELECT a = b FROM (", digest(cat("ONLY ", old_)), ") a, (", digest(table_), ") b"),
        cat("the rows in the partitions are not those of ", old_));
}

std::string Builder::constraint_definition(const Constraint& constraint) const {
  if (constraint.kind == "f" || contains(constraint.columns, p_.column)) {
    return constraint.definition;
  }
  return cat(constraint.kind == "p" ? "PRIMARY KEY (" : "UNIQUE (", list(constraint.columns), ", ",
             ident(p_.column), ")", constraint.options);
}

void Builder::add_constraints() {
  for (const Constraint& constraint : d_.constraints) {
    step(cat("ALTER TABLE ", table_, " ADD CONSTRAINT ", ident(constraint.name), " ",
             constraint_definition(constraint)),
         constraint.kind == "f" ? LockMode::ShareRowExclusive : LockMode::AccessExclusive);
    if (!constraint.comment.empty()) {
      step(cat("COMMENT ON CONSTRAINT ", ident(constraint.name), " ON ", table_, " IS ",
               literal(constraint.comment)),
           LockMode::ShareUpdateExclusive);
    }
  }
}

void Builder::add_indexes() {
  for (const Index& index : d_.indexes) {
    step(index.definition, LockMode::Share);
    if (!index.comment.empty()) {
      step(cat("COMMENT ON INDEX ", qualified(d_.schema, index.name), " IS ",
               literal(index.comment)),
           LockMode::ShareUpdateExclusive);
    }
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
  for (const std::string& trigger : d_.triggers) step(trigger, LockMode::ShareRowExclusive);
  if (!d_.comment.empty()) {
    step(cat("COMMENT ON TABLE ", table_, " IS ", literal(d_.comment)),
         LockMode::ShareUpdateExclusive);
  }
  for (const std::string& grant : d_.grants) step(grant, LockMode::None);
  // Default privileges may have added rights that the old table did not give.
  const auto rights = [](const std::string& table) {
    const std::string oid = cat("pg_catalog.to_regclass(", literal(table), ")");
    return cat(
        "(SELECT pg_catalog.array_agg(r ORDER BY r) FROM (SELECT g.grantee || ' ' ||"
        " g.privilege_type || ' ' || g.is_grantable AS r FROM pg_catalog.pg_class c,"
        " pg_catalog.aclexplode(coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner)))"
        " g WHERE c.oid = ",
        oid, ") x)");
  };
  check(cat("SELECT ", rights(old_), " IS NOT DISTINCT FROM ", rights(table_)),
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
  const std::string columns = list(copied_columns());
  std::vector<std::string> out;
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
  out.push_back(cat("DROP TABLE ", table_));
  out.push_back(cat("ALTER TABLE ", old_, " RENAME TO ", ident(d_.name)));
  for (const std::string& index : own_indexes()) {
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
  out_.refusals = d_.refusals;
  examine_key();
  examine_uniques();
  examine_names(taken);
  examine_size(policy);
  care::Action& action = out_.action;
  action.kind = "partition";
  action.object = table_;
  if (!out_.refusals.empty()) return std::move(out_);
  move_away();
  create();
  if (!d_.owned) {
    step(cat("ALTER TABLE ", table_, " OWNER TO ", ident(d_.owner)), LockMode::AccessExclusive);
  }
  create_partitions();
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
