#include "explain/timing.h"

#include <algorithm>
#include <cmath>

#include "explain/attribution.h"

namespace pgtend::explain {
namespace {

constexpr double kRoundingMs = 0.0005;  // EXPLAIN prints three decimals

// Works through the steps in the order of measure_time(). Lives during one call.
class Attribution {
 public:
  explicit Attribution(const Plan& plan) : plan_(plan) { out_.nodes.resize(plan.nodes.size()); }

  Timing run() {
    inclusive();
    take_children_off();
    for (int id = 0; id < count(); ++id) {
      if (node(id).relation == Relation::InitPlan) charge_init_plan(id);
    }
    for (int id = 0; id < count(); ++id) {
      if (node(id).relation == Relation::Cte) charge_cte(id);
    }
    add_up();
    return std::move(out_);
  }

 private:
  int count() const { return static_cast<int>(plan_.nodes.size()); }
  const Node& node(int id) const { return plan_.nodes[static_cast<size_t>(id)]; }
  NodeTime& time(int id) { return out_.nodes[static_cast<size_t>(id)]; }

  void inclusive();
  double scale_below(int gather, int child);
  void take_children_off();
  void take_off(int payer, Span amount);
  void charge_init_plan(int id);
  int payer_of_init_plan(int id);
  void charge_cte(int id);
  std::vector<double> split(const std::vector<int>& scans, double pulled, double blocks);
  void add_up();

  const Plan& plan_;
  Timing out_;
};

Span process_time(const Node& node) {
  if (!node.actual || !node.actual->total_ms) return {};
  return {*node.actual->total_ms * node.actual->loops, kRoundingMs * node.actual->loops};
}

double shared_blocks(const Node& node) { return node.blocks ? node.blocks->shared() : 0; }

// Process time of `child` to the wall time the gather had to wait for it.
double Attribution::scale_below(int gather, int child) {
  const Node& below = node(child);
  const Span total = time(child).process;
  if (total.mid <= 0 || !below.actual || !node(gather).actual) return 1;
  const double gather_loops = std::max(node(gather).actual->loops, 1.0);
  // Participants that really ran: right with and without the leader and with missing workers.
  const double participants = std::max(below.actual->loops / gather_loops, 1.0);
  double wall = total.mid / participants;
  if (!below.workers.empty()) {
    double workers = 0, longest = 0;
    for (const WorkerActual& worker : below.workers) {
      workers += worker.total_ms * worker.loops;
      longest = std::max(longest, worker.total_ms * worker.loops);
    }
    const double leader = std::max(total.mid - workers, 0.0);
    wall = std::max(longest, leader);
    const Span own = time(gather).process;
    time(gather).gather_process_self = Span{own.mid - leader, own.eps + total.eps};
  }
  // Workers may be asked to stop a little after the gather has returned its last row.
  return std::min(wall, time(gather).process.mid) / total.mid;
}

void Attribution::inclusive() {
  std::vector<double> scale(plan_.nodes.size(), 1.0);
  for (int id = 0; id < count(); ++id) {
    time(id).process = process_time(node(id));
    const int parent = node(id).parent;
    double& factor = scale[static_cast<size_t>(id)];
    if (parent != kNone) factor = scale[static_cast<size_t>(parent)];
    if (parent != kNone && is_gather(node(parent)) && node(id).relation == Relation::Child) {
      factor *= scale_below(parent, id);
    }
    time(id).wall = {time(id).process.mid * factor, time(id).process.eps * factor};
    time(id).self = time(id).wall;
    time(id).self_blocks = shared_blocks(node(id));
  }
}

void Attribution::take_off(int payer, Span amount) {
  Span& self = time(payer).self;
  self.mid -= amount.mid;
  self.eps += amount.eps;
}

void Attribution::take_children_off() {
  for (int id = 1; id < count(); ++id) {
    const Relation relation = node(id).relation;
    if (relation != Relation::Child && relation != Relation::SubPlan) continue;
    take_off(node(id).parent, time(id).wall);
    time(node(id).parent).self_blocks -= shared_blocks(node(id));
  }
}

// The one node that ran InitPlan `id`, or kNone. A payer must have had the time for it.
int Attribution::payer_of_init_plan(int id) {
  const Span needed = time(id).wall;
  const auto had_time = [&](int candidate) {
    const Span& self = time(candidate).self;
    return self.mid + self.eps + needed.eps >= needed.mid;
  };
  const std::vector<int> candidates = init_plan_candidates(plan_, id);
  for (const int candidate : candidates) {
    if (!node(candidate).never_executed() && had_time(candidate)) return candidate;
  }
  // A Sort names the value as its key, but the node below has computed it.
  for (const int candidate : candidates) {
    for (const int child : node(candidate).children) {
      if (node(child).relation == Relation::Child && had_time(child)) return child;
    }
  }
  const int owner = node(id).parent;
  if (had_time(owner)) return owner;
  // Nobody shows the reference (LIMIT, a select list without VERBOSE): certain only if one node of
  // the owner's sub-tree had the time.
  int only = kNone;
  for (int other = owner + 1; other < subtree_end(plan_, owner); ++other) {
    if (plan_.below(other, id) || !had_time(other)) continue;
    if (only != kNone) return kNone;
    only = other;
  }
  return only;
}

void Attribution::charge_init_plan(int id) {
  if (!node(id).actual || node(id).never_executed()) return;
  const int payer = payer_of_init_plan(id);
  const Span amount = time(id).wall;
  out_.charges.push_back({id, payer, amount.mid});
  if (payer == kNone) {
    out_.unattributed_ms += amount.mid;
    return;
  }
  take_off(payer, amount);
  time(payer).self_blocks -= shared_blocks(node(id));
}

// What each scan of a CTE paid, adding up to `pulled`. Blocks tell exactly who pulled the rows,
// unless the first row alone cost most of them (loading of catalogs): a scan cannot have paid more
// than it took.
std::vector<double> Attribution::split(const std::vector<int>& scans, double pulled,
                                       double blocks) {
  double by_time = 0, by_blocks = 0;
  for (const int scan : scans) {
    by_time += std::max(time(scan).self.mid, 0.0);
    by_blocks += time(scan).self_blocks;
  }
  std::vector<double> out;
  bool exact = blocks > 0 && by_blocks >= blocks;
  for (const int scan : scans) {
    out.push_back(exact ? pulled * time(scan).self_blocks / by_blocks : 0);
    exact = exact && out.back() <= time(scan).self.high();
  }
  if (exact) return out;
  out.clear();
  for (const int scan : scans) {
    out.push_back(by_time > 0 ? pulled * std::max(time(scan).self.mid, 0.0) / by_time : 0);
  }
  return out;
}

// A CTE runs as far as its scans pull it; what they did not pull (data-modifying CTEs) runs after
// the root.
void Attribution::charge_cte(int id) {
  const std::vector<int> scans = cte_scans(plan_, id);
  const Span amount = time(id).wall;
  const double blocks = shared_blocks(node(id));
  double by_time = 0, by_blocks = 0;
  for (const int scan : scans) {
    by_time += std::max(time(scan).self.mid, 0.0);
    by_blocks += time(scan).self_blocks;
  }
  const bool modifies = node(id).type == "ModifyTable";
  const double pulled = modifies || by_time <= 0 ? std::min(amount.mid, by_time) : amount.mid;
  out_.outside_ms += amount.mid - pulled;
  const std::vector<double> paid = split(scans, pulled, blocks);
  for (size_t i = 0; i < scans.size(); ++i) {
    const double share = pulled > 0 ? paid[i] / pulled : 0;
    if (share > 0) {
      out_.charges.push_back({id, scans[i], paid[i]});
      take_off(scans[i], {paid[i], amount.eps * share});
    }
    if (by_blocks > 0) {
      double& own = time(scans[i]).self_blocks;
      own -= std::min(blocks * own / by_blocks, own);
    }
  }
}

void Attribution::add_up() {
  for (NodeTime& entry : out_.nodes) {
    out_.self_sum_ms += std::max(entry.self.mid, 0.0);
    out_.tolerance_ms += entry.wall.eps * 2;
    entry.self_blocks = std::max(entry.self_blocks, 0.0);
  }
  const double root = time(0).process.mid;
  out_.expected_sum_ms = root + out_.outside_ms + out_.unattributed_ms;
  out_.total_ms = plan_.execution_ms.value_or(root + out_.outside_ms);
  if (!plan_.execution_ms || !plan_.timed()) return;
  double known = root + out_.outside_ms + plan_.serialization_ms.value_or(0);
  // BEFORE triggers run inside their node; AFTER ones come on top. Only those can exceed the root.
  for (const TriggerTime& trigger : plan_.triggers) {
    known += std::min(trigger.ms, std::max(*plan_.execution_ms - known, 0.0));
  }
  out_.gap_ms = std::max(*plan_.execution_ms - known, 0.0);
}

}  // namespace

bool Timing::adds_up() const {
  return std::abs(self_sum_ms - expected_sum_ms) <= tolerance_ms + 1e-6 * expected_sum_ms + 1e-3;
}

Timing measure_time(const Plan& plan) { return Attribution(plan).run(); }

}  // namespace pgtend::explain
