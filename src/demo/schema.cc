#include "demo/schema.h"

#include <iterator>

#include "base/text.h"

namespace pgtend::demo {

namespace {

constexpr std::string_view kCreateTables[] = {
    R"(CREATE TABLE m_customerinfo (
  customer_id integer NOT NULL,
  first_name text NOT NULL,
  last_name text NOT NULL,
  email text,
  phone text,
  address text,
  city text,
  created_at timestamptz NOT NULL
))",
    R"(CREATE TABLE m_meterinfo (
  meter_id integer NOT NULL,
  customer_id integer NOT NULL,
  msn text NOT NULL,
  model text,
  feeder_id integer,
  installed_at timestamptz,
  removed_at timestamptz
))",
    R"(CREATE TABLE t_dlpdata (
  reading_id bigserial NOT NULL,
  meter_id integer NOT NULL,
  reading_timestamp timestamptz NOT NULL,
  kwh_reading numeric(10,4) NOT NULL
))",
};

constexpr std::string_view kKeys[] = {
    "ALTER TABLE m_customerinfo ADD PRIMARY KEY (customer_id)",
    "ALTER TABLE m_meterinfo ADD PRIMARY KEY (meter_id)",
    "ALTER TABLE m_meterinfo ADD UNIQUE (msn)",
    "ALTER TABLE m_meterinfo ADD FOREIGN KEY (customer_id) REFERENCES m_customerinfo",
    "ALTER TABLE t_dlpdata ADD PRIMARY KEY (reading_id)",
};

// One row a fault: its line of the answer key, what makes it, and what a careful owner does
// instead.
struct FaultRow {
  Fault fault;
  std::string_view fault_sql;
  std::string_view sound_sql;
};
constexpr FaultRow kFaults[] = {
    {{FaultKind::MissingTimeIndex, "missing-time-index", "t_dlpdata",
      "queries for a time range read the whole table: no index begins with reading_timestamp",
      "CREATE INDEX CONCURRENTLY ON t_dlpdata (reading_timestamp)"},
     "",
     "CREATE INDEX t_dlpdata_reading_timestamp_idx ON t_dlpdata (reading_timestamp)"},
    {{FaultKind::ForeignKeyWithoutIndex, "foreign-key-without-index", "m_meterinfo",
      "deleting or renumbering a customer reads all meters: customer_id has a foreign key, no "
      "index",
      "CREATE INDEX CONCURRENTLY ON m_meterinfo (customer_id)"},
     "",
     "CREATE INDEX m_meterinfo_customer_id_idx ON m_meterinfo (customer_id)"},
    {{FaultKind::DuplicateIndex, "duplicate-index", "m_meterinfo_msn_idx",
      "the index repeats the one of the unique constraint on msn",
      "DROP INDEX CONCURRENTLY m_meterinfo_msn_idx"},
     "CREATE INDEX m_meterinfo_msn_idx ON m_meterinfo (msn)",
     ""},
    {{FaultKind::UnusedIndex, "unused-index", "m_customerinfo_phone_idx",
      "no query of the workload looks for a phone number",
      "DROP INDEX CONCURRENTLY m_customerinfo_phone_idx"},
     "CREATE INDEX m_customerinfo_phone_idx ON m_customerinfo (phone)",
     ""},
    {{FaultKind::LateAutovacuum, "late-autovacuum", "t_dlpdata",
      "autovacuum waits for 20 % dead rows, which on a table of this kind is far too late",
      "ALTER TABLE t_dlpdata SET (autovacuum_vacuum_scale_factor = 0.02)"},
     "",
     "ALTER TABLE t_dlpdata SET (autovacuum_vacuum_scale_factor = 0.02)"},
};

}  // namespace

std::vector<Fault> answer_key(FaultSet set) {
  std::vector<Fault> key;
  for (const FaultRow& row : kFaults) {
    if (has(set, row.fault.kind)) key.push_back(row.fault);
  }
  return key;
}

std::string create_tables_sql() {
  std::string sql;
  for (const std::string_view statement : kCreateTables) sql += cat(statement, ";\n");
  return sql;
}

std::vector<std::string_view> key_statements(FaultSet faults) {
  std::vector<std::string_view> statements(std::begin(kKeys), std::end(kKeys));
  for (const FaultRow& row : kFaults) {
    const std::string_view sql = has(faults, row.fault.kind) ? row.fault_sql : row.sound_sql;
    if (!sql.empty()) statements.push_back(sql);
  }
  return statements;
}

}  // namespace pgtend::demo
