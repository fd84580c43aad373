#include "partition/retire.h"

#include <algorithm>

#include "base/text.h"
#include "care/execution.h"
#include "partition/mould.h"
#include "partition/statements.h"
#include "pg/quote.h"
#include "reshape/ledger.h"

namespace pgtend::partition {
namespace {

using pg::literal;

constexpr int kDetachConcurrentlySince = 140000;

std::string retired_ledger(const facts::Layout& layout) {
  return pg::qualified(layout.schema, cat("pgtend_", layout.oid, "_retired"));
}

// Which tables have left for good, so that what is left to do with them is not forgotten.
void remember(const SetPlan& plan, const facts::Partition& part, care::Action& out) {
  const std::string ledger = retired_ledger(plan.layout);
  out.steps.push_back({.sql = cat("CREATE TABLE IF NOT EXISTS ", ledger,
                                  " (part oid PRIMARY KEY, lo text, hi text, since timestamptz NOT "
                                  "NULL DEFAULT now())")});
  out.steps.push_back(
      {.sql = cat("INSERT INTO ", ledger, " (part, lo, hi) VALUES (", part.oid, ", ",
                  part.from ? literal(*part.from) : "NULL", ", ",
                  part.to ? literal(*part.to) : "NULL", ") ON CONFLICT DO NOTHING")});
}

care::Action detach_of(const SetPlan& plan, const Departure& departure) {
  const std::string parent = plan.layout.qualified();
  const std::string leaf = departure.part.qualified();
  care::Action out{.kind = "detach", .object = parent};
  if (departure.too_old && plan.policy.retire != Retire::Detach) {
    remember(plan, departure.part, out);
  }
  const std::string head = cat("ALTER TABLE ", parent, " DETACH PARTITION ", leaf);
  if (departure.part.detach_pending) {
    out.steps.push_back({.sql = cat(head, " FINALIZE"),
                         .lock = care::LockMode::ShareUpdateExclusive,
                         .in_transaction = false});
  } else if (departure.concurrently) {
    out.steps.push_back({.sql = cat(head, " CONCURRENTLY"),
                         .lock = care::LockMode::ShareUpdateExclusive,
                         .in_transaction = false});
  } else {
    out.steps.push_back({.sql = head, .lock = care::LockMode::AccessExclusive});
  }
  out.verify_sql =
      cat("select not exists (select from pg_inherits where inhrelid = ", departure.part.oid, ")");
  const bool stays = plan.policy.retire == Retire::Detach || plan.policy.retire == Retire::Move ||
                     !departure.too_old;
  if (stays) {
    out.undo = {
        cat("ALTER TABLE ", parent, " ATTACH PARTITION ", leaf, " ", for_values(departure.part))};
  }
  return out;
}

// Names may have changed hands since the look: the table is the one that was meant, and no
// partition.
care::Step still_that(const facts::Partition& part) {
  return {.sql = cat("SELECT to_regclass(", literal(part.qualified()), ")::oid = ", part.oid,
                     " AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = ", part.oid, ")"),
          .check = true,
          .failure = cat(part.qualified(), " is not the detached table any more")};
}

Result<std::vector<std::string>> moves(pg::Connection& conn, const SetPlan& plan,
                                       const facts::Partition& part) {
  const std::string to = cat(" SET TABLESPACE ", pg::ident(plan.policy.tablespace));
  std::vector<std::string> out = {cat("ALTER TABLE ", part.qualified(), to)};
  const pg::Rows rows = TRY_DURING(
      conn.query("select n.nspname, c.relname from pg_index i join pg_class c on c.oid = "
                 "i.indexrelid join pg_namespace n on n.oid = c.relnamespace where i.indrelid = $1 "
                 "order by c.relname",
                 {cat(part.oid)}),
      cat("reading the indexes of ", part.qualified()));
  for (const pg::Row row : rows) {
    out.push_back(cat("ALTER INDEX ", pg::qualified(row.text(0), row.text(1)), to));
  }
  return out;
}

Result<care::Action> after_of(pg::Connection& conn, const SetPlan& plan,
                              const Departure& departure) {
  const facts::Partition& part = departure.part;
  care::Action out{.kind = "retire", .object = part.qualified()};
  if (plan.policy.retire == Retire::Detach || !departure.too_old) return out;
  const care::Step forget{
      .sql = cat("DELETE FROM ", retired_ledger(plan.layout), " WHERE part = ", part.oid)};
  out.steps.push_back(still_that(part));
  if (plan.policy.retire == Retire::Move) {
    for (std::string& sql : TRY(moves(conn, plan, part))) {
      out.steps.push_back({.sql = std::move(sql), .lock = care::LockMode::AccessExclusive});
    }
    out.steps.push_back(forget);
    return out;
  }
  if (plan.policy.retire == Retire::Archive) {
    out.steps.insert(out.steps.begin(),
                     {.sql = cat("COPY (SELECT … FROM ", part.qualified(), ") TO STDOUT -- into ",
                                 plan.policy.folder, ", read again and compared"),
                      .lock = care::LockMode::Share});
  }
  out.steps.push_back(forget);
  out.steps.push_back(
      {.sql = cat("DROP TABLE ", part.qualified()), .lock = care::LockMode::AccessExclusive});
  return out;
}

// Those that an earlier run has detached and not brought to the end.
Status find_left_behind(pg::Connection& conn, SetPlan& plan) {
  const std::string ledger = retired_ledger(plan.layout);
  const pg::Rows there = TRY(conn.query(
      "select to_regclass($1) is not null and has_table_privilege(to_regclass($1), 'SELECT')",
      {ledger}));
  if (!TRY(there[0].get<std::optional<bool>>(0)).value_or(false)) return ok();
  const pg::Rows rows = TRY_DURING(
      conn.query(cat("select c.oid, n.nspname, c.relname, l.lo, l.hi, "
                     "pg_total_relation_size(c.oid) from ",
                     ledger,
                     " l join pg_class c on c.oid = l.part and c.relkind in ('r', 'p') join "
                     "pg_namespace n on n.oid = c.relnamespace where not exists (select from "
                     "pg_inherits i where i.inhrelid = c.oid) order by l.since, c.oid")),
      cat("reading ", ledger));
  for (const pg::Row row : rows) {
    Departure left{.detached = true};
    left.part.oid = static_cast<uint32_t>(TRY(row.get<int64_t>(0)));
    left.part.schema = row.text(1);
    left.part.name = row.text(2);
    if (!row.null(3)) left.part.from = row.text(3);
    if (!row.null(4)) left.part.to = row.text(4);
    left.part.bytes = {TRY(row.get<int64_t>(5))};
    plan.departures.push_back(std::move(left));
  }
  return ok();
}

Result<std::string> referenced_by(pg::Connection& conn, const facts::Layout& layout) {
  const pg::Rows rows = TRY_DURING(
      conn.query("select n.nspname, c.relname, k.conname from pg_constraint k join pg_class c on "
                 "c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace where "
                 "k.confrelid = $1 and k.contype = 'f' and k.conparentid = 0 order by 1, 2 limit 1",
                 {cat(layout.oid)}),
      "looking for foreign keys");
  if (rows.empty()) return std::string();
  return cat("table ", pg::qualified(rows[0].text(0), rows[0].text(1)), " refers to ",
             layout.qualified(), " (", pg::ident(rows[0].text(2)),
             "): its rows would have to go first; drop that foreign key, or delete the rows that "
             "refer to old ones and detach by hand");
}

// A partition that leaves takes rows from a table that may be taken back yet.
std::string being_converted(pg::Connection& conn, const facts::Layout& layout) {
  const auto job = reshape::find_ledger(conn, layout.qualified());
  if (!job) return job.error().message;
  if (!*job) return {};
  return cat("the conversion of ", layout.qualified(),
             " can still be taken back: pgtend partition finish, or undo, first");
}

// Whether somebody is at this moment in the middle of a DETACH CONCURRENTLY.
Result<bool> detaching_now(pg::Connection& conn) {
  const pg::Rows rows = TRY_DURING(
      conn.query("select exists (select from pg_stat_activity where datname = current_database() "
                 "and pid <> pg_backend_pid() and state = 'active' and query ~* "
                 "'detach\\s+partition')"),
      "looking for others that detach");
  return rows[0].get<bool>(0);
}

Result<bool> pending(pg::Connection& conn, uint32_t oid) {
  if (conn.server_version() < kDetachConcurrentlySince) return false;
  const pg::Rows rows = TRY(
      conn.query("select exists (select from pg_inherits where inhrelid = $1 and inhdetachpending)",
                 {cat(oid)}));
  return rows[0].get<bool>(0);
}

}  // namespace

Status plan_departures(pg::Connection& conn, SetPlan& plan) {
  if (plan.policy.retire != Retire::Detach) TRY(find_left_behind(conn, plan));
  if (plan.departures.empty()) return ok();
  const std::string referenced = TRY(referenced_by(conn, plan.layout));
  const std::string converted = being_converted(conn, plan.layout);
  const bool busy = TRY(detaching_now(conn));
  for (Departure& departure : plan.departures) {
    departure.concurrently =
        conn.server_version() >= kDetachConcurrentlySince && !plan.layout.has_default();
    if (!departure.detached && !departure.part.detach_pending && !converted.empty()) {
      departure.refusal = converted;
    } else if (!departure.detached && !departure.part.detach_pending && !referenced.empty()) {
      departure.refusal = referenced;
    } else if (departure.part.detach_pending && busy) {
      departure.refusal = cat(departure.part.qualified(), " is being detached by somebody else");
    }
    if (!departure.refusal.empty()) continue;
    if (!departure.detached) departure.detach = detach_of(plan, departure);
    departure.after = TRY(after_of(conn, plan, departure));
  }
  return ok();
}

Result<care::Outcome> run_detach(const UpkeepSetup& setup, const Departure& departure) {
  care::GateSetup gate = setup.gate;
  if (!departure.concurrently && !departure.part.detach_pending) {
    return care::Gate(gate).run(departure.detach);
  }
  gate.policy.lock_timeout_patient = setup.detach_patience;
  gate.policy.tries = 1;
  const auto work = [&](care::Rounds& rounds) -> Status {
    Status status = ok();
    for (const care::Step& step : departure.detach.steps) {
      care::Step alone = step;
      alone.in_transaction = false;
      status = rounds.step(alone);
      if (!status) break;
    }
    if (status) return ok();
    // The first of its two transactions is done: all that is left is to wait.
    const bool half = !departure.part.detach_pending &&
                      status.error().code == ErrorCode::Conflict &&
                      TRY(pending(rounds.connection(), departure.part.oid));
    if (!half) return status;
    const Error& error = status.error();
    return Error{ErrorCode::Conflict,
                 cat(departure.part.qualified(), " is half detached: ", error.message),
                 error.sqlstate}
        .hinting("its rows are not seen any more; the next run finishes it");
  };
  return care::Gate(gate).run(departure.detach, work);
}

}  // namespace pgtend::partition
