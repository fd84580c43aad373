// Settings as the database has them, and changes of them as actions of the gate.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "care/finding.h"
#include "pg/connection.h"

namespace pgtend::vacuum {

inline constexpr std::string_view kTuneKind = "tune";
inline constexpr std::string_view kRestoreKind = "tune-restore";

// Settings by name. Of a table its reloptions, those of its TOAST as "toast.x", of the server what
// ALTER SYSTEM has set.
using Settings = std::map<std::string, std::string>;

// One object and what it has now. `object` is a qualified, quoted table; "" is the server.
struct SettingsNow {
  std::string object = {};
  bool present = true;  // false: there is no such table any more
  bool view = false;    // a materialised view
  // Of the server: names that its command line sets, which ALTER SYSTEM does not change.
  std::vector<std::string> fixed = {};
  Settings values = {};
  std::string text = {};  // all of them as the server wrote them
};

// Reads those of `objects`; of the server those of `names`. Errors: Denied when the role does not
// see where the server's settings come from, those of the connection.
Result<std::vector<SettingsNow>> load_settings_now(pg::Connection& conn,
                                                   const std::vector<std::string>& objects,
                                                   const std::vector<std::string>& names);

// nullopt: RESET.
using SettingChanges = std::map<std::string, std::optional<std::string>>;

// Of a JSON list of "name=value", as `text` above. Errors: Corrupt.
Result<Settings> settings_from(std::string_view text);

// Sets `changes` on what `now` describes. The table's options are looked at once more under the
// lock (SHARE UPDATE EXCLUSIVE): if somebody has changed them meanwhile, nothing is done. The
// server's are set by ALTER SYSTEM, and the configuration is loaded anew; an action of its own.
care::Action settings_action(std::string_view kind, const SettingsNow& now,
                             const SettingChanges& changes);

}  // namespace pgtend::vacuum
