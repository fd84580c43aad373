#include "pg/options.h"

#include <libpq-fe.h>

#include <algorithm>
#include <memory>

#include "base/text.h"

namespace pgtend::pg {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
struct FreeText {
  void operator()(char* text) const { PQfreemem(text); }
};

// libpq's own test (recognized_connection_string): anything else is a plain database name.
bool is_connection_string(std::string_view text) {
  return text.starts_with("postgresql://") || text.starts_with("postgres://") ||
         text.find('=') != std::string_view::npos;
}

// libpq's message may quote any part of the string, so also a password: a quoted part longer than
// one character ends the text.
std::string without_quoted(std::string_view message) {
  size_t from = 0;
  while (true) {
    const size_t open = message.find('"', from);
    if (open == std::string_view::npos) return printable(message);
    if (message.substr(open).size() >= 3 && message[open + 2] == '"') {
      from = open + 3;
      continue;
    }
    return printable(cat(message.substr(0, open), "\"…\""));
  }
}

Error malformed(std::string_view dbname, std::string_view libpq_text) {
  const bool may_hold_secret = dbname.find('@') != std::string_view::npos ||
                               lower(dbname).find("password") != std::string::npos;
  const std::string_view text = trim(libpq_text);
  return Error{ErrorCode::Invalid,
               cat("connection string: ", may_hold_secret ? without_quoted(text) : printable(text)),
               {},
               "write host=… port=… user=… dbname=…, or postgresql://user@host:port/dbname"};
}

}  // namespace

Result<Options> Options::parse(const std::string& dbname) {
  Options options;
  if (dbname.find('\0') != std::string::npos) {
    return Error{ErrorCode::Invalid, "connection string: holds a NUL byte"};
  }
  if (!is_connection_string(dbname)) {
    if (!dbname.empty()) options.set("dbname", dbname);
    return options;
  }
  char* raw_error = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> parsed(
      PQconninfoParse(dbname.c_str(), &raw_error));
  const std::unique_ptr<char, FreeText> error(raw_error);
  if (!parsed) return malformed(dbname, error ? error.get() : "out of memory");
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) options.set(option->keyword, option->val);
  }
  return options;
}

Result<Options> Options::from(const CommandLine& line) {
  Options options;
  if (line.host) options.set("host", *line.host);
  if (line.port) options.set("port", *line.port);
  if (line.user) options.set("user", *line.user);
  if (line.dbname) {
    const Options parsed = TRY(parse(*line.dbname));
    for (const auto& [key, value] : parsed.pairs()) options.set(key, value);
  }
  return options;
}

Options& Options::set(const std::string& key, const std::string& value) {
  const auto at = std::ranges::find_if(pairs_, [&](const auto& pair) { return pair.first == key; });
  if (at == pairs_.end()) {
    pairs_.emplace_back(key, value);
  } else {
    at->second = value;
  }
  return *this;
}

std::string Options::get(const std::string& key) const {
  const auto at = std::ranges::find_if(pairs_, [&](const auto& pair) { return pair.first == key; });
  return at == pairs_.end() ? "" : at->second;
}

std::string Options::describe() const {
  std::string out;
  if (!get("user").empty()) out += cat(get("user"), "@");
  out += get("host").empty() ? get("hostaddr") : get("host");
  if (!get("port").empty()) out += cat(":", get("port"));
  if (!get("dbname").empty()) out += cat("/", get("dbname"));
  if (!get("service").empty()) out += cat(out.empty() ? "" : " ", "service=", get("service"));
  return out.empty() ? "the default server" : printable(out);
}

}  // namespace pgtend::pg
