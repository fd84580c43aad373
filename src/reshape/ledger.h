// What a job has done, kept beside the table itself: each note is written in the transaction that
// does what it says.
#pragma once

#include <optional>
#include <string>

#include "pg/connection.h"
#include "reshape/job.h"

namespace pgtend::reshape {

// How far a job has come; each one includes those before it.
enum class Phase : uint8_t {
  Made,       // the new table is there, empty
  Capturing,  // changes of the table are logged; its pages are being copied
  Copied,     // all of them
  Built,      // keys and indexes are there, the new table is analysed
  Swapped,    // the new table is in use, changes of it are logged
  Settled,    // what could wait is done
  Returned,   // taken back: the old table is in use again
};
std::string_view name(Phase phase);  // "made" …

struct Ledger {
  Job job = {};
  Phase phase = Phase::Made;
  std::vector<int64_t> sizes = {};  // pages of each source when the logging began
  int64_t pages = 0;                // of all of them
  int64_t next_page = 0;            // those before it are copied, counted through all sources
  int64_t rows = 0;                 // copied
};

// Statements that make the ledger of a job (in the transaction that makes its table), and note the
// sources' sizes, the next phase, what is copied.
std::vector<std::string> make_ledger(const Job& job);
std::string note_sizes(const Job& job);
std::string note_phase(const Job& job, Phase phase);
std::string note_pages(const Job& job, int64_t next_page, int64_t rows_more);

// The ledger of the job that writes `table` (as a user writes it, as it is called now) anew;
// nullopt if there is none. Errors: NotFound (no such table), Corrupt (a ledger that is not ours),
// those of the connection.
Result<std::optional<Ledger>> find_ledger(pg::Connection& conn, const std::string& table);
// The ledger of `job`, read again. Errors: NotFound.
Result<Ledger> read_ledger(pg::Connection& conn, const Job& job);

}  // namespace pgtend::reshape
