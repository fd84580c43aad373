// Sends readings to the server: by COPY on several connections, and what corrections leave behind.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/progress.h"
#include "base/result.h"
#include "demo/generator_order.h"
#include "pg/connection.h"

namespace pgtend::demo {

// What all steps of a load share. Borrowed by each. Thread: one.
struct GenerateContext {
  const pg::Options& target;
  std::stop_token stop;
  const ProgressFn& progress;
  const Clock& clock;

  // Calls `progress` if there is one.
  void report(const Progress& state) const {
    if (progress) progress(state);
  }
};

struct Sent {
  int64_t rows = 0;  // besides the superseded
  int64_t kwh_units = 0;
  int64_t superseded = 0;  // rows that delete_superseded() must remove
};

enum class Ids : uint8_t { Computed, ByTable };

// Runs one statement and waits for it, telling `progress` that step `state` goes on and cancelling
// the statement after a stop. Errors: Cancelled after a stop; what the server answers.
Result<pg::Rows> run_stoppable(pg::Connection& conn, std::string_view sql,
                               const GenerateContext& context, Progress state);

// Copies all readings of `order` into t_dlpdata on `connections` connections, each with its own
// thread; they take chunks in turn, so that the table's physical order stays that of `order`.
// Errors: Cancelled after a stop; the first error of any connection. Readings of other connections
// may be there after an error.
Result<Sent> copy_readings(const Model& model, const RowOrder& order, Ids ids, int connections,
                           const GenerateContext& context);

// Deletes the `count` rows that corrections have superseded: they stay behind as dead rows, as
// after upserts. Errors: as above; Internal when the table has another number of them.
Status delete_superseded(pg::Connection& conn, const RowOrder& order, int64_t count,
                         const GenerateContext& context);

}  // namespace pgtend::demo
