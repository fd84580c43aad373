// How much room is left on the disks of a server that runs on this machine: SQL cannot tell.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "pg/connection.h"

namespace pgtend::care {

// Folders in which the server of `conn` writes when table `oid` grows: its tablespace, the data
// folder and that of the WAL. Empty when the server is on another machine (its process of our
// session is not seen here), or when the role may not read data_directory. Errors: those of the
// connection.
Result<std::vector<std::string>> folders_here(pg::Connection& conn, uint32_t oid);

// What ordinary users may still write, where least is left; nullopt without folders. Thread: any.
std::optional<Bytes> room_in(const std::vector<std::string>& folders);

}  // namespace pgtend::care
