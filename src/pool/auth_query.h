// Secrets of users who are not in the auth_file, asked of a database by auth_query. The questions
// go through a pool as those of any client do: its limits, order and cleaning hold for them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "pool/config.h"

namespace pgtend::pool {

class Client;
class Worker;

// Those of one worker's clients. Thread: one loop's.
class AuthQueries {
 public:
  explicit AuthQueries(Worker& worker);
  ~AuthQueries();

  // Asks about the user of `client`, whose on_secret() is called in a later turn with: the secret
  // ("" when it is NULL), nullopt when there is no such user, Denied or Unavailable with what the
  // client is told.
  void ask(Client& client, const AuthSource& source);
  // The client has proved to know `secret`: the pool may log in with it.
  void remember(const Client& client, const std::string& secret);
  // What was last proved by `user` of `database`; null when nothing was.
  const std::string* secret(const std::string& database, const std::string& user) const;

 private:
  class Link;
  using Key = std::pair<std::string, std::string>;  // database, user

  void finish(Link& link);

  Worker& worker_;
  std::map<Key, std::unique_ptr<Link>> links_;  // by where is asked, and as whom
  std::vector<std::unique_ptr<Link>> gone_;     // until the end of the turn
  std::map<Key, std::string> secrets_;
};

}  // namespace pgtend::pool
