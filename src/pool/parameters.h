// The session parameters that follow a client from link to link: client_encoding, DateStyle,
// TimeZone, standard_conforming_strings, application_name and those of track_extra_parameters.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pgtend::pool {

class Bag;

// Which parameters are tracked; fixed for the life of a worker. Thread: any, once built.
class TrackedNames {
 public:
  explicit TrackedNames(const std::vector<std::string>& extra);

  size_t size() const { return names_.size(); }
  const std::string& name(size_t index) const { return names_[index]; }
  // Without regard to case.
  std::optional<size_t> find(std::string_view name) const;

 private:
  std::vector<std::string> names_;
};

// The values one client wants, or one link has. Unset means "as the server has it". Copies share
// their values until one of them changes. Thread: one loop's.
class Parameters {
 public:
  explicit Parameters(const TrackedNames& names)
      : values_(std::make_shared<const Values>(names.size())) {}

  const std::optional<std::string>& get(size_t index) const { return (*values_)[index]; }
  // Cost: a copy of all when the value is another.
  void set(size_t index, std::string_view value);
  // To or from another process, which may track others: by their names.
  void carry(Bag& bag, const TrackedNames& names);
  // Takes from what a server told at login, by name and value, what is unset here.
  void fill_unset(const TrackedNames& names,
                  std::span<const std::pair<std::string, std::string>> told);

  friend bool operator==(const Parameters& a, const Parameters& b) {
    return a.values_ == b.values_ || *a.values_ == *b.values_;
  }

  // The statements that bring a link with `have` to `want`; "" when nothing differs.
  // Cost: no allocation when nothing differs.
  static std::string difference(const TrackedNames& names, const Parameters& want,
                                const Parameters& have);

 private:
  friend class ParameterSets;
  using Values = std::vector<std::optional<std::string>>;

  std::shared_ptr<const Values> values_;
};

// Values that many clients and links of a worker have alike, which is nearly all of them: an idle
// client then owns none. Thread: one loop's.
class ParameterSets {
 public:
  // Lets `parameters` share what one of those before has.
  void share(Parameters& parameters);

 private:
  std::array<std::shared_ptr<const Parameters::Values>, 16> recent_;
  size_t next_ = 0;
};

// `value` with every byte that is not printable ASCII replaced by '?', as the server itself does
// for application_name: such bytes would mean different things in different client encodings.
std::string plain_text(std::string_view value);

// `value` as an SQL literal that no setting of standard_conforming_strings misreads.
std::string sql_literal(std::string_view value);

}  // namespace pgtend::pool
