// What a new partition is made like: the parent says what is in it, the newest partition what it
// is stored and guarded like.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "care/finding.h"
#include "facts/partitions.h"
#include "partition/definition.h"
#include "partition/partition.h"
#include "partition/statements.h"

namespace pgtend::partition {

struct Mould {
  facts::Layout layout = {};
  int version = 0;
  bool references = false;              // foreign keys: writers of the other table wait a moment
  std::string owner = {};               // of the parent
  bool owned = true;                    // by the connected role itself
  std::optional<Definition> like = {};  // the newest partition; nullopt: there is none
  bool unlogged = false;
  std::string method = {};           // the access method, "" the usual one
  std::vector<About> own = {};       // rights, policies … of the newest partition
  std::vector<About> own_keys = {};  // its keys and indexes that the parent has not
  // The parent's index whose part is the newest partition's replica identity, as an oid; "" none.
  std::string identity_index = {};
  std::optional<facts::Partition> fallback = {};  // the DEFAULT partition
  std::vector<std::string> warnings = {};
};

// Above this size a DEFAULT partition is not scanned under its lock: a CHECK proves beforehand,
// while it is used, that it has none of the new partition's rows.
inline constexpr Bytes kScannedUnderLockMax = 16_MiB;

// Errors: Invalid (the partitions are divided further, or foreign tables), those of the connection.
// Opens transactions of its own.
Result<Mould> load_mould(pg::Connection& conn, const facts::Layout& layout);
// The same with another partition in the place of the newest.
Result<Mould> load_mould(pg::Connection& conn, const facts::Layout& layout,
                         const facts::Partition& like);

// CREATE TABLE with all keys and indexes, then ATTACH, in one transaction: the parent is locked in
// ShareUpdateExclusive, nothing is scanned or built. With a DEFAULT partition that is locked, too.
care::Action birth_of(const Mould& mould, const Slice& slice);

// SQL of one boolean: the DEFAULT partition `fallback` has rows of `slice`.
std::string strays_sql(const facts::Layout& layout, const facts::Partition& fallback,
                       const Slice& slice);
// "k >= '…'::type AND k < '…'::type", of the key's exact type; a missing bound is left out.
std::string within_sql(const facts::Layout& layout, const std::optional<std::string>& from,
                       const std::optional<std::string>& to);

}  // namespace pgtend::partition
