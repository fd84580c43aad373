// What every changing command needs: the audit trail, the gate's setup, progress on stderr.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>

#include "care/gate.h"
#include "cli/command.h"
#include "cli/output.h"
#include "store/audit.h"

namespace pgtend::cli {

// Opens the audit trail (a real run without one is refused by the gate; a dry run goes on with a
// warning) and turns Ctrl-C into the gate's cancel flag. Thread: one at a time.
class GateSession {
 public:
  // `args` and `output` are borrowed for the session's life. Errors: those of the audit trail when
  // --apply is given.
  static Result<std::unique_ptr<GateSession>> open(const Args& args, Output& output);

  // For Gate or an area's run(): points into this object.
  care::GateSetup setup();

 private:
  GateSession(const Args& args, Output& output);
  void show(const care::Moment& moment);

  const Args& args_;
  Output& output_;
  std::unique_ptr<store::Audit> audit_;
  std::atomic<bool> cancel_{false};
  std::stop_callback<std::function<void()>> on_stop_;
};

// The audit trail to read from; null when there is none yet (it is not made). Errors: those of
// store::Audit::open().
Result<std::unique_ptr<store::Audit>> existing_audit();

// One line for a moment of a running action: "VACUUM: scanning heap 63 % of 10,811 pages, …".
std::string moment_line(const care::Moment& moment);

// Prints what ran, or what would run, with locks and undo; fills data()["outcome"].
void print_outcome(Output& output, const care::Outcome& outcome);

}  // namespace pgtend::cli
