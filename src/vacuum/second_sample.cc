#include "vacuum/second_sample.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "facts/upkeep.h"
#include "vacuum/actions.h"
#include "vacuum/restore_statistics.h"

namespace pgtend::vacuum {
namespace {

constexpr double kTooMuchNew = 0.5;  // of the rows: then nothing old is put back

bool among(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

json::array to_json(const std::vector<Jump>& list) {
  json::array out;
  for (const Jump& jump : list) {
    out.emplace_back(json::object{{"column", jump.column}, {"what", jump.what}});
  }
  return out;
}

// One look at one table after its ANALYZE.
class LookAgain {
 public:
  LookAgain(const care::GateSetup& gate, const Means& means, const facts::TableFacts& table,
            const facts::ServerSettings& settings, const Statistics& before)
      : gate_(gate), means_(means), table_(table), settings_(settings), before_(before) {}

  Result<std::optional<SecondSample>> run() {
    pg::Options options = gate_.options;
    options.set("application_name", "pgtend/look");
    pg::Connection conn = TRY(pg::Connection::open(options));
    TRY(conn.guard());
    const Statistics after = TRY(statistics_of(conn, table_.oid));
    out_.odd = compare(after);
    if (out_.odd.empty()) return std::optional<SecondSample>();
    for (const Jump& jump : out_.odd) open_.push_back(jump.column);
    if (may_restore()) TRY(try_out(conn, after));
    if (may_restore()) TRY(by_counting(conn));
    if (!open_.empty()) TRY(by_sampling(conn));
    return std::optional(std::move(out_));
  }

 private:
  double changed() const { return static_cast<double>(table_.counters.modified_since_analyze); }
  std::vector<Jump> compare(const Statistics& now) const {
    return jumps(before_.columns, now.columns, table_.rows(), changed());
  }
  bool may_restore() const {
    return able_ && !before_.kept.empty() && changed() < kTooMuchNew * std::max(table_.rows(), 1.0);
  }
  Status try_out(pg::Connection& conn, const Statistics& after);
  Status by_counting(pg::Connection& conn);
  Status by_sampling(pg::Connection& conn);
  Status put_back(pg::Connection& conn, const std::vector<std::string>& columns);

  const care::GateSetup& gate_;
  const Means& means_;
  const facts::TableFacts& table_;
  const facts::ServerSettings& settings_;
  const Statistics& before_;
  SecondSample out_;
  std::vector<std::string> open_;  // columns that nothing has been decided of
  bool able_ = true;               // to put statistics back, as a rehearsal showed
};

// What the planner expects with either statistics. That the old ones cannot be put back, for want
// of a right or of a lock, is told and is no error.
Status LookAgain::try_out(pg::Connection& conn, const Statistics& after) {
  out_.probes = probes_of(table_, out_.odd, before_.columns, after.columns);
  TRY(add_statements(conn, table_, out_.probes));
  TRY(expect(conn, out_.probes, &Probe::after));
  const Status tried = rehearse_restore(
      gate_, table_, chosen(before_.kept, open_),
      [&](pg::Connection& inside) { return expect(inside, out_.probes, &Probe::before); });
  if (tried) return ok();
  if (tried.error().code == ErrorCode::Cancelled) return tried.error();
  able_ = false;
  out_.why_not.push_back(cat("statistics before cannot be put back: ", tried.error().message));
  return ok();
}

Status LookAgain::by_counting(pg::Connection& conn) {
  TRY(count_truth(conn, *gate_.clock, out_.probes));
  std::vector<std::string> odd;
  std::vector<std::string> left;
  for (const Jump& jump : out_.odd) {
    switch (by_count(out_.probes, jump.column)) {
      case Verdict::Odd:
        odd.push_back(jump.column);
        break;
      case Verdict::True:
        out_.confirmed.push_back(jump);
        break;
      case Verdict::Open:
        left.push_back(jump.column);
    }
  }
  open_ = std::move(left);
  return put_back(conn, odd);
}

// Columns that somebody has analysed meanwhile, or whose lock was not to be had, go to the second
// sample.
Status LookAgain::put_back(pg::Connection& conn, const std::vector<std::string>& columns) {
  if (columns.empty()) return ok();
  const auto now = chosen(TRY(facts::load_kept_statistics(conn, table_.oid)), columns);
  auto done = care::Gate(gate_).run(restore_action(table_, chosen(before_.kept, columns), now));
  if (!done) {
    if (done.error().code == ErrorCode::Cancelled) return std::move(done).error();
    out_.why_not.push_back(
        cat("statistics before were not put back: ", printable(done.error().message)));
    open_.insert(open_.end(), columns.begin(), columns.end());
    able_ = false;
    return ok();
  }
  out_.restored.insert(out_.restored.end(), columns.begin(), columns.end());
  out_.restores.push_back(std::move(done).take());
  return ok();
}

Status LookAgain::by_sampling(pg::Connection& conn) {
  out_.target = std::clamp<int64_t>(settings_.statistics_target * 10, 1'000, 10'000);
  const facts::Upkeep upkeep = TRY(facts::load_upkeep(conn, {table_.oid}));
  Choice choice = choose(table_, Job::Analyze, settings_, upkeep, means_);
  choice.settings.push_back({cat("default_statistics_target = ", out_.target),
                             "a larger sample tells whether the first one was odd"});
  choice.columns = open_;
  out_.outcome =
      TRY(care::Gate(gate_).run(action(table_, Job::Analyze, settings_.version, choice)));
  std::vector<std::string> agreed = open_;
  for (Jump& jump : compare(TRY(statistics_of(conn, table_.oid)))) {
    if (std::erase(agreed, jump.column) > 0) out_.confirmed.push_back(std::move(jump));
  }
  if (!may_restore()) return ok();
  TRY(expect(conn, out_.probes, &Probe::second));
  std::erase_if(agreed, [this](const std::string& column) {
    return by_sample(out_.probes, column) != Verdict::Odd;
  });
  open_.clear();
  return put_back(conn, agreed);
}

// What proves that the new statistics are odd, or true.
std::string proof_of(const SecondSample& second, const std::string& column) {
  const Probe* probe = witness(second.probes, column);
  if (probe == nullptr) return "";
  const auto number = [](const std::optional<double>& value) {
    return value ? grouped(static_cast<int64_t>(*value)) : std::string("?");
  };
  const std::string real =
      probe->truth ? cat(number(probe->truth), probe->more ? " or more" : "", " counted")
                   : cat(number(probe->second), " by the larger sample");
  return cat("rows with ", probe->what, ": ", number(probe->after), " expected, ",
             number(probe->before), " before, ", real);
}

std::string odd_line(const SecondSample& second, const Jump& jump) {
  const std::string what = cat("odd sample of column ", printable(jump.column), ": ", jump.what);
  const std::string proof = proof_of(second, jump.column);
  if (among(second.restored, jump.column)) {
    return cat(what, "; ", proof, "; its statistics from before are back");
  }
  const bool stays =
      std::ranges::find(second.confirmed, jump.column, &Jump::column) != second.confirmed.end();
  const Probe* probe = witness(second.probes, jump.column);
  const bool counted = stays && probe != nullptr && probe->truth &&
                       by_count(second.probes, jump.column) == Verdict::True;
  if (counted) return cat(what, "; ", proof, ": it is true");
  const std::string larger = cat("a sample for statistics target ", grouped(second.target));
  return cat(what, "; ", larger, stays ? " says so, too" : " has put it right");
}

}  // namespace

Result<Statistics> statistics_of(pg::Connection& conn, uint32_t oid) {
  const pg::Rows rows = TRY(conn.query(
      "select attname from pg_attribute where attrelid = $1 and attnum > 0 and not attisdropped "
      "order by attnum limit 200",
      {cat(oid)}));
  std::vector<std::string> names;
  for (const pg::Row row : rows) names.emplace_back(row.text(0));
  return Statistics{.columns = TRY(facts::load_columns(conn, oid, names)),
                    .kept = TRY(facts::load_kept_statistics(conn, oid))};
}

Result<std::optional<SecondSample>> look_again(const care::GateSetup& gate, const Means& means,
                                               const facts::TableFacts& table,
                                               const facts::ServerSettings& settings,
                                               const Statistics& before) {
  return LookAgain(gate, means, table, settings, before).run();
}

std::vector<std::string> lines_of(const SecondSample& second) {
  std::vector<std::string> out;
  for (const Jump& jump : second.odd) out.push_back(odd_line(second, jump));
  for (const std::string& line : second.why_not) out.push_back(line);
  return out;
}

json::object to_json(const SecondSample& second) {
  json::object out{{"odd", to_json(second.odd)},
                   {"confirmed", to_json(second.confirmed)},
                   {"target", second.target},
                   {"outcome", care::to_json(second.outcome)}};
  json::array restored;
  for (const std::string& column : second.restored) restored.emplace_back(column);
  json::array restores;
  for (const care::Outcome& one : second.restores) restores.emplace_back(care::to_json(one));
  json::array probes;
  for (const Probe& probe : second.probes) probes.emplace_back(to_json(probe));
  json::array why_not;
  for (const std::string& line : second.why_not) why_not.emplace_back(line);
  out["restored"] = std::move(restored);
  out["restores"] = std::move(restores);
  out["probes"] = std::move(probes);
  out["why_not"] = std::move(why_not);
  return out;
}

}  // namespace pgtend::vacuum
