#include "care/preflight.h"

#include <algorithm>

#include "base/text.h"
#include "care/locks.h"

namespace pgtend::care {
namespace {

bool only_maintains(const Action& action) {
  return action.kind == "vacuum" || action.kind == "analyze" || action.kind == "restore-statistics";
}

Error denied(const Action& action, const std::string& role, const std::string& owner, int version) {
  const std::string verb =
      only_maintains(action) ? cat("may not ", action.kind, " ") : "does not own ";
  const std::string next = only_maintains(action) && version >= 170000
                               ? cat("GRANT MAINTAIN ON ", action.object, " TO ", role)
                               : cat("connect as ", owner, ", or GRANT ", owner, " TO ", role);
  return Error{ErrorCode::Denied, cat("role ", role, " ", verb, action.object), "42501"}.hinting(
      next);
}

// Finds the table (an index stands for its table) and checks the right the kind needs.
Status find_object(pg::Connection& conn, const Action& action, Preflight& out) {
  const int version = conn.server_version();
  const std::string_view maintain =
      version >= 170000 ? "has_table_privilege(t.oid, 'MAINTAIN')" : "false";
  const pg::Rows rows = TRY_DURING(conn.query(cat(R"(
select t.oid, pg_has_role(t.relowner, 'USAGE'),
       pg_has_role(t.relowner, 'USAGE') or pg_has_role(d.datdba, 'USAGE') or )",
                                                  maintain, R"(,
       quote_ident(current_user), quote_ident(pg_get_userbyid(t.relowner)), pg_is_in_recovery()
from pg_class c
left join pg_index i on i.indexrelid = c.oid
join pg_class t on t.oid = coalesce(i.indrelid, c.oid)
join pg_database d on d.datname = current_database()
where c.oid = to_regclass($1))"),
                                              {action.object}),
                                   cat("looking at ", action.object));
  if (rows.empty()) {
    out.refusal = Error{ErrorCode::NotFound, cat(action.object, " does not exist"), "42P01"};
    return ok();
  }
  const pg::Row row = rows[0];
  out.oid = static_cast<uint32_t>(TRY(row.get<int64_t>(0)));
  const bool allowed = TRY(row.get<bool>(only_maintains(action) ? 2 : 1));
  if (!allowed) {
    out.refusal = denied(action, std::string(row.text(3)), std::string(row.text(4)), version);
  } else if (TRY(row.get<bool>(5))) {
    out.refusal =
        Error{ErrorCode::Unavailable, "the server is a standby and cannot change anything", "25006"}
            .hinting("connect to the primary");
  }
  return ok();
}

}  // namespace

LockMode waits_for(const Action& action, const Step& step) {
  const bool builds = !step.in_transaction && !action.creates.empty();
  return builds ? std::max(step.lock, LockMode::Share) : step.lock;
}

Result<Leftover> leftover_of(pg::Connection& conn, const std::string& qualified) {
  const pg::Rows rows = TRY(
      conn.query("select i.indisvalid from pg_class c left join pg_index i on i.indexrelid = c.oid "
                 "where c.oid = to_regclass($1)",
                 {qualified}));
  if (rows.empty()) return Leftover::None;
  const auto valid = TRY(rows[0].get<std::optional<bool>>(0));
  return valid.has_value() && !*valid ? Leftover::Invalid : Leftover::Valid;
}

Result<std::optional<Error>> being_built(pg::Connection& conn, const std::string& qualified) {
  const pg::Rows rows = TRY(conn.query(
      "select pid from pg_stat_progress_create_index where index_relid = to_regclass($1)",
      {qualified}));
  if (rows.empty()) return std::optional<Error>();
  return std::optional(
      Error{ErrorCode::Conflict, cat(qualified, " is being built by pid ", rows[0].text(0))});
}

Result<Preflight> inspect(pg::Connection& conn, const Action& action) {
  Preflight out;
  for (const Step& step : action.steps) {
    out.strongest = std::max(out.strongest, waits_for(action, step));
  }
  if (action.object.empty()) return out;
  TRY(find_object(conn, action, out));
  if (out.oid == 0) return out;
  if (!action.creates.empty()) {
    out.leftover = TRY(leftover_of(conn, action.creates));
    auto busy = TRY(being_built(conn, action.creates));
    if (!out.refusal) out.refusal = std::move(busy);
  }
  out.holders = TRY(facts::load_lock_holders(conn, out.oid, conflicting(out.strongest)));
  return out;
}

}  // namespace pgtend::care
