// Which code of the database a statement can reach: functions behind views, policies, operators,
// casts, types, aggregates, and what the bodies of SQL and PL/pgSQL functions call in turn. Found
// by name and pg_depend before anything is planned, because planning already runs code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "pg/connection.h"
#include "sql/names.h"

namespace pgtend::explain {

// Who wrote a function, as far as that decides what can be known of it.
enum class Author : uint8_t {
  Server,  // built in, or C of an extension: does what its volatility says
  Body,    // SQL or PL/pgSQL: what it does is what its body calls
  Opaque,  // another language, C of no extension
};

struct Routine {
  uint32_t oid = 0;
  std::string schema = {};
  std::string name = {};
  Author author = Author::Opaque;
  char declared = 'v';    // i, s, v
  char volatility = 'v';  // the same, but of an alias of built-in code the built-in's
  // Called by operators, types or casts, which the planner does for its estimates and constants
  // whatever the volatility says.
  bool automatic = false;
  bool is_sql = false;      // the planner may put its body into the statement
  std::string opaque = {};  // of a body: what in it hides its effect

  std::string shown() const;  // "s.f()", printable
};

struct Reached {
  std::vector<Routine> routines = {};
  std::vector<std::string> foreign_tables = {};
  std::vector<std::string> triggers = {};  // "x on s.t", with ReachFrom::writes
};

// What is looked at from where.
struct ReachFrom {
  sql::Names names = {};
  std::vector<uint32_t> routines = {};
  // Defaults, CHECK constraints, expressions of indexes: planning works with them, reading does
  // not.
  bool table_expressions = false;
  // What writing runs: triggers, every default, CHECK and policy, tables that foreign keys write
  // to.
  bool writes = false;
  bool open_all_bodies = true;  // false: only those of SQL functions
  bool hidden_names = false;    // also what the search path hides counts
};

// `conn` must be in a transaction. Errors: those of the connection; Limit when more than 20,000
// objects or 32 calls deep.
Result<Reached> reach(pg::Connection& conn, const ReachFrom& from);

}  // namespace pgtend::explain
