#include "partition/index_set.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/text.h"
#include "care/rounds.h"
#include "facts/tables.h"
#include "partition/names.h"
#include "pg/quote.h"
#include "sql/parse.h"

namespace pgtend::partition {
namespace {

using care::LockMode;
using pg::ident;
using pg::literal;

// An index of some table of the tree.
struct Built {
  uint32_t oid = 0;
  std::string schema = {};
  std::string name = {};
  bool unique = false;
  bool valid = false;
  bool constraint = false;  // a key stands on it
  uint32_t parent = 0;      // the index above it; 0: none
  std::string rest = {};    // of its definition, behind the table
};

// A table of the tree.
struct Member {
  uint32_t oid = 0;
  uint32_t parent = 0;
  std::string schema = {};
  std::string name = {};
  char kind = 'r';
  std::vector<Built> indexes = {};

  bool divided() const { return kind == 'p'; }
  std::string qualified() const { return pg::qualified(schema, name); }
};

struct Tree {
  std::vector<Member> members = {};  // the table first, those above before those below
  std::set<std::pair<std::string, std::string>> taken = {};  // names of relations, by schema
};

std::string head_of(const std::string& name, bool unique, bool concurrently, bool only,
                    const std::string& table) {
  return cat("CREATE ", unique ? "UNIQUE " : "", "INDEX ", concurrently ? "CONCURRENTLY " : "",
             ident(name), " ON ", only ? "ONLY " : "", table, " ");
}

// The server writes definitions in one way: what stands behind the table.
Result<std::string> rest_of(const std::string& definition, const std::string& head) {
  if (definition.starts_with(head)) return definition.substr(head.size());
  return Error{ErrorCode::Internal, cat("not an index definition: ", printable(definition))};
}

Result<std::vector<Member>> load_members(pg::Connection& conn, uint32_t oid) {
  const pg::Rows rows = TRY(conn.query(R"(
select c.oid::int8, coalesce(t.parentrelid::oid::int8, 0), n.nspname, c.relname, c.relkind::text
from pg_partition_tree($1::oid) t join pg_class c on c.oid = t.relid
join pg_namespace n on n.oid = c.relnamespace order by t.level, c.relname, c.oid)",
                                       {cat(oid)}));
  std::vector<Member> out;
  for (const pg::Row row : rows) {
    out.push_back({.oid = static_cast<uint32_t>(TRY(row.get<int64_t>(0))),
                   .parent = static_cast<uint32_t>(TRY(row.get<int64_t>(1))),
                   .schema = std::string(row.text(2)),
                   .name = std::string(row.text(3)),
                   .kind = row.text(4).front()});
  }
  return out;
}

Status load_indexes_of(pg::Connection& conn, uint32_t oid, std::vector<Member>& members) {
  std::map<uint32_t, Member*> by_oid;
  for (Member& member : members) by_oid[member.oid] = &member;
  const pg::Rows rows = TRY(conn.query(R"(
select x.indrelid::int8, i.oid::int8, n.nspname, i.relname, x.indisunique, x.indisvalid,
       exists (select from pg_constraint k where k.conindid = i.oid and k.conrelid = x.indrelid
               and k.contype in ('p', 'u', 'x')),
       coalesce((select h.inhparent::int8 from pg_inherits h where h.inhrelid = i.oid), 0),
       pg_get_indexdef(i.oid)
from pg_partition_tree($1::oid) t join pg_index x on x.indrelid = t.relid
join pg_class i on i.oid = x.indexrelid join pg_namespace n on n.oid = i.relnamespace
order by i.relname, i.oid)",
                                       {cat(oid)}));
  for (const pg::Row row : rows) {
    const auto at = by_oid.find(static_cast<uint32_t>(TRY(row.get<int64_t>(0))));
    if (at == by_oid.end()) continue;  // it came in between
    Member& member = *at->second;
    Built built{.oid = static_cast<uint32_t>(TRY(row.get<int64_t>(1))),
                .schema = std::string(row.text(2)),
                .name = std::string(row.text(3)),
                .unique = TRY(row.get<bool>(4)),
                .valid = TRY(row.get<bool>(5)),
                .constraint = TRY(row.get<bool>(6)),
                .parent = static_cast<uint32_t>(TRY(row.get<int64_t>(7)))};
    built.rest =
        TRY(rest_of(std::string(row.text(8)), head_of(built.name, built.unique, false,
                                                      member.divided(), member.qualified())));
    member.indexes.push_back(std::move(built));
  }
  return ok();
}

Result<Tree> load_tree(pg::Connection& conn, const std::string& table) {
  const uint32_t oid = TRY(facts::resolve_table(conn, table));
  Tree out;
  TRY(conn.exec("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  const auto read = [&]() -> Status {
    TRY(conn.exec("SET LOCAL search_path = ''"));
    out.members = TRY(load_members(conn, oid));
    if (out.members.empty() || !out.members[0].divided()) {
      return Error{ErrorCode::Invalid, cat(printable(table), " is not partitioned")}.hinting(
          "CREATE INDEX CONCURRENTLY builds the index of a plain table");
    }
    TRY(load_indexes_of(conn, oid, out.members));
    const pg::Rows names = TRY(conn.query(
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where c.relnamespace in (select q.relnamespace from pg_partition_tree($1::oid) t "
        "join pg_class q on q.oid = t.relid)",
        {cat(oid)}));
    for (const pg::Row row : names) out.taken.emplace(row.text(0), row.text(1));
    return ok();
  };
  Status status = read();
  const Status ended = conn.exec("ROLLBACK");
  if (!status) return std::move(status).error().during(cat("reading ", printable(table)));
  if (!ended) return ended.error();
  return out;
}

// What the wish is in the server's words.
struct Understood {
  std::string name = {};
  std::string rest = {};
};

std::string wished(const IndexWish& wish, const std::string& table) {
  return cat("CREATE ", wish.unique ? "UNIQUE " : "", "INDEX ",
             wish.name.empty() ? "" : ident(wish.name), " ON ", table, " USING ",
             ident(wish.method), " (", wish.columns, ")",
             wish.include.empty() ? "" : cat(" INCLUDE (", wish.include, ")"),
             wish.where.empty() ? "" : cat(" WHERE (", wish.where, ")"));
}

// The parts of the wish are SQL; together they must be one CREATE INDEX.
Status one_statement(const std::string& sql) {
  const sql::Tree tree = TRY(sql::parse(sql));
  const json::array& statements = tree.statements();
  const bool one = statements.size() == 1 && statements[0].is_object() &&
                   sql::member(statements[0].as_object(), "stmt") != nullptr &&
                   sql::body_of(*sql::member(statements[0].as_object(), "stmt"), "IndexStmt");
  if (one) return ok();
  return Error{ErrorCode::Invalid, "the columns and conditions are more than one index"};
}

Result<Understood> understood(pg::Connection& conn, const Member& table, const IndexWish& wish) {
  const std::string like = cat("pg_temp.", ident(table.name));
  const std::string sql = wished(wish, like);
  TRY(one_statement(sql));
  const pg::Rows rows = TRY(conn.query("select pg_get_partkeydef($1::oid)", {cat(table.oid)}));
  const std::string key = TRY(rows.scalar());
  TRY(conn.exec("BEGIN"));
  Understood out;
  const auto read = [&]() -> Status {
    TRY(conn.exec(cat("CREATE TEMPORARY TABLE ", ident(table.name), " (LIKE ", table.qualified(),
                      ") PARTITION BY ", key)));
    TRY(conn.exec(sql));
    TRY(conn.exec("SET LOCAL search_path = ''"));
    const pg::Rows made = TRY(conn.query(
        "select i.relname, pg_get_indexdef(i.oid) from pg_index x join pg_class i on i.oid = "
        "x.indexrelid where x.indrelid = $1::regclass",
        {like}));
    if (made.empty()) return Error{ErrorCode::Internal, "the index was not made"};
    out.name = made[0].text(0);
    const std::string definition(made[0].text(1));
    // The schema is written pg_temp or pg_temp_3, as the version likes.
    const std::string head = head_of(out.name, wish.unique, false, true, "pg_temp");
    const size_t dot = definition.find('.', head.size() - 1);
    const std::string bare = cat(".", ident(table.name), " ");
    if (dot == std::string::npos || !definition.starts_with(head.substr(0, head.size() - 1))) {
      return Error{ErrorCode::Internal, cat("not an index definition: ", printable(definition))};
    }
    out.rest = TRY(rest_of(definition.substr(dot), bare));
    return ok();
  };
  Status status = read();
  const Status ended = conn.exec("ROLLBACK");
  if (!status) return std::move(status).error().during("reading the index");
  if (!ended) return ended.error();
  return out;
}

// Plans one index over the whole tree.
class Planner {
 public:
  Planner(const Tree& tree, std::string name, std::string rest, bool unique)
      : tree_(tree),
        taken_(tree.taken),
        name_(std::move(name)),
        rest_(std::move(rest)),
        unique_(unique) {}

  IndexPlan plan(const Built* own) {
    const Member& table = tree_.members[0];
    out_.table = table.qualified();
    out_.index = pg::qualified(table.schema, name_);
    out_.definition = cat(unique_ ? "UNIQUE " : "", rest_);
    out_.action = {.kind = "create-index", .object = out_.table};
    refuse(own);
    if (!out_.refusals.empty()) return std::move(out_);
    for (const Member& member : tree_.members) {
      if (member.divided()) upper(member, own);
    }
    for (const Member& member : tree_.members) {
      if (!member.divided()) leaf(member);
    }
    for (size_t i = tree_.members.size(); i-- > 1;) {
      if (tree_.members[i].divided()) attach(tree_.members[i]);
    }
    out_.action.verify_sql =
        cat("SELECT coalesce((SELECT indisvalid FROM pg_catalog.pg_index WHERE indexrelid = "
            "pg_catalog.to_regclass(",
            literal(out_.index), ")), false)");
    out_.action.undo = {cat("DROP INDEX IF EXISTS ", out_.index)};
    return std::move(out_);
  }

 private:
  // The part of a member: where it is, or will be.
  struct Part {
    std::string index = {};  // qualified
    uint32_t oid = 0;        // 0: not there yet
    bool attached = false;
  };

  void refuse(const Built* own) {
    for (const Member& member : tree_.members) {
      if (member.kind == 'f') {
        out_.refusals.push_back(cat("partition ", member.qualified(),
                                    " is a foreign table, which has no indexes here"));
      }
    }
    if (own != nullptr && own->constraint) {
      out_.refusals.push_back(cat("index ", out_.index,
                                  " belongs to a key, whose parts are constraints: ALTER TABLE … "
                                  "ADD CONSTRAINT … USING INDEX on each partition that lacks it"));
    }
  }

  void add(const Member& member, std::string sql, LockMode lock, bool in_transaction,
           std::string creates = {}) {
    out_.action.steps.push_back(
        {.sql = std::move(sql), .lock = lock, .in_transaction = in_transaction});
    out_.creates.push_back(std::move(creates));
    out_.tables.push_back(member.qualified());
  }

  std::string free_name(const Member& member) {
    const std::string& table = tree_.members[0].name;
    std::string out = name_of_part(member.name, table, name_);
    for (int n = 1; !taken_.emplace(member.schema, out).second; ++n) {
      // What an earlier run has left unfinished is dropped and built again.
      const auto own = std::ranges::find(member.indexes, out, &Built::name);
      if (own != member.indexes.end() && !own->valid && own->parent == 0 && !member.divided()) {
        break;
      }
      out = name_of_part(member.name, table, name_, n);
    }
    return out;
  }

  // Attached to the part above, or equal and free to be attached.
  const Built* found(const Member& member) const {
    const Part* above = part_of(member.parent);
    for (const Built& built : member.indexes) {
      if (above != nullptr && above->oid != 0 && built.parent == above->oid) return &built;
    }
    for (const Built& built : member.indexes) {
      const bool fits = built.parent == 0 && !built.constraint && built.unique == unique_ &&
                        built.rest == rest_ && (built.valid || member.divided());
      if (fits) return &built;
    }
    return nullptr;
  }

  const Part* part_of(uint32_t oid) const {
    const auto at = parts_.find(oid);
    return at == parts_.end() ? nullptr : &at->second;
  }

  void take(const Member& member, const Built& built) {
    parts_[member.oid] = {.index = pg::qualified(built.schema, built.name),
                          .oid = built.oid,
                          .attached = built.parent != 0};
  }

  // `own` is the index of the uppermost table, if it is there.
  void upper(const Member& member, const Built* own) {
    const bool root = &member == &tree_.members[0];
    const Built* there = root ? own : found(member);
    if (there != nullptr) return take(member, *there);
    const std::string name = root ? name_ : free_name(member);
    parts_[member.oid] = {.index = pg::qualified(member.schema, name)};
    add(member, cat(head_of(name, unique_, false, true, member.qualified()), rest_),
        LockMode::Share, true);
  }

  void leaf(const Member& member) {
    if (const Built* there = found(member)) {
      take(member, *there);
      ++out_.kept;
    } else {
      const std::string name = free_name(member);
      const std::string index = pg::qualified(member.schema, name);
      parts_[member.oid] = {.index = index};
      add(member, cat(head_of(name, unique_, true, false, member.qualified()), rest_),
          LockMode::ShareUpdateExclusive, false, index);
      ++out_.built;
    }
    attach(member);
  }

  void attach(const Member& member) {
    const Part* part = part_of(member.oid);
    const Part* above = part_of(member.parent);
    if (part == nullptr || above == nullptr || part->attached) return;
    // On the part's index, which readers of its table may hold.
    add(member, cat("ALTER INDEX ", above->index, " ATTACH PARTITION ", part->index),
        LockMode::AccessExclusive, true);
  }

  const Tree& tree_;
  std::set<std::pair<std::string, std::string>> taken_;
  std::string name_;
  std::string rest_;
  bool unique_;
  std::map<uint32_t, Part> parts_ = {};
  IndexPlan out_ = {};
};

}  // namespace

Result<IndexPlan> plan_index(pg::Connection& conn, const IndexWish& wish) {
  const Tree tree = TRY(load_tree(conn, wish.table));
  const Member& table = tree.members[0];
  Understood index = TRY(understood(conn, table, wish));
  // A run that was ended has left the table's own index, not valid yet.
  const auto equal = [&](const Built& built) {
    return built.unique == wish.unique && built.rest == index.rest && !built.constraint &&
           (wish.name.empty() || built.name == wish.name);
  };
  const auto own = std::ranges::find_if(table.indexes, equal);
  if (own != table.indexes.end()) {
    return Planner(tree, own->name, own->rest, own->unique).plan(&*own);
  }
  const std::string wanted = index.name;
  for (int n = 1; tree.taken.contains({table.schema, index.name}); ++n) {
    if (!wish.name.empty()) {
      return Error{ErrorCode::Invalid,
                   cat("there is a relation ", pg::qualified(table.schema, wish.name), " already")}
          .hinting("choose another name");
    }
    index.name = name_with(wanted, cat(n));
  }
  return Planner(tree, index.name, index.rest, wish.unique).plan(nullptr);
}

Result<std::vector<IndexPlan>> plan_missing_parts(pg::Connection& conn, const std::string& table) {
  const Tree tree = TRY(load_tree(conn, table));
  std::vector<IndexPlan> out;
  for (const Built& built : tree.members[0].indexes) {
    if (built.valid) continue;
    out.push_back(Planner(tree, built.name, built.rest, built.unique).plan(&built));
  }
  return out;
}

Result<care::Outcome> run_index(const care::GateSetup& gate, const IndexPlan& plan) {
  if (!plan.refusals.empty()) {
    return Error{ErrorCode::Invalid,
                 cat(plan.index, " cannot be built: ", join(plan.refusals, "; "))};
  }
  const auto work = [&](care::Rounds& rounds) -> Status {
    for (size_t i = 0; i < plan.action.steps.size(); ++i) {
      Status done = rounds.step(plan.action.steps[i], plan.creates[i], plan.tables[i]);
      if (done) continue;
      Error error = std::move(done).error();
      if (!error.hint.empty()) return error;
      return std::move(error).hinting("what is built stays: the same command goes on from there");
    }
    const pg::Rows whole = TRY(rounds.connection().query(plan.action.verify_sql));
    if (TRY(whole.scalar()) == "t") return ok();
    return Error{ErrorCode::Internal, cat(plan.index, " is not whole")}.hinting(
        "the same command shows what it lacks");
  };
  return care::Gate(gate).run(plan.action, work);
}

json::object to_json(const IndexPlan& plan) {
  json::array refusals;
  for (const std::string& refusal : plan.refusals) refusals.emplace_back(refusal);
  return {{"table", plan.table},           {"index", plan.index},
          {"definition", plan.definition}, {"kept", plan.kept},
          {"built", plan.built},           {"refusals", std::move(refusals)},
          {"action", to_json(plan.action)}};
}

}  // namespace pgtend::partition
