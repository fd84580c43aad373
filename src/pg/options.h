// Where and as whom to connect, given exactly as psql takes it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pgtend::pg {

// Keyword/value pairs for libpq. What is not set falls back to libpq's own order: environment
// (PGHOST …), service file, .pgpass, defaults. Passwords never appear in `describe()`.
class Options {
 public:
  // `dbname` may be a plain name, a "host=… port=…" string or a postgresql:// URI (as psql's -d).
  // Errors: Invalid with libpq's own text for a malformed string.
  static Result<Options> parse(const std::string& dbname);

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
