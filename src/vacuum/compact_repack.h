// Compaction by an installed pg_repack, under guard: its client is run for one table, watched for
// whom it holds up, ended when that is too long, and what it left is removed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "care/rounds.h"
#include "pg/connection.h"
#include "pg/options.h"
#include "vacuum/compact_facts.h"

namespace pgtend::vacuum {

// The client program, as far as it is there.
struct RepackClient {
  std::string program = {};  // path, "" if none was found
  std::string version = {};  // "1.4.8"
};

// Looks for it in PATH and among the programs of the server's major version as Debian puts them; it
// is asked for its version.
RepackClient find_repack(int server_version);
// "1.4.8" of "pg_repack 1.4.8"; "" for another text. Pure.
std::string repack_version_of(const std::string& text);

// What pg_repack makes for the time of its work, as far as it is there. Errors: those of the
// connection.
Result<std::vector<std::string>> load_repack_leftovers(pg::Connection& conn, uint32_t oid);
// The statements that remove them. Reads only. Errors: those of the connection.
Result<std::vector<std::string>> repack_cleanup(pg::Connection& conn, const CompactTable& table);

struct RepackSetup {
  RepackClient client = {};
  pg::Options options = {};
  CompactTable table = {};
  std::string database = {};
  milliseconds wait_max{1'000};  // nobody may be held up by it for longer without a break
  seconds wait_timeout{60};      // for the locks it wants itself
};

// The command line without the program's path. Pure.
std::vector<std::string> repack_arguments(const RepackSetup& setup);

// Runs it. Errors: Cancelled, Conflict (it held others up, or did not get its locks), Internal with
// its own words, those of the connection. Whatever it left is removed before this returns, or
// named.
Status run_repack(care::Rounds& rounds, const RepackSetup& setup);

}  // namespace pgtend::vacuum
