// A plain table becomes the first partition of a new one, without a row being copied: the job for
// reshape.
#pragma once

#include <string>
#include <vector>

#include "partition/partition.h"
#include "reshape/job.h"

namespace pgtend::partition {

// Intervals between now (or the newest row, if that is later) and the first new partition: so long
// the conversion may take. Rows beyond it are refused from the moment its CHECK is there.
inline constexpr int kInstantReserve = 2;

// Where the new partitions begin, as text of the key's type; "" when the proposal has none that are
// far enough ahead. `ahead` is that of the request the proposal was made for.
std::string instant_cutoff(const Proposal& proposal, int ahead);

// Pure. Thread: one at a time. Build once.
class InstantBuilder {
 public:
  // Both are borrowed; the slices of `proposal` are those from the cutoff on.
  InstantBuilder(const Definition& definition, const Proposal& proposal);
  // Bare names that the job makes.
  std::vector<std::string> names_wanted() const;
  reshape::Job build();
  std::string legacy() const;  // qualified: the old table afterwards

 private:
  std::string in_schema(const std::string& name) const;
  std::vector<const Constraint*> uniques() const;
  std::string widened(const Constraint& constraint) const;  // bare name of its new index
  std::string narrow(
      const Constraint& constraint) const;  // bare name of the index for the way back
  void prepare_table();
  void create();
  void swap();
  void swap_columns();
  void back();
  void back_columns();
  void after();

  const Definition& d_;
  const Proposal& p_;
  reshape::Job job_;
  std::string table_;
  std::string new_;
  std::string legacy_;
  std::string cutoff_;
};

}  // namespace pgtend::partition
