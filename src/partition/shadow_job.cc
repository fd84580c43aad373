#include "partition/shadow_job.h"

#include <algorithm>

#include "base/text.h"
#include "partition/integers.h"
#include "partition/names.h"
#include "partition/statements.h"

namespace pgtend::partition {
namespace {

using care::LockMode;
using pg::ident;
using pg::literal;
using reshape::Make;

constexpr int kForeignKeyNotValidOnParents = 180000;

std::string leaf_index(const Definition& d, const Slice& leaf, const std::string& index) {
  return name_of_part(leaf.name, d.name, index);
}

std::string exists_sql(const std::string& relation) {
  return cat("SELECT pg_catalog.to_regclass(", literal(relation), ") IS NOT NULL");
}

}  // namespace

ShadowBuilder::ShadowBuilder(const Definition& definition, const Proposal& proposal)
    : d_(definition),
      p_(proposal),
      job_(begin_job(definition, "_old")),
      table_(job_.table()),
      new_(job_.new_table()),
      old_(job_.old_table()) {}

bool ShadowBuilder::find_key() {
  job_.key = identifying_columns(d_);
  if (job_.key.empty()) return false;
  if (p_.method != Method::Range) add_partition_key();
  return true;
}

// So that a changed row is looked for in its partition alone. Without it, it is looked for in all.
void ShadowBuilder::add_partition_key() {
  for (const std::string& name : lacking(job_.key, p_.key())) {
    const Column* column = d_.column(name);
    if (column != nullptr && column->not_null && column->plain_equality) job_.key.push_back(name);
  }
}

std::vector<std::string> ShadowBuilder::names_wanted() const {
  std::vector<std::string> out{job_.shadow, job_.old};
  for (const std::string& index : index_names(d_)) {
    out.push_back(name_with(index, "_old"));
    out.push_back(name_with(index, "_new"));
    for (const Slice& slice : p_.slices) out.push_back(leaf_index(d_, slice, index));
  }
  for (const Column& column : d_.columns) {
    if (column.identity.empty()) continue;
    out.push_back(name_with(column.sequence_name, "_old"));
    out.push_back(name_with(column.sequence_name, "_new"));
  }
  for (const Slice& slice : p_.slices) out.push_back(slice.name);
  for (const char* own : {"ledger", "log", "back_log"}) out.push_back(job_.own_bare(own));
  return out;
}

void ShadowBuilder::rows() {
  job_.columns = stored_columns(d_);
  if (p_.method != Method::Range) {
    job_.leaves = {new_};  // the server finds the partition
    return;
  }
  job_.divider = p_.column;
  job_.divider_type = p_.type;
  const IntegerType* number = integer_type(p_.type);
  const std::string lowest = number != nullptr ? cat(number->low) : "-infinity";
  for (const Slice& slice : p_.slices) {
    job_.bounds.push_back(slice.from.empty() ? lowest : slice.from);
    job_.leaves.push_back(in_schema(slice.name));
  }
}

// One index on the parent alone, one on each leaf, put together: each a statement of its own, so
// that an interruption costs one of them.
void ShadowBuilder::build_index(const Divided& index) {
  const std::string parent = in_schema(name_with(index.name, "_new"));
  job_.build.push_back({.sql = index.on_parent, .done_sql = exists_sql(parent)});
  for (const Slice& slice : p_.slices) {
    const std::string name = leaf_index(d_, slice, index.name);
    job_.build.push_back({.sql = index.on_leaf(in_schema(slice.name), name),
                          .done_sql = exists_sql(in_schema(name))});
    job_.build.push_back(
        {.sql = cat("ALTER INDEX ", parent, " ATTACH PARTITION ", in_schema(name)),
         .done_sql = cat("SELECT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = "
                         "pg_catalog.to_regclass(",
                         literal(in_schema(name)), "))")});
  }
  for (std::string& sql : comment_index(index.traits, parent)) {
    job_.build.push_back({.sql = std::move(sql)});
  }
  for (std::string& sql : mark_index(index.traits, parent)) {
    job_.build.push_back({.sql = std::move(sql)});
  }
}

void ShadowBuilder::build_indexes() {
  for (const Constraint& constraint : d_.constraints) {
    if (constraint.kind == "f") continue;
    const std::string definition = constraint_definition(constraint, p_.key());
    const std::string on_parent = cat("ALTER TABLE ONLY ", new_, " ADD CONSTRAINT ",
                                      ident(name_with(constraint.index, "_new")), " ", definition);
    const auto on_leaf = [&](const std::string& leaf, const std::string& index) {
      return cat("ALTER TABLE ", leaf, " ADD CONSTRAINT ", ident(index), " ", definition);
    };
    build_index({.name = constraint.index,
                 .on_parent = on_parent,
                 .on_leaf = on_leaf,
                 .traits = constraint.traits});
    if (constraint.comment.empty()) continue;
    job_.build.push_back(
        {.sql = cat("COMMENT ON CONSTRAINT ", ident(name_with(constraint.index, "_new")), " ON ",
                    new_, " IS ", literal(constraint.comment))});
  }
  for (const Index& index : d_.indexes) {
    const auto on_leaf = [&](const std::string& leaf, const std::string& name) {
      return index_on(index, table_, name, leaf);
    };
    build_index(
        {.name = index.name,
         .on_parent = index_on(index, table_, name_with(index.name, "_new"), cat("ONLY ", new_)),
         .on_leaf = on_leaf,
         .traits = index.traits});
  }
  job_.build.push_back({.sql = cat("VACUUM (FREEZE, ANALYZE) ", new_), .alone = true});
}

std::vector<const Constraint*> ShadowBuilder::references() const {
  std::vector<const Constraint*> out;
  for (const Constraint& constraint : d_.constraints) {
    if (constraint.kind == "f") out.push_back(&constraint);
  }
  return out;
}

void ShadowBuilder::swap_names() {
  const auto rename = [&](std::string_view kind, const std::string& from, const std::string& to) {
    job_.swap.push_back(cat("ALTER ", kind, " ", in_schema(from), " RENAME TO ", ident(to)));
  };
  for (const Constraint* reference : references()) {
    job_.swap.push_back(cat("ALTER TABLE ", table_, " DROP CONSTRAINT ", ident(reference->name)));
  }
  if (!d_.triggers.empty()) {
    job_.swap.push_back(cat("ALTER TABLE ", table_, " DISABLE TRIGGER USER"));
  }
  for (const std::string& index : index_names(d_)) rename("INDEX", index, name_with(index, "_old"));
  rename("TABLE", d_.name, job_.old);
  rename("TABLE", job_.shadow, d_.name);
  for (const std::string& index : index_names(d_)) rename("INDEX", name_with(index, "_new"), index);
  for (const Column& column : d_.columns) {
    if (column.identity.empty()) continue;
    rename("SEQUENCE", column.sequence_name, name_with(column.sequence_name, "_old"));
    rename("SEQUENCE", name_with(column.sequence_name, "_new"), column.sequence_name);
    append(job_.swap, column.sequence_rest);
  }
  append(job_.swap, rename_statistics(d_, "", "_old"));
  append(job_.swap, rename_statistics(d_, "_new", ""));
}

// A serial's sequence changes its owner; an identity has a new one that goes on where the old was.
void ShadowBuilder::swap_sequences() {
  for (const Column& column : d_.columns) {
    if (column.sequence.empty()) continue;
    if (column.identity.empty()) {
      job_.swap.push_back(
          cat("ALTER SEQUENCE ", column.sequence, " OWNED BY ", table_, ".", ident(column.name)));
      job_.back.push_back(
          cat("ALTER SEQUENCE ", column.sequence, " OWNED BY ", old_, ".", ident(column.name)));
      continue;
    }
    const std::string now = in_schema(column.sequence_name);
    const std::string before = in_schema(name_with(column.sequence_name, "_old"));
    const auto go_on = [](const std::string& sequence, const std::string& from) {
      return cat("SELECT pg_catalog.setval(", literal(sequence), ", last_value, is_called) FROM ",
                 from);
    };
    job_.swap.push_back(go_on(now, before));
    job_.back.push_back(go_on(before, now));
  }
}

// Nothing may check the new table before it is in use: a row that is deleted from both tables in
// turn would be found in it. NOT VALID costs no scan; what is already there was checked where it
// comes from, and is checked again at leisure.
void ShadowBuilder::swap_references() {
  for (const Constraint* reference : references()) {
    const std::string name = ident(reference->name);
    const auto add = [&](const std::string& table) {
      return cat("ALTER TABLE ", table, " ADD CONSTRAINT ", name, " ", reference->definition);
    };
    const auto validate = [&](const std::string& table) {
      return Make{.sql = cat("ALTER TABLE ", table, " VALIDATE CONSTRAINT ", name),
                  .lock = LockMode::ShareUpdateExclusive};
    };
    const bool on_parent = d_.version >= kForeignKeyNotValidOnParents;
    if (on_parent) {
      job_.swap.push_back(cat(add(table_), " NOT VALID"));
      job_.after.push_back(validate(table_));
    } else {
      for (const Slice& slice : p_.slices) {
        const std::string leaf = in_schema(slice.name);
        job_.swap.push_back(cat(add(leaf), " NOT VALID"));
        job_.after.push_back(validate(leaf));
      }
      // Takes over those of the leaves, without reading a row.
      job_.after.push_back(
          {.sql = add(table_),
           .lock = LockMode::ShareRowExclusive,
           .done_sql = cat("SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conname = ",
                           literal(reference->name), " AND conrelid = pg_catalog.to_regclass(",
                           literal(table_), "))")});
    }
    if (!reference->comment.empty()) {
      job_.after.push_back({.sql = cat("COMMENT ON CONSTRAINT ", name, " ON ", table_, " IS ",
                                       literal(reference->comment)),
                            .lock = LockMode::ShareUpdateExclusive});
    }
    job_.after_back.push_back(validate(table_));
  }
}

void ShadowBuilder::back() {
  std::vector<std::string>& out = job_.back;  // sequences stand there already
  out.push_back(cat("ALTER TABLE ", table_, " RENAME TO ", ident(job_.shadow)));
  out.push_back(cat("ALTER TABLE ", old_, " RENAME TO ", ident(d_.name)));
  append(out, follow_back(d_.followers, new_));
  out.push_back(cat("DROP TABLE ", new_));
  append(out, rename_statistics(d_, "_old", ""));
  for (const std::string& index : index_names(d_)) {
    out.push_back(
        cat("ALTER INDEX ", in_schema(name_with(index, "_old")), " RENAME TO ", ident(index)));
  }
  for (const Column& column : d_.columns) {
    if (column.identity.empty()) continue;
    out.push_back(cat("ALTER SEQUENCE ", in_schema(name_with(column.sequence_name, "_old")),
                      " RENAME TO ", ident(column.sequence_name)));
  }
  if (!d_.triggers.empty()) {
    out.push_back(cat("ALTER TABLE ", table_, " ENABLE TRIGGER USER"));
    append(out, state_triggers(d_));
  }
  for (const Constraint* reference : references()) {
    out.push_back(cat("ALTER TABLE ", table_, " ADD CONSTRAINT ", ident(reference->name), " ",
                      reference->definition, " NOT VALID"));
    if (reference->comment.empty()) continue;
    out.push_back(cat("COMMENT ON CONSTRAINT ", ident(reference->name), " ON ", table_, " IS ",
                      literal(reference->comment)));
  }
}

// A partition leaves its place and the new table takes it. The bound as a CHECK, of the new table
// while it is empty, of the old one before it comes back, spares the server to read the rows.
void ShadowBuilder::seat() {
  const std::string check = ident(job_.own_bare("range"));
  const auto add = [&](const std::string& table) {
    return cat("ALTER TABLE ", table, " ADD CONSTRAINT ", check, " CHECK (", d_.seat.check, ")");
  };
  const auto drop = [&]() {
    return Make{.sql = cat("ALTER TABLE ", table_, " DROP CONSTRAINT IF EXISTS ", check),
                .lock = LockMode::AccessExclusive};
  };
  const std::string leave = cat("ALTER TABLE ", d_.seat.parent, " DETACH PARTITION ", table_);
  const std::string take =
      cat("ALTER TABLE ", d_.seat.parent, " ATTACH PARTITION ", table_, " ", d_.seat.bound);
  job_.create.push_back(add(new_));
  // As its readers do, who find it through the parent.
  job_.lock_first.push_back(cat("LOCK TABLE ONLY ", d_.seat.parent, " IN ACCESS EXCLUSIVE MODE"));
  job_.swap.insert(job_.swap.begin(), leave);
  job_.swap.push_back(take);
  job_.after.push_back(drop());
  job_.before_back.push_back({.sql = cat(add(old_), " NOT VALID"),
                              .done_sql = constraint_sql(old_, job_.own_bare("range"))});
  job_.before_back.push_back({.sql = cat("ALTER TABLE ", old_, " VALIDATE CONSTRAINT ", check)});
  job_.back.insert(job_.back.begin(), leave);
  job_.back.push_back(take);
  job_.after_back.push_back(drop());
}

reshape::Job ShadowBuilder::build() {
  rows();
  job_.create = create_new(d_, p_, table_, new_);
  build_indexes();
  swap_names();
  swap_sequences();
  swap_references();
  append(job_.swap, create_triggers(d_));
  job_.lock_first = locks_of_followers(d_.followers);
  append(job_.swap, follow(d_.followers, old_));
  back();
  if (d_.seated()) seat();
  job_.unchanged_sql = unchanged_sql(d_);
  job_.refusals_sql = refusals_sql(d_.oid, d_.version);
  job_.equal_sql = returnable_sql(d_, old_);
  return std::move(job_);
}

}  // namespace pgtend::partition
