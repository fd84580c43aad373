// Tasks for one thread from many, without a lock.
#pragma once

#include <atomic>
#include <functional>

namespace pgtend::net {

// put() from any thread, run_all() from the owner. Tasks of one sender run in the order sent.
class Mailbox {
 public:
  using Task = std::function<void()>;

  Mailbox() = default;
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // True when the mailbox was empty: the receiver may be asleep and must be woken. Thread: any.
  bool put(Task task);
  // Thread: the owner.
  void run_all();

 private:
  struct Letter {
    Task task;
    Letter* next;
  };
  // The letters in the order sent; the caller owns them.
  Letter* take_all();

  std::atomic<Letter*> newest_{nullptr};
};

}  // namespace pgtend::net
