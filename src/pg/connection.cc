#include "pg/connection.h"

#include <libpq-fe.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "pg/sqlstate.h"
#include "pg/state.h"

namespace pgtend::pg {
namespace {

using ResultHandle = std::unique_ptr<pg_result, ClearResult>;

// Bytes a piece of COPY data: libpq copies each into its send buffer.
constexpr size_t kCopyPieceMax = size_t{1} << 20;
constexpr int kParamsMax = 65'535;  // the protocol counts them in 16 bits

Status check_text(std::string_view text, std::string_view what) {
  if (text.find('\0') == std::string_view::npos) return ok();
  return Error{ErrorCode::Invalid, cat(what, " holds a NUL byte")};
}

// Pointers into `params`, as libpq wants them.
Result<std::vector<const char*>> values_of(const Params& params) {
  if (params.size() > kParamsMax) {
    return Error{ErrorCode::Limit, cat(params.size(), " parameters; at most ", kParamsMax)};
  }
  std::vector<const char*> values;
  values.reserve(params.size());
  for (const auto& param : params) {
    if (param) TRY(check_text(*param, "parameter"));
    values.push_back(param ? param->c_str() : nullptr);
  }
  return values;
}

bool is_copy(int status) {
  return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

}  // namespace

Connection::Connection(std::unique_ptr<State> state) : state_(std::move(state)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

void FinishConnection::operator()(pg_conn* conn) const { PQfinish(conn); }

Error Connection::State::error_of(const pg_result* result) const {
  const auto field = [&](int code) {
    const char* text = PQresultErrorField(result, code);
    return text == nullptr ? std::string_view() : std::string_view(text);
  };
  const std::string_view sqlstate = field(PG_DIAG_SQLSTATE);
  if (sqlstate.empty()) return link_error(PQresultErrorMessage(result));
  Error error{code_of(sqlstate), printable(field(PG_DIAG_MESSAGE_PRIMARY), true),
              std::string(sqlstate), printable(field(PG_DIAG_MESSAGE_HINT), true)};
  // The detail of a data error may hold a row's values: those belong to nobody's log.
  const bool shows_data = sqlstate.starts_with("22") || sqlstate.starts_with("23");
  if (const auto detail = field(PG_DIAG_MESSAGE_DETAIL); !detail.empty() && !shows_data) {
    error.message += cat(" (", printable(detail, true), ")");
  }
  if (error.hint.empty()) error.hint = hint_of(sqlstate);
  if (sqlstate == "57014") {
    const bool by_request =
        cancel_asked->load() ||
        field(PG_DIAG_MESSAGE_PRIMARY).find("user request") != std::string_view::npos;
    if (by_request) error = Error{ErrorCode::Cancelled, error.message, error.sqlstate};
  }
  return error;
}

Error Connection::State::link_error(std::string_view libpq_text) const {
  const std::string text = printable(trim(libpq_text), true);
  // A write that failed leaves the link as it was: only reading to its end tells that it is lost.
  if (PQstatus(conn.get()) == CONNECTION_OK) PQconsumeInput(conn.get());
  if (PQstatus(conn.get()) == CONNECTION_BAD) {
    return Error{ErrorCode::Unavailable,
                 cat("connection lost: ", text),
                 {},
                 "the server or the network went away: look at the server's log, then try again"};
  }
  return Error{ErrorCode::Internal, text.empty() ? "libpq gave no reason" : text};
}

Error Connection::State::link_error() const { return link_error(PQerrorMessage(conn.get())); }

void Connection::State::take_notice(const pg_result* result) {
  const auto field = [&](int code) {
    const char* text = PQresultErrorField(result, code);
    return text == nullptr ? std::string() : printable(text, true);
  };
  if (notices.size() >= kNoticesMax) notices.pop_front();
  std::string severity = field(PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity.empty()) severity = field(PG_DIAG_SEVERITY);
  std::string message = field(PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = printable(trim(PQresultErrorMessage(result)), true);
  notices.push_back({std::move(severity), field(PG_DIAG_SQLSTATE), std::move(message),
                     field(PG_DIAG_MESSAGE_DETAIL)});
}

void Connection::State::leave_copy(int status) {
  if (!is_copy(status)) return;
  if (status == PGRES_COPY_IN) {
    PQputCopyEnd(conn.get(), "COPY data was not expected here");
  } else if (status == PGRES_COPY_OUT) {
    char* row = nullptr;
    while (PQgetCopyData(conn.get(), &row, 0) > 0) PQfreemem(row);
  } else {
    PQreset(conn.get());  // replication: no way back to plain statements
  }
}

Result<Rows> Connection::State::keep(pg_result* raw) {
  ResultHandle result(raw);
  const ExecStatusType status = PQresultStatus(result.get());
  switch (status) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
    case PGRES_EMPTY_QUERY:
      return Rows(result.release());
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
      return Error{ErrorCode::Invalid, "COPY … FROM STDIN or TO STDOUT is not allowed here"};
    case PGRES_PIPELINE_ABORTED:
      return Error{ErrorCode::Invalid, "skipped after an earlier failure"};
    case PGRES_BAD_RESPONSE:
      return Error{ErrorCode::Corrupt, cat("the server's answer was not understood: ",
                                           printable(trim(PQerrorMessage(conn.get())), true))};
    case PGRES_PIPELINE_SYNC:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
      return error_of(result.get());
  }
  return error_of(result.get());
}

Result<Rows> Connection::State::collect() {
  std::optional<Result<Rows>> outcome;
  while (pg_result* raw = PQgetResult(conn.get())) {
    const ExecStatusType status = PQresultStatus(raw);
    auto next = keep(raw);
    if (!outcome || *outcome) outcome.emplace(std::move(next));
    leave_copy(status);
    if (PQstatus(conn.get()) == CONNECTION_BAD) break;
  }
  if (!outcome) return link_error();
  return std::move(*outcome);
}

Status Connection::State::send(std::string_view sql, const Params& params) {
  TRY(settle());
  TRY(check_text(sql, "statement"));
  const auto values = TRY(values_of(params));
  cancel_asked->store(false);
  const std::string text(sql);
  if (PQsendQueryParams(conn.get(), text.c_str(), static_cast<int>(values.size()), nullptr,
                        values.data(), nullptr, nullptr, 0) == 0) {
    return link_error();
  }
  return ok();
}

Status Connection::State::send_simple(std::string_view sql) {
  TRY(settle());
  TRY(check_text(sql, "statement"));
  cancel_asked->store(false);
  if (PQsendQuery(conn.get(), std::string(sql).c_str()) == 0) return link_error();
  return ok();
}

Status Connection::State::settle() {
  if (!conn) return Error{ErrorCode::Unavailable, "not connected"};
  started = false;
  ready.reset();
  while (pg_result* raw = PQgetResult(conn.get())) {
    const ExecStatusType status = PQresultStatus(raw);
    PQclear(raw);
    leave_copy(status);
    if (PQstatus(conn.get()) == CONNECTION_BAD) break;
  }
  return ok();
}

Result<Rows> Connection::query(std::string_view sql, const Params& params) {
  TRY(state_->send(sql, params));
  return state_->collect();
}

Result<Rows> Connection::query_simple(std::string_view sql) {
  TRY(state_->send_simple(sql));
  return state_->collect();
}

Status Connection::exec(std::string_view sql) {
  TRY(query_simple(sql));
  return ok();
}

Status Connection::guard(const Guards& guards) {
  const auto text = [](milliseconds limit) { return cat(limit.count()); };
  TRY(
      query("SELECT pg_catalog.set_config('statement_timeout', $1, false),"
            " pg_catalog.set_config('lock_timeout', $2, false),"
            " pg_catalog.set_config('idle_in_transaction_session_timeout', $3, false)",
            {text(guards.statement), text(guards.lock), text(guards.idle_in_transaction)}));
  return ok();
}

Status Connection::State::queue(std::span<const Statement> statements) {
  for (const Statement& statement : statements) {
    const auto values = TRY(values_of(statement.params));
    if (PQsendQueryParams(conn.get(), statement.sql.c_str(), static_cast<int>(values.size()),
                          nullptr, values.data(), nullptr, nullptr, 0) == 0) {
      return link_error();
    }
  }
  return ok();
}

Result<std::vector<Rows>> Connection::State::collect_pipeline(size_t count) {
  std::vector<Rows> all;
  all.reserve(count);
  std::optional<Error> failure;
  for (size_t i = 0; i < count; ++i) {
    auto rows = collect();
    if (rows) {
      all.push_back(std::move(rows).take());
    } else if (!failure) {
      failure = std::move(rows).error();
    }
    if (PQstatus(conn.get()) == CONNECTION_BAD) break;
  }
  PQclear(PQgetResult(conn.get()));  // the answer to Sync
  if (failure) return std::move(*failure);
  return all;
}

Result<std::vector<Rows>> Connection::pipeline(std::span<const Statement> statements) {
  if (statements.empty()) return std::vector<Rows>();
  if (statements.size() > kPipelineMax) {
    return Error{ErrorCode::Limit,
                 cat(statements.size(), " statements in a pipeline; at most ", kPipelineMax)};
  }
  for (const Statement& statement : statements) {
    TRY(check_text(statement.sql, "statement"));
    TRY(values_of(statement.params));
  }
  TRY(state_->settle());
  state_->cancel_asked->store(false);
  pg_conn* conn = state_->conn.get();
  if (PQenterPipelineMode(conn) == 0) return state_->link_error();
  if (auto queued = state_->queue(statements); !queued) return std::move(queued).error();
  if (PQpipelineSync(conn) == 0) return state_->link_error();
  auto all = state_->collect_pipeline(statements.size());
  if (PQexitPipelineMode(conn) == 0 && all) return state_->link_error();
  return all;
}

// --- COPY ---

Status Connection::State::begin_copy(std::string_view sql, bool in) {
  TRY(send(sql, {}));
  ResultHandle result(PQgetResult(conn.get()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == (in ? PGRES_COPY_IN : PGRES_COPY_OUT)) return ok();
  Error error{ErrorCode::Invalid, in ? "not a COPY … FROM STDIN" : "not a COPY … TO STDOUT"};
  if (status == PGRES_FATAL_ERROR) error = error_of(result.get());
  leave_copy(status);
  TRY(settle());
  return error;
}

Status Connection::State::put(std::string_view data) {
  while (!data.empty()) {
    const size_t size = std::min(data.size(), kCopyPieceMax);
    if (PQputCopyData(conn.get(), data.data(), static_cast<int>(size)) != 1) return link_error();
    data.remove_prefix(size);
  }
  return ok();
}

Result<int64_t> Connection::copy_in(std::string_view sql,
                                    const std::function<Status(std::string& buffer)>& fill) {
  TRY(state_->begin_copy(sql, true));
  std::string buffer;
  std::optional<Error> failure;
  while (!failure) {
    buffer.clear();
    if (auto filled = fill(buffer); !filled) failure = std::move(filled).error();
    if (failure || buffer.empty()) break;
    if (auto sent = state_->put(buffer); !sent) failure = std::move(sent).error();
  }
  if (PQputCopyEnd(state_->conn.get(), failure ? "the client gave up" : nullptr) != 1 && !failure) {
    failure = state_->link_error();
  }
  const auto rows = state_->collect();
  if (failure) return std::move(*failure);
  if (!rows) return rows.error();
  return rows->affected();
}

Result<int64_t> Connection::copy_out(std::string_view sql,
                                     const std::function<Status(std::string_view chunk)>& sink) {
  TRY(state_->begin_copy(sql, false));
  pg_conn* conn = state_->conn.get();
  std::optional<Error> failure;
  int size = 0;
  char* raw = nullptr;
  while ((size = PQgetCopyData(conn, &raw, 0)) > 0) {
    if (!failure) {
      if (auto taken = sink({raw, static_cast<size_t>(size)}); !taken) {
        failure = std::move(taken).error();
        static_cast<void>(canceller().cancel());  // undelivered: the rest is read and dropped
      }
    }
    PQfreemem(std::exchange(raw, nullptr));
  }
  const auto rows = state_->collect();
  if (failure) return std::move(*failure);
  if (!rows) return rows.error();
  return rows->affected();
}

// --- asynchronous use ---

Status Connection::start(std::string_view sql, const Params& params) {
  TRY(state_->send(sql, params));
  state_->started = true;
  return ok();
}

Status Connection::start_simple(std::string_view sql) {
  TRY(state_->send_simple(sql));
  state_->started = true;
  return ok();
}

Result<std::optional<Rows>> Connection::finish_if_ready() {
  State& state = *state_;
  if (!state.started) return Error{ErrorCode::Internal, "no statement was started"};
  if (PQconsumeInput(state.conn.get()) == 0) {
    state.started = false;
    return state.link_error();
  }
  while (PQisBusy(state.conn.get()) == 0) {
    pg_result* raw = PQgetResult(state.conn.get());
    if (raw == nullptr) {
      state.started = false;
      if (!state.ready) return state.link_error();
      Result<Rows> outcome = std::move(*state.ready);
      state.ready.reset();
      if (!outcome) return std::move(outcome).error();
      return std::optional<Rows>(std::move(outcome).take());
    }
    const ExecStatusType status = PQresultStatus(raw);
    auto next = state.keep(raw);
    if (!state.ready || *state.ready) state.ready.emplace(std::move(next));
    state.leave_copy(status);
  }
  return std::optional<Rows>();
}

Result<std::optional<Rows>> Connection::finish_within(milliseconds timeout) {
  const SteadyTime deadline = system_clock().steady() + timeout;
  while (true) {
    auto rows = TRY(finish_if_ready());
    if (rows) return rows;
    if (!TRY(wait_for(socket(), Wait::Read, deadline))) return std::optional<Rows>();
  }
}

int Connection::socket() const { return PQsocket(state_->conn.get()); }

// --- cancel and facts ---

Canceller::Canceller(pg_cancel* handle, std::shared_ptr<std::atomic<bool>> asked)
    : handle_(handle, [](pg_cancel* cancel) { PQfreeCancel(cancel); }), asked_(std::move(asked)) {}

Status Canceller::cancel() const {
  if (!handle_) return Error{ErrorCode::Unavailable, "cancel: not connected"};
  asked_->store(true);
  char reason[256] = "";
  if (PQcancel(handle_.get(), reason, sizeof reason) == 0) {
    return Error{ErrorCode::Unavailable, cat("cancel: ", printable(trim(reason)))};
  }
  return ok();
}

Result<std::string> Connection::password_verifier(const std::string& user,
                                                  const std::string& password) const {
  const std::unique_ptr<char, void (*)(void*)> verifier(
      PQencryptPasswordConn(state_->conn.get(), password.c_str(), user.c_str(), "scram-sha-256"),
      PQfreemem);
  if (!verifier) return state_->link_error();
  return std::string(verifier.get());
}

Canceller Connection::canceller() const {
  return Canceller(PQgetCancel(state_->conn.get()), state_->cancel_asked);
}

std::vector<Notice> Connection::take_notices() {
  std::vector<Notice> out(std::make_move_iterator(state_->notices.begin()),
                          std::make_move_iterator(state_->notices.end()));
  state_->notices.clear();
  return out;
}

int Connection::server_version() const { return PQserverVersion(state_->conn.get()); }

int Connection::backend_pid() const { return PQbackendPID(state_->conn.get()); }

std::string Connection::where() const {
  return printable(cat(PQhost(state_->conn.get()), ":", PQport(state_->conn.get())));
}

bool Connection::alive() const { return PQstatus(state_->conn.get()) == CONNECTION_OK; }

std::string Connection::parameter(const std::string& name) const {
  const char* value = PQparameterStatus(state_->conn.get(), name.c_str());
  return value == nullptr ? "" : value;
}

bool Connection::in_transaction() const {
  const PGTransactionStatusType status = PQtransactionStatus(state_->conn.get());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

const Options& Connection::options() const { return state_->options; }

}  // namespace pgtend::pg
