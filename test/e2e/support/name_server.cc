#include "e2e/support/name_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace pgtend::e2e {
namespace {

constexpr size_t kHeadBytes = 12;
constexpr uint16_t kTypeA = 1;
constexpr uint16_t kTypeSoa = 6;
constexpr uint16_t kOk = 0x8180;       // an answer without an error
constexpr uint16_t kServerFailed = 2;  // response codes of RFC 1035
constexpr uint16_t kNoSuchName = 3;

void put16(std::string& out, uint16_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}

void put32(std::string& out, uint32_t value) {
  put16(out, static_cast<uint16_t>(value >> 16));
  put16(out, static_cast<uint16_t>(value & 0xffff));
}

// The record's data about the name of the question, which a pointer names.
void put_record(std::string& out, uint16_t type, uint32_t ttl, std::string_view data) {
  put16(out, 0xc000 | kHeadBytes);
  put16(out, type);
  put16(out, 1);
  put32(out, ttl);
  put16(out, static_cast<uint16_t>(data.size()));
  out += data;
}

// The labels from `at`, which moves behind them.
std::string read_name(std::string_view packet, size_t& at) {
  std::string name;
  while (at < packet.size() && packet[at] != 0) {
    const auto size = static_cast<unsigned char>(packet[at]);
    name += cat(name.empty() ? "" : ".", packet.substr(at + 1, size));
    at += size + 1;
  }
  ++at;
  return name;
}

}  // namespace

NameServer::NameServer() {
  socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  socklen_t size = sizeof address;
  getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
  resolv_conf_ = scratch_.write(
      "resolv.conf", cat("nameserver 127.0.0.1:", ntohs(address.sin_port), "\nlookup bind\n"));
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

NameServer::~NameServer() {
  thread_.request_stop();
  shutdown(socket_, SHUT_RDWR);
  thread_.join();
  close(socket_);
}

void NameServer::set(const std::string& name, std::vector<std::string> addresses, uint32_t ttl) {
  const std::lock_guard lock(mutex_);
  names_[name] = {std::move(addresses), ttl};
}

void NameServer::set_serial(const std::string& zone, uint32_t serial) {
  const std::lock_guard lock(mutex_);
  serials_[zone] = serial;
}

void NameServer::set_broken(bool broken) {
  const std::lock_guard lock(mutex_);
  broken_ = broken;
}

int NameServer::questions(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = questions_.find(name);
  return found == questions_.end() ? 0 : found->second;
}

void NameServer::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd polled{.fd = socket_, .events = POLLIN, .revents = 0};
    if (poll(&polled, 1, 100) <= 0) continue;
    std::array<char, 512> packet{};
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    const ssize_t got = recvfrom(socket_, packet.data(), packet.size(), 0,
                                 reinterpret_cast<sockaddr*>(&peer), &size);
    if (got < static_cast<ssize_t>(kHeadBytes)) continue;
    const std::string out = answer({packet.data(), static_cast<size_t>(got)});
    sendto(socket_, out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&peer), size);
  }
}

std::string NameServer::answer(std::string_view question) {
  const std::lock_guard lock(mutex_);
  size_t at = kHeadBytes;
  const std::string name = read_name(question, at);
  const auto type = static_cast<uint16_t>(static_cast<unsigned char>(question[at]) << 8 |
                                          static_cast<unsigned char>(question[at + 1]));
  if (type == kTypeA) ++questions_[name];
  std::string records;
  uint16_t count = 0;
  const auto named = names_.find(name);
  const bool known = named != names_.end() && !named->second.addresses.empty();
  const auto zone = serials_.find(name);
  if (type == kTypeA && known) {
    for (const std::string& text : named->second.addresses) {
      in_addr address{};
      inet_pton(AF_INET, text.c_str(), &address);
      put_record(records, kTypeA, named->second.ttl,
                 {reinterpret_cast<const char*>(&address), sizeof address});
      ++count;
    }
  } else if (type == kTypeSoa && zone != serials_.end()) {
    std::string data(2, '\0');  // two root names: the primary and the mailbox
    for (const uint32_t number : {zone->second, 1U, 1U, 1U, 1U}) put32(data, number);
    put_record(records, kTypeSoa, 0, data);
    ++count;
  }
  const bool exists = known || zone != serials_.end();
  std::string out(question.substr(0, 2));
  put16(out, static_cast<uint16_t>(kOk | (broken_ ? kServerFailed : exists ? 0 : kNoSuchName)));
  put16(out, 1);
  put16(out, broken_ ? 0 : count);
  put32(out, 0);
  out += question.substr(kHeadBytes, at + 4 - kHeadBytes);
  return broken_ ? out : out + records;
}

}  // namespace pgtend::e2e
