// What autovacuum's ANALYZE replaces: statistics of tables that it will come to soon are kept, so
// that an odd sample of it can be told and undone.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "facts/changes.h"
#include "facts/kept_statistics.h"
#include "facts/settings.h"
#include "facts/tables.h"
#include "vacuum/second_sample.h"

namespace pgtend::vacuum {

// A table that autovacuum has analysed.
struct Replaced {
  facts::TableFacts table = {};  // as before
  Statistics before = {};
};

// Thread: one at a time. Its memory is bounded: at most 200 tables and 64 MB of statistics.
class Autoanalyses {
 public:
  // All tables, each third of a naptime or so: which of them autovacuum analyses, and when.
  void tables(const std::vector<facts::TableFacts>& tables, const facts::ServerSettings& settings);
  // The counters of all tables, each second or so. Keeps the statistics of those that are half way
  // to their limit, and gives those that autovacuum has analysed since the last call. A table that
  // somebody else analysed is no longer kept. Errors: those of the connection.
  Result<std::vector<Replaced>> look(pg::Connection& conn,
                                     const std::vector<facts::TableChanges>& tables);

 private:
  struct Limited {
    facts::TableFacts table = {};
    double limit = 0;  // of changes
  };
  struct Kept {
    Replaced what = {};
    facts::AnalyzeCounts counts = {};
    size_t bytes = 0;
  };
  Status keep(pg::Connection& conn, const std::vector<uint32_t>& oids);

  std::map<uint32_t, Limited> limited_;
  std::map<uint32_t, Kept> kept_;
  size_t bytes_ = 0;
};

}  // namespace pgtend::vacuum
