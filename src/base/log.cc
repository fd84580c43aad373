#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <syslog.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <memory>
#include <utility>
#include <vector>

namespace pgtend::log {

namespace {
constexpr const char* kFields = "time=%Y-%m-%dT%H:%M:%S.%e%z pid=%P level=%l %v";
constexpr const char* kPgbouncer = "%Y-%m-%d %H:%M:%S.%e %! [%P] %* %v";

std::atomic<Style> style{Style::Fields};

// The name of the time zone.
class ZoneFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg&, const std::tm& time,
              spdlog::memory_buf_t& out) override {
    const std::string_view name = time.tm_zone == nullptr ? "" : time.tm_zone;
    out.append(name.data(), name.data() + name.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<ZoneFlag>();
  }
};

// PgBouncer's name of the level.
class LevelFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string_view name = message.level == spdlog::level::err    ? "ERROR"
                                  : message.level == spdlog::level::warn ? "WARNING"
                                  : message.level == spdlog::level::info ? "LOG"
                                                                         : "DEBUG";
    out.append(name.data(), name.data() + name.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<LevelFlag>();
  }
};

std::unique_ptr<spdlog::formatter> make_formatter() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<ZoneFlag>('!').add_flag<LevelFlag>('*');
  formatter->set_pattern(style.load() == Style::Fields ? kFields : kPgbouncer);
  return formatter;
}

// Where all lines go; what it spreads them to may change at any time.
spdlog::sinks::dist_sink_mt& spreader() {
  static auto instance = std::make_shared<spdlog::sinks::dist_sink_mt>(
      std::vector<spdlog::sink_ptr>{std::make_shared<spdlog::sinks::stderr_sink_mt>()});
  return *instance;
}

spdlog::logger& logger() {
  static spdlog::logger instance = [] {
    // The sink is static, too.
    const std::shared_ptr<spdlog::sinks::dist_sink_mt> sink(&spreader(), [](auto*) {});
    spdlog::logger made("pgtend", sink);
    made.set_formatter(make_formatter());
    made.flush_on(spdlog::level::debug);
    return made;
  }();
  return instance;
}

// The process has one connection to syslog, whose name and facility are that of the sink made last:
// the one before must be gone by then. Thread: one at a time, as direct().
spdlog::sink_ptr syslog_sink(const std::string& ident, int facility) {
  static spdlog::sink_ptr sink;
  static std::pair<std::string, int> made_for;
  if (sink != nullptr && made_for == std::pair(ident, facility)) return sink;
  if (sink != nullptr) spreader().remove_sink(sink);
  sink.reset();
  sink = std::make_shared<spdlog::sinks::syslog_sink_mt>(ident, LOG_PID, facility, false);
  made_for = {ident, facility};
  return sink;
}

Result<int> facility_from(std::string_view name) {
  static constexpr std::pair<std::string_view, int> kNames[] = {
      {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"daemon", LOG_DAEMON},
      {"user", LOG_USER},     {"local0", LOG_LOCAL0},     {"local1", LOG_LOCAL1},
      {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},     {"local4", LOG_LOCAL4},
      {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},     {"local7", LOG_LOCAL7}};
  for (const auto& [known, facility] : kNames) {
    if (known == name) return facility;
  }
  return Error{ErrorCode::Invalid, cat("unknown syslog facility \"", printable(name),
                                       "\"; use auth, authpriv, daemon, user or local0 to local7")};
}

void write(spdlog::level::level_enum level, std::string_view sentence,
           std::initializer_list<Field> fields) {
  if (logger().should_log(level)) logger().log(level, "{}", line(sentence, fields));
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
      return logger().set_level(spdlog::level::debug);
    case Level::Info:
      return logger().set_level(spdlog::level::info);
    case Level::Warn:
      return logger().set_level(spdlog::level::warn);
    case Level::Error:
      return logger().set_level(spdlog::level::err);
    case Level::Off:
      return logger().set_level(spdlog::level::off);
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

void set_style(Style wanted) {
  style = wanted;
  logger().set_formatter(make_formatter());
}

Status direct(const Target& target) {
  std::vector<spdlog::sink_ptr> sinks;
  if (target.to_stderr) sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  if (!target.file.empty()) {
    try {  // spdlog reports an unopenable file only by throwing
      sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(target.file));
    } catch (const spdlog::spdlog_ex& failure) {
      return Error{ErrorCode::Denied, cat("log file ", target.file, ": ", failure.what())};
    }
  }
  if (target.to_syslog) {
    const int facility = TRY(facility_from(target.syslog_facility));
    sinks.push_back(syslog_sink(target.syslog_ident, facility));
  }
  for (const auto& sink : sinks) sink->set_formatter(make_formatter());
  spreader().set_sinks(std::move(sinks));
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
