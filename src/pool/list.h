// A list whose links live in its elements: O(1) leave from anywhere, nothing allocated.
#pragma once

#include <cstddef>

#include "base/check.h"

namespace pgtend::pool {

// What an element holds, once per kind of list it can be in. Leaves its list on destruction.
template <class T>
class ListHook {
 public:
  ListHook() = default;
  ~ListHook() { leave(); }
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;

  bool in_list() const { return next_ != nullptr; }
  void leave() {
    if (next_ == nullptr) return;
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = nullptr;
    --*size_;
  }

 private:
  template <class U, ListHook<U> U::*Hook>
  friend class List;

  ListHook* next_ = nullptr;
  ListHook* previous_ = nullptr;
  T* owner_ = nullptr;
  size_t* size_ = nullptr;
};

// List<Client, &Client::pool_hook>. Does not own its elements. Thread: one loop's.
template <class T, ListHook<T> T::*Hook>
class List {
 public:
  List() { head_.next_ = head_.previous_ = &head_; }
  ~List() {
    while (!empty()) head_.next_->leave();
    head_.next_ = head_.previous_ = nullptr;
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const { return head_.next_ == &head_; }
  size_t size() const { return size_; }
  T* front() const { return empty() ? nullptr : head_.next_->owner_; }
  T* back() const { return empty() ? nullptr : head_.previous_->owner_; }
  // An element that is in a list of this hook, this one or another, leaves it first.
  void push_back(T& element) {
    (element.*Hook).leave();
    insert(element, *head_.previous_);
  }
  void push_front(T& element) {
    (element.*Hook).leave();
    insert(element, head_);
  }

  // `visit` may remove the element it is given, no other.
  template <class Visit>
  void each(Visit visit) const {
    for (auto* hook = head_.next_; hook != &head_;) {
      auto* next = hook->next_;
      visit(*hook->owner_);
      hook = next;
    }
  }

 private:
  void insert(T& element, ListHook<T>& before) {
    ListHook<T>& hook = element.*Hook;
    hook.owner_ = &element;
    hook.size_ = &size_;
    hook.previous_ = &before;
    hook.next_ = before.next_;
    before.next_->previous_ = &hook;
    before.next_ = &hook;
    ++size_;
  }

  ListHook<T> head_;
  size_t size_ = 0;
};

}  // namespace pgtend::pool
