// The shared vocabulary of all care areas: a finding, its evidence, and the actions it may carry.
// Plain data: rules make findings from facts, care/gate alone executes actions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/units.h"

namespace pgtend::care {

// PostgreSQL's table lock modes, weakest first; None for statements that lock no table.
enum class LockMode : uint8_t {
  None,
  AccessShare,
  RowShare,
  RowExclusive,
  ShareUpdateExclusive,
  Share,
  ShareRowExclusive,
  Exclusive,
  AccessExclusive,
};
std::string_view name(LockMode mode);  // "ShareUpdateExclusiveLock", as pg_locks writes it
// What the mode lets others do, in plain words: "readers and writers go on", "writers wait", …
std::string_view effect(LockMode mode);

enum class Severity : uint8_t { Info, Notice, Warning, Critical };
std::string_view name(Severity severity);

// How far a prediction has been checked (explain.md section 3, labels on every advice).
enum class Proof : uint8_t { Heuristic, PlannerVerified, RunVerified, WorkloadVerified };
std::string_view name(Proof proof);  // "L0 heuristic" …

// A number that may be unknown, with the reason when it is ("no SELECT on app.t: GRANT …").
struct Known {
  std::optional<double> value = {};
  std::string why_not = {};
};

// One step of an action. Each statement runs alone, in the order given.
struct Step {
  std::string sql = {};
  LockMode lock = LockMode::None;
  bool in_transaction = true;  // false for CONCURRENTLY forms and VACUUM
  // The statement returns one boolean row; anything but true fails the step (and so rolls back the
  // transaction it stands in).
  bool check = false;
  std::string failure = {};  // what it means when the check fails
  // What is not lost by being stopped (VACUUM, ANALYZE): as soon as another session waits for a
  // lock of ours the statement is cancelled, and run again when that session has had its turn.
  bool yields = false;
  // Run before it in a transaction of a second connection, which is rolled back when the step has
  // ended: locks that others must find held meanwhile.
  std::vector<std::string> beside = {};
};

// A change to the database that care/gate can carry out.
struct Action {
  std::string kind = {};    // "create-index", "vacuum", "analyze", "partition"
  std::string object = {};  // qualified, quoted name of the table that is changed
  std::vector<Step> steps = {};
  // Qualified, quoted name of the index a CONCURRENTLY step builds, "" otherwise: the gate refuses
  // when a valid index of that name exists, and drops an invalid leftover of it first.
  std::string creates = {};
  // A query of one row, its columns numbers or texts: read before and after, for the audit record.
  std::string measure_sql = {};
  // A query of one boolean row: true when the action has taken effect. Checked after the steps. It
  // may read current_setting('pgtend.action_started')::timestamptz, the server's clock before them.
  std::string verify_sql = {};
  // Run when a step or the verification fails, and offered to the user afterwards; "" if there is
  // nothing to undo.
  std::vector<std::string> undo = {};
  bool undo_in_transaction = false;  // all of undo or nothing
  std::optional<double> expected_seconds = {};
  std::optional<Bytes> extra_disk = {};
  std::optional<Bytes> wal = {};
};

// One number or text read from the server that the finding rests on.
struct Evidence {
  std::string name = {};
  std::string value = {};
};

struct Finding {
  std::string id = {};      // the rule's id, stable: "A2", "dead-rows"
  std::string object = {};  // qualified name of what it is about
  Severity severity = Severity::Notice;
  std::string what = {};  // one sentence, the cause
  std::string why = {};   // why it matters, in the object's own numbers
  std::vector<Evidence> evidence = {};
  std::vector<Action> actions = {};  // best first; empty when only a person can act
  // SQL for a person to run: settings to try in the statement's own session, or a VACUUM.
  std::vector<std::string> statements = {};
  std::string prediction = {};  // what the first action is expected to bring
  std::string measured = {};    // what it, or a trial of it, brought; "" before
  Proof proof = Proof::Heuristic;
  double saved_seconds_per_day = 0;  // for ranking; 0 when unknown
};

// The finding as an object of the stable JSON schema used by --json.
json::object to_json(const Finding& finding);
json::object to_json(const Action& action);

}  // namespace pgtend::care
