#include "pool/console.h"

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "base/version.h"
#include "pool/client.h"
#include "pool/console_show.h"
#include "pool/texts.h"
#include "pool/worker.h"
#include "pool/workers.h"
#include "wire/backend.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;

// The console whose columns and texts these are, in the form that monitoring programs parse.
constexpr std::string_view kServerVersion = "1.25.0/bouncer";
constexpr size_t kArgumentBytesMax = 63;

constexpr int32_t kInt4 = 23;
constexpr int32_t kInt8 = 20;

void append_table(std::string& out, std::span<const ShowColumn> columns, const ShowRows& rows) {
  std::vector<be::Column> described;
  for (const ShowColumn& column : columns) {
    const int16_t size = column.type == kInt4 ? 4 : column.type == kInt8 ? 8 : -1;
    described.push_back({.name = column.name, .type_oid = column.type, .type_size = size});
  }
  be::append_row_description(out, described);
  for (const auto& cells : rows) {
    DCHECK(cells.size() == columns.size());
    // A zero byte cannot come: names end at one on the wire.
    be::append_data_row(out, be::Row(cells.begin(), cells.end()));
  }
  be::append_command_complete(out, "SHOW");
}

void append_help(std::string& out) {
  std::string detail = "\n\tSHOW HELP";
  for (const Show& show : shows()) {
    std::string upper(show.name);
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    detail += cat("|", upper);
  }
  detail += "\n\tRELOAD\n\tSHUTDOWN [ WAIT_FOR_SERVERS | WAIT_FOR_CLIENTS ]\n";
  be::append_notice(out, {.severity = "NOTICE",
                          .sqlstate = "00000",
                          .message = "Console usage",
                          .detail = std::string_view(detail)});
  be::append_command_complete(out, "SHOW");
}

// --- commands

// One command of one client. The answer may come later, when the client may be gone.
struct Session {
  Worker& worker;
  uint64_t client;
  bool is_admin;

  void answer(std::string out, bool ends = false) const {
    Client* there = worker.client(client);
    if (there == nullptr) return;
    if (!ends) be::append_ready_for_query(out, be::TransactionStatus::Idle);
    there->console_answer(out, ends);
  }
  void done(std::string_view tag) const {
    std::string out;
    be::append_command_complete(out, tag);
    answer(std::move(out));
  }
  void error(std::string_view text, std::string_view sqlstate = kPoolerState) const {
    answer(error_message(text, sqlstate));
  }
};

bool names_contain(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Each worker adds its part, the last one's visit is followed by the answer.
void show_table(const Session& session, const Show& show) {
  struct Gathered {
    std::vector<Snapshot> parts;
  };
  Workers& workers = session.worker.workers();
  auto gathered = std::make_shared<Gathered>();
  gathered->parts.resize(workers.size());
  workers.visit_all(
      session.worker.index(),
      [gathered, part = show.part](Worker& worker) {
        gathered->parts[worker.index()] = take_snapshot(worker, part);
      },
      [gathered, session, &show](Worker& home) {
        Snapshot whole = std::move(gathered->parts[0]);
        for (size_t i = 1; i < gathered->parts.size(); ++i) {
          whole.merge(std::move(gathered->parts[i]));
        }
        std::string out;
        append_table(out, show.columns, show.fill({whole, home.config(), home.now()}));
        session.answer(std::move(out));
      });
}

void run_show(const Session& session, std::string_view what, std::string_view whole) {
  if (equal_ignoring_case(what, "help")) {
    std::string out;
    append_help(out);
    return session.answer(std::move(out));
  }
  for (const Show& show : shows()) {
    if (equal_ignoring_case(show.name, what)) return show_table(session, show);
  }
  session.error(cat("invalid command '", printable(whole), "', use SHOW HELP;"));
}

void run_reload(const Session& session) {
  if (!session.is_admin) return session.error("admin access needed");
  log::info("RELOAD command issued");
  session.worker.workers().reload(session.worker.index(), [session](const Status& status) {
    if (status) return session.done("RELOAD");
    log::error("reload failed", {log::kv("cause", status.error().message)});
    session.error("RELOAD failed, see logs for additional details", "F0000");
  });
}

void run_shutdown(const Session& session, std::string_view how) {
  if (!session.is_admin) return session.error("admin access needed");
  log::info("SHUTDOWN command issued");
  Workers& workers = session.worker.workers();
  if (how.empty()) {
    workers.stop();
    return session.answer({}, true);
  }
  const bool servers = equal_ignoring_case(how, "wait_for_servers");
  if (!servers && !equal_ignoring_case(how, "wait_for_clients")) {
    return session.error("bad arguments");
  }
  session.done("SHUTDOWN");
  // After this answer is on its way.
  session.worker.loop().defer([&workers, servers] {
    workers.shut_down(servers ? Service::WaitForServers : Service::WaitForClients);
  });
}

void run_command(const Session& session, std::string_view command) {
  const size_t end = command.find_first_of(" \t\r\n");
  const auto verb = command.substr(0, end);
  const auto argument =
      end == std::string_view::npos ? std::string_view{} : trim(command.substr(end));
  if (argument.size() > kArgumentBytesMax) {
    session.error("bad arguments");
  } else if (equal_ignoring_case(verb, "show") || equal_ignoring_case(verb, "select")) {
    run_show(session, argument, command);
  } else if (equal_ignoring_case(verb, "reload") && argument.empty()) {
    run_reload(session);
  } else if (equal_ignoring_case(verb, "shutdown")) {
    run_shutdown(session, argument);
  } else {
    session.error(cat("invalid command '", printable(command), "', use SHOW HELP;"));
  }
}

}  // namespace

std::string version_text() { return cat("pgtend-pool ", kVersion, " (console of PgBouncer 1.25)"); }

bool console_allows(const Worker& worker, const std::string& user) {
  const AuthSettings& auth = worker.config().settings.auth;
  return names_contain(auth.admin_users, user) || names_contain(auth.stats_users, user);
}

void append_console_welcome(std::string& out) {
  be::append_authentication(out, {be::AuthKind::Ok, {}});
  static constexpr be::ParameterStatus kWelcome[] = {{"server_version", kServerVersion},
                                                     {"client_encoding", "UTF8"},
                                                     {"server_encoding", "UTF8"},
                                                     {"DateStyle", "ISO"},
                                                     {"TimeZone", "GMT"},
                                                     {"standard_conforming_strings", "on"},
                                                     {"is_superuser", "on"}};
  for (const auto& status : kWelcome) be::append_parameter_status(out, status);
  be::append_backend_key_data(out, {wire::random_pid(), wire::random_bytes(4)});
  be::append_ready_for_query(out, be::TransactionStatus::Idle);
}

void run_console(Worker& worker, Client& client, std::string_view sql) {
  std::string_view command = trim(sql);
  while (command.ends_with(';')) command = trim(command.substr(0, command.size() - 1));
  const std::string& user = client.identity().user;
  const bool is_admin =
      user == "pgbouncer" || names_contain(worker.config().settings.auth.admin_users, user);
  const Session session{worker, client.identity().id, is_admin};
  if (!command.empty()) return run_command(session, command);
  std::string out;
  be::append_bare(out, be::kEmptyQueryResponse);
  session.answer(std::move(out));
}

}  // namespace pgtend::pool
