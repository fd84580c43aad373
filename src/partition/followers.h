// What knows a table by its OID, and is told of the table that takes its place: views, functions
// with an SQL body, publications, rules, row security.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"

namespace pgtend::partition {

struct Follower {
  std::string what = {};  // "view public.v"
  // A statement that changes nothing but has the lock that `follow` will need: whoever reads a view
  // locks it before the table, so whoever replaces it has to, too. May be empty.
  std::string lock = {};
  std::string follow = {};  // about whichever table has the name then
  std::string leave = {};   // takes it from the table whose name is put behind; may be empty
  bool stays = false;       // the old table keeps its own: it has no way back to go
};

// SQL of what stands behind the table in CREATE POLICY, of the row p of pg_policy.
inline constexpr std::string_view kPolicyTailSql =
    "format(' AS %s FOR %s TO %s%s%s', case when p.polpermissive then 'PERMISSIVE' else "
    "'RESTRICTIVE' end, case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then "
    "'UPDATE' when 'd' then 'DELETE' else 'ALL' end, (select string_agg(case when o = 0 then "
    "'PUBLIC' else quote_ident(pg_get_userbyid(o)) end, ', ' order by o) from unnest(p.polroles) "
    "o), ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', ' WITH CHECK (' || "
    "pg_get_expr(p.polwithcheck, p.polrelid) || ')')";

// Those of table `oid`, in a transaction with an empty search path. Views and functions of roles
// that the connected one does not belong to are none: they are reasons to refuse (definition.h).
Result<std::vector<Follower>> load_followers(pg::Connection& conn, uint32_t oid, int version);

// One text that changes with any of them, and SQL of the same; `oid` is an expression.
std::string followers_print(const std::vector<Follower>& followers);
std::string followers_print_sql(const std::string& oid, int version);

// For the moment in which another table has taken the name of the old one.
std::vector<std::string> locks_of_followers(const std::vector<Follower>& followers);
std::vector<std::string> follow(const std::vector<Follower>& followers, const std::string& old);
// And the way back; `other` is what the new table is called then.
std::vector<std::string> follow_back(const std::vector<Follower>& followers,
                                     const std::string& other);

}  // namespace pgtend::partition
