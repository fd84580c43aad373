#include "care/finding.h"

#include <cmath>
#include <cstdlib>

namespace pgtend::care {
namespace {

json::array to_array(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}

json::object to_json(const Step& step) {
  return {{"sql", step.sql},
          {"lock", name(step.lock)},
          {"effect", effect(step.lock)},
          {"in_transaction", step.in_transaction}};
}

}  // namespace

std::string_view name(LockMode mode) {
  switch (mode) {
    case LockMode::None:
      return "none";
    case LockMode::AccessShare:
      return "AccessShareLock";
    case LockMode::RowShare:
      return "RowShareLock";
    case LockMode::RowExclusive:
      return "RowExclusiveLock";
    case LockMode::ShareUpdateExclusive:
      return "ShareUpdateExclusiveLock";
    case LockMode::Share:
      return "ShareLock";
    case LockMode::ShareRowExclusive:
      return "ShareRowExclusiveLock";
    case LockMode::Exclusive:
      return "ExclusiveLock";
    case LockMode::AccessExclusive:
      return "AccessExclusiveLock";
  }
  std::abort();
}

std::string_view effect(LockMode mode) {
  switch (mode) {
    case LockMode::None:
    case LockMode::AccessShare:
    case LockMode::RowShare:
    case LockMode::RowExclusive:
      return "readers and writers go on";
    case LockMode::ShareUpdateExclusive:
      return "readers and writers go on; other maintenance and schema changes wait";
    case LockMode::Share:
    case LockMode::ShareRowExclusive:
      return "readers go on, writers wait";
    case LockMode::Exclusive:
      return "plain readers go on, writers and SELECT FOR UPDATE wait";
    case LockMode::AccessExclusive:
      return "readers and writers wait";
  }
  std::abort();
}

std::string_view name(Severity severity) {
  switch (severity) {
    case Severity::Info:
      return "info";
    case Severity::Notice:
      return "notice";
    case Severity::Warning:
      return "warning";
    case Severity::Critical:
      return "critical";
  }
  std::abort();
}

std::string_view name(Proof proof) {
  switch (proof) {
    case Proof::Heuristic:
      return "L0 heuristic";
    case Proof::PlannerVerified:
      return "L1 planner-verified";
    case Proof::RunVerified:
      return "L2 run-verified";
    case Proof::WorkloadVerified:
      return "L3 workload-verified";
  }
  std::abort();
}

json::object to_json(const Action& action) {
  json::object out{{"kind", action.kind}, {"object", action.object}};
  json::array steps;
  for (const Step& step : action.steps) steps.emplace_back(to_json(step));
  out["steps"] = std::move(steps);
  out["verify_sql"] = action.verify_sql;
  out["undo"] = to_array(action.undo);
  if (action.expected_seconds) out["expected_seconds"] = *action.expected_seconds;
  if (action.extra_disk) out["extra_disk_bytes"] = action.extra_disk->count;
  if (action.wal) out["wal_bytes"] = action.wal->count;
  return out;
}

json::object to_json(const Finding& finding) {
  json::object out{{"id", finding.id},
                   {"object", finding.object},
                   {"severity", name(finding.severity)},
                   {"what", finding.what},
                   {"why", finding.why}};
  json::array evidence;
  for (const Evidence& item : finding.evidence) {
    evidence.emplace_back(json::object{{"name", item.name}, {"value", item.value}});
  }
  out["evidence"] = std::move(evidence);
  json::array actions;
  for (const Action& action : finding.actions) actions.emplace_back(to_json(action));
  out["actions"] = std::move(actions);
  out["statements"] = to_array(finding.statements);
  out["prediction"] = finding.prediction;
  out["proof"] = name(finding.proof);
  out["saved_seconds_per_day"] = finding.saved_seconds_per_day;
  return out;
}

}  // namespace pgtend::care
