// The log: one line an event, a constant sentence plus logfmt fields. People grep the one, machines
// read the other. Goes to stderr until told otherwise.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/text.h"

namespace pgtend::log {

enum class Level : uint8_t { Debug, Info, Warn, Error, Off };

// One field. The value is quoted when it needs to be; control characters are shown as \xNN.
struct Field {
  std::string_view key;
  std::string value;
};

template <class T>
Field kv(std::string_view key, const T& value) {
  return {key, cat(value)};
}

// Events below `level` are dropped. Thread: any.
void set_level(Level level);
// "debug", "info", "warn", "error", "off". Errors: Invalid.
Result<Level> level_from(std::string_view name);
// How a line begins: "time=… pid=… level=…", or as PgBouncer's:
// "2026-11-26 05:02:06.123 UTC [77] LOG ".
enum class Style : uint8_t { Fields, Pgbouncer };
// Call before other threads log. Thread: one.
void set_style(Style style);

struct Target {
  std::string file = {};  // appended to; "": none
  bool to_stderr = true;
  bool to_syslog = false;
  std::string syslog_ident = {};
  std::string syslog_facility = {};  // "daemon", "local0", …
};
// Lines go there from now on; a file is opened anew, so that one that was moved away is let go.
// After an error all is as before. Errors: Denied with the cause; Invalid for no such facility.
// Thread: any, one at a time.
Status direct(const Target& target);

// Thread: any. A line is written whole.
void debug(std::string_view sentence, std::initializer_list<Field> fields = {});
void info(std::string_view sentence, std::initializer_list<Field> fields = {});
void warn(std::string_view sentence, std::initializer_list<Field> fields = {});
void error(std::string_view sentence, std::initializer_list<Field> fields = {});

// The text of an event without time and level: `sentence key=value key="two words"`.
std::string line(std::string_view sentence, std::initializer_list<Field> fields);

}  // namespace pgtend::log
