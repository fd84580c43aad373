#include "pool/predecessor.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "net/address.h"
#include "net/socket.h"
#include "wire/backend.h"
#include "wire/frame.h"
#include "wire/frontend.h"
#include "wire/startup.h"

namespace pgtend::pool {
namespace {

namespace be = wire::backend;
namespace fe = wire::frontend;

// The other process may wait for suspend_timeout, which is its own, before it says a word.
constexpr milliseconds kAnswerLimit{600'000};
constexpr milliseconds kSendLimit{10'000};
constexpr uint32_t kRowBytesMax = 1 << 30;

Status lost(std::string_view what) {
  return Error{ErrorCode::Unavailable, cat("the running process ", what)};
}

}  // namespace

// --- the answers

Result<bool> HandoverReader::read(std::string_view bytes) {
  rest_.append(bytes);
  std::string_view rest = rest_;
  bool ended = false;
  while (!ended) {
    const auto frame = TRY(wire::next_frame(rest, kRowBytesMax));
    if (!frame) break;
    ended = frame->type == be::kReadyForQuery;
    TRY(take(frame->type, frame->body));
  }
  rest_.erase(0, rest_.size() - rest.size());
  return ended;
}

Status HandoverReader::take(char type, std::string_view body) {
  if (type == be::kErrorResponse) {
    const auto report = TRY(be::read_report(body));
    return lost(cat("refuses to hand over: ", report.message.value_or("an error without text")));
  }
  if (type != be::kDataRow) return ok();
  const auto row = TRY(be::read_data_row(body));
  if (row.size() != 3 || !row[0] || !row[1] || !row[2]) return lost("sent a row that is none");
  Parcel parcel{.task = std::string(*row[0])};
  auto state = TRY(parse_json(*row[1], {.bytes_max = kRowBytesMax, .depth_max = 32}));
  if (!state.is_object()) return lost("sent a state that is none");
  parcel.state = std::move(state.get_object());
  if (*row[2] == "t") {
    if (next_descriptor_ == descriptors_.size()) return lost("sent a row without its socket");
    parcel.descriptor = descriptors_[next_descriptor_++];
  }
  parcels_.push_back(std::move(parcel));
  return ok();
}

// --- the process

Predecessor::Predecessor(Predecessor&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), reader_(std::move(other.reader_)) {}

Predecessor::~Predecessor() {
  if (socket_ >= 0) ::close(socket_);
}

Result<Predecessor> Predecessor::ask(const std::string& path) {
  const auto address = TRY(net::Address::unix_path(path));
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return Error{ErrorCode::Limit, cat("no socket: ", std::strerror(errno))};
  Predecessor predecessor(socket);
  if (::connect(socket, address.raw(), address.size()) != 0) {
    return Error{ErrorCode::Unavailable, cat("nobody to take over from at ", path, ": ",
                                             std::strerror(errno), "; start without -R")};
  }
  std::string out;
  wire::append_startup(out, wire::kProtocol30, {{"user", "pgbouncer"}, {"database", "pgbouncer"}});
  TRY(net::send_with_descriptor(socket, out, -1, kSendLimit));
  TRY(predecessor.command(""));
  TRY(predecessor.command("HANDOVER"));
  return predecessor;
}

// Sends `sql`, if any, and reads to the end of the answer.
Status Predecessor::command(std::string_view sql) {
  if (!sql.empty()) {
    std::string out;
    fe::append_query(out, sql);
    TRY(net::send_with_descriptor(socket_, out, -1, kSendLimit));
  }
  std::vector<char> buffer(size_t{64} << 10);
  std::vector<int> descriptors;
  bool ended = false;
  while (!ended) {
    const size_t count =
        TRY(net::receive_with_descriptors(socket_, buffer, descriptors, kAnswerLimit));
    if (count == 0) return lost("ended before it had handed over");
    for (const int descriptor : std::exchange(descriptors, {})) reader_.add_descriptor(descriptor);
    ended = TRY(reader_.read({buffer.data(), count}));
  }
  return ok();
}

Status Predecessor::end() {
  std::string out;
  fe::append_query(out, "SHUTDOWN");
  TRY(net::send_with_descriptor(socket_, out, -1, kSendLimit));
  std::array<char, 4096> buffer;
  std::vector<int> descriptors;
  while (true) {
    const auto count = net::receive_with_descriptors(socket_, buffer, descriptors, kAnswerLimit);
    // A reset is an end, too.
    if (!count || *count == 0) return ok();
  }
}

}  // namespace pgtend::pool
