#include "partition/recut.h"

#include <algorithm>

#include "base/text.h"
#include "partition/calendar.h"
#include "partition/online.h"
#include "partition/recut_job.h"
#include "partition/slices.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

// What is looked at within one transaction in the request's zone.
class Recutter {
 public:
  Recutter(pg::Connection& conn, const RecutRequest& request, RecutPlan& plan)
      : conn_(conn),
        request_(request),
        plan_(plan),
        axis_{.table = plan.layout.name,
              .type = plan.layout.type,
              .time_zone = plan.layout.time_zone} {}

  // Fills sources and slices.
  Status look();

 private:
  Result<std::vector<Stretch>> stretches(const std::vector<std::string>& bounds);
  Status choose();
  Result<std::vector<Slice>> wanted();
  void leave_out(const facts::Partition& part, std::string_view why);

  pg::Connection& conn_;
  const RecutRequest& request_;
  RecutPlan& plan_;
  Axis axis_;
  std::vector<facts::Partition> parts_;  // that may be replaced
  std::vector<Stretch> places_;          // of them
};

// Of pairs of bounds.
Result<std::vector<Stretch>> Recutter::stretches(const std::vector<std::string>& bounds) {
  const auto moments = TRY(moments_of(conn_, axis_, bounds));
  std::vector<Stretch> out;
  for (size_t i = 0; i + 1 < moments.size(); i += 2) {
    if (!moments[i] || !moments[i + 1]) {
      return Error{ErrorCode::Invalid, "a partition has an infinite bound"};
    }
    out.push_back({.from_us = moments[i]->epoch_us,
                   .to_us = moments[i + 1]->epoch_us,
                   .from = bounds[i],
                   .to = bounds[i + 1]});
  }
  return out;
}

void Recutter::leave_out(const facts::Partition& part, std::string_view why) {
  plan_.warnings.push_back(cat(part.qualified(), " stays as it is: it ", why));
}

Status Recutter::choose() {
  std::vector<facts::Partition> parts;
  std::vector<std::string> bounds;
  for (const facts::Partition& part : plan_.layout.partitions) {
    if (part.is_default) continue;
    if (!part.from || !part.to) {
      leave_out(part, "has an open end, and pgtend partition convert divides such a one");
      continue;
    }
    parts.push_back(part);
    bounds.push_back(*part.from);
    bounds.push_back(*part.to);
  }
  const std::vector<Stretch> places = TRY(stretches(bounds));
  std::optional<Moment> from;
  std::optional<Moment> to;
  if (!request_.from.empty()) from = TRY(moment_at(conn_, axis_, request_.from));
  if (!request_.to.empty()) to = TRY(moment_at(conn_, axis_, request_.to));
  for (size_t i = 0; i < parts.size(); ++i) {
    if (from && places[i].from_us < from->epoch_us) continue;
    if (to && places[i].to_us > to->epoch_us) continue;
    if (parts[i].partitioned) {
      leave_out(parts[i], "is divided further");
      continue;
    }
    if (parts[i].detach_pending) {
      leave_out(parts[i], "is half detached, and pgtend partition maintain ends that");
      continue;
    }
    parts_.push_back(parts[i]);
    places_.push_back(places[i]);
  }
  return ok();
}

Result<std::vector<Slice>> Recutter::wanted() {
  const Grid grid = TRY(grid_through(conn_, axis_, request_.every, request_.anchor));
  const auto ends = TRY(moments_of(conn_, axis_, {*parts_.front().from, *parts_.back().to}));
  return slices_of(conn_, axis_, grid, index_of(grid, *ends[0]), index_of(grid, *ends[1]));
}

Status Recutter::look() {
  TRY(choose());
  if (parts_.empty()) return ok();
  const std::vector<Slice> slices = TRY(wanted());
  std::vector<std::string> bounds;
  for (const Slice& slice : slices) {
    bounds.push_back(slice.from);
    bounds.push_back(slice.to);
  }
  const Cuts cuts = cut(places_, TRY(stretches(bounds)));
  for (const size_t source : cuts.sources) plan_.sources.push_back(parts_[source]);
  for (const Cut& one : cuts.slices) {
    plan_.slices.push_back({slices[one.slice].name, one.piece.from, one.piece.to});
  }
  return ok();
}

Status name_slices(pg::Connection& conn, RecutPlan& plan) {
  std::vector<std::string> used;
  for (Slice& slice : plan.slices) {
    const std::string free = TRY(free_name(conn, plan.layout.schema, slice.name, used));
    if (free.empty()) {
      plan.refusals.push_back(cat("there is a relation ",
                                  pg::qualified(plan.layout.schema, slice.name),
                                  " already, and others like it: rename it first"));
      continue;
    }
    slice.name = free;
    used.push_back(free);
  }
  if (plan.rest.empty()) return ok();
  plan.rest = TRY(free_name(conn, plan.layout.schema, plan.rest, used));
  if (plan.rest.empty()) plan.refusals.emplace_back("no name is free for a new DEFAULT partition");
  return ok();
}

// One text, as the job's statements will see it.
Result<std::string> ask_plainly(pg::Connection& conn, const std::string& sql) {
  TRY(conn.exec(cat("BEGIN TRANSACTION READ ONLY; ", reshape::kPlainTexts)));
  const auto rows = conn.query(sql);
  TRY(conn.exec("ROLLBACK"));
  if (!rows) return Error(rows.error()).during("reading the partitions");
  return rows->scalar();
}

// What its place says of the rows of a table, "" if it has none.
Result<std::string> place_of(pg::Connection& conn, uint32_t oid) {
  return ask_plainly(conn,
                     cat("select coalesce(pg_get_partition_constraintdef(", oid, "::oid), '')"));
}

// Which of them cannot be replaced, and why.
Status examine_sources(pg::Connection& conn, RecutPlan& plan) {
  for (const facts::Partition& part : plan.sources) {
    const Definition table = TRY(load_definition(conn, part.qualified()));
    Examined examined{.refusals = table.refusals};
    examine_owner(table, examined);
    for (const Follower& follower : table.followers) {
      if (follower.stays) continue;  // its own row security, which the new ones get, too
      examined.refusals.push_back(cat(follower.what, " knows it: drop that first"));
    }
    for (const Trigger& trigger : table.triggers) {
      examined.refusals.push_back(cat("it has trigger ", pg::ident(trigger.name),
                                      " of its own: make it one of the whole table first"));
    }
    for (const std::string& reason : examined.refusals) {
      plan.refusals.push_back(cat(table.qualified(), ": ", reason));
    }
  }
  return ok();
}

Status examine_plan(pg::Connection& conn, const Mould& mould, const Policy& policy,
                    const std::vector<std::string>& names, RecutPlan& plan) {
  const size_t parts = plan.sources.size() + plan.slices.size();
  const size_t after = plan.layout.partitions.size() - plan.sources.size() + plan.slices.size();
  if (after > static_cast<size_t>(policy.partitions_max)) {
    plan.refusals.push_back(cat(after, " partitions are more than ", policy.partitions_max,
                                ": choose a wider interval"));
  }
  const auto locks = static_cast<int64_t>(parts * (2 + index_names(*mould.like).size()));
  if (mould.like->locks_max > 0 && locks > mould.like->locks_max * 8 / 10) {
    plan.refusals.push_back(cat("one transaction would need about ", grouped(locks),
                                " locks and the server has ", grouped(mould.like->locks_max),
                                ": take fewer partitions with --from and --to"));
  }
  std::vector<std::string> used;
  for (const std::string& name : names) {
    if (TRY(free_name(conn, plan.layout.schema, name, used)) != name) {
      plan.refusals.push_back(cat("there is a relation ", pg::qualified(plan.layout.schema, name),
                                  " already: drop or rename it first"));
    }
    used.push_back(name);
  }
  return ok();
}

Result<std::vector<std::string>> conditions_of(pg::Connection& conn, const RecutPlan& plan) {
  std::vector<std::string> out;
  for (const facts::Partition& part : plan.sources) {
    out.push_back(TRY(place_of(conn, part.oid)));
  }
  return out;
}

// What the job asks again and again, and what it is asked for at its end.
Status add_questions(pg::Connection& conn, RecutPlan& plan) {
  std::vector<uint32_t> oids{plan.layout.oid};
  for (const facts::Partition& part : plan.sources) oids.push_back(part.oid);
  const std::string print = print_of_all_sql(oids);
  const std::string now = TRY(ask_plainly(conn, cat("SELECT ", print)));
  plan.job.unchanged_sql = cat("SELECT ", print, " = ", pg::literal(now));
  std::vector<std::string> made;
  for (const reshape::Part& part : plan.job.results) made.push_back(pg::literal(part.table));
  plan.job.equal_sql =
      cat("SELECT ", columns_sql(plan.job.table()), " = ", columns_sql(plan.job.old_table()),
          " AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_inherits WHERE inhparent = "
          "pg_catalog.to_regclass(",
          pg::literal(plan.job.table()), ") AND inhrelid = ANY (ARRAY[", join(made, ", "),
          "]::pg_catalog.regclass[])) = ", plan.job.results.size());
  return ok();
}

Error nothing_to_do(const RecutPlan& plan, const RecutRequest& request) {
  return Error{ErrorCode::Invalid, cat("no partition of ", plan.layout.qualified(),
                                       " has to change to be ", text(request.every), " wide")};
}

Result<RecutPlan> looked_at(pg::Connection& conn, const RecutRequest& request) {
  RecutPlan plan{.layout = TRY(facts::load_layout(conn, request.table, request.time_zone))};
  TRY(time_ranges(plan.layout));
  Recutter recutter(conn, request, plan);
  TRY(in_time_zone(conn, request.time_zone, [&] { return recutter.look(); }));
  if (plan.sources.empty()) return nothing_to_do(plan, request);
  return plan;
}

}  // namespace

Cuts cut(const std::vector<Stretch>& sources, const std::vector<Stretch>& slices) {
  Cuts out;
  std::vector<bool> kept(sources.size(), false);
  for (size_t begin = 0, end = 0; begin < sources.size(); begin = end) {
    Stretch run = sources[begin];
    for (end = begin + 1; end < sources.size() && sources[end].from_us == run.to_us; ++end) {
      run.to_us = sources[end].to_us;
      run.to = sources[end].to;
    }
    for (size_t i = 0; i < slices.size(); ++i) {
      Stretch piece = slices[i];
      if (run.from_us > piece.from_us) piece.from_us = run.from_us, piece.from = run.from;
      if (run.to_us < piece.to_us) piece.to_us = run.to_us, piece.to = run.to;
      if (piece.from_us >= piece.to_us) continue;
      bool same = false;
      for (size_t k = begin; k < end && !same; ++k) {
        same = sources[k].from_us == piece.from_us && sources[k].to_us == piece.to_us;
        if (same) kept[k] = true;
      }
      if (!same) out.slices.push_back({.slice = i, .piece = piece});
    }
  }
  for (size_t i = 0; i < sources.size(); ++i) {
    if (!kept[i]) out.sources.push_back(i);
  }
  return out;
}

Status complete_recut(pg::Connection& conn, const Policy& policy, RecutPlan& plan) {
  plan.action = {.kind = "partition", .object = plan.layout.qualified()};
  TRY(name_slices(conn, plan));
  TRY(examine_sources(conn, plan));
  const Mould mould = TRY(load_mould(conn, plan.layout, plan.sources.back()));
  const std::vector<std::string> conditions = TRY(conditions_of(conn, plan));
  const RecutParts parts{.mould = mould,
                         .sources = plan.sources,
                         .conditions = conditions,
                         .slices = plan.slices,
                         .rest = plan.rest,
                         .above = TRY(place_of(conn, plan.layout.oid))};
  TRY(examine_plan(conn, mould, policy, recut_names(parts), plan));
  const std::vector<std::string> key = identifying_columns(*mould.like);
  if (key.empty()) {
    plan.refusals.emplace_back(
        "it has no primary key or unique constraint by which a changed row could be found again, "
        "on columns that are never null and of types of PostgreSQL's own: add one");
  }
  if (!plan.refusals.empty()) return ok();
  for (const std::string& warning : mould.warnings) plan.warnings.push_back(warning);
  plan.job = recut_job(parts, key);
  TRY(ready_to_copy(conn, plan.job));
  TRY(add_questions(conn, plan));
  plan.action = action_of(plan.job, Verb::Run);
  Bytes size;
  for (const facts::Partition& part : plan.sources) size = size + part.bytes;
  plan.action.extra_disk = plan.action.wal = size;
  return ok();
}

Result<RecutPlan> plan_recut(pg::Connection& conn, const RecutRequest& request,
                             const Policy& policy) {
  TRY(nothing_begun(conn, request.table));
  RecutPlan plan = TRY(looked_at(conn, request));
  TRY(complete_recut(conn, policy, plan));
  return plan;
}

json::object to_json(const RecutPlan& plan) {
  json::array sources;
  for (const facts::Partition& part : plan.sources) sources.emplace_back(part.qualified());
  json::array slices;
  for (const Slice& slice : plan.slices) {
    slices.emplace_back(json::object{{"name", slice.name}, {"from", slice.from}, {"to", slice.to}});
  }
  const auto texts = [](const std::vector<std::string>& list) {
    json::array out;
    for (const std::string& one : list) out.emplace_back(one);
    return out;
  };
  return {{"table", plan.layout.qualified()}, {"sources", std::move(sources)},
          {"partitions", std::move(slices)},  {"rest", plan.rest},
          {"warnings", texts(plan.warnings)}, {"refusals", texts(plan.refusals)},
          {"action", to_json(plan.action)}};
}

}  // namespace pgtend::partition
