// The admin console: database "pgbouncer", PgBouncer's commands and columns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pool/texts.h"

namespace pgtend::pool {

class Client;
class Worker;

struct ShowColumn {
  std::string_view name;
  int32_t type;  // an oid
};
using ShowRows = std::vector<std::vector<std::optional<std::string>>>;

// What a command answers, in either protocol.
struct ConsoleAnswer {
  std::string notices = {};  // whole messages
  std::vector<ShowColumn> columns = {};
  ShowRows rows = {};
  std::string tag = {};    // "": there was no command
  std::string error = {};  // if set, all there is to say
  std::string_view sqlstate = kPoolerState;
  bool ends = false;  // the client is closed without a word
};

// What the version commands answer.
std::string version_text();

// True if `user` may use the console at all.
bool console_allows(const Worker& worker, const std::string& user);
// The parameters of a console session's welcome, and its end.
void append_console_welcome(std::string& out);
// The columns of what the command in `sql` shows; empty when it has no rows.
std::vector<ShowColumn> console_columns(std::string_view sql);
// What SET is to change: `key = value` or `key TO value`, the value perhaps in single quotes.
// Nothing if `text` is no such thing, or too long.
std::optional<std::pair<std::string, std::string>> console_setting(std::string_view text);
// Runs the command in `sql`; client.console_answer() gets the answer, at once or later.
// Thread: the worker's.
void run_console(Worker& worker, Client& client, std::string_view sql);

}  // namespace pgtend::pool
