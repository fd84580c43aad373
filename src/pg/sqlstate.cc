#include "pg/sqlstate.h"

#include <algorithm>

namespace pgtend::pg {
namespace {

struct StateRow {
  std::string_view state;  // five characters, or two for a class
  ErrorCode code;
  std::string_view hint = {};
};

constexpr std::string_view kLoginHint =
    "check user and password: ~/.pgpass, PGPASSWORD or a service file; and the server's "
    "pg_hba.conf";
constexpr std::string_view kLockHint =
    "somebody else holds a lock: try again, or in a quieter hour";

// Whole states before their class; the first match counts.
constexpr StateRow kStates[] = {
    {"08P01", ErrorCode::Corrupt, "is that port a PostgreSQL server?"},
    {"08", ErrorCode::Unavailable, "is the server running there? check -h and -p"},
    {"0A", ErrorCode::Invalid},
    {"22", ErrorCode::Invalid},
    {"23", ErrorCode::Invalid},
    {"25006", ErrorCode::Denied, "the server is a standby or read-only: connect to the primary"},
    {"25P03", ErrorCode::Timeout},  // idle_in_transaction_session_timeout
    {"25P04", ErrorCode::Timeout},  // transaction_timeout (17+)
    {"25", ErrorCode::Invalid},
    {"26000", ErrorCode::NotFound},
    {"28", ErrorCode::Denied, kLoginHint},
    {"2B", ErrorCode::Invalid},
    {"34000", ErrorCode::NotFound},
    {"3D000", ErrorCode::NotFound, "list the databases of the server with: psql -l"},
    {"3F000", ErrorCode::NotFound},
    {"40001", ErrorCode::Conflict, "try again"},
    {"40P01", ErrorCode::Conflict, "try again"},
    {"40", ErrorCode::Conflict, "try again"},
    {"42501", ErrorCode::Denied},
    {"42602", ErrorCode::Invalid},
    {"42703", ErrorCode::NotFound},
    {"42704", ErrorCode::NotFound},
    {"42883", ErrorCode::NotFound},
    {"42P01", ErrorCode::NotFound},
    {"42P02", ErrorCode::Invalid},
    {"42", ErrorCode::Invalid},
    {"53300", ErrorCode::Limit, "the server has no free connection: pool them, or end idle ones"},
    {"53", ErrorCode::Limit},
    {"54", ErrorCode::Limit},
    {"55006", ErrorCode::Conflict, "somebody else uses it: end those sessions or try later"},
    {"55P03", ErrorCode::Conflict, kLockHint},
    {"55", ErrorCode::Invalid},
    {"57014", ErrorCode::Timeout, "allow more time (statement_timeout), or ask for less at once"},
    {"57P01", ErrorCode::Unavailable, "the server ended the session: connect again"},
    {"57P02", ErrorCode::Unavailable, "the server restarts after a crash: try again in a moment"},
    {"57P03", ErrorCode::Unavailable, "the server starts up or shuts down: try again in a moment"},
    {"57P04", ErrorCode::NotFound, "the database was dropped"},
    {"57P05", ErrorCode::Unavailable, "the server ended the idle session: connect again"},
    {"57", ErrorCode::Unavailable},
    {"P0", ErrorCode::Invalid},
    {"XX001", ErrorCode::Corrupt,
     "data on the server's disk is damaged: stop writing, check backups"},
    {"XX002", ErrorCode::Corrupt, "an index is damaged: REINDEX it, then check the disk"},
};

const StateRow* row_of(std::string_view sqlstate) {
  if (sqlstate.size() != 5) return nullptr;
  const auto* row = std::ranges::find_if(
      kStates, [&](const StateRow& candidate) { return sqlstate.starts_with(candidate.state); });
  return row == std::end(kStates) ? nullptr : row;
}

bool is_state_character(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); }

}  // namespace

ErrorCode code_of(std::string_view sqlstate) {
  const StateRow* row = row_of(sqlstate);
  return row == nullptr ? ErrorCode::Internal : row->code;
}

std::string_view hint_of(std::string_view sqlstate) {
  const StateRow* row = row_of(sqlstate);
  return row == nullptr ? std::string_view() : row->hint;
}

std::string_view sqlstate_in(std::string_view message) {
  constexpr std::string_view kBefore = ":  ";  // severity, colon, two spaces; never translated
  std::string_view found;
  for (size_t at = message.find(kBefore); at != std::string_view::npos;
       at = message.find(kBefore, at + 1)) {
    const std::string_view rest = message.substr(at + kBefore.size());
    if (rest.size() < 6 || rest[5] != ':') continue;
    if (std::ranges::all_of(rest.substr(0, 5), is_state_character)) found = rest.substr(0, 5);
  }
  return found;
}

}  // namespace pgtend::pg
