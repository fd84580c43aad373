#include "reshape/ledger.h"

#include "base/text.h"
#include "facts/tables.h"
#include "pg/quote.h"
#include "reshape/flow.h"

namespace pgtend::reshape {
namespace {

constexpr Phase kPhases[] = {Phase::Made,    Phase::Capturing, Phase::Copied,  Phase::Built,
                             Phase::Swapped, Phase::Settled,   Phase::Returned};

Result<Ledger> ledger_from(const pg::Row& row, const std::string& where) {
  Ledger out;
  const std::string phase(row.text(0));
  bool known = false;
  for (const Phase candidate : kPhases) {
    if (name(candidate) != phase) continue;
    out.phase = candidate;
    known = true;
  }
  if (!known) {
    return Error{ErrorCode::Corrupt, cat(where, " tells of an unknown phase ", printable(phase))};
  }
  for (const std::string_view word : split(row.text(1), ' ')) {
    if (!word.empty()) out.sizes.push_back(TRY(parse_int(word)));
    if (!word.empty()) out.pages += out.sizes.back();
  }
  out.next_page = TRY(row.get<int64_t>(2));
  out.rows = TRY(row.get<int64_t>(3));
  const json::value job = TRY_DURING(parse_json(row.text(4)), cat("reading ", where));
  out.job = TRY_DURING(job_from_json(job), cat("reading ", where));
  return out;
}

Result<Ledger> read_from(pg::Connection& conn, const std::string& ledger) {
  const pg::Rows rows = TRY_DURING(
      conn.query(
          cat("SELECT phase, pg_catalog.array_to_string(sizes, ' '), next_page, copied, job FROM ",
              ledger)),
      ledger);
  if (rows.size() != 1) return Error{ErrorCode::Corrupt, cat(ledger, " is not a ledger of ours")};
  return ledger_from(rows[0], ledger);
}

}  // namespace

std::string_view name(Phase phase) {
  switch (phase) {
    case Phase::Made:
      return "made";
    case Phase::Capturing:
      return "capturing";
    case Phase::Copied:
      return "copied";
    case Phase::Built:
      return "built";
    case Phase::Swapped:
      return "swapped";
    case Phase::Settled:
      return "settled";
    case Phase::Returned:
      return "returned";
  }
  return "";
}

std::vector<std::string> make_ledger(const Job& job) {
  const std::string ledger = job.own("ledger");
  return {cat("CREATE TABLE ", ledger,
              " (phase text NOT NULL, sizes bigint[] NOT NULL, next_page bigint NOT NULL, copied "
              "bigint NOT NULL, changed_at timestamptz NOT NULL, job text NOT NULL)"),
          ours_alone(ledger),
          cat("COMMENT ON TABLE ", ledger, " IS ",
              pg::literal(cat("pgtend writes ", job.table(),
                              " anew: pgtend partition resume, abort, undo or finish"))),
          cat("INSERT INTO ", ledger, " VALUES (", pg::literal(name(Phase::Made)),
              ", '{}', 0, 0, pg_catalog.now(), ", pg::literal(to_text(json::value(to_json(job)))),
              ")")};
}

std::string note_sizes(const Job& job) {
  std::vector<std::string> sizes;
  for (const Source& source : forward(job).sources) {
    sizes.push_back(cat("pg_catalog.pg_relation_size(", pg::literal(source.table),
                        "::pg_catalog.regclass) / ", job.block_size));
  }
  return cat("UPDATE ", job.own("ledger"), " SET sizes = ARRAY[", join(sizes, ", "), "]");
}

std::string note_phase(const Job& job, Phase phase) {
  return cat("UPDATE ", job.own("ledger"), " SET phase = ", pg::literal(name(phase)),
             ", changed_at = pg_catalog.clock_timestamp()");
}

std::string note_pages(const Job& job, int64_t next_page, int64_t rows_more) {
  return cat("UPDATE ", job.own("ledger"), " SET next_page = ", next_page, ", copied = copied + ",
             rows_more, ", changed_at = pg_catalog.clock_timestamp()");
}

Result<Ledger> read_ledger(pg::Connection& conn, const Job& job) {
  return read_from(conn, job.own("ledger"));
}

// The names of ledgers tell the table's oid, which after the swap is the old table's.
Result<std::optional<Ledger>> find_ledger(pg::Connection& conn, const std::string& table) {
  const uint32_t oid = TRY(facts::resolve_table(conn, table));
  const pg::Rows rows =
      TRY(conn.query("select quote_ident(n.nspname) || '.' || quote_ident(l.relname), c.relname, "
                     "l.relowner = current_user::regrole, pg_get_userbyid(l.relowner), "
                     "l.relname = 'pgtend_' || c.oid || '_ledger', "
                     "exists (select from aclexplode(l.relacl) a where a.grantee <> l.relowner) "
                     "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
                     "join pg_class l on l.relnamespace = n.oid and l.relkind = 'r' and "
                     "l.relname ~ '^pgtend_[0-9]+_ledger$' where c.oid = $1",
                     {cat(oid)}));
  for (const pg::Row row : rows) {
    // Its statements are run with our rights: whoever can write it could have them do anything.
    if (!TRY(row.get<bool>(2))) {
      if (!TRY(row.get<bool>(4))) continue;
      return Error{ErrorCode::Denied, cat("the job of ", printable(table), " belongs to role ",
                                          printable(row.text(3)))}
          .hinting("go on with it as that role");
    }
    if (TRY(row.get<bool>(5))) {
      if (!TRY(row.get<bool>(4))) continue;
      return Error{ErrorCode::Denied, cat("others may read or write ", printable(row.text(0)),
                                          ", whose statements would be run")}
          .hinting("look at its rights and at what stands in it; pgtend never grants any on it");
    }
    auto read = read_from(conn, std::string(row.text(0)));
    if (!read && !TRY(row.get<bool>(4))) continue;  // another table's, and not to be read
    Ledger ledger = TRY(std::move(read));
    if (ledger.job.name == row.text(1) || ledger.job.oid == oid)
      return std::optional(std::move(ledger));
  }
  return std::optional<Ledger>();
}

}  // namespace pgtend::reshape
