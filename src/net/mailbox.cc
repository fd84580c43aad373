#include "net/mailbox.h"

#include <memory>
#include <utility>

namespace pgtend::net {

Mailbox::~Mailbox() {
  for (Letter* letter = take_all(); letter != nullptr;) {
    const std::unique_ptr<Letter> owner(std::exchange(letter, letter->next));
  }
}

bool Mailbox::put(Task task) {
  Letter* before = newest_.load(std::memory_order_relaxed);
  auto* letter = new Letter{std::move(task), before};
  // Once published the letter belongs to the receiver: only `before` may be looked at.
  while (!newest_.compare_exchange_weak(before, letter, std::memory_order_release,
                                        std::memory_order_relaxed)) {
    letter->next = before;
  }
  return before == nullptr;
}

void Mailbox::run_all() {
  for (Letter* letter = take_all(); letter != nullptr;) {
    const std::unique_ptr<Letter> owner(std::exchange(letter, letter->next));
    owner->task();
  }
}

Mailbox::Letter* Mailbox::take_all() {
  Letter* newest = newest_.exchange(nullptr, std::memory_order_acquire);
  Letter* oldest = nullptr;
  while (newest != nullptr) {
    Letter* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  return oldest;
}

}  // namespace pgtend::net
