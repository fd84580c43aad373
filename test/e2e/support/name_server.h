// A DNS server of a test: answers for the names it was told of, by UDP on a port of the system's
// choice.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "e2e/support/database.h"

namespace pgtend::e2e {

// Serves from construction to destruction. Thread: any.
class NameServer {
 public:
  NameServer();
  ~NameServer();
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  // A resolv.conf that leads here.
  const std::string& resolv_conf() const { return resolv_conf_; }
  // IPv4 addresses; none: the name does not exist, as all that are not set.
  void set(const std::string& name, std::vector<std::string> addresses, uint32_t ttl = 0);
  void set_serial(const std::string& zone, uint32_t serial);
  // Answers SERVFAIL to everything.
  void set_broken(bool broken);
  // Questions for the IPv4 addresses of `name` so far.
  int questions(const std::string& name) const;

 private:
  struct Name {
    std::vector<std::string> addresses;
    uint32_t ttl = 0;
  };

  void serve(const std::stop_token& stop);
  std::string answer(std::string_view question);

  Scratch scratch_;
  std::string resolv_conf_;
  int socket_ = -1;
  mutable std::mutex mutex_;
  std::map<std::string, Name> names_;
  std::map<std::string, uint32_t> serials_;
  std::map<std::string, int> questions_;
  bool broken_ = false;
  std::jthread thread_;
};

}  // namespace pgtend::e2e
