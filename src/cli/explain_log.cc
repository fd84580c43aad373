#include "cli/explain_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "base/text.h"
#include "base/units.h"
#include "cli/findings.h"
#include "cli/lookout.h"
#include "explain/anonymize.h"
#include "explain/log_report.h"

namespace pgtend::cli {

namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;
constexpr int64_t kTopMax = 1000;
// Of a line and of a record: a plan of a million nodes has a record like this.
constexpr explain::LogLimits kLogLimits = {.line_bytes_max = size_t{32} << 20,
                                           .record_bytes_max = size_t{32} << 20};

// A file that is closed at the end; standard input is not.
class LogFile {
 public:
  explicit LogFile(const std::string& path) : own_(path != "-") {
    fd_ = own_ ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
  }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  ~LogFile() {
    if (own_ && fd_ >= 0) ::close(fd_);
  }
  bool is_open() const { return fd_ >= 0; }
  // Bytes read, 0 at the end, -1 with errno.
  ssize_t read(char* to, size_t size) const {
    ssize_t got = 0;
    do {
      got = ::read(fd_, to, size);
    } while (got < 0 && errno == EINTR);
    return got;
  }
  // 0 when it cannot be known.
  uint64_t size() const {
    struct stat info = {};
    return ::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size)
                                                             : 0;
  }

 private:
  bool own_;
  int fd_ = -1;
};

Error cannot_read(const std::string& path, int code) {
  return Error{ErrorCode::NotFound, cat("cannot read ", printable(path), ": ", std::strerror(code))}
      .hinting("give the path of a log that you may read, or - for standard input");
}

// Why the bytes that a file begins with are no text; "" if they may be.
std::string_view packed_as(std::string_view start) {
  if (start.starts_with("\x1f\x8b")) return "zcat";
  if (start.starts_with("\x28\xb5\x2f\xfd")) return "zstdcat";
  if (start.starts_with("\xfd"
                        "7zXZ"))
    return "xzcat";
  if (start.starts_with("BZh")) return "bzcat";
  return {};
}

// Reads all files. Lives during one call.
class LogScan {
 public:
  LogScan(const Args& args, Output& output)
      : args_(args),
        output_(output),
        reader_([this](auto& plan) { summary_.add(plan); }, kLogLimits) {}

  Status run();
  const explain::LogSummary& summary() const { return summary_; }
  uint64_t bytes() const { return bytes_; }
  uint64_t too_long() const { return reader_.too_long(); }

 private:
  Status scan(const std::string& path);
  void show_progress(uint64_t file_bytes, uint64_t file_size);

  const Args& args_;
  Output& output_;
  explain::LogSummary summary_;
  explain::LogReader reader_;
  std::vector<char> piece_ = std::vector<char>(kPieceBytes);
  uint64_t bytes_ = 0;
};

void LogScan::show_progress(uint64_t file_bytes, uint64_t file_size) {
  constexpr uint64_t kStep = uint64_t{64} << 20;
  if (file_bytes / kStep == (file_bytes - std::min<uint64_t>(file_bytes, kPieceBytes)) / kStep)
    return;
  const auto size = [](uint64_t bytes) { return human(Bytes{static_cast<int64_t>(bytes)}); };
  output_.progress(cat(size(file_bytes), file_size > 0 ? cat(" of ", size(file_size)) : "", ", ",
                       grouped(static_cast<int64_t>(summary_.plans())), " plans"));
}

Status LogScan::scan(const std::string& path) {
  const LogFile file(path);
  if (!file.is_open()) return cannot_read(path, errno);
  summary_.begin_file();
  const uint64_t size = file.size();
  for (uint64_t file_bytes = 0;;) {
    if (args_.stop.stop_requested()) return Error{ErrorCode::Cancelled, "interrupted"};
    const ssize_t got = file.read(piece_.data(), piece_.size());
    if (got < 0) return cannot_read(path, errno);
    if (got == 0) break;
    const std::string_view piece(piece_.data(), static_cast<size_t>(got));
    if (const auto tool = packed_as(piece); file_bytes == 0 && !tool.empty()) {
      return Error{ErrorCode::Invalid, cat(printable(path), " is compressed")}.hinting(
          cat(tool, " FILE | pgtend explain --log -"));
    }
    reader_.feed(piece);
    file_bytes += piece.size();
    bytes_ += piece.size();
    show_progress(file_bytes, size);
  }
  reader_.finish();
  return ok();
}

Status LogScan::run() {
  for (const std::string& path : args_.list("--log")) TRY(scan(path));
  return ok();
}

// What a log's report quotes beside the plans.
void hide_texts(explain::LogReport& report, explain::Pseudonyms& pseudonyms) {
  if (!report.first_problem.empty()) report.first_problem = "(not shown)";
  for (explain::QueryReport& query : report.worst) {
    query.logged.text = explain::anonymous_sql(query.logged.text, pseudonyms);
  }
}

Result<explain::LogReport> report_of(const Args& args, Output& output, const LogScan& scan) {
  const size_t top = static_cast<size_t>(TRY(args.number("--top", 10, 1, kTopMax)));
  std::optional<pg::Connection> conn;
  std::optional<Lookout> lookout;
  if (names_a_server(args) && !args.has("--offline") && !args.has("--anonymize")) {
    lookout.emplace(args, output);
    conn = TRY(lookout->connect());
    TRY(conn->guard());
  }
  const explain::Request request{.ask_planner = !args.has("--no-hypopg")};
  const bool anonymize = args.has("--anonymize");
  explain::Pseudonyms pseudonyms;
  const auto examine = [&](explain::ReadPlan read) -> Result<explain::Report> {
    if (anonymize) read.plan = TRY(explain::anonymous_plan(read.plan, pseudonyms));
    if (conn) return explain::examine_plan(*conn, std::move(read), request);
    return explain::examine_offline(std::move(read));
  };
  auto report = explain::report_log(scan.summary(), top, examine);
  if (!report) return report;
  if (anonymize) hide_texts(*report, pseudonyms);
  report->files = args.list("--log");
  report->bytes = scan.bytes();
  report->too_long = scan.too_long();
  return report;
}

int exit_code(const FailOn& limit, const explain::LogReport& report) {
  int exit = 0;
  for (const explain::QueryReport& query : report.worst) {
    if (query.flip) exit = std::max(exit, exit_for(limit, {*query.flip}));
    for (const explain::ShapeReport& shape : query.shapes) {
      if (shape.report) exit = std::max(exit, exit_for(limit, shape.report->findings));
    }
  }
  return exit;
}
}  // namespace

bool names_a_server(const Args& args) {
  return args.has("-h") || args.has("-p") || args.has("-U") || args.has("-d");
}

Result<int> run_explain_log(const Args& args, Output& output) {
  const FailOn limit = TRY(fail_on(args));
  LogScan scan(args, output);
  TRY(scan.run());
  const auto report =
      std::make_shared<const explain::LogReport>(TRY(report_of(args, output, scan)));
  if (report->unread > 0) {
    output.keep_warning(
        cat(report->unread, " records could not be read; the first: ", report->first_problem));
  }
  if (report->too_long > 0) {
    output.warn(cat(report->too_long, " lines or records are over 32 MB and were passed over"));
  }
  if (!output.json()) {
    const explain::LogRenderOptions options{output.terminal().ascii, output.terminal().width};
    output.line(trim(explain::render_log(*report, options)));
  }
  output.data_member("log", [report](JsonWriter& writer) { explain::write_json(writer, *report); });
  return exit_code(limit, *report);
}

}  // namespace pgtend::cli
