#include "pool/console.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "base/version.h"
#include "pool/client.h"
#include "pool/console_show.h"
#include "pool/lifecycle.h"
#include "pool/table_holds.h"
#include "pool/takeover.h"
#include "pool/texts.h"
#include "pool/worker.h"
#include "pool/workers.h"
#include "wire/backend.h"
#include "wire/binary.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;

// The console whose columns and texts these are, in the form that monitoring programs parse.
constexpr std::string_view kServerVersion = "1.25.0/bouncer";
constexpr size_t kArgumentBytesMax = 63;
constexpr size_t kSettingBytesMax = 255;

// What drivers set after every login; here it means nothing.
struct DriverParameter {
  std::string_view name;
  std::string_view value;
};
constexpr DriverParameter kDriverParameters[] = {
    {"application_name", ""},    {"client_encoding", "UTF8"},
    {"datestyle", "ISO"},        {"default_transaction_isolation", "read committed"},
    {"extra_float_digits", "1"}, {"standard_conforming_strings", "on"},
    {"timezone", "GMT"}};

const DriverParameter* driver_parameter(std::string_view name) {
  for (const DriverParameter& parameter : kDriverParameters) {
    if (equal_ignoring_case(parameter.name, name)) return &parameter;
  }
  return nullptr;
}

// --- commands

// One command of one client. The answer may come later, when the client may be gone.
struct Session {
  Worker& worker;
  uint64_t client;
  bool is_admin;

  void answer(const ConsoleAnswer& answer) const {
    if (Client* there = worker.client(client)) there->console_answer(answer);
  }
  void done(std::string_view tag) const { answer({.tag = std::string(tag)}); }
  void error(std::string_view text, std::string_view sqlstate = kPoolerState) const {
    answer({.error = std::string(text), .sqlstate = sqlstate});
  }
};

bool names_contain(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

const Show* find_show(std::string_view name) {
  const auto all = shows();
  const auto found = std::ranges::find_if(
      all, [name](const Show& show) { return equal_ignoring_case(show.name, name); });
  return found == all.end() ? nullptr : &*found;
}

std::vector<ShowColumn> columns_of(const DriverParameter& parameter) {
  return {{parameter.name, wire::kTextOid}};
}

std::vector<ShowColumn> columns_of(const Show& show) {
  return {show.columns.begin(), show.columns.end()};
}

void show_table(const Session& session, const Show& show) {
  session.worker.workers().snapshot(
      session.worker.index(), show.part, [session, &show](Worker& home, const Snapshot& snapshot) {
        Groups& groups = home.workers().groups();
        session.answer({.columns = columns_of(show),
                        .rows = show.fill({snapshot, home.config(), home.now(), groups,
                                           home.workers().holder() != 0}),
                        .tag = "SHOW"});
      });
}

std::string help();

void run_show(const Session& session, std::string_view what) {
  if (equal_ignoring_case(what, "help")) return session.answer({.notices = help(), .tag = "SHOW"});
  if (const Show* show = find_show(what)) {
    if (show->admins_alone && !session.is_admin) return session.error("admin access needed");
    return show_table(session, *show);
  }
  if (const DriverParameter* parameter = driver_parameter(what)) {
    return session.answer({.columns = columns_of(*parameter),
                           .rows = ShowRows(1, {std::string(parameter->value)}),
                           .tag = "SHOW"});
  }
  session.error(cat("invalid command 'SHOW ", printable(what), "', use SHOW HELP;"));
}

void run_reload(const Session& session, std::string_view) {
  session.worker.workers().reload(session.worker.index(), [session](const Status& status) {
    if (status) return session.done("RELOAD");
    log::error("reload failed", {log::kv("cause", status.error().message)});
    session.error("RELOAD failed, see logs for additional details", "F0000");
  });
}

void run_shutdown(const Session& session, std::string_view how) {
  Workers& workers = session.worker.workers();
  if (how.empty()) {
    // A successor has everything now: nothing is taken back.
    workers.holder() = 0;
    workers.stop();
    return session.answer({.ends = true});
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

// --- takeover

constexpr ShowColumn kParcelColumns[] = {
    {"task", wire::kTextOid}, {"state", wire::kTextOid}, {"has_socket", wire::kTextOid}};

// The rows of what was given away, each with its socket: the caller's loop has nothing else to do.
Status send_parcels(Client& client, const std::vector<Parcel>& parcels, milliseconds limit) {
  const int socket = client.channel().socket().descriptor();
  std::string head;
  be::append_row_description(head, {{.name = kParcelColumns[0].name},
                                    {.name = kParcelColumns[1].name},
                                    {.name = kParcelColumns[2].name}});
  TRY(net::send_with_descriptor(socket, head, -1, limit));
  for (const Parcel& parcel : parcels) {
    std::string row;
    const std::string state = to_text(parcel.state);
    be::append_data_row(row, {parcel.task, state, parcel.descriptor >= 0 ? "t" : "f"});
    TRY(net::send_with_descriptor(socket, row, parcel.descriptor, limit));
  }
  return ok();
}

Holder holder_of(const Session& session) { return {session.worker.index(), session.client}; }

Scope scope_of(const Session& session, std::string_view database) {
  return {session.worker.workers(), session.worker.index(), std::string(database)};
}

Done answer_with(const Session& session, std::string_view tag) {
  return [session, tag](const Status& status) {
    if (status) return session.done(tag);
    session.error(status.error().message);
  };
}

void run_suspend(const Session& session, std::string_view) {
  suspend(scope_of(session, ""), holder_of(session), answer_with(session, "SUSPEND"));
}

// Sockets and the secrets of clients: for nobody but who could read them out of memory, too.
void run_handover(const Session& session, std::string_view) {
  if (!session.worker.client(session.client)->is_owner()) {
    return session.error("only for the account of the process, over its unix socket");
  }
  hand_over(scope_of(session, ""), holder_of(session), [session](const Status& status) {
    if (!status) return session.error(status.error().message);
    Client* client = session.worker.client(session.client);
    if (client == nullptr || client->is_over()) return;
    const auto limit = session.worker.config().settings.time.suspend;
    const Status sent = send_parcels(*client, session.worker.workers().given_away(),
                                     std::chrono::ceil<milliseconds>(limit));
    if (!sent) return client->close(sent.error().message);
    log::info(cat("handed over to process ", client->identity().peer_pid));
    session.done("HANDOVER");
  });
}

void run_pause(const Session& session, std::string_view database) {
  pause(scope_of(session, database), answer_with(session, "PAUSE"));
}
void run_resume(const Session& session, std::string_view database) {
  resume(scope_of(session, database), answer_with(session, "RESUME"));
}
void run_kill(const Session& session, std::string_view database) {
  kill(scope_of(session, database), answer_with(session, "KILL"));
}
void run_disable(const Session& session, std::string_view database) {
  set_disabled(scope_of(session, database), true, answer_with(session, "DISABLE"));
}
void run_enable(const Session& session, std::string_view database) {
  set_disabled(scope_of(session, database), false, answer_with(session, "ENABLE"));
}
void run_reconnect(const Session& session, std::string_view database) {
  reconnect(scope_of(session, database), answer_with(session, "RECONNECT"));
}
void run_wait_close(const Session& session, std::string_view database) {
  wait_close(scope_of(session, database), answer_with(session, "WAIT_CLOSE"));
}
constexpr ShowColumn kHoldAnswer[] = {{"database", wire::kTextOid},
                                      {"tables", wire::kTextOid},
                                      {"timeout_ms", wire::kInt8Oid},
                                      {"open", wire::kInt8Oid}};

// A word on what may be in the way still: transactions that were open when it began to stand.
void run_hold(const Session& session, std::string_view text) {
  const auto request = parse_hold(text);
  if (!request) return session.error("bad arguments");
  if (request->database == "pgbouncer") {
    return session.error("cannot hold tables of admin db: pgbouncer");
  }
  hold_tables(scope_of(session, ""), *request, session.client,
              [session, request](const Result<size_t>& open) {
                if (!open) return session.error(open.error().message);
                const TableHold hold{.tables = request->tables};
                std::optional<std::string> database;
                if (!request->database.empty()) database = request->database;
                session.answer({.columns = {std::begin(kHoldAnswer), std::end(kHoldAnswer)},
                                .rows = ShowRows(1, {database, hold.text(),
                                                     cat(request->timeout.count()), cat(*open)}),
                                .tag = "HOLD"});
              });
}

void run_release(const Session& session, std::string_view text) {
  const auto request = parse_release(text);
  if (!request) return session.error("bad arguments");
  release_tables(scope_of(session, ""), *request, answer_with(session, "RELEASE"));
}

void run_kill_client(const Session& session, std::string_view text) {
  const auto id = parse_int(text);
  if (!id || *id < 0) return session.error("invalid client pointer supplied");
  kill_client(scope_of(session, ""), static_cast<uint64_t>(*id),
              answer_with(session, "KILL_CLIENT"));
}

// A text in single quotes, in which two stand for one.
std::optional<std::string> unquoted(std::string_view text) {
  std::string value;
  for (size_t at = 1; at < text.size(); ++at) {
    if (text[at] != '\'') {
      value += text[at];
    } else if (at + 1 == text.size()) {
      return value;
    } else if (text[++at] == '\'') {
      value += '\'';
    } else {
      break;
    }
  }
  return std::nullopt;
}

void run_set(const Session& session, std::string_view text) {
  const auto setting = console_setting(text);
  if (!setting) return session.error("bad arguments");
  if (driver_parameter(setting->first) != nullptr) {
    std::string notice;
    be::append_notice(notice,
                      {.severity = "NOTICE", .sqlstate = "00000", .message = "SET ignored"});
    return session.answer({.notices = std::move(notice), .tag = "SET"});
  }
  session.worker.workers().set(session.worker.index(), setting->first, setting->second,
                               [session](const Status& status) {
                                 if (status) return session.done("SET");
                                 session.error(cat("SET failed: ", status.error().message));
                               });
}

// --- the table of commands

enum class Rights : uint8_t { Stats, Admin };
enum class Argument : uint8_t { None, Word, Setting, Database, DatabaseOrAll };

struct Command {
  std::string_view name;
  Rights rights;
  Argument argument;
  std::string_view usage;       // behind the name, in SHOW HELP
  std::string_view admin_verb;  // "cannot ... admin db"
  void (*run)(const Session& session, std::string_view argument);
};

// "show" is first: the help has its own line for it.
constexpr Command kCommands[] = {
    {"show", Rights::Stats, Argument::Word, "", "", run_show},
    {"select", Rights::Stats, Argument::Word, "", "", run_show},
    {"reload", Rights::Admin, Argument::None, "", "", run_reload},
    {"pause", Rights::Admin, Argument::DatabaseOrAll, "[<db>]", "pause", run_pause},
    {"resume", Rights::Admin, Argument::DatabaseOrAll, "[<db>]", "resume", run_resume},
    {"disable", Rights::Admin, Argument::Database, "<db>", "disable", run_disable},
    {"enable", Rights::Admin, Argument::Database, "<db>", "enable", run_enable},
    {"reconnect", Rights::Admin, Argument::DatabaseOrAll, "[<db>]", "reconnect", run_reconnect},
    {"hold", Rights::Admin, Argument::Setting,
     "TABLE [<schema>.]<name>[, ...] [IN <db>] [TIMEOUT <ms>]", "", run_hold},
    {"release", Rights::Admin, Argument::Setting, "[TABLE [<schema>.]<name> [IN <db>]]", "",
     run_release},
    {"suspend", Rights::Admin, Argument::None, "", "", run_suspend},
    {"handover", Rights::Admin, Argument::None, "", "", run_handover},
    {"kill", Rights::Admin, Argument::DatabaseOrAll, "[<db>]", "kill", run_kill},
    {"kill_client", Rights::Admin, Argument::Word, "<client_id>", "", run_kill_client},
    {"wait_close", Rights::Admin, Argument::DatabaseOrAll, "[<db>]", "wait in", run_wait_close},
    {"set", Rights::Admin, Argument::Setting, "key = arg", "", run_set},
    {"shutdown", Rights::Admin, Argument::Word, "[WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS]", "",
     run_shutdown},
};

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

std::string help() {
  std::string detail = "\n\tSHOW HELP";
  for (const Show& show : shows()) detail += cat("|", upper(show.name));
  for (const Command& command : kCommands) {
    if (command.rights == Rights::Stats) continue;
    detail += cat("\n\t", upper(command.name), command.usage.empty() ? "" : " ", command.usage);
  }
  detail += "\n";
  std::string out;
  be::append_notice(out, {.severity = "NOTICE",
                          .sqlstate = "00000",
                          .message = "Console usage",
                          .detail = std::string_view(detail)});
  return out;
}

void run_checked(const Session& session, const Command& command, std::string_view argument) {
  const bool needs_database = command.argument == Argument::Database;
  const bool takes_database = needs_database || command.argument == Argument::DatabaseOrAll;
  if (command.rights == Rights::Admin) {
    if (!session.is_admin) return session.error("admin access needed");
    const std::string place = argument.empty() ? "" : cat(" '", printable(argument), "'");
    log::info(cat(upper(command.name), " command issued", place));
  }
  const bool is_word = command.argument != Argument::Setting;
  if (is_word && argument.size() > kArgumentBytesMax) return session.error("bad arguments");
  if (command.argument == Argument::None && !argument.empty()) {
    return session.error("bad arguments");
  }
  if (needs_database && argument.empty()) return session.error("a database is required");
  if (takes_database && argument == "pgbouncer") {
    return session.error(cat("cannot ", command.admin_verb, " admin db: pgbouncer"));
  }
  command.run(session, argument);
}

// The parts of a command's text. `command` is null when there is no such one.
struct Parsed {
  const Command* command = nullptr;
  std::string_view text;  // without space and semicolons around it
  std::string_view argument;
};

Parsed parse_command(std::string_view sql) {
  std::string_view text = trim(sql);
  while (text.ends_with(';')) text = trim(text.substr(0, text.size() - 1));
  const size_t end = text.find_first_of(" \t\r\n");
  const auto verb = text.substr(0, end);
  auto argument = end == std::string_view::npos ? std::string_view{} : trim(text.substr(end));
  const bool quoted = argument.size() >= 2 && argument.front() == '"' && argument.back() == '"';
  if (quoted) argument = argument.substr(1, argument.size() - 2);
  const auto* found = std::ranges::find_if(kCommands, [verb](const Command& command) {
    return equal_ignoring_case(command.name, verb);
  });
  return {found == std::end(kCommands) ? nullptr : found, text, argument};
}

}  // namespace

std::optional<std::pair<std::string, std::string>> console_setting(std::string_view text) {
  const size_t end = text.find_first_of(" \t\r\n=");
  if (end == 0 || end == std::string_view::npos) return std::nullopt;
  const std::string_view key = text.substr(0, end);
  std::string_view rest = trim(text.substr(end));
  if (rest.starts_with('=')) {
    rest = trim(rest.substr(1));
  } else if (equal_ignoring_case(rest.substr(0, 3), "to ")) {
    rest = trim(rest.substr(3));
  } else {
    return std::nullopt;
  }
  std::optional<std::string> value(rest);
  if (rest.starts_with('\'')) value = unquoted(rest);
  if (!value || key.size() > kArgumentBytesMax || value->size() > kSettingBytesMax) {
    return std::nullopt;
  }
  return std::pair(std::string(key), *std::move(value));
}

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

std::vector<ShowColumn> console_columns(std::string_view sql) {
  const Parsed parsed = parse_command(sql);
  if (parsed.command == nullptr) return {};
  if (parsed.command->run == run_hold) return {std::begin(kHoldAnswer), std::end(kHoldAnswer)};
  if (parsed.command->run != run_show) return {};
  if (const Show* show = find_show(parsed.argument)) return columns_of(*show);
  const DriverParameter* parameter = driver_parameter(parsed.argument);
  return parameter != nullptr ? columns_of(*parameter) : std::vector<ShowColumn>{};
}

void run_console(Worker& worker, Client& client, std::string_view sql) {
  const Parsed parsed = parse_command(sql);
  const std::string& user = client.identity().user;
  const bool is_admin =
      user == "pgbouncer" || names_contain(worker.config().settings.auth.admin_users, user);
  const Session session{worker, client.identity().id, is_admin};
  if (parsed.text.empty()) return session.answer({});
  if (parsed.command == nullptr) {
    return session.error(cat("invalid command '", printable(parsed.text), "', use SHOW HELP;"));
  }
  run_checked(session, *parsed.command, parsed.argument);
}

}  // namespace pgtend::pool
