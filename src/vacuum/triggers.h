// When autovacuum would act on a table by itself, by the rules of its server version.
#pragma once

#include <optional>

#include "facts/settings.h"
#include "facts/tables.h"

namespace pgtend::vacuum {

// Autovacuum acts when the counter exceeds the limit (strictly). Rows, except the ages (XIDs).
struct Triggers {
  bool enabled = true;                 // false: only the two ages count
  double dead = 0;                     // dead rows -> VACUUM
  std::optional<double> inserts = {};  // inserts since the last VACUUM -> VACUUM; nullopt is off
  std::optional<double> changes = {};  // changes since the last ANALYZE; nullopt: never (parents)
  int64_t xid_age = 0;                 // -> VACUUM whatever else is set
  int64_t mxid_age = 0;
};

// The limits for `table`: its reloptions go before the settings. Understands versions 13 to 19.
Triggers triggers(const facts::TableFacts& table, const facts::ServerSettings& settings);

}  // namespace pgtend::vacuum
