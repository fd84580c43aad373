// Which table locks get in each other's way (PostgreSQL's conflict table).
#pragma once

#include <span>
#include <string_view>

#include "care/finding.h"

namespace pgtend::care {

// The modes, as pg_locks writes them, that conflict with `mode`. Empty for None.
// Thread: any. The views are constants.
std::span<const std::string_view> conflicting(LockMode mode);

// Whether waiting for `mode` makes ordinary readers or writers queue behind us.
bool disturbs(LockMode mode);

}  // namespace pgtend::care
