// A program of others that runs beside us: started, watched, interrupted, ended.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pgtend::pg {

// Ends with the object at the latest (SIGKILL), and is interrupted (SIGINT) when we die.
// Thread: that which started it, which must outlive it.
class Child {
 public:
  // Runs argv[0] (a path) with our environment and `variables` on top; its output goes to a pipe.
  // Errors: Limit; a program that cannot be executed ends with code 127.
  static Result<Child> start(std::vector<std::string> argv,
                             const std::vector<std::pair<std::string, std::string>>& variables);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  // Its exit code (128 + signal when one ended it), nullopt while it runs. Does not wait.
  std::optional<int> ended();
  void interrupt() const;
  // What it has written so far, the last 64 KiB of it.
  const std::string& output();

 private:
  Child(pid_t pid, int pipe) : pid_(pid), pipe_(pipe) {}

  pid_t pid_ = -1;
  int pipe_ = -1;
  std::optional<int> code_ = {};
  std::string output_ = {};
};

}  // namespace pgtend::pg
