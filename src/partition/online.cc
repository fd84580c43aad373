#include "partition/online.h"

#include <algorithm>

#include "base/text.h"
#include "partition/instant.h"
#include "partition/shadow_job.h"
#include "partition/statements.h"

namespace pgtend::partition {
namespace {

using care::LockMode;
using reshape::Make;

constexpr double kShadowRowsPerSecond = 60'000;  // copied, compared and indexed, on two small cores

}  // namespace

OnlinePlan plan_shadow(const Definition& definition, const Proposal& proposal,
                       const ConvertOptions& options, const std::vector<std::string>& taken,
                       const Policy& policy) {
  OnlinePlan out{.mode = std::string(name(Mode::Shadow)), .proposal = proposal};
  ShadowBuilder builder(definition, proposal);
  Examined examined = examine(definition, proposal, options, policy);
  examine_names(definition, builder.names_wanted(), taken, examined);
  examine_owner(definition, examined);
  if (!builder.find_key()) {
    examined.refusals.push_back(
        "it has no primary key, unique constraint or unique index by which a changed row could be "
        "found again, on columns that are never null and of types of PostgreSQL's own: add one, or "
        "convert it with "
        "--mode instant or locked");
  }
  out.refusals = std::move(examined.refusals);
  out.changes = std::move(examined.changes);
  out.action = {.kind = "partition", .object = definition.qualified()};
  if (!out.refusals.empty()) return out;
  for (const Constraint& constraint : definition.constraints) {
    if (constraint.kind != "f") continue;
    out.changes.push_back(cat("at the swap readers and writers of ", constraint.references,
                              " wait, because a foreign key of the table points to it"));
  }
  out.job = builder.build();
  out.changes.push_back(cat("the old table stays as ", out.job.old_table(),
                            ", without its foreign keys, until pgtend partition finish; until then "
                            "pgtend partition undo takes the conversion back"));
  if (definition.seated()) {
    out.changes.push_back(cat("at the swap readers and writers of ", definition.seat.parent,
                              " wait, whose partition it is"));
  }
  out.action = action_of(out.job, Verb::Run);
  out.action.expected_seconds = definition.rows / kShadowRowsPerSecond;
  out.action.extra_disk = definition.heap + definition.index_bytes;
  out.action.wal = definition.heap + definition.index_bytes;
  return out;
}

OnlinePlan plan_instant(const Definition& definition, Proposal proposal,
                        const ConvertOptions& options, const std::vector<std::string>& taken,
                        int ahead) {
  const std::string cutoff = instant_cutoff(proposal, ahead);
  const auto kept = static_cast<size_t>(std::max(ahead - kInstantReserve, 0));
  std::vector<Slice>& slices = proposal.slices;
  if (slices.size() > kept) slices.erase(slices.begin(), slices.end() - static_cast<long>(kept));
  OnlinePlan out{.mode = std::string(name(Mode::Instant)), .proposal = proposal};
  InstantBuilder builder(definition, out.proposal);
  Examined examined = examine(definition, out.proposal, options, {});
  examine_names(definition, builder.names_wanted(), taken, examined);
  examine_owner(definition, examined);
  for (const Constraint& constraint : definition.constraints) {
    if (constraint.options.empty() || contains(constraint.columns, proposal.column)) continue;
    examined.refusals.push_back(
        cat("constraint ", pg::ident(constraint.name),
            " is deferrable and lacks the partition key: its new index "
            "would be checked at once while it is built; use --mode shadow"));
  }
  examine_whole(definition, examined);
  out.refusals = std::move(examined.refusals);
  out.changes = std::move(examined.changes);
  out.action = {.kind = "partition", .object = definition.qualified()};
  if (cutoff.empty()) {
    out.refusals.push_back(cat("there is no new partition more than ", kInstantReserve,
                               " intervals ahead: ask for more with --ahead"));
  }
  if (!out.refusals.empty()) return out;
  out.changes.push_back(cat("all rows before ", cutoff, " stay in one partition, ",
                            builder.legacy(), "; until the conversion is done, rows from ", cutoff,
                            " on are refused"));
  out.job = builder.build();
  out.action = action_of(out.job, Verb::Run);
  out.action.extra_disk = definition.index_bytes;
  return out;
}

std::string_view name(Mode mode) {
  switch (mode) {
    case Mode::Shadow:
      return "shadow";
    case Mode::Instant:
      return "instant";
  }
  return "";
}

care::Action action_of(const reshape::Job& job, Verb verb) {
  care::Action out{.kind = "partition", .object = job.table()};
  const auto step = [&](std::string sql, LockMode lock) {
    out.steps.push_back({.sql = std::move(sql), .lock = lock});
  };
  switch (verb) {
    case Verb::Run:
      out.steps = reshape::shown_steps(job);
      break;
    case Verb::Abort:
      for (const std::string& sql : reshape::abort_statements(job, reshape::Phase::Capturing)) {
        step(sql, LockMode::AccessExclusive);
      }
      break;
    case Verb::TakeBack:
      for (const std::string& sql : job.lock_first) step(sql, LockMode::AccessExclusive);
      for (const std::string& sql : reshape::swap_locks(job, true)) {
        step(sql, LockMode::AccessExclusive);
      }
      for (const std::string& sql : job.back) step(sql, LockMode::AccessExclusive);
      for (const Make& make : job.after_back) step(make.sql, make.lock);
      break;
    case Verb::Finish:
      for (const std::string& sql : reshape::finish_statements(job)) {
        step(sql, LockMode::AccessExclusive);
      }
      break;
  }
  return out;
}

Status run_job(const care::GateSetup& gate, const reshape::Job& job, Verb verb,
               const reshape::Setup& setup, OnlineReport& report) {
  reshape::Rewrite rewrite(setup, job, report.job);
  const auto work = [&](care::Rounds& rounds) -> Status {
    switch (verb) {
      case Verb::Run:
        return rewrite.run(rounds);
      case Verb::Abort:
        return rewrite.abort(rounds);
      case Verb::TakeBack:
        return rewrite.take_back(rounds);
      case Verb::Finish:
        return rewrite.finish(rounds);
    }
    return ok();
  };
  report.outcome = TRY(care::Gate(gate).run(action_of(job, verb), work));
  return ok();
}

json::object to_json(const OnlinePlan& plan) {
  json::array refusals;
  for (const std::string& text : plan.refusals) refusals.emplace_back(text);
  json::array changes;
  for (const std::string& text : plan.changes) changes.emplace_back(text);
  return {{"mode", plan.mode},
          {"proposal", to_json(plan.proposal)},
          {"refusals", std::move(refusals)},
          {"changes", std::move(changes)},
          {"action", to_json(plan.action)}};
}

json::object to_json(const OnlineReport& report) {
  return {{"outcome", to_json(report.outcome)}, {"job", reshape::to_json(report.job)}};
}

}  // namespace pgtend::partition
