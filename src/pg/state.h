// What a Connection holds, for the .cc files of this module only.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "pg/connection.h"

namespace pgtend::pg {

struct FinishConnection {
  void operator()(pg_conn* conn) const;
};
using ConnHandle = std::unique_ptr<pg_conn, FinishConnection>;

enum class Wait : uint8_t { Read, Write };

// Waits until `socket` is ready; false when `deadline` passed first. Errors: Internal.
// Thread: any.
Result<bool> wait_for(int socket, Wait what, SteadyTime deadline);

// Thread: as its Connection; cancel_asked is shared with any number of Cancellers.
struct Connection::State {
  static constexpr size_t kNoticesMax = 10'000;

  ConnHandle conn = {};
  Options options = {};
  std::deque<Notice> notices = {};
  std::shared_ptr<std::atomic<bool>> cancel_asked = std::make_shared<std::atomic<bool>>(false);
  bool started = false;                    // start() was called, the end not yet seen
  std::optional<Result<Rows>> ready = {};  // the started statement's result, before its end

  // What PostgreSQL answered, or a lost link.
  Error error_of(const pg_result* result) const;
  Error link_error(std::string_view libpq_text) const;
  Error link_error() const;
  void take_notice(const pg_result* result);

  // Owns `raw`; its rows, or what its status says went wrong.
  Result<Rows> keep(pg_result* raw);
  // Ends a COPY that nobody asked for; nothing to do for any other ExecStatusType.
  void leave_copy(int status);
  // Reads to the end of the statement: the last rows, or the first error.
  Result<Rows> collect();
  // Waits for and drops what an earlier statement still sends.
  Status settle();
  Status send(std::string_view sql, const Params& params);
  Status send_simple(std::string_view sql);
  Status queue(std::span<const Statement> statements);
  Result<std::vector<Rows>> collect_pipeline(size_t count);
  Status begin_copy(std::string_view sql, bool in);
  Status put(std::string_view data);
};

}  // namespace pgtend::pg
