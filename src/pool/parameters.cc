#include "pool/parameters.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "pool/bag.h"

namespace pgtend::pool {
namespace {

constexpr std::string_view kAlways[] = {"client_encoding", "DateStyle", "TimeZone",
                                        "standard_conforming_strings", "application_name"};

// Lists of identifiers: SET would take the whole text as one name, set_config() reads it as a list.
constexpr std::string_view kQuoteLists[] = {"search_path", "temp_tablespaces",
                                            "session_preload_libraries", "local_preload_libraries"};

bool is_quote_list(std::string_view name) {
  return std::ranges::any_of(kQuoteLists,
                             [&](auto list) { return equal_ignoring_case(list, name); });
}

std::string identifier(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.';
    if (plain) out.push_back(c);
  }
  return out;
}

std::string statement(const std::string& name, const std::string& value) {
  if (is_quote_list(name)) {
    return cat("SELECT pg_catalog.set_config(", sql_literal(name), ',', sql_literal(value),
               ",false);");
  }
  return cat("SET ", identifier(name), '=', sql_literal(value), ';');
}

}  // namespace

TrackedNames::TrackedNames(const std::vector<std::string>& extra) {
  for (const std::string_view name : kAlways) names_.emplace_back(name);
  for (const std::string& name : extra) {
    if (!find(name)) names_.push_back(name);
  }
}

std::optional<size_t> TrackedNames::find(std::string_view name) const {
  for (size_t i = 0; i < names_.size(); ++i) {
    if (equal_ignoring_case(names_[i], name)) return i;
  }
  return {};
}

void Parameters::set(size_t index, std::string_view value) {
  if (get(index) == value) return;
  auto changed = std::make_shared<Values>(*values_);
  (*changed)[index] = value;
  values_ = std::move(changed);
}

void Parameters::carry(Bag& bag, const TrackedNames& names) {
  for (size_t i = 0; i < names.size(); ++i) {
    std::optional<std::string> value = get(i);
    bag.field(names.name(i), value);
    if (bag.unpacks() && value) set(i, *value);
  }
}

void Parameters::fill_unset(const TrackedNames& names,
                            std::span<const std::pair<std::string, std::string>> told) {
  auto filled = std::make_shared<Values>(*values_);
  for (const auto& [name, value] : told) {
    const auto index = names.find(name);
    if (index && !(*filled)[*index]) (*filled)[*index] = value;
  }
  values_ = std::move(filled);
}

void ParameterSets::share(Parameters& parameters) {
  for (const auto& known : recent_) {
    if (known == nullptr || *known != *parameters.values_) continue;
    parameters.values_ = known;
    return;
  }
  recent_[next_] = parameters.values_;
  next_ = (next_ + 1) % recent_.size();
}

std::string Parameters::difference(const TrackedNames& names, const Parameters& want,
                                   const Parameters& have) {
  std::string sql;
  if (want == have) return sql;
  for (size_t i = 0; i < names.size(); ++i) {
    // A server that does not report a parameter cannot be followed in it.
    const auto& wanted = want.get(i);
    if (!wanted || !have.get(i) || wanted == have.get(i)) continue;
    sql += statement(names.name(i), *wanted);
  }
  return sql;
}

std::string plain_text(std::string_view value) {
  std::string out(value);
  for (char& c : out) c = c >= ' ' && c <= '~' ? c : '?';
  return out;
}

std::string sql_literal(std::string_view value) {
  const bool escapes = value.find('\\') != std::string_view::npos;
  std::string out = escapes ? " E'" : "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out.push_back(c);
    out.push_back(c);
  }
  out.push_back('\'');
  return out;
}

}  // namespace pgtend::pool
