#include "partition/instant.h"

#include "base/text.h"
#include "partition/names.h"
#include "partition/statements.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

using care::LockMode;
using pg::ident;
using pg::literal;

// The name of an index of the table once the table is a partition.
std::string legacy_index_name(const Definition& d, const std::string& index) {
  return index.starts_with(d.name) ? name_of_part(name_with(d.name, "_legacy"), d.name, index)
                                   : name_with(index, "_legacy");
}

// For format(): a % of a name is a %.
std::string no_format(const std::string& name) {
  std::string out;
  for (const char c : name) out += c == '%' ? std::string("%%") : std::string(1, c);
  return out;
}

std::string valid_sql(const std::string& index) {
  return cat(
      "SELECT EXISTS (SELECT FROM pg_catalog.pg_index WHERE indexrelid = "
      "pg_catalog.to_regclass(",
      literal(index), ") AND indisvalid)");
}

}  // namespace

std::string instant_cutoff(const Proposal& proposal, int ahead) {
  const auto slices = static_cast<int>(proposal.slices.size());
  // Where the type ends there are fewer.
  if (proposal.step > 0 && slices > 0 && proposal.slices.back().to.empty()) return "";
  const int first = slices - ahead + kInstantReserve;
  return ahead > kInstantReserve && first >= 0 && first < slices
             ? proposal.slices[static_cast<size_t>(first)].from
             : "";
}

InstantBuilder::InstantBuilder(const Definition& definition, const Proposal& proposal)
    : d_(definition),
      p_(proposal),
      job_(begin_job(definition, "_legacy")),
      table_(job_.table()),
      new_(job_.new_table()),
      legacy_(job_.old_table()),
      cutoff_(proposal.slices.empty() ? "" : proposal.slices.front().from) {
  job_.copies = false;
}

std::string InstantBuilder::legacy() const { return legacy_; }
std::string InstantBuilder::in_schema(const std::string& name) const {
  return pg::qualified(d_.schema, name);
}

std::vector<const Constraint*> InstantBuilder::uniques() const {
  std::vector<const Constraint*> out;
  for (const Constraint& constraint : d_.constraints) {
    if (constraint.kind != "f" && !contains(constraint.columns, p_.column)) {
      out.push_back(&constraint);
    }
  }
  return out;
}

std::string InstantBuilder::widened(const Constraint& constraint) const {
  return job_.own_bare(cat("wide_", &constraint - d_.constraints.data()));
}

std::string InstantBuilder::narrow(const Constraint& constraint) const {
  return job_.own_bare(cat("narrow_", &constraint - d_.constraints.data()));
}

std::vector<std::string> InstantBuilder::names_wanted() const {
  std::vector<std::string> out{job_.shadow, job_.old, job_.own_bare("ledger")};
  for (const std::string& index : index_names(d_)) {
    out.push_back(legacy_index_name(d_, index));
    out.push_back(name_with(index, "_new"));
  }
  for (const Column& column : d_.columns) {
    if (!column.identity.empty()) out.push_back(name_with(column.sequence_name, "_new"));
  }
  for (const Slice& slice : p_.slices) out.push_back(slice.name);
  return out;
}

// What the table needs so that ATTACH neither reads it nor builds anything.
void InstantBuilder::prepare_table() {
  const std::string check = job_.own_bare("range");
  for (const Constraint* constraint : uniques()) {
    const std::string index = in_schema(widened(*constraint));
    std::vector<std::string> columns = constraint->columns;
    columns.push_back(p_.column);
    job_.build.push_back({.sql = unique_index(*constraint, widened(*constraint), table_, columns),
                          .lock = LockMode::ShareUpdateExclusive,
                          .alone = true,
                          .done_sql = valid_sql(index),
                          .creates = index});
    job_.abort.push_back(cat("DROP INDEX IF EXISTS ", index));
  }
  const std::string reached =
      p_.step == 0 ? std::string("pg_catalog.now()")
                   : cat("(SELECT pg_catalog.max(", ident(p_.column), ") FROM ONLY ", table_, ")");
  job_.build.push_back(
      {.sql = cat("DO ", literal(cat("BEGIN IF ", reached, " >= ", literal(cutoff_), "::", p_.type,
                                     " THEN RAISE 'the bound of the conversion has passed: pgtend "
                                     "partition abort, then plan it anew, with more --ahead'; END "
                                     "IF; END")))});
  // Written in the key's own type, or it would prove nothing.
  job_.build.push_back(
      {.sql = cat("ALTER TABLE ", table_, " ADD CONSTRAINT ", ident(check), " CHECK (",
                  ident(p_.column), " IS NOT NULL AND ", ident(p_.column), " < ", literal(cutoff_),
                  "::", p_.type, ") NOT VALID"),
       .lock = LockMode::AccessExclusive,
       .done_sql = constraint_sql(table_, check)});
  job_.build.push_back({.sql = cat("ALTER TABLE ", table_, " VALIDATE CONSTRAINT ", ident(check)),
                        .lock = LockMode::ShareUpdateExclusive,
                        .done_sql = constraint_sql(table_, check, " AND convalidated")});
  job_.abort.push_back(cat("ALTER TABLE ", table_, " DROP CONSTRAINT IF EXISTS ", ident(check)));
}

// The parent has its keys, indexes and foreign keys before there is a row.
void InstantBuilder::create() {
  job_.create = create_new(d_, p_, table_, new_);
  std::vector<std::string>& out = job_.create;
  for (const Index& index : d_.indexes) {
    const std::string name = name_with(index.name, "_new");
    out.push_back(index_on(index, table_, name, new_));
    append(out, comment_index(index.traits, in_schema(name)));
    append(out, mark_index(index.traits, in_schema(name)));
  }
  // Foreign keys stand last among them: the tables they point to are locked until the end.
  for (const Constraint& constraint : d_.constraints) {
    const std::string name =
        constraint.kind == "f" ? constraint.name : name_with(constraint.index, "_new");
    out.push_back(cat("ALTER TABLE ", new_, " ADD CONSTRAINT ", ident(name), " ",
                      constraint_definition(constraint, p_.key())));
    if (constraint.kind != "f") {
      append(out, comment_index(constraint.traits, in_schema(name)));
      append(out, mark_index(constraint.traits, in_schema(name)));
    }
    if (constraint.comment.empty()) continue;
    out.push_back(cat("COMMENT ON CONSTRAINT ", ident(name), " ON ", new_, " IS ",
                      literal(constraint.comment)));
  }
}

// Sequences go on where they are; a partition has no identity of its own from 17 on.
void InstantBuilder::swap_columns() {
  for (const Column& column : d_.columns) {
    if (column.sequence.empty()) continue;
    if (column.identity.empty()) {
      job_.swap.push_back(
          cat("ALTER SEQUENCE ", column.sequence, " OWNED BY ", table_, ".", ident(column.name)));
      continue;
    }
    const std::string fresh = in_schema(name_with(column.sequence_name, "_new"));
    job_.swap.push_back(cat("SELECT pg_catalog.setval(", literal(fresh),
                            ", last_value, is_called) FROM ", column.sequence));
    job_.swap.push_back(
        cat("ALTER TABLE ", legacy_, " ALTER COLUMN ", ident(column.name), " DROP IDENTITY"));
    job_.swap.push_back(cat("ALTER SEQUENCE ", fresh, " RENAME TO ", ident(column.sequence_name)));
    append(job_.swap, column.sequence_rest);
  }
  append(job_.swap, rename_statistics(d_, "", "_legacy"));
  append(job_.swap, rename_statistics(d_, "_new", ""));
}

void InstantBuilder::swap() {
  std::vector<std::string>& out = job_.swap;
  // A partition has its parent's row triggers, and would fire its own besides.
  for (const Trigger& trigger : d_.triggers) {
    out.push_back(cat("DROP TRIGGER ", ident(trigger.name), " ON ", table_));
  }
  const auto rename = [&](std::string_view kind, const std::string& from, const std::string& to) {
    out.push_back(cat("ALTER ", kind, " ", in_schema(from), " RENAME TO ", ident(to)));
  };
  rename("TABLE", d_.name, job_.old);
  rename("TABLE", job_.shadow, d_.name);
  for (const Constraint* constraint : uniques()) {
    out.push_back(cat("ALTER TABLE ", legacy_, " DROP CONSTRAINT ", ident(constraint->name)));
    out.push_back(cat("ALTER TABLE ", legacy_, " ADD CONSTRAINT ",
                      ident(legacy_index_name(d_, constraint->index)),
                      constraint->kind == "p" ? " PRIMARY KEY" : " UNIQUE", " USING INDEX ",
                      ident(widened(*constraint)), constraint->options));
  }
  for (const Constraint& constraint : d_.constraints) {
    if (constraint.kind == "f") continue;
    if (contains(constraint.columns, p_.column)) {
      rename("INDEX", constraint.index, legacy_index_name(d_, constraint.index));
    }
    rename("INDEX", name_with(constraint.index, "_new"), constraint.index);
  }
  for (const Index& index : d_.indexes) {
    rename("INDEX", index.name, legacy_index_name(d_, index.name));
    rename("INDEX", name_with(index.name, "_new"), index.name);
  }
  swap_columns();
  out.push_back(cat("ALTER TABLE ", table_, " ATTACH PARTITION ", legacy_,
                    " FOR VALUES FROM (MINVALUE) TO (", literal(cutoff_), ")"));
  for (const Constraint* constraint : uniques()) {
    append(out, mark_index(constraint->traits, in_schema(constraint->index)));
  }
  append(out, create_triggers(d_));
  job_.lock_first = locks_of_followers(d_.followers);
  append(out, follow(d_.followers, legacy_));
}

// The CHECK has done its work; the bounds say the same.
void InstantBuilder::after() {
  job_.after.push_back({.sql = cat("ALTER TABLE ", legacy_, " DROP CONSTRAINT IF EXISTS ",
                                   ident(job_.own_bare("range"))),
                        .lock = LockMode::AccessExclusive});
  job_.after.push_back(
      {.sql = cat("ANALYZE ", table_), .lock = LockMode::ShareUpdateExclusive, .alone = true});
}

// An identity is made anew as the new table's is.
void InstantBuilder::back_columns() {
  for (const Column& column : d_.columns) {
    if (column.sequence.empty()) continue;
    if (column.identity.empty()) {
      job_.back.push_back(
          cat("ALTER SEQUENCE ", column.sequence, " OWNED BY ", legacy_, ".", ident(column.name)));
      continue;
    }
    const std::string fresh = name_with(column.sequence_name, "_new");
    job_.back.push_back(cat(
        "DO ", literal(cat(
                   "DECLARE s pg_catalog.pg_sequence; l bigint; c bool; BEGIN SELECT * INTO s FROM "
                   "pg_catalog.pg_sequence WHERE seqrelid = ",
                   literal(column.sequence),
                   "::pg_catalog.regclass; "
                   "SELECT last_value, is_called INTO l, c FROM ",
                   column.sequence, "; EXECUTE pg_catalog.format(",
                   literal(cat("ALTER TABLE ", no_format(legacy_), " ALTER COLUMN ",
                               no_format(ident(column.name)), " ADD GENERATED ",
                               column.identity == "a" ? "ALWAYS" : "BY DEFAULT",
                               " AS IDENTITY (SEQUENCE NAME ", no_format(in_schema(fresh)),
                               " INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s "
                               "%s)")),
                   ", s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache, CASE WHEN "
                   "s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END); PERFORM pg_catalog.setval(",
                   literal(in_schema(fresh)), ", l, c); END"))));
  }
}

// What has been written into new partitions since goes back into the old table; everybody waits
// meanwhile, which is short as long as they are nearly empty.
void InstantBuilder::back() {
  std::vector<std::string>& out = job_.back;
  for (const Constraint* constraint : uniques()) {
    const std::string index = in_schema(narrow(*constraint));
    job_.before_back.push_back(
        {.sql = unique_index(*constraint, narrow(*constraint), legacy_, constraint->columns),
         .lock = LockMode::ShareUpdateExclusive,
         .alone = true,
         .done_sql = valid_sql(index),
         .creates = index});
  }
  out.push_back(cat("ALTER TABLE ", table_, " DETACH PARTITION ", legacy_));
  const std::string columns = column_list(stored_columns(d_));
  back_columns();
  // Rows are written as a client would write them.
  out.emplace_back(reshape::kTextsAsEver);
  out.push_back(cat("INSERT INTO ", legacy_, " (", columns, ") OVERRIDING SYSTEM VALUE SELECT ",
                    columns, " FROM ", table_));
  out.emplace_back(reshape::kPlainTexts);
  out.emplace_back("SET CONSTRAINTS ALL IMMEDIATE");  // or their events forbid ALTER TABLE
  out.push_back(cat("ALTER TABLE ", table_, " RENAME TO ", ident(job_.shadow)));
  out.push_back(cat("ALTER TABLE ", legacy_, " RENAME TO ", ident(d_.name)));
  append(out, follow_back(d_.followers, new_));
  out.push_back(cat("DROP TABLE ", new_));
  append(out, rename_statistics(d_, "_legacy", ""));
  for (const Column& column : d_.columns) {
    if (column.identity.empty()) continue;
    out.push_back(cat("ALTER SEQUENCE ", in_schema(name_with(column.sequence_name, "_new")),
                      " RENAME TO ", ident(column.sequence_name)));
    append(out, column.sequence_rest);
  }
  for (const Constraint* constraint : uniques()) {
    out.push_back(cat("ALTER TABLE ", table_, " DROP CONSTRAINT ",
                      ident(legacy_index_name(d_, constraint->index))));
    out.push_back(cat("ALTER TABLE ", table_, " ADD CONSTRAINT ", ident(constraint->name),
                      constraint->kind == "p" ? " PRIMARY KEY" : " UNIQUE", " USING INDEX ",
                      ident(narrow(*constraint)), constraint->options));
    const std::string index = in_schema(constraint->index);
    append(out, comment_index(constraint->traits, index));
    append(out, mark_index(constraint->traits, index));
    if (constraint->comment.empty()) continue;
    out.push_back(cat("COMMENT ON CONSTRAINT ", ident(constraint->name), " ON ", table_, " IS ",
                      literal(constraint->comment)));
  }
  for (const std::string& name : index_names(d_)) {
    bool renamed = true;
    for (const Constraint* constraint : uniques()) renamed = renamed && constraint->index != name;
    if (!renamed) continue;
    out.push_back(
        cat("ALTER INDEX ", in_schema(legacy_index_name(d_, name)), " RENAME TO ", ident(name)));
  }
  append(out, create_triggers(d_));
}

reshape::Job InstantBuilder::build() {
  create();
  prepare_table();
  swap();
  after();
  back();
  job_.release = {
      cat("ALTER TABLE ", table_, " DROP CONSTRAINT IF EXISTS ", ident(job_.own_bare("range")))};
  job_.unchanged_sql = unchanged_sql(d_);
  job_.refusals_sql = refusals_sql(d_.oid, d_.version);
  job_.equal_sql = returnable_sql(d_, legacy_);
  // What a way back that was not come to its end has left; else only the notes go.
  for (const Constraint* constraint : uniques()) {
    job_.finish.push_back(cat("DROP INDEX IF EXISTS ", in_schema(narrow(*constraint))));
  }
  return std::move(job_);
}

}  // namespace pgtend::partition
