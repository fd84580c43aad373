#include "cli/gate_session.h"

#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>

#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"

namespace pgtend::cli {

namespace {
Result<std::string> state_path() {
  return store::state_path([](const char* name) { return std::getenv(name); });
}
}  // namespace

GateSession::GateSession(const Args& args, Output& output)
    : args_(args), output_(output), on_stop_(args.stop, [this] { cancel_.store(true); }) {}

Result<std::unique_ptr<GateSession>> GateSession::open(const Args& args, Output& output) {
  std::unique_ptr<GateSession> session(new GateSession(args, output));
  auto path = state_path();
  auto audit = path ? store::Audit::open(*path, system_clock())
                    : Result<store::Audit>(std::move(path).error());
  if (audit) {
    session->audit_ = std::make_unique<store::Audit>(std::move(audit).take());
  } else if (args.apply) {
    return std::move(audit)
        .error()
        .during("opening the audit trail")
        .hinting("nothing was changed; set PGTEND_STATE to a file that you may write");
  } else {
    output.warn(cat("no audit trail: ", audit.error().message));
  }
  return session;
}

Result<std::unique_ptr<store::Audit>> existing_audit() {
  const auto path = state_path();
  std::error_code failure;
  if (!path || !std::filesystem::exists(*path, failure)) return std::unique_ptr<store::Audit>();
  return std::make_unique<store::Audit>(TRY(store::Audit::open(*path, system_clock())));
}

care::GateSetup GateSession::setup() {
  care::GateSetup setup;
  setup.options = args_.connection;
  setup.policy.apply = args_.apply;
  setup.audit = audit_.get();
  setup.clock = &system_clock();
  setup.cancel = &cancel_;
  setup.on_moment = [this](const care::Moment& moment) { show(moment); };
  return setup;
}

void GateSession::show(const care::Moment& moment) { output_.progress(moment_line(moment)); }

std::string moment_line(const care::Moment& moment) {
  std::string line = cat("step ", moment.step + 1, " of ", moment.steps, ": ", moment.what);
  for (const facts::Session& blocker : moment.blockers)
    line += cat(", behind ", blocker.describe());
  if (moment.progress) {
    line += cat(" ", moment.progress->command, ": ", moment.progress->phase);
    if (moment.pace.share) line += fmt::format(" {:.0f} %", *moment.pace.share * 100);
    if (moment.progress->total > 0) {
      line += cat(" of ", grouped(moment.progress->total), " ", moment.progress->unit);
    }
    if (moment.pace.remaining) line += cat(", ", human(*moment.pace.remaining), " left");
    if (!moment.progress->note.empty()) line += cat(" (", moment.progress->note, ")");
  }
  return printable(line);
}

void print_outcome(Output& output, const care::Outcome& outcome) {
  output.data()["outcome"] = care::to_json(outcome);
  for (const std::string& warning : outcome.warnings) output.warn(warning);
  if (outcome.already) output.line("already so: nothing was run");
  for (const care::StatementReport& statement : outcome.statements) {
    for (const std::string& beside : statement.beside) {
      output.line(
          cat("  beside it, in a transaction that is rolled back: ", printable(beside, true)));
    }
    output.line(cat("  ", printable(statement.sql, true)));
    std::string about =
        statement.lock == care::LockMode::None
            ? "    no table lock"
            : cat("    ", care::name(statement.lock), ": ", care::effect(statement.lock));
    if (statement.tries > 0) {
      about += cat("; took ", care::took_text(statement.duration));
      if (statement.lock_wait > milliseconds(0)) {
        about += cat(", waited ", human(statement.lock_wait), " for the lock");
      }
    }
    output.line(output.styled(Style::Dim, about));
  }
  if (!outcome.applied && !outcome.already) {
    if (!outcome.refusal.empty()) output.warn(cat("--apply would be refused: ", outcome.refusal));
    output.note("dry run: nothing was changed; --apply runs it");
  }
  if (outcome.applied && !outcome.undo.empty()) {
    output.line("to undo:");
    for (const std::string& sql : outcome.undo) output.line(cat("  ", printable(sql, true)));
  }
}

}  // namespace pgtend::cli
