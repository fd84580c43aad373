#include "reshape/job.h"

#include <algorithm>

#include "base/text.h"
#include "facts/members.h"
#include "pg/quote.h"

namespace pgtend::reshape {
namespace {

constexpr care::LockMode kModes[] = {
    care::LockMode::None,           care::LockMode::AccessShare,
    care::LockMode::RowShare,       care::LockMode::RowExclusive,
    care::LockMode::Share,          care::LockMode::ShareUpdateExclusive,
    care::LockMode::Exclusive,      care::LockMode::ShareRowExclusive,
    care::LockMode::AccessExclusive};

void visit_make(facts::MemberWriter& visit, const Make& make) {
  visit("sql", make.sql);
  visit("lock", std::string(care::name(make.lock)));
  visit("alone", make.alone);
  visit("done_sql", make.done_sql);
  visit("creates", make.creates);
}

void visit_make(facts::MemberReader& visit, Make& make) {
  visit("sql", make.sql);
  std::string lock;
  visit("lock", lock);
  for (const care::LockMode mode : kModes) {
    if (care::name(mode) == lock) make.lock = mode;
  }
  visit("alone", make.alone);
  visit("done_sql", make.done_sql);
  visit("creates", make.creates);
}

template <class Visitor, class Item>
void visit_part(Visitor& visit, Item& part) {
  visit("table", part.table);
  visit("oid", part.oid);
  visit("condition", part.condition);
}

template <class Visitor, class Item>
void visit_job(Visitor& visit, Item& j) {
  const auto each = [](auto& inner, auto& make) { visit_make(inner, make); };
  visit("oid", j.oid);
  visit("schema", j.schema);
  visit("name", j.name);
  visit("shadow", j.shadow);
  visit("old", j.old);
  const auto part = [](auto& inner, auto& item) { visit_part(inner, item); };
  visit.list("sources", j.sources, part);
  visit.list("results", j.results, part);
  visit("key", j.key);
  visit("columns", j.columns);
  visit("divider", j.divider);
  visit("divider_type", j.divider_type);
  visit("bounds", j.bounds);
  visit("leaves", j.leaves);
  visit("create", j.create);
  visit.list("build", j.build, each);
  visit("lock_first", j.lock_first);
  visit("swap", j.swap);
  visit.list("after", j.after, each);
  visit("back", j.back);
  visit.list("after_back", j.after_back, each);
  visit("unchanged_sql", j.unchanged_sql);
  visit("refusals_sql", j.refusals_sql);
  visit("release", j.release);
  visit("equal_sql", j.equal_sql);
  visit("copies", j.copies);
  visit("abort", j.abort);
  visit.list("before_back", j.before_back, each);
  visit("finish", j.finish);
  visit("version", j.version);
  visit("block_size", j.block_size);
}

}  // namespace

std::string Job::table() const { return pg::qualified(schema, name); }
std::string Job::new_table() const { return pg::qualified(schema, shadow); }
std::string Job::old_table() const { return pg::qualified(schema, old); }
std::string Job::own_bare(std::string_view what) const { return cat("pgtend_", oid, "_", what); }
std::string Job::own(std::string_view what) const { return pg::qualified(schema, own_bare(what)); }

json::object to_json(const Job& job) {
  facts::MemberWriter writer;
  visit_job(writer, job);
  return std::move(writer).take();
}

Result<Job> job_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "a job must be an object"};
  Job job;
  facts::MemberReader reader(value.as_object());
  visit_job(reader, job);
  TRY_DURING(reader.finish(), cat("job of ", job.name));
  const bool rows = !job.key.empty() && !job.columns.empty() && !job.leaves.empty();
  if (job.oid == 0 || (job.copies && !rows)) {
    return Error{ErrorCode::Invalid, cat("the job of ", job.name, " is not whole")};
  }
  if (!job.divider.empty() && job.bounds.size() != job.leaves.size()) {
    return Error{ErrorCode::Invalid, cat("the job of ", job.name, " has leaves without a bound")};
  }
  const auto whole = [](const Part& part) {
    return !part.table.empty() && !part.condition.empty();
  };
  if (job.sources.empty() != job.results.empty() || !std::ranges::all_of(job.sources, whole) ||
      !std::ranges::all_of(job.results, whole)) {
    return Error{ErrorCode::Invalid, cat("the job of ", job.name, " has parts without a place")};
  }
  return job;
}

}  // namespace pgtend::reshape
