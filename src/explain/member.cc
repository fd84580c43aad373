#include "explain/member.h"

namespace pgtend::explain {

const json::value* find_member(const json::object& object, std::string_view name) {
  return object.if_contains(json::string_view(name.data(), name.size()));
}

std::string_view text_member(const json::object& object, std::string_view name) {
  const json::value* value = find_member(object, name);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

}  // namespace pgtend::explain
