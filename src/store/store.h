// The program's own file: SQLite behind RAII. SQLite is included in this module only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

struct sqlite3;

namespace pgtend::store {

// A value in or out of a statement; monostate is NULL.
using Value = std::variant<std::monostate, int64_t, double, std::string>;
using Record = std::vector<Value>;

// Reads one environment variable, nullptr when unset; std::getenv in the program.
using Environment = std::function<const char*(const char* name)>;

// Where the state file belongs: $PGTEND_STATE if set, else $XDG_STATE_HOME/pgtend/pgtend.db, else
// $HOME/.local/state/pgtend/pgtend.db. Errors: NotFound when none of the three is set.
Result<std::string> state_path(const Environment& environment);

// One SQLite database in WAL mode, every commit synced. Errors of all calls: Denied (file rights),
// Conflict (another process holds it longer than the busy timeout), Limit (disk full), Corrupt (not
// a database), Invalid (refused by a constraint or trigger), Internal.
// Thread: one at a time; several processes may open the same file.
class Store {
 public:
  // Opens `path`, creating it with mode 0600 and its folder with 0700. A file that belongs to
  // somebody else or is a symbolic link is refused; one that others can read is closed to them.
  static Result<Store> open(const std::string& path, milliseconds busy_timeout = seconds(5));

  // Brings the file to the newest schema: step i is run, in a transaction of its own, when the file
  // has seen only i steps. Steps are never edited once released. Errors: Invalid for a file written
  // by a newer program.
  Status migrate(std::span<const std::string_view> steps);

  // Runs one statement with `values` as ?1, ?2, …
  Status run(std::string_view sql, const Record& values = {});
  // Runs one query, at most `rows_max` rows (Limit beyond).
  Result<std::vector<Record>> query(std::string_view sql, const Record& values = {},
                                    size_t rows_max = 100'000);
  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  using Handle = std::unique_ptr<sqlite3, Close>;
  Store(Handle handle, std::string path) : handle_(std::move(handle)), path_(std::move(path)) {}
  // Runs all statements of `sql` without values.
  Status script(std::string_view sql);

  Handle handle_;
  std::string path_;
};

}  // namespace pgtend::store
