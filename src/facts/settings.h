// The server's settings that decide when autovacuum acts and what partitions cost.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "pg/connection.h"

namespace pgtend::facts {

// Thresholds of autovacuum; a table's reloptions override them. Rows, shares of rows, ages in XIDs.
struct AutovacuumSettings {
  bool enabled = true;  // autovacuum and track_counts are both on
  int64_t vacuum_threshold = 50;
  double vacuum_scale = 0.2;
  std::optional<int64_t> vacuum_threshold_max = {};  // 18 and later; -1 is off
  int64_t insert_threshold = 1000;                   // -1 is off
  double insert_scale = 0.2;
  int64_t analyze_threshold = 50;
  double analyze_scale = 0.1;
  int64_t freeze_age_max = 200'000'000;
  int64_t freeze_mxid_age_max = 400'000'000;
  double naptime_s = 60;
  int64_t workers_max = 3;
};

struct ServerSettings {
  int version = 0;  // 150020 for 15.20
  AutovacuumSettings autovacuum = {};
  int64_t statistics_target = 100;
  int64_t locks_per_transaction = 64;
  int64_t connections_max = 100;
  int64_t prepared_transactions_max = 0;
  std::string time_zone = "UTC";  // of this session
};

// Reads them; every role may. Errors: those of the connection.
Result<ServerSettings> load_settings(pg::Connection& conn);

json::object to_json(const ServerSettings& settings);
// Absent members keep their defaults. Errors: Invalid naming the member.
Result<ServerSettings> settings_from_json(const json::value& value);

}  // namespace pgtend::facts
