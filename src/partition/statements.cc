#include "partition/statements.h"

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "base/units.h"
#include "partition/names.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

using pg::ident;
using pg::literal;

constexpr int kCompressionSince = 140000;

std::string_view method_word(Method method) {
  return method == Method::Hash ? "HASH" : method == Method::List ? "LIST" : "RANGE";
}

bool nulls_alike(const Constraint& constraint) {
  return constraint.definition.starts_with("UNIQUE NULLS NOT DISTINCT ");
}

// Rows that a list does not know.
void examine_list(const Proposal& p, Examined& out) {
  if (p.method != Method::List) return;
  const bool rest = std::ranges::any_of(
      p.slices, [](const Slice& slice) { return slice.bound == kDefaultBound; });
  out.changes.push_back(
      rest ? cat("other values of ", ident(p.column),
                 " go to a DEFAULT partition, which is read and locked whenever a partition is "
                 "added")
           : cat("rows with another ", ident(p.column),
                 " than those listed will be refused: a new value needs its partition first"));
}

// Whether keys that lack `column` have to take it in.
bool taken_in(const Definition& d, const std::string& column) {
  return std::ranges::any_of(d.constraints, [&](const Constraint& constraint) {
    return constraint.kind != "f" && !contains(constraint.columns, column);
  });
}

void examine_column(const Definition& d, const Proposal& p, const std::string& column,
                    Examined& out) {
  const auto refuse = [&](std::string reason) { out.refusals.push_back(std::move(reason)); };
  const Column* key = d.column(column);
  if (key == nullptr) return refuse(cat("it has no column ", ident(column)));
  const bool range = p.method == Method::Range;
  if (!key->not_null && (range || taken_in(d, column))) {
    refuse(cat("column ", ident(column), " may be null",
               range ? "" : ", and a primary key or unique constraint has to take it in",
               ": ALTER TABLE ", d.qualified(), " ALTER COLUMN ", ident(column),
               " SET NOT NULL first"));
  }
  if (key->generated) {
    refuse(cat("column ", ident(column),
               " is generated, which a partition key cannot be: choose another column"));
  }
  if (range && p.step == 0 && key->type != "date" && !key->type.starts_with("timestamp")) {
    refuse(cat("column ", ident(column), " is of type ", key->type,
               "; only date and timestamp keys have calendar partitions"));
  }
}

void examine_constraint(const Constraint& constraint, const std::vector<std::string>& missing,
                        const ConvertOptions& options, Examined& out) {
  const std::string key = column_list(missing);
  const std::string what = cat(constraint.kind == "p" ? "primary key " : "unique constraint ",
                               ident(constraint.name), " (", column_list(constraint.columns), ")");
  if (constraint.definition.find(" WITHOUT OVERLAPS)") != std::string::npos) {
    out.refusals.push_back(
        cat(what, " is WITHOUT OVERLAPS, which partitions with another key cannot keep: drop it"));
    return;
  }
  if (constraint.kind == "u" && !options.widen_unique) {
    out.refusals.push_back(
        cat(what, " lacks the partition key ", key,
            ": drop it first, or allow it to be widened, which makes only pairs unique"));
    return;
  }
  out.changes.push_back(cat(what, " becomes (", column_list(constraint.columns), ", ", key,
                            "): the server then keeps only these pairs unique, not ",
                            column_list(constraint.columns),
                            " alone; ON CONFLICT and joins that rely on it must name both"));
}

void examine_rest(const Definition& d, Examined& out) {
  for (size_t i = 1; i < d.columns.size(); ++i) {
    if (d.columns[i].name != d.columns[i - 1].name) continue;
    out.refusals.push_back(cat("column ", ident(d.columns[i].name),
                               " owns more than one sequence: ALTER SEQUENCE … OWNED BY NONE for "
                               "those that it does not use"));
  }
  for (const Trigger& trigger : d.triggers) {
    if (!trigger.definition.starts_with(cat("CREATE TRIGGER ", ident(trigger.name), " BEFORE ")) ||
        trigger.definition.find(" FOR EACH ROW ") == std::string::npos) {
      continue;
    }
    out.changes.push_back(cat("trigger ", ident(trigger.name),
                              " runs once the partition has been found: if it sets the partition "
                              "key, INSERT and UPDATE will fail"));
  }
  std::vector<std::string> told;
  for (const Follower& follower : d.followers) told.push_back(follower.what);
  if (!told.empty()) {
    out.changes.push_back(cat("told of the new table when it takes the name: ", join(told, ", ")));
  }
  out.changes.push_back(cat("COPY ", d.qualified(), " TO will have to be COPY (SELECT …) TO"));
}

void examine_size(const Definition& d, const Proposal& p, const Policy& policy, Examined& out) {
  const auto count = static_cast<int64_t>(p.slices.size());
  const std::string fewer =
      p.method == Method::Range ? "choose a wider interval" : "choose fewer of them";
  if (count == 0) {
    out.refusals.emplace_back("there is nothing to divide into");
    return;
  }
  if (count > policy.partitions_max) {
    out.refusals.push_back(
        cat(count, " partitions are more than ", policy.partitions_max, ": ", fewer));
  }
  const int64_t locks = count * static_cast<int64_t>(2 + index_names(d).size());
  if (d.locks_max > 0 && locks > d.locks_max * 8 / 10) {
    out.refusals.push_back(cat("one transaction would need about ", grouped(locks),
                               " locks and the server has ", grouped(d.locks_max),
                               ": raise max_locks_per_transaction, or ", fewer));
  }
}

}  // namespace

std::string column_list(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) out.push_back(ident(name));
  return join(out, ", ");
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::vector<std::string> stored_columns(const Definition& table) {
  std::vector<std::string> names;
  for (const Column& column : table.columns) {
    if (!column.generated) names.push_back(column.name);
  }
  return names;
}

About about_place(const std::string& sql, std::string_view before, const std::string& table,
                  std::string_view after) {
  const std::string needle = cat(before, table, after);
  const size_t at = sql.find(needle);
  CHECK(at != std::string::npos);
  return {cat(sql.substr(0, at), before), cat(after, sql.substr(at + needle.size()))};
}

std::string About::of(const std::string& table) const { return cat(head, table, tail); }

void append(std::vector<std::string>& out, std::vector<std::string> more) {
  std::ranges::move(more, std::back_inserter(out));
}

std::string digest_sql(const std::string& from) {
  return cat(
      "SELECT count(*) AS n, coalesce(sum(hashtextextended((x.*)::text, 0)), 0) AS h,"
      " coalesce(sum(hashtextextended((x.*)::text, 1)), 0) AS i FROM ",
      from, " x");
}

std::string create_like(const Definition& table, const Proposal& proposal, const std::string& made,
                        const std::string& source) {
  std::string like =
      cat("LIKE ", source, " INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED",
          table.seated() ? "" : " INCLUDING IDENTITY", " INCLUDING STORAGE INCLUDING COMMENTS");
  if (table.version >= kCompressionSince) like += " INCLUDING COMPRESSION";
  std::string sql = cat("CREATE TABLE ", made, " (", like, ") PARTITION BY ",
                        method_word(proposal.method), " (", column_list(proposal.key()), ")");
  if (!table.tablespace.empty()) sql += cat(" TABLESPACE ", ident(table.tablespace));
  return sql;
}

std::vector<std::string> alter_columns(const Definition& table, const std::string& made) {
  std::vector<std::string> out;
  for (const Column& column : table.columns) {
    for (const std::string& change : column.alter) {
      out.push_back(cat("ALTER TABLE ", made, " ALTER COLUMN ", ident(column.name), " ", change));
    }
  }
  return out;
}

std::vector<std::string> create_statistics(
    const Definition& table, const std::string& made,
    const std::function<std::string(const Statistics&)>& name) {
  std::vector<std::string> out;
  for (const Statistics& one : table.statistics) {
    const std::string statistics = pg::qualified(one.schema, name(one));
    out.push_back(cat("CREATE STATISTICS ", statistics, " ", one.what, " FROM ", made));
    if (one.target >= 0) {
      out.push_back(cat("ALTER STATISTICS ", statistics, " SET STATISTICS ", one.target));
    }
    if (!one.comment.empty()) {
      out.push_back(cat("COMMENT ON STATISTICS ", statistics, " IS ", literal(one.comment)));
    }
  }
  return out;
}

std::vector<std::string> create_slice_statistics(const Definition& table,
                                                 const Proposal& proposal) {
  std::vector<std::string> out;
  for (const Slice& slice : proposal.slices) {
    const auto name = [&](const Statistics& one) {
      return name_of_part(slice.name, table.name, one.name);
    };
    append(out, create_statistics(table, pg::qualified(table.schema, slice.name), name));
  }
  return out;
}

std::vector<std::string> rename_statistics(const Definition& table, std::string_view from,
                                           std::string_view to) {
  std::vector<std::string> out;
  for (const Statistics& one : table.statistics) {
    const std::string now = from.empty() ? one.name : name_with(one.name, from);
    out.push_back(cat("ALTER STATISTICS ", pg::qualified(one.schema, now), " RENAME TO ",
                      ident(to.empty() ? one.name : name_with(one.name, to))));
  }
  return out;
}

std::vector<std::string> create_triggers(const Definition& table) {
  std::vector<std::string> out;
  for (const Trigger& trigger : table.triggers) {
    out.push_back(trigger.definition);
    if (trigger.comment.empty()) continue;
    out.push_back(cat("COMMENT ON TRIGGER ", ident(trigger.name), " ON ", table.qualified(), " IS ",
                      literal(trigger.comment)));
  }
  append(out, state_triggers(table));
  return out;
}

std::vector<std::string> state_triggers(const Definition& table) {
  std::vector<std::string> out;
  for (const Trigger& trigger : table.triggers) {
    if (trigger.state.empty()) continue;
    out.push_back(cat("ALTER TABLE ", table.qualified(), " ", trigger.state, " TRIGGER ",
                      ident(trigger.name)));
  }
  return out;
}

std::string storage_clause(const Definition& table) {
  std::string out;
  if (!table.options.empty()) {
    std::vector<std::string> options;
    for (const std::string& option : table.options) {
      const size_t equals = option.find('=');
      const std::string_view name = std::string_view(option).substr(0, equals);
      const bool toast = name.starts_with("toast.");
      options.push_back(cat(toast ? "toast." : "", ident(toast ? name.substr(6) : name), " = ",
                            literal(std::string_view(option).substr(equals + 1))));
    }
    out = cat(" WITH (", join(options, ", "), ")");
  }
  if (!table.tablespace.empty()) out += cat(" TABLESPACE ", ident(table.tablespace));
  return out;
}

std::string for_values(const facts::Partition& part) {
  return cat("FOR VALUES FROM (", part.from ? literal(*part.from) : "MINVALUE", ") TO (",
             part.to ? literal(*part.to) : "MAXVALUE", ")");
}

std::string for_values(const Slice& slice) {
  if (!slice.bound.empty()) return slice.bound;
  facts::Partition part;
  if (!slice.from.empty()) part.from = slice.from;
  if (!slice.to.empty()) part.to = slice.to;
  return for_values(part);
}

std::vector<std::string> create_slices(const Definition& table, const Proposal& proposal,
                                       const std::string& made) {
  const std::string storage = storage_clause(table);
  std::vector<std::string> out;
  for (const Slice& slice : proposal.slices) {
    out.push_back(cat("CREATE TABLE ", pg::qualified(table.schema, slice.name), " PARTITION OF ",
                      made, " ", for_values(slice), storage));
    if (!table.row_security()) continue;
    out.push_back(
        cat("ALTER TABLE ", pg::qualified(table.schema, slice.name), " ENABLE ROW LEVEL SECURITY"));
  }
  if (table.replica_identity.empty()) return out;
  const std::string identity = cat(" REPLICA IDENTITY ", table.replica_identity);
  out.push_back(cat("ALTER TABLE ", made, identity));
  for (const Slice& slice : proposal.slices) {
    out.push_back(cat("ALTER TABLE ", pg::qualified(table.schema, slice.name), identity));
  }
  return out;
}

std::vector<std::string> create_new(const Definition& d, const Proposal& proposal,
                                    const std::string& table, const std::string& made) {
  std::vector<std::string> out;
  out.push_back(create_like(d, proposal, made, table));
  append(out, alter_columns(d, made));
  for (const Column& column : d.columns) {
    if (column.identity.empty()) continue;
    // The server names it; from here on we know its name. LIKE forgets its type.
    out.push_back(cat(
        "DO ", literal(cat("DECLARE s text := pg_catalog.pg_get_serial_sequence(", literal(made),
                           ", ", literal(column.name),
                           "); BEGIN EXECUTE pg_catalog.format('ALTER "
                           "SEQUENCE %s AS %s', s, (SELECT q.seqtypid::pg_catalog.regtype FROM "
                           "pg_catalog.pg_sequence q WHERE q.seqrelid = ",
                           literal(column.sequence),
                           "::pg_catalog.regclass)); EXECUTE pg_catalog.format('ALTER SEQUENCE %s "
                           "RENAME TO %I', s, ",
                           literal(name_with(column.sequence_name, "_new")), "); END"))));
  }
  append(out, create_slices(d, proposal, made));
  // Autovacuum analyses the partitions, so the targets have to stand there, too.
  for (const Slice& slice : proposal.slices) {
    append(out, alter_columns(d, pg::qualified(d.schema, slice.name)));
  }
  const auto anew = [](const Statistics& one) { return name_with(one.name, "_new"); };
  append(out, create_statistics(d, made, anew));
  append(out, create_slice_statistics(d, proposal));
  if (!d.comment.empty()) {
    out.push_back(cat("COMMENT ON TABLE ", made, " IS ", literal(d.comment)));
  }
  for (const std::string& grant : d.grants) {
    out.push_back(about_place(grant, " ON TABLE ", table, " TO ").of(made));
  }
  // Default privileges may have added rights that the old table did not give.
  out.push_back(assert_same_rights(table, made));
  return out;
}

std::vector<std::string> lacking(const std::vector<std::string>& columns,
                                 const std::vector<std::string>& key) {
  std::vector<std::string> out;
  for (const std::string& column : key) {
    if (!contains(columns, column)) out.push_back(column);
  }
  return out;
}

std::string constraint_definition(const Constraint& constraint,
                                  const std::vector<std::string>& key) {
  if (constraint.kind == "f") return constraint.definition;
  const std::vector<std::string> missing = lacking(constraint.columns, key);
  std::string keys(constraint.definition, 0,
                   constraint.definition.size() - constraint.options.size());
  if (!missing.empty()) {
    keys =
        cat(constraint.kind == "p" ? "PRIMARY KEY (" : "UNIQUE ",
            constraint.kind == "p"    ? ""
            : nulls_alike(constraint) ? "NULLS NOT DISTINCT ("
                                      : "(",
            column_list(constraint.columns), ", ", column_list(missing), ")", constraint.include);
  }
  const IndexTraits& traits = constraint.traits;
  return cat(keys, traits.with,
             traits.tablespace.empty() ? "" : cat(" USING INDEX TABLESPACE ", traits.tablespace),
             constraint.options);
}

std::string unique_index(const Constraint& constraint, const std::string& name,
                         const std::string& on, const std::vector<std::string>& columns) {
  const IndexTraits& traits = constraint.traits;
  return cat("CREATE UNIQUE INDEX CONCURRENTLY ", ident(name), " ON ", on, " (",
             column_list(columns), ")", constraint.include,
             nulls_alike(constraint) ? " NULLS NOT DISTINCT" : "", traits.with,
             traits.tablespace.empty() ? "" : cat(" TABLESPACE ", traits.tablespace));
}

std::vector<std::string> mark_index(const IndexTraits& traits, const std::string& index) {
  std::vector<std::string> out;
  // %1$s is the index, %2$s its table, %3$I its bare name.
  const auto each = [&](std::string_view statement, std::string_view which) {
    out.push_back(
        cat("DO ",
            literal(cat("DECLARE r record; i pg_catalog.regclass := ", literal(index),
                        "; BEGIN FOR r IN SELECT x.indexrelid::pg_catalog.regclass AS x, "
                        "x.indrelid::pg_catalog.regclass AS t, c.relname AS n FROM "
                        "(SELECT relid, isleaf FROM pg_catalog.pg_partition_tree(i) UNION SELECT "
                        "i, true WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_partition_tree(i))) "
                        "p JOIN pg_catalog.pg_index x ON x.indexrelid = p.relid JOIN "
                        "pg_catalog.pg_class c ON c.oid = p.relid",
                        which, " LOOP EXECUTE pg_catalog.format(", literal(statement),
                        ", r.x, r.t, r.n); END LOOP; END"))));
  };
  for (const std::string& alter : traits.alter) each(cat("ALTER INDEX %1$s ", alter), "");
  if (traits.clustered) each("ALTER TABLE %2$s CLUSTER ON %3$I", " WHERE p.isleaf");
  if (traits.identity) each("ALTER TABLE %2$s REPLICA IDENTITY USING INDEX %3$I", "");
  return out;
}

std::vector<std::string> comment_index(const IndexTraits& traits, const std::string& index) {
  if (traits.comment.empty()) return {};
  return {cat("COMMENT ON INDEX ", index, " IS ", literal(traits.comment))};
}

std::string index_on(const Index& index, const std::string& table, const std::string& name,
                     const std::string& on) {
  // The server writes definitions in one way: what stands behind the table is kept as it is.
  const std::string create = cat("CREATE ", index.unique ? "UNIQUE " : "", "INDEX ");
  const std::string head = cat(create, ident(index.name), " ON ", table, " ");
  CHECK(index.definition.starts_with(head));
  const std::string& tablespace = index.traits.tablespace;
  if (tablespace.empty()) {
    return cat(create, ident(name), " ON ", on, " ", index.definition.substr(head.size()));
  }
  CHECK(index.definition.ends_with(index.where));
  return cat(create, ident(name), " ON ", on, " ",
             index.definition.substr(head.size(),
                                     index.definition.size() - head.size() - index.where.size()),
             " TABLESPACE ", tablespace, index.where);
}

std::string unchanged_sql(const Definition& table) {
  return cat("SELECT (", fingerprint_sql(table.qualified(), table.version),
             ") = ", literal(table.fingerprint));
}

std::string columns_sql(const std::string& table) {
  return cat(
      "(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', attname, atttypid, atttypmod, "
      "attnotnull), ',' ORDER BY attname) FROM pg_catalog.pg_attribute WHERE attrelid = "
      "pg_catalog.to_regclass(",
      literal(table), ") AND attnum > 0 AND NOT attisdropped)");
}

std::string returnable_sql(const Definition& table, const std::string& old) {
  const std::string now = table.qualified();
  return cat("SELECT ", columns_sql(now), " = ", columns_sql(old), " AND (",
             followers_print_sql(cat("to_regclass(", literal(now), ")"), table.version),
             ") = ", literal(followers_print(table.followers)));
}

std::string constraint_sql(const std::string& table, const std::string& name,
                           std::string_view also) {
  return cat(
      "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = "
      "pg_catalog.to_regclass(",
      literal(table), ") AND conname = ", literal(name), also, ")");
}

std::string same_rights(const std::string& one, const std::string& other) {
  const auto rights = [](const std::string& table) {
    return cat(
        "(SELECT pg_catalog.array_agg(r ORDER BY r) FROM (SELECT g.grantee || ' ' ||"
        " g.privilege_type || ' ' || g.is_grantable AS r FROM pg_catalog.pg_class c,"
        " pg_catalog.aclexplode(coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner)))"
        " g WHERE c.oid = pg_catalog.to_regclass(",
        literal(table), ")) x)");
  };
  return cat("SELECT ", rights(one), " IS NOT DISTINCT FROM ", rights(other));
}

std::string assert_same_rights(const std::string& one, const std::string& other) {
  return cat("DO ",
             literal(cat("BEGIN IF NOT (", same_rights(one, other),
                         ") THEN RAISE EXCEPTION 'the rights on the new table would not be those "
                         "of the old one: look at its owner''s own rights and at ALTER DEFAULT "
                         "PRIVILEGES'; END IF; END")));
}

std::vector<std::string> identifying_columns(const Definition& table) {
  const auto fit = [&](const std::vector<std::string>& columns) {
    return std::ranges::all_of(columns, [&](const std::string& name) {
      const Column* column = table.column(name);
      return column != nullptr && column->not_null && !column->generated && column->plain_equality;
    });
  };
  for (const Constraint& constraint : table.constraints) {
    if (constraint.kind != "f" && fit(constraint.columns)) return constraint.columns;
  }
  for (const Index& index : table.indexes) {
    if (!index.unique || index.expressions || !index.where.empty()) continue;
    if (fit(index.columns)) return index.columns;
  }
  return {};
}

std::vector<std::string> index_names(const Definition& table) {
  std::vector<std::string> names;
  for (const Constraint& constraint : table.constraints) {
    if (!constraint.index.empty()) names.push_back(constraint.index);
  }
  for (const Index& index : table.indexes) names.push_back(index.name);
  return names;
}

reshape::Job begin_job(const Definition& table, std::string_view old) {
  reshape::Job out;
  out.oid = table.oid;
  out.schema = table.schema;
  out.name = table.name;
  out.shadow = name_with(table.name, "_new");
  out.old = name_with(table.name, old);
  out.version = table.version;
  return out;
}

Examined examine(const Definition& table, const Proposal& proposal, const ConvertOptions& options,
                 const Policy& policy) {
  Examined out{.refusals = table.refusals};
  const std::vector<std::string> key = proposal.key();
  for (const std::string& column : key) examine_column(table, proposal, column, out);
  for (const Constraint& constraint : table.constraints) {
    const std::vector<std::string> missing = lacking(constraint.columns, key);
    if (constraint.kind == "f" || missing.empty()) continue;
    if (table.seated()) {
      out.refusals.push_back(cat("constraint ", ident(constraint.name), " lacks ",
                                 column_list(missing), ", and what ", table.seat.parent,
                                 " above it keeps unique cannot be widened here: choose a key "
                                 "whose columns it has"));
      continue;
    }
    examine_constraint(constraint, missing, options, out);
  }
  for (const Index& index : table.indexes) {
    const std::vector<std::string> missing = lacking(index.columns, key);
    if (!index.unique || missing.empty()) continue;
    out.refusals.push_back(cat("unique index ", ident(index.name), " lacks the partition key ",
                               column_list(missing),
                               ": drop it or make it an ordinary index first"));
  }
  if (table.is_default()) {
    out.refusals.push_back(cat("it is the DEFAULT partition of ", table.seat.parent,
                               ": pgtend partition drain makes partitions for its rows"));
  }
  examine_list(proposal, out);
  examine_size(table, proposal, policy, out);
  examine_rest(table, out);
  return out;
}

void examine_owner(const Definition& table, Examined& out) {
  if (table.owned) return;
  out.refusals.push_back(cat("it belongs to role ", ident(table.owner),
                             ", whose code would run with other rights: run it as that role "
                             "(PGOPTIONS='-c role=",
                             table.owner, "' does, for whoever may)"));
}

void examine_whole(const Definition& table, Examined& out) {
  if (!table.seated()) return;
  out.refusals.push_back(cat("it is a partition of ", table.seat.parent, ": use --mode shadow"));
}

void examine_names(const Definition& table, std::vector<std::string> wanted,
                   const std::vector<std::string>& taken, Examined& out) {
  std::ranges::sort(wanted);
  for (size_t i = 1; i < wanted.size(); ++i) {
    if (wanted[i] == wanted[i - 1]) {
      out.refusals.push_back(cat("two new relations would be called ", ident(wanted[i]),
                                 ": shorten the name of the table or its indexes first"));
    }
  }
  for (const std::string& name : wanted) {
    if (contains(taken, name)) {
      out.refusals.push_back(cat("there is a relation ", pg::qualified(table.schema, name),
                                 " already: drop or rename it first"));
    }
  }
}

}  // namespace pgtend::partition
