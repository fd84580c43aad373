// When the transaction ids, multixact ids and their members end, as dates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "care/finding.h"
#include "facts/runway.h"
#include "facts/settings.h"

namespace pgtend::vacuum {

// One kind of numbers that run out.
struct Track {
  std::string_view kind;  // "transaction ids", "multixact ids", "multixact members"
  std::string
      database;        // whose age it is; of members the cluster's, by the database with the oldest
  int64_t used = 0;    // since the oldest one that is still needed
  int64_t forced = 0;  // from here on autovacuum freezes at once, not to be stopped
  int64_t stop = 0;    // from here on nothing can be written
  double per_second = 0;   // that are used up
  bool estimated = false;  // `used` is: the server does not tell of members

  // Seconds until then at this rate: 0 when it is past; nullopt when nothing is used up.
  std::optional<double> until_forced() const;
  std::optional<double> until_stop() const;
};

struct RunwayReport {
  std::vector<Track> tracks = {};
  double measured_s = 0;  // the rates are of this time; 0: there are none
  double freeze_s = 0;    // that freezing what is oldest here takes, at `mb_s`
};

// The limits: stop 3,000,000 before 2^31 - 1 (13: 1,000,000 and, for multixact ids, 100); members
// at half of 2^32 make autovacuum freeze, and end at 2^32. How many members are in use is estimated
// from the mean of all multixacts so far. Versions up to 18. Pure. `mb_s` (10^6 bytes) is what
// freezing may read and write.
RunwayReport runway(const facts::Runway& facts, const facts::ServerSettings& settings,
                    double mb_s = 100);

// What a person should hear of: the end is nearer than three times what freezing takes, or seven
// days (critical); 30 days, or half of the way is used up (warning); autovacuum's forced freezing
// is nearer than three days (notice). `now` makes dates of the times. One finding a track at most.
std::vector<care::Finding> runway_findings(const facts::Runway& facts,
                                           const facts::ServerSettings& settings, WallTime now);

// "transaction ids until 2031-05-06 (1,234 a second; autovacuum forces from 2026-12-30 on)".
std::string to_text(const Track& track, WallTime now);
json::object to_json(const RunwayReport& report, WallTime now);

}  // namespace pgtend::vacuum
