#include "demo/tour.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/units.h"
#include "demo/tour_state.h"

namespace pgtend::demo {

namespace {
constexpr TourStage kStages[] = {
    {"start a private PostgreSQL", start_server},
    {"load the readings", load_readings},
    {"many clients: straight, then through pgtend-pool", many_clients},
    {"explain the day query", explain_day_query},
    {"create the index through the gate, measure again", create_index},
    {"import one more day: statistics", import_one_day},
    {"update and delete: VACUUM", vacuum_after_changes},
    {"convert to monthly partitions", convert_to_partitions},
    {"the same clients again", many_clients_again},
};

template <class T, class Get>
std::optional<double> number_of(const std::optional<T>& from, Get get) {
  if (!from) return std::nullopt;
  return static_cast<double>(get(*from));
}

// The closing table.
std::vector<TourRow> closing_table(const TourState& state) {
  const auto p50 = [](const LoadFigures& figures) { return figures.p50_ms; };
  const auto p95 = [](const LoadFigures& figures) { return figures.p95_ms; };
  const auto refused = [](const LoadFigures& figures) { return figures.refused; };
  const auto served = [](const LoadFigures& figures) { return figures.served; };
  const auto rate = [](const LoadFigures& figures) { return std::round(figures.per_second); };
  const auto time = [](const explain::Measurement& m) { return m.median_ms; };
  const auto blocks = [](const explain::Measurement& m) { return m.blocks; };
  // Few clients at ease are not many under load: the rows say how many each number is of.
  std::string clients = "straight; through the pool";
  if (state.direct && state.pooled_after) {
    clients = cat(state.direct->served, " clients straight; ", state.pooled_after->served,
                  " through the pool");
  }
  return {
      {"refused connections", "", number_of(state.direct, refused),
       number_of(state.pooled_after, refused), "straight; through the pool"},
      {"clients served", "", number_of(state.direct, served), number_of(state.pooled_after, served),
       cat("of ", state.options.clients, "; straight; through the pool")},
      {"client latency p50", "ms", number_of(state.direct, p50), number_of(state.pooled_after, p50),
       clients},
      {"client latency p95", "ms", number_of(state.direct, p95), number_of(state.pooled_after, p95),
       clients},
      {"transactions a second", "", number_of(state.direct, rate),
       number_of(state.pooled_after, rate), clients},
      {"day query, median", "ms", number_of(state.day_before, time),
       number_of(state.day_partitioned, time), "plain table; indexed and partitioned"},
      {"day query, buffers", "pages", number_of(state.day_before, blocks),
       number_of(state.day_partitioned, blocks), "plain table; indexed and partitioned"},
  };
}

Status run_stage(TourState& state, const TourStage& stage) {
  TRY(state.check_stop());
  state.report.steps.push_back({.title = std::string(stage.title)});
  state.voice.step(state.report.steps.back().title);
  const SteadyTime start = state.options.clock->steady();
  auto outcome = stage.run(state);
  if (!outcome) {
    TRY(state.check_stop());  // what failed because of the stop is no failure
    return std::move(outcome).error().during(stage.title);
  }
  const std::chrono::duration<double> took = state.options.clock->steady() - start;
  state.report.steps.back().seconds = took.count();
  state.voice.done(took.count());
  return ok();
}
}  // namespace

void TourState::say(const std::string& text) {
  voice.line(text);
  report.steps.back().lines.push_back(text);
}

care::GateSetup TourState::gate_setup() {
  care::GateSetup setup;
  setup.options = owner;
  setup.policy.apply = true;
  setup.audit = audit.get();
  setup.clock = options.clock;
  setup.cancel = &cancel;
  setup.on_moment = [this](const care::Moment& moment) {
    if (!moment.progress) return;
    std::string text = cat(moment.progress->command, ": ", moment.progress->phase);
    if (moment.pace.share) text += cat(" ", std::lround(*moment.pace.share * 100), " %");
    voice.progress(text);
  };
  return setup;
}

Result<care::Outcome> TourState::apply(const care::Action& action) {
  care::Gate gate(gate_setup());
  return gate.run(action);
}

Status TourState::check_stop() const {
  if (!options.stop.stop_requested()) return ok();
  return Error{ErrorCode::Cancelled, "interrupted; the server is stopped and its data are removed"};
}

Result<TourReport> tour(const TourOptions& options, const TourVoice& voice) {
  TourState state(options, voice);
  const std::stop_callback cancel_on_stop(options.stop, [&state] { state.cancel.store(true); });
  for (const TourStage& stage : kStages) TRY(run_stage(state, stage));
  state.report.table = closing_table(state);
  return std::move(state.report);
}

}  // namespace pgtend::demo
