#include "care/locks.h"

#include <cstdlib>

namespace pgtend::care {
namespace {

// From weakest to strongest holder. RowExclusive conflicts with everything from Share on, and so
// on; only two modes break the order and have a list of their own.
constexpr std::string_view kAll[] = {
    "AccessShareLock", "RowShareLock",          "RowExclusiveLock", "ShareUpdateExclusiveLock",
    "ShareLock",       "ShareRowExclusiveLock", "ExclusiveLock",    "AccessExclusiveLock"};
constexpr std::string_view kShare[] = {"RowExclusiveLock", "ShareUpdateExclusiveLock",
                                       "ShareRowExclusiveLock", "ExclusiveLock",
                                       "AccessExclusiveLock"};

std::span<const std::string_view> from(size_t weakest) {
  return std::span<const std::string_view>(kAll).subspan(weakest);
}

}  // namespace

std::span<const std::string_view> conflicting(LockMode mode) {
  switch (mode) {
    case LockMode::None:
      return {};
    case LockMode::AccessShare:
      return from(7);
    case LockMode::RowShare:
      return from(6);
    case LockMode::RowExclusive:
      return from(4);
    case LockMode::ShareUpdateExclusive:
      return from(3);
    case LockMode::Share:
      return kShare;
    case LockMode::ShareRowExclusive:
      return from(2);
    case LockMode::Exclusive:
      return from(1);
    case LockMode::AccessExclusive:
      return from(0);
  }
  std::abort();
}

bool disturbs(LockMode mode) { return mode >= LockMode::Share; }

}  // namespace pgtend::care
