#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>

namespace pgtend::log {

namespace {
constexpr const char* kPattern = "time=%Y-%m-%dT%H:%M:%S.%e%z pid=%P level=%l %v";

std::shared_ptr<spdlog::logger> make(spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("pgtend", std::move(sink));
  logger->set_pattern(kPattern);
  logger->flush_on(spdlog::level::debug);
  return logger;
}

// The one logger of the process; its sink is replaced before threads start (to_file).
std::shared_ptr<spdlog::logger>& logger() {
  static auto instance = make(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  return instance;
}

void write(spdlog::level::level_enum level, std::string_view sentence,
           std::initializer_list<Field> fields) {
  if (logger()->should_log(level)) logger()->log(level, "{}", line(sentence, fields));
}

bool bare(std::string_view value) {
  return !value.empty() && std::ranges::none_of(value, [](char c) {
    return c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f;
  });
}

std::string in_quotes(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return printable(out) + '"';
}
}  // namespace

void set_level(Level level) {
  switch (level) {
    case Level::Debug:
      return logger()->set_level(spdlog::level::debug);
    case Level::Info:
      return logger()->set_level(spdlog::level::info);
    case Level::Warn:
      return logger()->set_level(spdlog::level::warn);
    case Level::Error:
      return logger()->set_level(spdlog::level::err);
    case Level::Off:
      return logger()->set_level(spdlog::level::off);
  }
}

Result<Level> level_from(std::string_view name) {
  static constexpr std::pair<std::string_view, Level> kNames[] = {{"debug", Level::Debug},
                                                                  {"info", Level::Info},
                                                                  {"warn", Level::Warn},
                                                                  {"error", Level::Error},
                                                                  {"off", Level::Off}};
  for (const auto& [known, level] : kNames) {
    if (known == name) return level;
  }
  return Error{ErrorCode::Invalid, cat("unknown log level \"", printable(name),
                                       "\"; use debug, info, warn, error or off")};
}

Status to_file(const std::string& path) {
  try {  // spdlog reports an unopenable file only by throwing
    const auto level = logger()->level();
    logger() = make(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path));
    logger()->set_level(level);
  } catch (const spdlog::spdlog_ex& failure) {
    return Error{ErrorCode::Denied, cat("log file ", path, ": ", failure.what())};
  }
  return ok();
}

void debug(std::string_view sentence, std::initializer_list<Field> fields) {
  write(spdlog::level::debug, sentence, fields);
}
void info(std::string_view sentence, std::initializer_list<Field> fields) {
  write(spdlog::level::info, sentence, fields);
}
void warn(std::string_view sentence, std::initializer_list<Field> fields) {
  write(spdlog::level::warn, sentence, fields);
}
void error(std::string_view sentence, std::initializer_list<Field> fields) {
  write(spdlog::level::err, sentence, fields);
}

std::string line(std::string_view sentence, std::initializer_list<Field> fields) {
  std::string out = printable(sentence);
  for (const Field& field : fields) {
    out += cat(" ", field.key, "=", bare(field.value) ? field.value : in_quotes(field.value));
  }
  return out;
}

}  // namespace pgtend::log
