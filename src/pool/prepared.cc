#include "pool/prepared.h"

#include "pool/shape.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace pgtend::pool {
namespace {

uint64_t next_statement_id() {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

std::string server_name_of(uint64_t statement) { return cat("PGBOUNCER_", statement); }

Statement& Statements::acquire(std::string_view tail) {
  const auto found = by_tail_.find(tail);
  if (found != by_tail_.end()) {
    ++found->second->clients;
    return *found->second;
  }
  auto statement = std::make_unique<Statement>();
  statement->id = next_statement_id();
  statement->name = server_name_of(statement->id);
  statement->tail = tail;
  statement->shape = shape_of(statement->text());
  statement->clients = 1;
  const std::string_view key = statement->tail;
  return *by_tail_.emplace(key, std::move(statement)).first->second;
}

void Statements::release(Statement& statement) {
  DCHECK(statement.clients > 0);
  if (--statement.clients > 0) return;
  const auto found = by_tail_.find(statement.tail);
  const auto keep = std::move(found->second);  // owns the key until it is out of the table
  by_tail_.erase(found);
}

Statement* ClientStatements::find(std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : found->second.statement;
}

uint32_t ClientStatements::add(std::string_view name, Statement& statement) {
  const uint32_t serial = next_serial_++;
  const bool added = names_.emplace(name, Entry{&statement, serial}).second;
  CHECK(added);
  bytes_ += statement.tail.size();
  return serial;
}

uint32_t ClientStatements::remove(std::string_view name) {
  const auto found = names_.find(name);
  if (found == names_.end()) return 0;
  const uint32_t serial = next_serial_++;
  removed_.push_back({found->first, found->second, serial});
  bytes_ -= found->second.statement->tail.size();
  names_.erase(found);
  return serial;
}

void ClientStatements::undo(uint32_t serial) {
  const auto added = std::ranges::find_if(
      names_, [serial](const auto& name) { return name.second.serial == serial; });
  if (added != names_.end()) {
    bytes_ -= added->second.statement->tail.size();
    all_.release(*added->second.statement);
    names_.erase(added);
    return;
  }
  const auto removed = std::ranges::find(removed_, serial, &Removed::serial);
  if (removed == removed_.end()) return;
  const Entry entry = removed->entry;
  // Prepared again in the same pipeline: that one is undone by its own number.
  if (names_.emplace(std::move(removed->name), entry).second) {
    bytes_ += entry.statement->tail.size();
  } else {
    all_.release(*entry.statement);
  }
  removed_.erase(removed);
}

void ClientStatements::confirm(uint32_t serial) {
  const auto removed = std::ranges::find(removed_, serial, &Removed::serial);
  if (removed == removed_.end()) return;
  all_.release(*removed->entry.statement);
  removed_.erase(removed);
}

void ClientStatements::clear() {
  for (const auto& [name, entry] : names_) all_.release(*entry.statement);
  for (const Removed& removed : removed_) all_.release(*removed.entry.statement);
  names_.clear();
  removed_.clear();
  bytes_ = 0;
}

bool LinkStatements::use(uint64_t id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return false;
  order_.splice(order_.begin(), order_, found->second);
  return true;
}

void LinkStatements::add(uint64_t id) {
  if (use(id)) return;
  order_.push_front(id);
  by_id_[id] = order_.begin();
}

void LinkStatements::remove(uint64_t id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  order_.erase(found->second);
  by_id_.erase(found);
}

void LinkStatements::outdate(uint64_t id) {
  remove(id);
  if (std::ranges::find(outdated_, id) == outdated_.end()) outdated_.push_back(id);
}

bool LinkStatements::take_outdated(uint64_t id) {
  const auto found = std::ranges::find(outdated_, id);
  if (found == outdated_.end()) return false;
  outdated_.erase(found);
  return true;
}

void LinkStatements::clear() {
  outdated_.clear();
  order_.clear();
  by_id_.clear();
}

}  // namespace pgtend::pool
