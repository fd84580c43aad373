#include "vacuum/compact_repack.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "base/units.h"
#include "pg/child.h"
#include "pg/quote.h"

namespace pgtend::vacuum {
namespace {

constexpr milliseconds kRepackLook{50};
constexpr seconds kEndPatience{60};  // after it was interrupted: it waits for locks to clean up
constexpr seconds kVersionPatience{5};
constexpr seconds kCleanPatience{5};

// libpq's words, and the variables that its programs know them by.
constexpr std::pair<const char*, const char*> kVariables[] = {
    {"host", "PGHOST"},
    {"hostaddr", "PGHOSTADDR"},
    {"port", "PGPORT"},
    {"user", "PGUSER"},
    {"password", "PGPASSWORD"},
    {"passfile", "PGPASSFILE"},
    {"service", "PGSERVICE"},
    {"sslmode", "PGSSLMODE"},
    {"sslrootcert", "PGSSLROOTCERT"},
    {"sslcert", "PGSSLCERT"},
    {"sslkey", "PGSSLKEY"},
    {"options", "PGOPTIONS"},
    {"gssencmode", "PGGSSENCMODE"},
    {"connect_timeout", "PGCONNECT_TIMEOUT"}};

std::vector<std::string> repack_places(int server_version) {
  std::vector<std::string> out;
  const char* path = std::getenv("PATH");
  for (const std::string_view folder : split(path == nullptr ? "" : path, ':')) {
    if (!folder.empty()) out.push_back(cat(folder, "/pg_repack"));
  }
  // The server's own comes first: a client of another version does not work with its extension.
  out.insert(out.begin(), cat("/usr/lib/postgresql/", server_version / 10'000, "/bin/pg_repack"));
  return out;
}

std::string last_line(const std::string& text) {
  std::string out;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) out = std::string(line);
  }
  return out;
}

Result<int64_t> file_of(pg::Connection& conn, uint32_t oid) {
  const pg::Rows rows = TRY(
      conn.query("select coalesce(pg_relation_filenode($1::oid), 0)::int8", {std::to_string(oid)}));
  return rows[0].get<int64_t>(0);
}

// One run of the program.
class Repack {
 public:
  Repack(care::Rounds& rounds, const RepackSetup& setup, std::string application, pg::Child child)
      : rounds_(rounds),
        setup_(setup),
        application_(std::move(application)),
        child_(std::move(child)) {}

  // Until it has ended. The value: its exit code.
  Result<int> follow();
  std::string output() { return child_.output(); }

 private:
  // Who has been held up by it for too long, "" for nobody.
  std::string held_up();
  void end();

  care::Rounds& rounds_;
  const RepackSetup& setup_;
  std::string application_;
  pg::Child child_;
  std::optional<SteadyTime> since_ = {};
};

std::string Repack::held_up() {
  const auto rows = rounds_.look(
      cat("select w.pid, coalesce(w.application_name, '') from pg_stat_activity w where "
          "w.wait_event_type = 'Lock' and w.application_name <> ",
          pg::literal(application_),
          " and exists (select from unnest(pg_blocking_pids(w.pid)) b join pg_stat_activity a on "
          "a.pid = b where a.application_name = ",
          pg::literal(application_), ") order by w.pid limit 1"));
  if (!rows || rows->empty()) {
    since_.reset();
    return "";
  }
  const SteadyTime now = rounds_.clock().steady();
  if (!since_) since_ = now;
  if (now - *since_ < setup_.wait_max) return "";
  return cat("pid ", (*rows)[0].text(0), " (", printable((*rows)[0].text(1)), ")");
}

// It takes back what it has done, for which it may need locks.
void Repack::end() {
  child_.interrupt();
  const SteadyTime start = rounds_.clock().steady();
  while (!child_.ended() && rounds_.clock().steady() - start < kEndPatience) {
    rounds_.tell("waiting for pg_repack to end");
    usleep(std::chrono::duration_cast<microseconds>(kRepackLook).count());
  }
}

Result<int> Repack::follow() {
  while (true) {
    if (const auto code = child_.ended()) return *code;
    const std::string line = last_line(child_.output());
    rounds_.tell(cat("pg_repack: ", line.empty() ? "running" : printable(line)));
    const std::string who = held_up();
    if (!who.empty()) {
      end();
      return Error{
          ErrorCode::Conflict,
          cat("pg_repack was ended: it held up ", who, " for more than ", human(setup_.wait_max)),
          "55P03"}
          .hinting("run it again at a quieter time");
    }
    const Status paused = rounds_.pause(kRepackLook);
    if (!paused) {
      end();
      return paused.error();
    }
  }
}

// The lock that each run of pg_repack holds for its table, whoever started it.
std::string repack_lock(std::string_view function, uint32_t oid) {
  return cat("select ", function, "(16185446, (-2147483648 + ", oid, "::int8)::int4)");
}

// Removes what a run that was killed has left, its backends still being at work perhaps.
Status clean_up(care::Rounds& rounds, const RepackSetup& setup, const std::string& application) {
  pg::Connection& conn = rounds.connection();
  const SteadyTime start = rounds.clock().steady();
  while (true) {
    const pg::Rows mine = TRY(conn.query(repack_lock("pg_try_advisory_lock", setup.table.oid)));
    if (mine[0].text(0) == "t") break;
    // Ours alone, by the name that it was given.
    TRY(
        conn.query("select pg_terminate_backend(pid) from pg_stat_activity where "
                   "application_name = $1 and pid <> pg_backend_pid()",
                   {application}));
    if (rounds.clock().steady() - start >= kCleanPatience) {
      return Error{ErrorCode::Conflict, cat("another pg_repack is at work on ", setup.table.table),
                   "55P03"}
          .hinting("wait for it; pg_locks shows its session under locktype advisory");
    }
    usleep(std::chrono::duration_cast<microseconds>(kRepackLook).count());
  }
  Status status = ok();
  const auto statements = repack_cleanup(conn, setup.table);
  if (!statements) status = statements.error();
  if (statements) {
    for (const std::string& sql : *statements) {
      if (status) status = rounds.undo(sql);
    }
  }
  TRY(conn.query(repack_lock("pg_advisory_unlock", setup.table.oid)));
  return status;
}

std::vector<std::pair<std::string, std::string>> variables_of(const RepackSetup& setup,
                                                              const std::string& application) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [word, variable] : kVariables) {
    const std::string value = setup.options.get(word);
    if (!value.empty()) out.emplace_back(variable, value);
  }
  out.emplace_back("PGDATABASE", setup.database);
  out.emplace_back("PGAPPNAME", application);
  return out;
}

}  // namespace

std::string repack_version_of(const std::string& text) {
  constexpr std::string_view kStart = "pg_repack ";
  if (!text.starts_with(kStart)) return "";
  const std::string_view rest = std::string_view(text).substr(kStart.size());
  return std::string(rest.substr(0, rest.find_first_not_of("0123456789.")));
}

RepackClient find_repack(int server_version) {
  for (const std::string& place : repack_places(server_version)) {
    if (access(place.c_str(), X_OK) != 0) continue;
    auto child = pg::Child::start({place, "--version"}, {});
    if (!child) continue;
    const SteadyTime start = system_clock().steady();
    while (!child->ended() && system_clock().steady() - start < kVersionPatience) usleep(2'000);
    const std::string version = repack_version_of(child->output());
    if (!version.empty()) return {.program = place, .version = version};
  }
  return {};
}

Result<std::vector<std::string>> load_repack_leftovers(pg::Connection& conn, uint32_t oid) {
  const pg::Rows rows = TRY(conn.query(R"(
select 'trigger ' || quote_ident(tgname) from pg_trigger
where tgrelid = $1::oid and tgname = 'repack_trigger'
union all
select 'table ' || c.oid::regclass from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'repack' and c.relkind = 'r'
  and c.relname in ('log_' || $1::oid, 'table_' || $1::oid)
union all
select 'type repack.' || quote_ident(t.typname) from pg_type t
join pg_namespace n on n.oid = t.typnamespace
where n.nspname = 'repack' and t.typname = 'pk_' || $1::oid)",
                                       {std::to_string(oid)}));
  std::vector<std::string> out;
  for (const pg::Row row : rows) out.emplace_back(row.text(0));
  return out;
}

// The trigger first: it writes to the log with each change.
Result<std::vector<std::string>> repack_cleanup(pg::Connection& conn, const CompactTable& table) {
  std::vector<std::string> out;
  for (const std::string& name : TRY(load_repack_leftovers(conn, table.oid))) {
    if (name.starts_with("trigger ")) {
      // Nobody is to queue for long behind the lock that this takes.
      out.push_back(
          cat("DO ", pg::literal(cat("BEGIN SET LOCAL lock_timeout = '200ms'; DROP TRIGGER "
                                     "IF EXISTS ",
                                     name.substr(8), " ON ", table.table, "; END"))));
    } else if (name.starts_with("table ")) {
      out.push_back(cat("DROP TABLE IF EXISTS ", name.substr(6)));
    } else {
      out.push_back(cat("DROP TYPE IF EXISTS ", name.substr(5)));
    }
  }
  return out;
}

std::vector<std::string> repack_arguments(const RepackSetup& setup) {
  return {"--no-kill-backend", cat("--wait-timeout=", setup.wait_timeout.count()), "--no-order",
          cat("--table=", setup.table.table)};
}

Status run_repack(care::Rounds& rounds, const RepackSetup& setup) {
  pg::Connection& conn = rounds.connection();
  const pg::Rows name = TRY(conn.query("select current_setting('application_name') || '/repack'"));
  const std::string application = TRY(name.scalar());
  TRY(clean_up(rounds, setup, application));
  const int64_t before = TRY(file_of(conn, setup.table.oid));
  std::vector<std::string> argv = repack_arguments(setup);
  argv.insert(argv.begin(), setup.client.program);
  Repack repack(rounds, setup, application,
                TRY(pg::Child::start(argv, variables_of(setup, application))));
  const auto code = repack.follow();
  const Status cleaned = clean_up(rounds, setup, application);
  if (!cleaned) {
    Error error = cleaned.error();
    return std::move(error).during("removing what pg_repack left");
  }
  if (!code) return code.error();
  const pg::Rows invalid =
      TRY(conn.query("select count(*) from pg_index where indrelid = $1::oid and not indisvalid",
                     {std::to_string(setup.table.oid)}));
  if (TRY(invalid.scalar()) != "0") {
    return Error{ErrorCode::Internal, cat("an index of ", setup.table.table, " is not valid")};
  }
  // It also ends with 0 when it has left the table alone.
  if (*code == 0 && TRY(file_of(conn, setup.table.oid)) != before) return ok();
  const std::string words = printable(last_line(repack.output()));
  const bool waited = words.find("timeout") != std::string::npos;
  return Error{waited ? ErrorCode::Conflict : ErrorCode::Internal,
               cat("pg_repack ended with code ", *code, " and left ", setup.table.table,
                   " as it was: ", words),
               waited ? "55P03" : ""};
}

}  // namespace pgtend::vacuum
