// The admin console: database "pgbouncer", simple queries, PgBouncer's commands and columns.
#pragma once

#include <string>
#include <string_view>

namespace pgtend::pool {

class Client;
class Worker;

// What the version commands answer.
std::string version_text();

// True if `user` may use the console at all.
bool console_allows(const Worker& worker, const std::string& user);
// The parameters of a console session's welcome, and its end.
void append_console_welcome(std::string& out);
// Runs the command(s) in `sql` for `client` and appends the whole answer, ReadyForQuery included.
// True if the client must be closed without it (SHUTDOWN).
// Thread: the worker's.
bool run_console(Worker& worker, Client& client, std::string_view sql, std::string& out);

}  // namespace pgtend::pool
