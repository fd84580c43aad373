// Bloat as JSON, and back for the golden tests of the rules.
#include <cmath>

#include "base/text.h"
#include "facts/members.h"
#include "vacuum/bloat_report.h"

namespace pgtend::vacuum {
namespace {

Result<Interval> interval_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "low, best and high are wanted"};
  Interval out;
  facts::MemberReader reader(value.as_object());
  reader("low", out.low);
  reader("best", out.best);
  reader("high", out.high);
  TRY(reader.finish());
  return out;
}

// The members that follow from others are not read. `more` takes what else the object has.
Result<Bloat> bloat_from_json(const json::value& value, IndexBloat* more = nullptr) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "bloat must be an object"};
  json::object plain = value.as_object();
  Bloat out;
  if (const json::value* needed = plain.if_contains("pages_needed")) {
    out.needed = TRY(interval_from_json(*needed));
  }
  for (const char* derived : {"pages_needed", "wasted_bytes", "wasted_share"}) plain.erase(derived);
  std::string method = "unknown";
  facts::MemberReader reader(plain);
  reader("method", method);
  reader("pages", out.pages);
  reader("why", out.why);
  reader("grant", out.grant);
  if (more != nullptr) {
    reader("name", more->name);
    reader("access_method", more->method);
    reader("concurrently", more->concurrently);
  }
  TRY(reader.finish());
  out.method = TRY(method_named(method));
  return out;
}

}  // namespace

json::object to_json(const Interval& interval) {
  return {{"low", interval.low}, {"best", interval.best}, {"high", interval.high}};
}

json::object to_json(const Bloat& bloat, int block_size) {
  json::object out{{"method", name(bloat.method)}, {"pages", bloat.pages}};
  if (bloat.known()) {
    const Interval pages = bloat.wasted();
    const auto bytes = [&](double count) { return std::round(count) * block_size; };
    out["pages_needed"] = to_json(bloat.needed);
    out["wasted_bytes"] = to_json(
        Interval{.low = bytes(pages.low), .best = bytes(pages.best), .high = bytes(pages.high)});
    out["wasted_share"] = to_json(bloat.share());
  }
  if (!bloat.why.empty()) out["why"] = bloat.why;
  if (!bloat.grant.empty()) out["grant"] = bloat.grant;
  return out;
}

json::object to_json(const TableBloat& table, int block_size) {
  json::object out{{"table", table.table}};
  if (!table.parent.empty()) out["parent"] = table.parent;
  if (table.partitioned) out["partitions"] = table.partitions;
  if (table.growth_day) out["growth_day"] = *table.growth_day;
  out["heap"] = to_json(table.heap, block_size);
  if (table.toast) out["toast"] = to_json(*table.toast, block_size);
  json::array indexes;
  for (const IndexBloat& index : table.indexes) {
    json::object entry = to_json(index.bloat, block_size);
    entry["name"] = index.name;
    if (!index.method.empty()) entry["access_method"] = index.method;
    if (!index.concurrently) entry["concurrently"] = false;
    indexes.emplace_back(std::move(entry));
  }
  out["indexes"] = std::move(indexes);
  return out;
}

Result<TableBloat> table_bloat_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "a table's bloat must be an object"};
  json::object plain = value.as_object();
  TableBloat out;
  if (const json::value* heap = plain.if_contains("heap")) out.heap = TRY(bloat_from_json(*heap));
  if (const json::value* toast = plain.if_contains("toast")) {
    out.toast = TRY(bloat_from_json(*toast));
  }
  if (const json::value* indexes = plain.if_contains("indexes")) {
    if (!indexes->is_array()) return Error{ErrorCode::Invalid, "indexes must be a list"};
    for (const json::value& entry : indexes->as_array()) {
      IndexBloat index;
      index.bloat = TRY(bloat_from_json(entry, &index));
      out.indexes.push_back(std::move(index));
    }
  }
  out.partitioned = plain.contains("partitions");
  for (const char* member : {"heap", "toast", "indexes"}) plain.erase(member);
  facts::MemberReader reader(plain);
  reader("table", out.table);
  reader("parent", out.parent);
  reader("partitions", out.partitions);
  reader("growth_day", out.growth_day);
  TRY(reader.finish());
  return out;
}

json::object to_json(const BloatReport& report) {
  json::array tables;
  for (const TableBloat& table : report.tables) {
    tables.emplace_back(to_json(table, report.block_size));
  }
  json::array missing;
  for (const facts::MissingRight& right : report.missing) missing.emplace_back(to_json(right));
  return {{"block_size", report.block_size},
          {"pages_read", report.pages_read},
          {"tables", std::move(tables)},
          {"missing_rights", std::move(missing)}};
}

Result<BloatReport> bloat_report_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "bloat must be an object"};
  json::object plain = value.as_object();
  BloatReport out;
  if (const json::value* tables = plain.if_contains("tables")) {
    if (!tables->is_array()) return Error{ErrorCode::Invalid, "tables must be a list"};
    for (const json::value& table : tables->as_array()) {
      out.tables.push_back(TRY(table_bloat_from_json(table)));
    }
  }
  plain.erase("tables");
  plain.erase("missing_rights");
  facts::MemberReader reader(plain);
  reader("block_size", out.block_size);
  reader("pages_read", out.pages_read);
  TRY(reader.finish());
  return out;
}

}  // namespace pgtend::vacuum
