#include "sim/fake_engine.h"

#include <algorithm>

#include "base/text.h"
#include "wire/frame.h"
#include "wire/frontend.h"

namespace pgtend::sim {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;
using Verb = Statement::Verb;

constexpr std::string_view kTagOpen = "/*c";
constexpr std::string_view kTagClose = "*/";

Verb verb_of(std::string_view word, std::string_view second) {
  if (word == "SELECT") return Verb::Select;
  if (word == "BEGIN") return Verb::Begin;
  if (word == "COMMIT") return Verb::Commit;
  if (word == "ROLLBACK") return Verb::Rollback;
  if (word == "SET") return Verb::Set;
  if (word == "SHOW") return Verb::Show;
  if (word == "COPY") return second == "IN" ? Verb::CopyIn : Verb::CopyOut;
  if (word == "DISCARD") return Verb::Discard;
  return Verb::Fail;
}

void read_assignment(Statement& statement, std::string_view name, std::string_view value) {
  if (statement.verb == Verb::Set) {
    if (value.starts_with('\'')) value = value.substr(1, value.size() - 2);
    statement.name = name;
    statement.value = value;
    return;
  }
  const int64_t number = parse_int(value).take();
  if (name == "rows") statement.rows = number;
  if (name == "width") statement.width = number;
  if (name == "slow") statement.slow_ms = number;
  if (name == "fail") statement.fail_after = number;
}

Statement read_statement(std::string_view text) {
  Statement statement;
  text = trim(text);
  if (text.empty()) return statement;
  const size_t verb_end = std::min(text.find(' '), text.size());
  std::string_view rest = trim(text.substr(verb_end));
  statement.verb = verb_of(text.substr(0, verb_end), rest.substr(0, rest.find(' ')));
  if (statement.verb == Verb::Show) statement.name = rest;
  if (statement.verb == Verb::Set) {
    const size_t equals = std::min(rest.find('='), rest.size() - 1);
    read_assignment(statement, rest.substr(0, equals), rest.substr(equals + 1));
    return statement;
  }
  for (const std::string_view word : split(rest, ' ')) {
    const size_t equals = word.find('=');
    if (equals == std::string_view::npos) continue;
    read_assignment(statement, word.substr(0, equals), word.substr(equals + 1));
  }
  return statement;
}

std::string row_of(const Statement& statement, int64_t row) {
  std::string text = cat(statement.tag(), " r", row, ' ');
  const auto letter = static_cast<char>('a' + (statement.client + statement.sequence + row) % 26);
  text.append(static_cast<size_t>(statement.width), letter);
  return text;
}

void append_rows(const Statement& statement, int64_t from, int64_t to, std::string& out) {
  for (int64_t i = from; i < to; ++i) {
    const std::string text = row_of(statement, i);
    be::append_data_row(out, {std::string_view(text)});
  }
}

void append_copy_begin(std::string& out, be::Type type) {
  wire::MessageWriter message(out, type);
  out.push_back('\0');
  wire::put_i16(out, 0);
  message.finish();
}

// Canonical, as a server reports it.
std::string canonical(std::string_view name, std::string_view value) {
  if (equal_ignoring_case(name, "DateStyle") && value == "ISO") return "ISO, MDY";
  return std::string(value);
}

bool leaves_failed(Verb verb) { return verb == Verb::Commit || verb == Verb::Rollback; }

bool has_rows(Verb verb) { return verb == Verb::Select || verb == Verb::Show; }

}  // namespace

std::string Statement::tag() const {
  return client < 0 ? std::string("pool") : cat('c', client, '.', sequence);
}

int tagged_client(std::string_view text) {
  const size_t open = text.find(kTagOpen);
  if (open == std::string_view::npos) return -1;
  const std::string_view tag = text.substr(open + kTagOpen.size());
  return static_cast<int>(parse_int(tag.substr(0, tag.find('.'))).take());
}

std::vector<Statement> parse_sql(std::string_view sql) {
  std::vector<Statement> statements;
  const size_t open = sql.find(kTagOpen);
  for (const std::string_view text : split(sql.substr(0, open), ';')) {
    Statement statement = read_statement(text);
    if (statement.verb != Verb::Empty) statements.push_back(std::move(statement));
  }
  if (open == std::string_view::npos) return statements;
  const std::string_view tag =
      sql.substr(open + kTagOpen.size(), sql.find(kTagClose, open) - open - kTagOpen.size());
  const size_t dot = tag.find('.');
  for (Statement& statement : statements) {
    statement.client = static_cast<int>(parse_int(tag.substr(0, dot)).take());
    statement.sequence = static_cast<int>(parse_int(tag.substr(dot + 1)).take());
  }
  return statements;
}

Engine::Engine()
    : parameters_{{"server_version", "17.5"},    {"client_encoding", "UTF8"},
                  {"DateStyle", "ISO, MDY"},     {"TimeZone", "UTC"},
                  {"IntervalStyle", "postgres"}, {"standard_conforming_strings", "on"},
                  {"application_name", ""}},
      committed_(parameters_),
      defaults_(parameters_) {}

void Engine::set_parameter(const std::string& name, std::string_view value) {
  parameters_[name] = committed_[name] = value;
}

// --- messages

int64_t Engine::slow_ms(char type, std::string_view body) const {
  if (skipping_ || copy_) return 0;
  int64_t slow = 0;
  if (type == fe::kQuery) {
    for (const Statement& each : parse_sql(body.substr(0, body.size() - 1))) slow += each.slow_ms;
  }
  if (type == fe::kExecute) {
    const auto portal = portals_.find(std::string(fe::read_execute(body)->portal));
    if (portal != portals_.end()) slow = portal->second.statement.slow_ms;
  }
  return status_ == Status::Failed ? 0 : slow;
}

int Engine::slow_at(char type, std::string_view body) const {
  if (type != fe::kQuery) return 0;
  const auto statements = parse_sql(body.substr(0, body.size() - 1));
  const auto slow =
      std::ranges::find_if(statements, [](const Statement& each) { return each.slow_ms > 0; });
  return static_cast<int>(slow - statements.begin());
}

void Engine::take(char type, std::string_view body, std::string& out, int cancel_at) {
  if (copy_) return take_copy(type, out);
  if (skipping_ && type != fe::kSync) return;
  cancel_in_ = cancel_at;
  extended_ = type != fe::kQuery && type != fe::kSync;
  switch (type) {
    case fe::kQuery:
      query(body.substr(0, body.size() - 1), out);
      break;
    case fe::kParse:
      parse(body, out);
      break;
    case fe::kBind:
      bind(body, out);
      break;
    case fe::kDescribe:
      describe(body, out);
      break;
    case fe::kExecute:
      execute(body, out);
      break;
    case fe::kClose:
      close(body, out);
      break;
    case fe::kSync:
      sync(out);
      break;
    default:  // Flush, and what is left of a COPY that has failed
      break;
  }
  cancel_in_ = kNoCancel;
}

// A COPY ignores Sync and Flush; any other request loses the connection.
void Engine::take_copy(char type, std::string& out) {
  if (type == fe::kSync || type == fe::kFlush) return;
  const Copy copy = *copy_;
  extended_ = !copy.simple;
  if (type == fe::kCopyData) {
    ++copy_->pieces;
    if (copy.statement.fail_after < 0 || copy_->pieces <= copy.statement.fail_after) return;
    copy_.reset();
    fail("22P02", cat(copy.statement.tag(), " bad copy data"), out);
  } else if (type == fe::kCopyDone) {
    copy_.reset();
    complete(copy.statement, cat("COPY ", copy.pieces), out);
  } else if (type == fe::kCopyFail) {
    copy_.reset();
    fail("57014", "COPY from stdin failed", out);
  } else {
    ended_ = true;
    be::append_error(out, {.severity = "FATAL", .sqlstate = "08P01", .message = "lost in COPY"});
    return;
  }
  if (copy.simple) run_pending(out);
}

void Engine::query(std::string_view sql, std::string& out) {
  const auto statements = parse_sql(sql);
  pending_.assign(statements.begin(), statements.end());
  batch_ = false;
  portals_.erase("");
  if (pending_.empty()) {
    if (!cancelled(out)) be::append_bare(out, be::kEmptyQueryResponse);
    be::append_ready_for_query(out, status_);
    return;
  }
  run_pending(out);
}

// The rest of a simple Query, up to its end or to a COPY that waits for data.
void Engine::run_pending(std::string& out) {
  while (!pending_.empty()) {
    const Statement statement = std::move(pending_.front());
    pending_.pop_front();
    if (statement.verb == Verb::CopyIn && !refused_in_failed(statement, out) && !cancelled(out)) {
      append_copy_begin(out, be::kCopyInResponse);
      copy_ = Copy{statement, 0, true};
      return;
    }
    if (statement.verb == Verb::CopyIn || !run(statement, out)) continue;
  }
  if (status_ == Status::Idle) end_transaction(true, out);
  be::append_ready_for_query(out, status_);
}

void Engine::parse(std::string_view body, std::string& out) {
  batch_ = true;
  if (cancelled(out)) return;
  const auto message = fe::read_parse(body).take();
  const auto statements = parse_sql(message.sql);
  const Statement statement = statements.empty() ? Statement{} : statements.front();
  if (refused_in_failed(statement, out)) return;
  if (statement.verb == Verb::Fail) {
    fail("42601", cat(statement.tag(), " syntax error"), out);
    return;
  }
  const std::string name(message.statement);
  if (!name.empty() && statements_.contains(name)) {
    fail("42P05", cat("prepared statement \"", name, "\" already exists"), out);
    return;
  }
  statements_[name] = statement;
  be::append_bare(out, be::kParseComplete);
}

void Engine::bind(std::string_view body, std::string& out) {
  batch_ = true;
  if (cancelled(out)) return;
  const auto message = fe::read_bind(body).take();
  const auto found = statements_.find(std::string(message.statement));
  if (found == statements_.end()) {
    fail("26000", cat("prepared statement \"", message.statement, "\" does not exist"), out);
    return;
  }
  if (refused_in_failed(found->second, out)) return;
  portals_[std::string(message.portal)] = {found->second, 0};
  be::append_bare(out, be::kBindComplete);
}

void Engine::describe(std::string_view body, std::string& out) {
  batch_ = true;
  if (cancelled(out)) return;
  const auto target = fe::read_describe(body).take();
  const std::string name(target.name);
  const bool known = target.kind == 'S' ? statements_.contains(name) : portals_.contains(name);
  if (!known) {
    fail(target.kind == 'S' ? "26000" : "34000", "nothing to describe", out);
    return;
  }
  if (target.kind == 'S') {
    wire::MessageWriter message(out, be::kParameterDescription);
    wire::put_i16(out, 0);
    message.finish();
  }
  const Statement& statement = target.kind == 'S' ? statements_[name] : portals_[name].statement;
  if (has_rows(statement.verb)) {
    be::append_row_description(out, {{.name = "tag"}});
  } else {
    be::append_bare(out, be::kNoData);
  }
}

void Engine::close(std::string_view body, std::string& out) {
  batch_ = true;
  if (cancelled(out)) return;
  const auto target = fe::read_describe(body).take();
  if (target.kind == 'S') {
    statements_.erase(std::string(target.name));
  } else {
    portals_.erase(std::string(target.name));
  }
  be::append_bare(out, be::kCloseComplete);
}

void Engine::execute(std::string_view body, std::string& out) {
  batch_ = true;
  const auto message = fe::read_execute(body).take();
  const auto found = portals_.find(std::string(message.portal));
  if (found == portals_.end()) {
    if (!cancelled(out)) fail("34000", "no such portal", out);
    return;
  }
  Portal& portal = found->second;
  const Statement statement = portal.statement;
  if (statement.verb == Verb::Empty) {
    if (!cancelled(out)) be::append_bare(out, be::kEmptyQueryResponse);
  } else if (statement.verb == Verb::CopyIn) {
    if (refused_in_failed(statement, out) || cancelled(out)) return;
    append_copy_begin(out, be::kCopyInResponse);
    copy_ = Copy{statement, 0, false};
  } else if (statement.verb == Verb::Select && message.rows_max > 0) {
    if (refused_in_failed(statement, out) || cancelled(out)) return;
    const int64_t end = std::min(statement.rows, portal.rows_sent + message.rows_max);
    append_rows(statement, portal.rows_sent, end, out);
    const bool suspended = end - portal.rows_sent == message.rows_max;
    const int64_t sent = end - portal.rows_sent;
    portal.rows_sent = end;
    if (suspended) return be::append_bare(out, be::kPortalSuspended);
    complete(statement, cat("SELECT ", sent), out);
  } else {
    run(statement, out);
  }
}

void Engine::sync(std::string& out) {
  if (!skipping_) cancelled(out);
  if (status_ == Status::Idle) end_transaction(true, out);
  batch_ = skipping_ = false;
  be::append_ready_for_query(out, status_);
}

// --- statements

bool Engine::run(const Statement& statement, std::string& out) {
  if (cancelled(out) || refused_in_failed(statement, out)) return false;
  switch (statement.verb) {
    case Verb::Select:
      if (!extended_) be::append_row_description(out, {{.name = "tag"}});
      append_rows(statement, 0, statement.rows, out);
      complete(statement, cat("SELECT ", statement.rows), out);
      return true;
    case Verb::Show: {
      if (!extended_) be::append_row_description(out, {{.name = "tag"}});
      const std::string text = cat(statement.tag(), ' ', parameters_[statement.name]);
      be::append_data_row(out, {std::string_view(text)});
      complete(statement, "SHOW", out);
      return true;
    }
    case Verb::Begin:
      status_ = Status::InTransaction;
      complete(statement, "BEGIN", out);
      return true;
    case Verb::Commit:
    case Verb::Rollback: {
      const bool commit = statement.verb == Verb::Commit && status_ != Status::Failed;
      end_transaction(commit, out);
      complete(statement, commit ? "COMMIT" : "ROLLBACK", out);
      return true;
    }
    case Verb::Set:
      return run_set(statement, out);
    case Verb::CopyOut:
      append_copy_begin(out, be::kCopyOutResponse);
      for (int64_t i = 0; i < statement.rows; ++i) {
        fe::append_copy_data(out, row_of(statement, i));  // the same message both ways
      }
      be::append_bare(out, be::kCopyDone);
      complete(statement, cat("COPY ", statement.rows), out);
      return true;
    case Verb::Discard:
      if (status_ != Status::Idle) {
        return fail("25001", "DISCARD ALL cannot run inside a transaction block", out);
      }
      for (const auto& [name, value] : defaults_) {
        if (parameters_[name] != value) be::append_parameter_status(out, {name, value});
      }
      parameters_ = committed_ = defaults_;
      statements_.clear();
      complete(statement, "DISCARD ALL", out);
      return true;
    case Verb::Fail:
      return fail("22012", cat(statement.tag(), " division by zero"), out);
    case Verb::CopyIn:
    case Verb::Empty:
      return true;
  }
  std::abort();
}

bool Engine::run_set(const Statement& statement, std::string& out) {
  const auto known = std::ranges::find_if(parameters_, [&](const auto& parameter) {
    return equal_ignoring_case(parameter.first, statement.name);
  });
  if (known == parameters_.end() || statement.value == "bad") {
    return fail("22023", cat(statement.tag(), " invalid value for parameter"), out);
  }
  const std::string value = canonical(known->first, statement.value);
  if (known->second != value) {
    known->second = value;
    be::append_parameter_status(out, {known->first, value});
  }
  complete(statement, "SET", out);
  return true;
}

// Answers without rows say by a notice whose they are.
void Engine::complete(const Statement& statement, std::string_view tag, std::string& out) {
  // The pool may answer a BEGIN itself, which no notice tells of.
  if (!has_rows(statement.verb) && statement.verb != Verb::Begin) {
    const std::string text = cat(statement.tag(), ' ', tag);
    be::append_notice(
        out, {.severity = "NOTICE", .sqlstate = "00000", .message = std::string_view(text)});
  }
  be::append_command_complete(out, tag);
}

bool Engine::refused_in_failed(const Statement& statement, std::string& out) {
  if (status_ != Status::Failed || leaves_failed(statement.verb)) return false;
  return !fail("25P02", cat(statement.tag(), " current transaction is aborted"), out);
}

bool Engine::cancelled(std::string& out) {
  if (cancel_in_ == kNoCancel || cancel_in_-- > 0) return false;
  return !fail("57014", "canceling statement due to user request", out);
}

bool Engine::fail(std::string_view sqlstate, std::string_view text, std::string& out) {
  be::append_error(out, {.severity = "ERROR", .sqlstate = sqlstate, .message = text});
  pending_.clear();
  if (extended_) skipping_ = true;
  if (status_ == Status::InTransaction) {
    status_ = Status::Failed;
  } else if (status_ == Status::Idle) {
    end_transaction(false, out);
  }
  return false;
}

void Engine::end_transaction(bool commit, std::string& out) {
  status_ = Status::Idle;
  if (commit) {
    committed_ = parameters_;
  } else {
    for (const auto& [name, value] : committed_) {
      if (parameters_[name] != value) be::append_parameter_status(out, {name, value});
    }
    parameters_ = committed_;
  }
  portals_.clear();
}

}  // namespace pgtend::sim
