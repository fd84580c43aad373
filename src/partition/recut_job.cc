#include "partition/recut_job.h"

#include "base/text.h"
#include "partition/names.h"
#include "pg/quote.h"
#include "reshape/flow.h"

namespace pgtend::partition {
namespace {

using care::LockMode;
using pg::ident;
using pg::literal;
using reshape::Make;

constexpr int kRecutCompression = 140000;

class RecutBuilder {
 public:
  RecutBuilder(const RecutParts& parts, const std::vector<std::string>& key)
      : parts_(parts), layout_(parts.mould.layout), like_(*parts.mould.like) {
    job_.oid = layout_.oid;
    job_.schema = layout_.schema;
    job_.name = layout_.name;
    job_.shadow = job_.old = recut_names(parts).front();
    job_.key = key;
    job_.columns = stored_columns(like_);
    job_.version = parts.mould.version;
    table_ = job_.table();
    aside_ = job_.new_table();
    check_ = job_.own_bare("range");
  }

  reshape::Job build();

 private:
  // A relation to be, with what its place is and says.
  struct Made {
    std::string name = {};  // bare
    std::string table = {};
    std::string bound = {};
    std::string condition = {};
  };
  Made made_of(const std::string& name, std::string bound, std::string condition) const;
  std::string like(const std::string& table) const;
  void places();
  void create();
  void create_leaf(const Made& made);
  void keys();
  void mark(const IndexTraits& traits, const std::string& index);
  void swap();
  Make drop_check(const std::string& table) const;

  const RecutParts& parts_;
  const facts::Layout& layout_;
  const Definition& like_;
  reshape::Job job_;
  std::vector<Made> made_;
  std::string table_;
  std::string aside_;
  std::string check_;  // a constraint's bare name
};

std::string RecutBuilder::like(const std::string& table) const {
  return cat("LIKE ", table,
             " INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE "
             "INCLUDING COMMENTS",
             job_.version >= kRecutCompression ? " INCLUDING COMPRESSION" : "");
}

RecutBuilder::Made RecutBuilder::made_of(const std::string& name, std::string bound,
                                         std::string condition) const {
  if (!parts_.above.empty()) condition += cat(" AND (", parts_.above, ")");
  return {.name = name,
          .table = pg::qualified(layout_.schema, name),
          .bound = std::move(bound),
          .condition = std::move(condition)};
}

// A row belongs to the leaf of its time; where a DEFAULT partition takes what is left, the server
// finds its place.
void RecutBuilder::places() {
  std::vector<std::string> taken;
  for (size_t i = 0; i < parts_.sources.size(); ++i) {
    const facts::Partition& part = parts_.sources[i];
    job_.sources.push_back(
        {.table = part.qualified(), .oid = part.oid, .condition = parts_.conditions[i]});
  }
  for (const Slice& slice : parts_.slices) {
    const std::string within = within_sql(layout_, slice.from, slice.to);
    taken.push_back(cat("(", within, ")"));
    made_.push_back(made_of(slice.name, for_values(slice),
                            cat(ident(layout_.column), " IS NOT NULL AND ", within)));
  }
  if (!parts_.rest.empty()) {
    made_.push_back(
        made_of(parts_.rest, "DEFAULT",
                cat("(", parts_.conditions.front(), ") AND NOT (", ident(layout_.column),
                    " IS NOT NULL AND (", join(taken, " OR "), "))")));
    job_.leaves = {aside_};
  } else {
    job_.divider = layout_.column;
    job_.divider_type = layout_.type;
    for (const Slice& slice : parts_.slices) job_.bounds.push_back(slice.from);
    for (const Made& made : made_) job_.leaves.push_back(made.table);
  }
  for (const Made& made : made_) {
    job_.results.push_back({.table = made.table, .condition = made.condition});
  }
}

// As a partition that was made by hand: not by PARTITION OF, because what the newest source alone
// has is wanted, too.
void RecutBuilder::create_leaf(const Made& made) {
  job_.create.push_back(cat("CREATE TABLE ", made.table, " (", like(like_.qualified()),
                            ", CONSTRAINT ", check_, " CHECK (", made.condition, "))",
                            storage_clause(like_)));
  append(job_.create, alter_columns(like_, made.table));
  append(job_.create, create_statistics(like_, made.table, [&](const Statistics& one) {
           return name_of_part(made.name, like_.name, one.name);
         }));
  job_.create.push_back(reshape::ours_alone(made.table));
  for (const About& own : parts_.mould.own) job_.create.push_back(own.of(made.table));
  job_.create.push_back(assert_same_rights(like_.qualified(), made.table));
  job_.create.push_back(
      cat("ALTER TABLE ", aside_, " ATTACH PARTITION ", made.table, " ", made.bound));
}

void RecutBuilder::create() {
  job_.create.push_back(cat("CREATE TABLE ", aside_, " (", like(table_), ") PARTITION BY RANGE (",
                            ident(layout_.column), ")"));
  job_.create.push_back(reshape::ours_alone(aside_));
  for (const Made& made : made_) create_leaf(made);
}

Make RecutBuilder::drop_check(const std::string& table) const {
  return {.sql = cat("ALTER TABLE ", table, " DROP CONSTRAINT IF EXISTS ", check_),
          .lock = LockMode::AccessExclusive};
}

// What an index is besides its definition; fit to be said again.
void RecutBuilder::mark(const IndexTraits& traits, const std::string& index) {
  const std::string qualified = pg::qualified(layout_.schema, index);
  std::vector<std::string> all = comment_index(traits, qualified);
  append(all, mark_index(traits, qualified));
  for (std::string& sql : all) job_.build.push_back({.sql = std::move(sql)});
}

// The CHECK says of a source what its place does, so that it can take another place, and come back,
// without being read. Keys and indexes of the new ones are made once the rows are there.
void RecutBuilder::keys() {
  for (const Made& made : made_) {
    const auto name = [&](const std::string& index) {
      return name_of_part(made.name, like_.name, index);
    };
    const auto add = [&](const std::string& index, std::string sql) {
      job_.build.push_back(
          {.sql = std::move(sql),
           .done_sql = cat("SELECT pg_catalog.to_regclass(",
                           literal(pg::qualified(layout_.schema, index)), ") IS NOT NULL")});
    };
    for (const Constraint& constraint : like_.constraints) {
      const std::string index = name(constraint.index);
      add(index, cat("ALTER TABLE ", made.table, " ADD CONSTRAINT ", ident(index), " ",
                     constraint_definition(constraint, constraint.columns)));
      mark(constraint.traits, index);
    }
    for (const Index& index : like_.indexes) {
      add(name(index.name), index_on(index, like_.qualified(), name(index.name), made.table));
      mark(index.traits, name(index.name));
    }
  }
  job_.build.push_back({.sql = cat("VACUUM (FREEZE, ANALYZE) ", aside_), .alone = true});
  for (const reshape::Part& source : job_.sources) {
    job_.build.push_back({.sql = cat("ALTER TABLE ", source.table, " ADD CONSTRAINT ", check_,
                                     " CHECK (", source.condition, ") NOT VALID"),
                          .lock = LockMode::AccessExclusive,
                          .done_sql = constraint_sql(source.table, check_)});
    job_.build.push_back({.sql = cat("ALTER TABLE ", source.table, " VALIDATE CONSTRAINT ", check_),
                          .lock = LockMode::ShareUpdateExclusive,
                          .done_sql = constraint_sql(source.table, check_, " AND convalidated")});
    job_.abort.push_back(drop_check(source.table).sql);
    job_.after_back.push_back(drop_check(source.table));
  }
}

void RecutBuilder::swap() {
  const auto detach = [](const std::string& parent, const std::string& table) {
    return cat("ALTER TABLE ", parent, " DETACH PARTITION ", table);
  };
  const auto attach = [](const std::string& parent, const std::string& table,
                         const std::string& bound) {
    return cat("ALTER TABLE ", parent, " ATTACH PARTITION ", table, " ", bound);
  };
  for (const facts::Partition& part : parts_.sources) {
    job_.swap.push_back(detach(table_, part.qualified()));
    job_.back.push_back(detach(aside_, part.qualified()));
  }
  for (const Made& made : made_) {
    job_.swap.push_back(detach(aside_, made.table));
    job_.back.push_back(detach(table_, made.table));
  }
  for (const Made& made : made_) {
    job_.swap.push_back(attach(table_, made.table, made.bound));
    job_.after.push_back(drop_check(made.table));
  }
  for (const facts::Partition& part : parts_.sources) {
    const Make aside{
        .sql = attach(aside_, part.qualified(), part.bound),
        .done_sql = cat("SELECT relispartition FROM pg_catalog.pg_class WHERE oid = ", part.oid)};
    job_.after.push_back(aside);
    job_.before_back.push_back(aside);  // of a run that ended at the swap
    job_.back.push_back(attach(table_, part.qualified(), part.bound));
  }
  // Not under the lock: their files take time.
  for (const Made& made : made_) {
    job_.after_back.push_back({.sql = cat("DROP TABLE IF EXISTS ", made.table)});
  }
  job_.after_back.push_back({.sql = cat("DROP TABLE IF EXISTS ", aside_)});
}

reshape::Job RecutBuilder::build() {
  places();
  create();
  keys();
  swap();
  return std::move(job_);
}

}  // namespace

std::vector<std::string> recut_names(const RecutParts& parts) {
  std::vector<std::string> out{name_with(parts.mould.layout.name, "_aside")};
  const auto add = [&](const std::string& made) {
    for (const std::string& index : index_names(*parts.mould.like)) {
      out.push_back(name_of_part(made, parts.mould.like->name, index));
    }
  };
  for (const Slice& slice : parts.slices) add(slice.name);
  if (!parts.rest.empty()) add(parts.rest);
  return out;
}

reshape::Job recut_job(const RecutParts& parts, const std::vector<std::string>& key) {
  return RecutBuilder(parts, key).build();
}

std::string print_of_all_sql(const std::vector<uint32_t>& oids) {
  std::vector<std::string> list;
  for (const uint32_t oid : oids) list.push_back(cat(oid));
  const std::string all = cat("= ANY ('{", join(list, ","), "}'::oid[])");
  const auto rows = [&](std::string_view what, std::string_view from, std::string_view table,
                        std::string_view also = "") {
    return cat(
        "(SELECT pg_catalog.string_agg(x, ',' ORDER BY x) FROM (SELECT pg_catalog.concat_ws(' "
        "', ",
        what, ") AS x FROM pg_catalog.", from, " WHERE ", table, " ", all, also, ") r)");
  };
  return cat(
      "pg_catalog.md5(pg_catalog.concat_ws('|', ",
      rows("oid, relname, relowner, relacl, reloptions, relrowsecurity, relforcerowsecurity, "
           "relreplident, pg_catalog.pg_get_expr(relpartbound, oid)",
           "pg_class", "oid"),
      ", ",
      rows("attrelid, attnum, attname, atttypid, atttypmod, attcollation, attnotnull, "
           "attgenerated, attisdropped, attacl",
           "pg_attribute", "attrelid", " AND attnum > 0"),
      ", ", rows("adrelid, adnum, pg_catalog.pg_get_expr(adbin, adrelid)", "pg_attrdef", "adrelid"),
      ", ",
      rows("conrelid, conname, convalidated, pg_catalog.pg_get_constraintdef(oid)", "pg_constraint",
           "conrelid", " AND conname NOT LIKE 'pgtend\\_%'"),
      ", ",
      rows("conrelid, conname, pg_catalog.pg_get_constraintdef(oid)", "pg_constraint", "confrelid"),
      ", ", rows("indrelid, indexrelid, indisvalid, indisreplident", "pg_index", "indrelid"), ", ",
      rows("tgrelid, tgname, tgenabled", "pg_trigger", "tgrelid",
           " AND NOT tgisinternal AND tgname NOT LIKE 'pgtend\\_%'"),
      ", ",
      rows("polrelid, polname, pg_catalog.pg_get_expr(polqual, polrelid), "
           "pg_catalog.pg_get_expr(polwithcheck, polrelid)",
           "pg_policy", "polrelid"),
      ", ",
      rows("refobjid, classid, objid", "pg_depend", "refobjid",
           " AND deptype = 'n' AND classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass"),
      "))");
}

}  // namespace pgtend::partition
