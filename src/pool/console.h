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
// Runs the command in `sql`; client.console_answer() gets the whole answer, at once or later.
// Thread: the worker's.
void run_console(Worker& worker, Client& client, std::string_view sql);

}  // namespace pgtend::pool
