#include "cli/pool.h"

#include <algorithm>

#include "base/text.h"
#include "cli/lookout.h"
#include "pg/connection.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kParameters[] = {
    {"[WHAT]", "", "what SHOW shows: pools (default), stats, clients, servers, databases, ..."},
};

constexpr const char* kTry = "try pools, stats, clients, servers or databases";
constexpr const char* kNotAConsole =
    "this looks like a PostgreSQL server, not a pooler: give the pooler's port with -p";
constexpr std::string_view kNoDatabase = "3D000";
constexpr std::string_view kNoParameter = "42704";
constexpr std::string_view kNoSuchShow = "08P01";  // a console's answer to an unknown word

// Words of the console's SHOW: letters and underscores, so nothing else can be smuggled in.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 40 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  });
}

bool is_number(std::string_view text) { return static_cast<bool>(parse_double(text)); }

// Columns that hold nothing but numbers are aligned right.
Table table_of(const pg::Rows& rows) {
  Table table;
  for (int column = 0; column < rows.columns(); ++column) {
    table.headings.emplace_back(rows.column_name(column));
    bool numbers = !rows.empty();
    for (const pg::Row row : rows) numbers = numbers && is_number(row.text(column));
    table.align.push_back(numbers ? Align::Right : Align::Left);
  }
  for (const pg::Row row : rows) {
    auto& cells = table.rows.emplace_back();
    for (int column = 0; column < rows.columns(); ++column) cells.emplace_back(row.text(column));
  }
  return table;
}

json::array json_of(const Table& table) {
  json::array list;
  for (const auto& row : table.rows) {
    json::object entry;
    for (size_t i = 0; i < row.size(); ++i) entry[table.headings[i]] = row[i];
    list.push_back(std::move(entry));
  }
  return list;
}
}  // namespace

std::span<const Parameter> pool_parameters() { return kParameters; }

Result<int> run_pool(const Args& args, Output& output) {
  const std::string what = args.get("WHAT", "pools");
  if (!is_word(what)) {
    return Error{ErrorCode::Invalid, cat("\"", printable(what), "\" is nothing a pooler shows")}
        .hinting(kTry);
  }
  pg::Options options = args.connection;
  if (options.get("dbname").empty()) options.set("dbname", "pgbouncer");
  Lookout lookout(args, output);
  auto opened = pg::Connection::open(options);
  if (!opened && opened.error().sqlstate == kNoDatabase) {
    return std::move(opened).error().hinting(kNotAConsole);
  }
  pg::Connection conn = TRY(std::move(opened));
  auto shown = conn.query_simple(cat("SHOW ", what));
  if (!shown) {
    Error error = std::move(shown).error();
    const bool server = error.sqlstate == kNoParameter;
    if (!server && error.sqlstate != kNoSuchShow) return error;
    error.code = ErrorCode::Invalid;
    return std::move(error).hinting(server ? kNotAConsole : kTry);
  }
  const pg::Rows rows = std::move(shown).take();
  const Table table = table_of(rows);
  output.table(table);
  output.data()[lower(what)] = json_of(table);
  return 0;
}

}  // namespace pgtend::cli
