// What the steps of the tour share. Private to the tour's own files.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "care/gate.h"
#include "demo/generator.h"
#include "demo/tour.h"
#include "explain/verify.h"
#include "pg/cluster.h"
#include "pg/connection.h"
#include "pg/temp_folder.h"
#include "store/audit.h"

namespace pgtend::demo {

// The day query as the mission gives it.
inline constexpr std::string_view kDayQuery =
    "SELECT c.first_name, m.msn, d.kwh_reading\n"
    "FROM m_customerinfo c\n"
    "JOIN m_meterinfo m ON c.customer_id = m.customer_id\n"
    "JOIN t_dlpdata d ON m.meter_id = d.meter_id\n"
    "WHERE d.reading_timestamp > NOW() - INTERVAL '1 day'";

// What one load run told.
struct LoadFigures {
  double per_second = 0;
  double p50_ms = 0;
  double p95_ms = 0;
  int64_t transactions = 0;
  int64_t served = 0;  // clients that got in
  int64_t refused = 0;
  int64_t errors = 0;
};

// Thread: one, but for `cancel`.
struct TourState {
  TourState(const TourOptions& tour_options, const TourVoice& tour_voice)
      : options(tour_options), voice(tour_voice) {}

  const TourOptions& options;
  const TourVoice& voice;
  std::optional<pg::TempFolder> folder = {};  // of the audit trail
  std::unique_ptr<store::Audit> audit = {};
  std::optional<pg::Cluster> cluster = {};
  pg::Options owner = {};                   // how the tables' owner connects
  std::optional<pg::Connection> conn = {};  // as the owner
  GenerateOptions generation = {};
  Generated generated = {};
  std::atomic<bool> cancel{false};
  TourReport report = {};
  std::optional<explain::Measurement> day_before = {};
  std::optional<explain::Measurement> day_indexed = {};
  std::optional<explain::Measurement> day_partitioned = {};
  std::optional<LoadFigures> direct = {};
  std::optional<LoadFigures> pooled = {};
  std::optional<LoadFigures> pooled_after = {};

  // Says a line and keeps it for the report.
  void say(const std::string& text);
  json::object& data() { return report.steps.back().data; }
  // Runs one action through the gate, with progress. Errors: as Gate::run.
  Result<care::Outcome> apply(const care::Action& action);
  care::GateSetup gate_setup();
  // Errors: Cancelled when a stop was asked for.
  Status check_stop() const;
};

// One step of the tour; its name is the title that is shown.
struct TourStage {
  std::string_view title;
  Status (*run)(TourState& state);
};

// tour_server.cc
Status start_server(TourState& state);
Status load_readings(TourState& state);
Status many_clients(TourState& state);
Status many_clients_again(TourState& state);
// tour_query.cc
Status explain_day_query(TourState& state);
Status create_index(TourState& state);
Status import_one_day(TourState& state);
// tour_storage.cc
Status vacuum_after_changes(TourState& state);
Status convert_to_partitions(TourState& state);

}  // namespace pgtend::demo
