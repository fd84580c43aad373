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
// Appends to `path` from now on instead of stderr. Errors: Denied with the cause.
Status to_file(const std::string& path);

// Thread: any. A line is written whole.
void debug(std::string_view sentence, std::initializer_list<Field> fields = {});
void info(std::string_view sentence, std::initializer_list<Field> fields = {});
void warn(std::string_view sentence, std::initializer_list<Field> fields = {});
void error(std::string_view sentence, std::initializer_list<Field> fields = {});

// The text of an event without time and level: `sentence key=value key="two words"`.
std::string line(std::string_view sentence, std::initializer_list<Field> fields);

}  // namespace pgtend::log
