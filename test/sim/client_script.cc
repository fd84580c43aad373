#include "sim/client_script.h"

#include "base/text.h"
#include "wire/backend.h"
#include "wire/frame.h"
#include "wire/frontend.h"

namespace pgtend::sim {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

constexpr std::string_view kNames[] = {"application_name", "TimeZone", "DateStyle"};
constexpr std::string_view kDuplicate = "42P05";
constexpr uint64_t kStatementNames = 6;
constexpr uint64_t kSharedTexts = 4;
constexpr std::string_view kValues[] = {"ISO", "Europe/Berlin", "German", "bad"};

}  // namespace

// --- what is said

std::deque<Step> ScriptWriter::operation() {
  static constexpr Write kWrites[] = {
      &ScriptWriter::simple,   &ScriptWriter::simple,      &ScriptWriter::several,
      &ScriptWriter::simple,   &ScriptWriter::transaction, &ScriptWriter::transaction,
      &ScriptWriter::extended, &ScriptWriter::extended,    &ScriptWriter::pipeline,
      &ScriptWriter::flushed,  &ScriptWriter::named,       &ScriptWriter::portal,
      &ScriptWriter::copy_out, &ScriptWriter::copy_in,     &ScriptWriter::copy_in_extended,
      &ScriptWriter::setting,  &ScriptWriter::show,        &ScriptWriter::slow,
      &ScriptWriter::slow,     &ScriptWriter::empty};
  (this->*kWrites[dice_.below(std::size(kWrites))])();
  if (!bytes_.empty()) pause();
  return std::exchange(steps_, {});
}

std::string ScriptWriter::text(std::string_view sql) {
  return cat(sql, " /*c", client_, '.', ++sequence_, "*/");
}

std::string ScriptWriter::select() {
  const int64_t rows = dice_.chance(30) ? dice_.between(0, 200) : dice_.between(0, 5);
  const std::string sql = cat("SELECT rows=", rows, " width=", dice_.skewed(4000));
  if (held_ == nullptr || !dice_.chance(250)) return sql;
  const auto at = std::chrono::floor<microseconds>(held_->steady().time_since_epoch());
  return cat(sql, " held at=", at.count());
}

std::string ScriptWriter::statement() { return dice_.chance(80) ? "FAIL" : select(); }

void ScriptWriter::query(std::string_view sql) { fe::append_query(bytes_, text(sql)); }

void ScriptWriter::pause(bool wait) { steps_.push_back({std::exchange(bytes_, {}), wait}); }

// Parse to Execute of the unnamed statement and portal.
void ScriptWriter::batch(std::string_view sql, bool describe) {
  const std::string tagged = text(sql);
  fe::append_parse(bytes_, {"", tagged});
  fe::append_bind(bytes_, {.portal = "", .statement = "", .parameters = {tagged}});
  if (describe) fe::append_describe(bytes_, {'P', ""});
  fe::append_execute(bytes_, {"", 0});
}

void ScriptWriter::simple() { query(statement()); }

void ScriptWriter::several() {
  std::string sql;
  const int64_t count = dice_.between(2, 4);
  for (int64_t i = 0; i < count; ++i) sql += cat(i > 0 ? ";" : "", statement());
  query(sql);
}

void ScriptWriter::transaction() {
  if (!blocks_) return pipeline();
  const bool piped = dice_.chance(300);
  const auto next = [&] { piped ? pause(false) : pause(true); };
  query("BEGIN");
  next();
  const int64_t count = dice_.between(1, 4);
  for (int64_t i = 0; i < count; ++i) {
    if (dice_.chance(300)) {
      batch(statement(), dice_.chance(500));
      fe::append_sync(bytes_);
    } else if (dice_.chance(100)) {
      query("SET TimeZone='Asia/Tokyo'");
    } else {
      query(statement());
    }
    next();
  }
  query(dice_.chance(700) ? "COMMIT" : "ROLLBACK");
}

void ScriptWriter::extended() {
  batch(statement(), dice_.chance(500));
  fe::append_sync(bytes_);
}

void ScriptWriter::pipeline() {
  const int64_t count = dice_.chance(50) ? dice_.between(20, 60) : dice_.between(2, 6);
  for (int64_t i = 0; i < count; ++i) {
    if (dice_.chance(200)) {
      fe::append_sync(bytes_);
      query(statement());
    } else {
      batch(statement(), dice_.chance(300));
      if (dice_.chance(500)) fe::append_sync(bytes_);
    }
  }
  fe::append_sync(bytes_);
}

// Drivers that ask for the description first and think before they bind.
void ScriptWriter::flushed() {
  const std::string tagged = text(statement());
  fe::append_parse(bytes_, {"", tagged});
  fe::append_describe(bytes_, {'S', ""});
  fe::append_flush(bytes_);
  pause();
  fe::append_bind(bytes_, {.portal = "", .statement = "", .parameters = {tagged}});
  fe::append_execute(bytes_, {"", 0});
  fe::append_sync(bytes_);
}

// Texts that several clients prepare have no tag; the parameters of the Bind tell whose it is.
void ScriptWriter::named() {
  if (!names_) return extended();
  const std::string name = cat("s", dice_.below(kStatementNames));
  if (prepared_.contains(name) && dice_.chance(200)) {
    fe::append_close(bytes_, {'S', name});
    if (dice_.chance(500)) fe::append_sync(bytes_);
    prepared_.erase(name);
  }
  if (prepared_.insert(name).second) {
    const std::string shared = cat("SELECT rows=", dice_.below(kSharedTexts), " width=3");
    fe::append_parse(bytes_, {name, dice_.chance(500) ? shared : text(select())});
    if (dice_.chance(300)) fe::append_describe(bytes_, {'S', name});
    if (dice_.chance(500)) fe::append_sync(bytes_);
    if (dice_.chance(300)) {
      fe::append_flush(bytes_);
      pause(dice_.chance(500));
    }
  }
  const int64_t count = dice_.between(1, 3);
  for (int64_t i = 0; i < count; ++i) {
    fe::append_bind(bytes_, {.portal = "", .statement = name, .parameters = {text("")}});
    fe::append_execute(bytes_, {"", 0});
    if (dice_.chance(300)) fe::append_sync(bytes_);
  }
  fe::append_sync(bytes_);
}

void ScriptWriter::portal() {
  const std::string tagged = text(cat("SELECT rows=", dice_.between(0, 9), " width=10"));
  fe::append_parse(bytes_, {"", tagged});
  fe::append_bind(bytes_, {.portal = "p", .statement = "", .parameters = {tagged}});
  const int64_t count = dice_.between(1, 5);
  for (int64_t i = 0; i < count; ++i) {
    fe::append_execute(bytes_, {"p", 2});
    if (!dice_.chance(300)) continue;
    fe::append_flush(bytes_);
    pause();
  }
  fe::append_sync(bytes_);
}

void ScriptWriter::copy_out() {
  query(cat("COPY OUT rows=", dice_.skewed(300), " width=", dice_.skewed(2000)));
}

void ScriptWriter::copy_data(int64_t pieces) {
  for (int64_t i = 0; i < pieces; ++i) {
    std::string data = text("row");
    data.append(static_cast<size_t>(dice_.skewed(3000)), 'x');
    fe::append_copy_data(bytes_, data);
    if (dice_.chance(100)) pause(false);
  }
}

void ScriptWriter::copy_in() {
  const int64_t pieces = dice_.between(0, 6);
  const bool fails = dice_.chance(250);
  query(fails ? cat("COPY IN fail=", dice_.between(0, pieces)) : std::string("COPY IN"));
  if (dice_.chance(800)) pause();  // libpq waits for the answer, others need not
  copy_data(pieces);
  if (dice_.chance(800)) {
    fe::append_copy_done(bytes_);
  } else {
    fe::append_copy_fail(bytes_, text("no more"));
  }
}

void ScriptWriter::copy_in_extended() {
  const int64_t pieces = dice_.between(0, 6);
  const bool fails = dice_.chance(250);
  batch(fails ? cat("COPY IN fail=", dice_.between(0, pieces)) : std::string("COPY IN"), false);
  // libpq syncs at once, and the server ignores that while the COPY runs.
  const bool early = dice_.chance(300);
  if (early) fe::append_sync(bytes_);
  if (early || dice_.chance(500)) {
    if (!early) fe::append_flush(bytes_);
    pause();
  }
  copy_data(pieces);
  fe::append_copy_done(bytes_);
  fe::append_sync(bytes_);
}

void ScriptWriter::setting() {
  const auto name = kNames[dice_.below(std::size(kNames))];
  query(cat("SET ", name, "='", kValues[dice_.below(std::size(kValues))], '\''));
  pause(dice_.chance(500));
  query(cat("SHOW ", name));
}

void ScriptWriter::show() { query(cat("SHOW ", kNames[dice_.below(std::size(kNames))])); }

void ScriptWriter::slow() {
  const std::string sql = cat(select(), " slow=", dice_.between(1, 400));
  if (dice_.chance(500)) return query(sql);
  batch(sql, false);
  fe::append_sync(bytes_);
}

void ScriptWriter::empty() { query(""); }

// --- what must come back

std::deque<Mirror::Message> Mirror::split_frames(std::string_view bytes) {
  std::deque<Message> frames;
  while (!bytes.empty()) {
    const auto frame = wire::next_frame(bytes).take();
    frames.emplace_back(frame->type, frame->body);
  }
  return frames;
}

void Mirror::sent(std::string_view messages) {
  for (Message& message : split_frames(messages)) queue_.push_back(std::move(message));
  if (expected_.empty()) advance();
}

// Lazily, because a message that is still to be answered may yet be cancelled.
void Mirror::advance() {
  while (expected_.empty() && !queue_.empty()) {
    current_ = std::move(queue_.front());
    queue_.pop_front();
    before_ = engine_;
    came_ = 0;
    std::string out;
    engine_.take(current_.first, current_.second, out);
    expected_ = split_frames(out);
    std::erase_if(expected_, [](const Message& m) { return m.first == be::kParameterStatus; });
  }
}

std::string Mirror::received(char type, std::string_view body) {
  if (type == be::kParameterStatus) {
    const auto status = be::read_parameter_status(body).take();
    const std::string name(status.name);
    const auto known = engine_.parameters().find(name);
    const bool news = known != engine_.parameters().end() && known->second != status.value;
    if (news) learn(name, status.value);
    return "";
  }
  if (type == be::kNoticeResponse && body.find("Masync") != std::string_view::npos) return "";
  std::string sqlstate;
  if (type == be::kErrorResponse) {
    const auto report = be::read_report(body);
    if (!report) return "a broken error message";
    sqlstate = report->sqlstate.value_or("");
    if (report->severity == "FATAL") {
      farewell_ = report->message.value_or("?");
      return "";
    }
  }
  if (told()) return cat("a message behind FATAL: ", farewell_);
  // The text of this error names the server's statement, not the client's.
  const bool is_duplicate = sqlstate == kDuplicate && !expected_.empty() &&
                            expected_.front().second.find(kDuplicate) != std::string::npos;
  const bool fits = !expected_.empty() && expected_.front().first == type &&
                    (expected_.front().second == body || is_duplicate);
  if (fits) {
    expected_.pop_front();
    ++came_;
  } else if (sqlstate != "57014" || !was_cancelled()) {
    return cat("unexpected ", std::string(1, type), " \"", printable(body.substr(0, 120)), "\", ",
               state());
  }
  if (type == be::kReadyForQuery && sqlstate.empty()) {
    ++queries_;
    if (body[0] == 'I') ++transactions_;
  }
  advance();
  return "";
}

// The pool tells what a server made of the client's start values before anything is answered.
void Mirror::learn(const std::string& name, std::string_view value) {
  if (expected_.empty() || came_ > 0) return engine_.set_parameter(name, value);
  engine_ = before_;
  engine_.set_parameter(name, value);
  queue_.push_front(std::move(current_));
  expected_.clear();
  advance();
}

// The message at hand was cancelled, at one of its statements.
bool Mirror::was_cancelled() {
  if (cancels_ == 0) return false;
  for (int at = 0; at < 4; ++at) {
    Engine other = before_;
    std::string out;
    other.take(current_.first, current_.second, out, at);
    auto frames = split_frames(out);
    std::erase_if(frames, [](const Message& m) { return m.first == be::kParameterStatus; });
    if (frames.size() <= came_ || frames[came_].first != be::kErrorResponse) continue;
    if (frames[came_].second.find("C57014") == std::string::npos) continue;
    engine_ = std::move(other);
    expected_.assign(frames.begin() + static_cast<std::ptrdiff_t>(came_) + 1, frames.end());
    ++came_;
    --cancels_;
    return true;
  }
  return false;
}

std::string Mirror::state() const {
  std::string out = cat("answering ", std::string(1, current_.first), " \"",
                        printable(current_.second.substr(0, 80)), "\", ", queue_.size(),
                        " messages behind, cancels ", cancels_);
  if (!expected_.empty()) {
    out += cat(", next ", std::string(1, expected_.front().first), " \"",
               printable(expected_.front().second.substr(0, 80)), "\"");
  }
  return out;
}

}  // namespace pgtend::sim
