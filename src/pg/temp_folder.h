// Folders that end with their owner: locked while it lives, swept by the next start when it died.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "pg/account.h"

namespace pgtend::pg {

// A new folder `<base>/pgtend-run-XXXXXX` with a file `lock` that is held with flock until the
// object, and every process that inherited the descriptor, is gone. Removed by the destructor
// unless kept. Thread: one at a time.
class TempFolder {
 public:
  // Kept: named pgtend-kept-XXXXXX, which no sweep touches, also when its owner was killed. It is
  // removed by the destructor all the same until keep() says that what it holds is worth keeping.
  enum class Life : uint8_t { Swept, Kept };

  // Mode 0711 when `account` is somebody else (who must pass through), else 0700. Errors: Denied,
  // Limit, Internal.
  static Result<TempFolder> create(const std::string& base, const Account& account,
                                   Life life = Life::Swept);
  TempFolder(TempFolder&& other) noexcept;
  TempFolder& operator=(TempFolder&& other) noexcept;
  ~TempFolder();

  const std::string& path() const { return path_; }
  int lock() const { return lock_; }
  void keep() { kept_ = true; }
  // Removes it now. Errors: Internal with the first file that stays.
  Status remove();

 private:
  TempFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_ = -1;
  bool kept_ = false;
};

// TMPDIR and /tmp, the preferred one first: absolute, existing, and open to `account`.
std::vector<std::string> temp_bases(const Account& account);

// Removes the folders of dead owners below `base`: named pgtend-run-*, ours by user id, not
// writable by others, with a lock that nobody holds. Returns how many. Thread: any process and any
// thread, also several at once.
int sweep_dead(const std::string& base);

// Whether `path` is a real folder (no link), owned by us, not writable by anybody else.
bool is_private_folder(const std::string& path);

}  // namespace pgtend::pg
