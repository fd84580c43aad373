// Names of the relations a conversion makes, within PostgreSQL's 63 bytes.
#pragma once

#include <string>
#include <string_view>

namespace pgtend::partition {

// `name` and `suffix` joined; `name` loses whole characters at its end if both are too long.
std::string name_with(std::string_view name, std::string_view suffix);

}  // namespace pgtend::partition
