// A plain table becomes a partitioned one while it is in use: the jobs for reshape, and their run.
#pragma once

#include "partition/partition.h"
#include "reshape/rewrite.h"

namespace pgtend::partition {

struct OnlinePlan {
  std::string mode = {};
  Proposal proposal = {};
  // Why it cannot be done, each with the next step. Not empty: the job is empty.
  std::vector<std::string> refusals = {};
  std::vector<std::string> changes = {};  // what will not be as before
  reshape::Job job = {};
  care::Action action = {};  // what a dry run shows
};

// Shadow: a new table is filled beside the old one. Instant: the old table becomes the partition of
// all rows up to some way ahead, and no row is copied.
enum class Mode : uint8_t { Shadow, Instant };
std::string_view name(Mode mode);

// Pure. `taken` are names in use in the schema.
OnlinePlan plan_shadow(const Definition& definition, const Proposal& proposal,
                       const ConvertOptions& options, const std::vector<std::string>& taken,
                       const Policy& policy = {});
// The same; `ahead` is that of the request the proposal was made for.
OnlinePlan plan_instant(const Definition& definition, Proposal proposal,
                        const ConvertOptions& options, const std::vector<std::string>& taken,
                        int ahead);
// Reads, proposes and plans. Errors: as plan(), and Invalid when a job is at work on the table.
Result<OnlinePlan> plan_online(pg::Connection& conn, Request request,
                               const ConvertOptions& options = {}, Mode mode = Mode::Shadow,
                               const Policy& policy = {});

// Whether the role may do a job that copies, of which the server's block size is noted. Errors:
// Denied, those of the connection.
Status ready_to_copy(pg::Connection& conn, reshape::Job& job);
// Errors: Invalid when a job is at work on `table`, or above it.
Status nothing_begun(pg::Connection& conn, const std::string& table);

struct OnlineReport {
  care::Outcome outcome = {};
  reshape::Report job = {};
};
// What is done with a job that has begun.
enum class Verb : uint8_t { Run, Abort, TakeBack, Finish };
// The action of `verb` on `job`, as a dry run shows it.
care::Action action_of(const reshape::Job& job, Verb verb);
// Runs it through the gate. Errors: Invalid with the refusals; those of Gate::run and Rewrite.
// `report` is filled also when it fails.
Status run_job(const care::GateSetup& gate, const reshape::Job& job, Verb verb,
               const reshape::Setup& setup, OnlineReport& report);
json::object to_json(const OnlinePlan& plan);
json::object to_json(const OnlineReport& report);

}  // namespace pgtend::partition
