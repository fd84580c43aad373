#include "pool/prepared.h"

#include "pool/shape.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "pool/bag.h"

namespace pgtend::pool {
namespace {

std::atomic<uint64_t>& next_statement_id() {
  static std::atomic<uint64_t> next{1};
  return next;
}

}  // namespace

std::string server_name_of(uint64_t statement) { return cat("PGBOUNCER_", statement); }

uint64_t Statements::next_id() { return next_statement_id().load(); }

void Statements::raise_next_id(uint64_t least) {
  uint64_t next = next_statement_id().load();
  while (next < least && !next_statement_id().compare_exchange_weak(next, least)) {
  }
}

Statement& Statements::acquire(std::string_view tail, uint64_t id) {
  const auto found = by_tail_.find(tail);
  if (found != by_tail_.end()) {
    ++found->second->clients;
    return *found->second;
  }
  auto statement = std::make_unique<Statement>();
  statement->id = id != 0 ? id : next_statement_id().fetch_add(1, std::memory_order_relaxed);
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

bool ClientStatements::carry_entry(Bag& bag, Entry& entry, const StatementTails& tails) {
  uint64_t id = bag.unpacks() ? 0 : entry.statement->id;
  bag.field("statement", id);
  bag.field("serial", entry.serial);
  if (!bag.unpacks()) return true;
  const auto found = tails.find(id);
  if (found == tails.end()) {
    bag.refuse("statement");
    return false;
  }
  entry.statement = &all_.acquire(found->second, id);
  return true;
}

void ClientStatements::carry(Bag& bag, const StatementTails& tails) {
  bag.field("next_serial", next_serial_);
  std::vector<std::pair<std::string, Entry>> names(names_.begin(), names_.end());
  bag.list("names", names, [&](Bag& inner, std::pair<std::string, Entry>& name) {
    inner.field("name", name.first);
    if (!carry_entry(inner, name.second, tails) || !inner.unpacks()) return;
    if (names_.emplace(name).second) {
      bytes_ += name.second.statement->tail.size();
    } else {
      all_.release(*name.second.statement);
    }
  });
  std::vector<Removed> removed(removed_.begin(), removed_.end());
  bag.list("removed", removed, [&](Bag& inner, Removed& each) {
    inner.field("name", each.name);
    inner.field("number", each.serial);
    if (carry_entry(inner, each.entry, tails) && inner.unpacks()) removed_.push_back(each);
  });
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

void LinkStatements::carry(Bag& bag) {
  const auto carry_id = [](Bag& inner, uint64_t& id) { inner.field("id", id); };
  bag.list("outdated", outdated_, carry_id);
  std::vector<uint64_t> ids(order_.rbegin(), order_.rend());
  bag.list("ids", ids, carry_id);
  if (!bag.unpacks()) return;
  for (const uint64_t id : ids) add(id);
}

void LinkStatements::clear() {
  outdated_.clear();
  order_.clear();
  by_id_.clear();
}

}  // namespace pgtend::pool
