#include "cli/lookout.h"

#include <unistd.h>

namespace pgtend::cli {

Lookout::Lookout(const Args& args, Output& output)
    : args_(args), output_(output), on_stop_(args.stop, [this] { stop(); }) {}

Result<pg::Connection> Lookout::connect() {
  pg::Connection conn = TRY(pg::Connection::open(args_.connection));
  const std::lock_guard lock(mutex_);
  canceller_ = conn.canceller();
  return conn;
}

void Lookout::stop() {
  const Error interrupted{ErrorCode::Cancelled, "interrupted"};
  {
    const std::lock_guard lock(mutex_);
    // The server would notice a vanished client only at the end of its statement.
    if (canceller_) static_cast<void>(canceller_->cancel());
  }
  output_.failed(interrupted);
  _exit(exit_code(interrupted));
}

}  // namespace pgtend::cli
