// One client of a load: connects, logs in, sends its requests one after the other.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <string>

#include "demo/load.h"
#include "demo/load_login.h"
#include "demo/load_scanner.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/timers.h"

namespace pgtend::demo {

class LoadClient;

// What the clients of a run share. Thread: the loop's.
struct LoadRun {
  net::Loop& loop;
  LoadTarget& target;
  const Workload& workload;
  const LoadOptions& options;
  LoadResult& result;
  std::span<char> buffer;              // for receiving; nothing stays in it between events
  std::deque<LoadClient*> queue = {};  // for a turn to log in
  int logging_in = 0;
  int alive = 0;        // clients that are not done; the loop is stopped when there are none
  bool ending = false;  // no new requests and connections
  std::optional<Error> fatal = {};  // why no client can log in
};

// Logins in flight at once: a server forks for each, and its accept queue is short.
inline constexpr int kLoginsInFlightMax = 64;

// Thread: the loop's.
class LoadClient final : public net::Handler {
 public:
  LoadClient(LoadRun& run, int id);

  // Asks for a turn to connect.
  void start();
  // The time is over: a request that runs may finish, everything else ends now.
  void finish();
  // Ends now, whatever is going on.
  void abandon();

  void on_ready(net::Ready ready) override;

 private:
  enum class State : uint8_t { Waiting, Connecting, LoggingIn, Thinking, Running, Done };

  void connect();
  void on_connected();
  void on_timer();
  void receive();
  void on_message(const wire::Frame& frame);
  void on_error_response(std::string_view body);
  void on_ready_for_query();
  void begin_request();
  void send_call();
  void end_request();
  void send();
  void on_closed();
  void on_broken(const Error& error);
  void refused(const std::string& sqlstate, std::string_view message);
  void leave_login();
  void disconnect();
  void done();

  LoadRun& run_;
  const int id_;
  State state_ = State::Waiting;
  net::Socket socket_;
  net::Timer timer_;  // pause, login limit or think time, as the state says
  MessageScanner scanner_;
  std::optional<Login> login_;
  std::string out_;
  size_t sent_ = 0;  // of out_
  Request request_;
  size_t call_ = 0;
  int64_t number_ = 0;   // requests begun
  int attempts_ = 0;     // since the last success
  bool failed_ = false;  // the running request
  bool served_ = false;
  bool told_ = false;   // the server has said why it closes
  SteadyTime since_{};  // of the login or the request
};

}  // namespace pgtend::demo
