// Where and as whom to connect, given exactly as psql takes it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pgtend::pg {

// Keyword/value pairs for libpq. What is not set falls back to libpq's own order: service file,
// environment (PGHOST …), .pgpass, defaults. Passwords never appear in `describe()`.
// Thread: one at a time.
class Options {
 public:
  // What the command line gave: -h, -p, -U and -d (or the positional database name). nullopt means
  // "not given"; an empty text is passed on, as psql does.
  struct CommandLine {
    std::optional<std::string> host = {};
    std::optional<std::string> port = {};
    std::optional<std::string> user = {};
    std::optional<std::string> dbname = {};
  };

  // `dbname` may be a plain name, a "host=… port=…" string or a postgresql:// URI (as psql's -d).
  // Errors: Invalid with libpq's own text for a malformed string (quoted parts left out where they
  // could show a password).
  static Result<Options> parse(const std::string& dbname);

  // psql's precedence: what a connection string in -d says wins over -h, -p and -U; those win over
  // service file and environment. Errors: as parse().
  static Result<Options> from(const CommandLine& line);

  // Sets keyword `key` (libpq's names: host, port, user, dbname, …), replacing an earlier value.
  Options& set(const std::string& key, const std::string& value);
  // The value set here, or "" (defaults and environment are not looked up).
  std::string get(const std::string& key) const;
  // "user@host:port/dbname" as far as set; for messages. Without secrets.
  std::string describe() const;

  const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

}  // namespace pgtend::pg
