// The session parameters that follow a client from link to link: client_encoding, DateStyle,
// TimeZone, standard_conforming_strings, application_name and those of track_extra_parameters.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pgtend::pool {

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

// The values one client wants, or one link has. Unset means "as the server has it".
// Thread: one loop's.
class Parameters {
 public:
  explicit Parameters(const TrackedNames& names) : values_(names.size()) {}

  const std::optional<std::string>& get(size_t index) const { return values_[index]; }
  void set(size_t index, std::string_view value) { values_[index] = value; }
  // Takes from `other` what is unset here.
  void fill_unset(const Parameters& other);

  friend bool operator==(const Parameters&, const Parameters&) = default;

  // The statements that bring a link with `have` to `want`; "" when nothing differs.
  // Cost: no allocation when nothing differs.
  static std::string difference(const TrackedNames& names, const Parameters& want,
                                const Parameters& have);

 private:
  std::vector<std::optional<std::string>> values_;
};

// `value` with every byte that is not printable ASCII replaced by '?', as the server itself does
// for application_name: such bytes would mean different things in different client encodings.
std::string plain_text(std::string_view value);

// `value` as an SQL literal that no setting of standard_conforming_strings misreads.
std::string sql_literal(std::string_view value);

}  // namespace pgtend::pool
