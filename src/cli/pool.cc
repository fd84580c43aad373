#include "cli/pool.h"

#include <algorithm>

#include "base/text.h"
#include "cli/lookout.h"
#include "cli/pool_console.h"

namespace pgtend::cli {

namespace {
constexpr Parameter kPoolParameters[] = {
    {"[WHAT]", "", "what SHOW shows: pools (default), stats, clients, servers, databases, ..."},
};

constexpr const char* kTry = "try pools, stats, clients, servers or databases";

// Words of the console's SHOW: letters and underscores, so nothing else can be smuggled in.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 40 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  });
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

std::span<const Parameter> pool_parameters() { return kPoolParameters; }

Result<int> run_pool(const Args& args, Output& output) {
  const std::string what = args.get("WHAT", "pools");
  if (!is_word(what)) {
    return Error{ErrorCode::Invalid, cat("\"", printable(what), "\" is nothing a pooler shows")}
        .hinting(kTry);
  }
  Lookout lookout(args, output);
  PoolConsole console = TRY(PoolConsole::open(args.connection));
  auto shown = console.show(what);
  if (!shown) {
    Error error = std::move(shown).error();
    return error.code == ErrorCode::NotFound ? std::move(error).hinting(kTry) : error;
  }
  output.table(*shown);
  output.data()[lower(what)] = json_of(*shown);
  return 0;
}

}  // namespace pgtend::cli
