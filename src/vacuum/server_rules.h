// Numbers of the server's own that VACUUM and ANALYZE go by. Source: vacuumlazy.c, analyze.c.
#pragma once

namespace pgtend::vacuum {

inline constexpr int kVersionBypass = 140000;     // few dead rows leave the indexes alone; failsafe
inline constexpr int kVersionTidStore = 170000;   // dead rows: bitmaps by page instead of an array
inline constexpr double kBypassShare = 0.02;      // of the pages: fewer with dead rows bypass
inline constexpr int kTidBytes = 6;               // of a dead row in the array
inline constexpr int kSampleRowsPerTarget = 300;  // that ANALYZE reads, a page each

}  // namespace pgtend::vacuum
