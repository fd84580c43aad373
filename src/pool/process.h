// What pgtend-pool is to its operating system: an account, a background process, a file with its
// id.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace pgtend::pool {

// Gives up the rights of root for those of `account`, with all of its groups. Nothing to do when
// the process already runs as it. Call before threads start. Errors: Invalid when there is no such
// account; Denied.
Status become_account(const std::string& account);

// The process's descent into the background. Thread: the first one, before others start.
class Daemon {
 public:
  // Forks. The parent does not return: it ends once the child is up() (exit code 0), or with the
  // child. Errors: Limit.
  static Result<Daemon> start();
  // The child serves: lets the parent go, and the terminal.
  void up();

 private:
  explicit Daemon(int parent) : parent_(parent) {}

  int parent_;
};

// A file with the process id; removed at the end.
class Pidfile {
 public:
  // "" is no file. One that a dead process left is replaced. Errors: Conflict when the process in
  // it lives; Denied.
  static Result<std::unique_ptr<Pidfile>> write(const std::string& path);
  ~Pidfile();

 private:
  explicit Pidfile(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace pgtend::pool
