// The result of a statement: rows of text values with typed, checked reading.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct pg_result;

namespace pgtend::pg {

struct ClearResult {
  void operator()(pg_result* result) const;
};

// One row. Borrows from its Rows. Columns count from 0; a column that does not exist reads as null.
// Thread: as its Rows.
class Row {
 public:
  Row(const pg_result* result, int row) : result_(result), row_(row) {}

  bool null(int column) const;
  // The value as the server wrote it; "" when null.
  std::string_view text(int column) const;
  // The value as T: bool, int32_t, int64_t, double, std::string, or std::optional of one of these
  // (nullopt for null). Errors: Corrupt if null or not a T, naming the column.
  template <class T>
  Result<T> get(int column) const;

 private:
  const pg_result* result_;
  int row_;
};

// The readings there are; any other T does not link.
#define PGTEND_ROW_GET(Type)              \
  template <>                             \
  Result<Type> Row::get<Type>(int) const; \
  template <>                             \
  Result<std::optional<Type>> Row::get<std::optional<Type>>(int) const;
PGTEND_ROW_GET(bool)
PGTEND_ROW_GET(int32_t)
PGTEND_ROW_GET(int64_t)
PGTEND_ROW_GET(double)
PGTEND_ROW_GET(std::string)
#undef PGTEND_ROW_GET

// All rows of one result, owned. Thread: one at a time.
class Rows {
 public:
  class Iterator {
   public:
    Iterator(const pg_result* result, int row) : result_(result), row_(row) {}
    Row operator*() const { return {result_, row_}; }
    Iterator& operator++() {
      ++row_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return row_ != other.row_; }

   private:
    const pg_result* result_;
    int row_;
  };

  explicit Rows(pg_result* result) : result_(result) {}

  int size() const;
  bool empty() const { return size() == 0; }
  int columns() const;
  std::string_view column_name(int column) const;
  Row operator[](int row) const { return {result_.get(), row}; }
  Iterator begin() const { return {result_.get(), 0}; }
  Iterator end() const { return {result_.get(), size()}; }
  // The command tag, "INSERT 0 5".
  std::string_view tag() const;
  // The row count in the tag; 0 for commands without one.
  int64_t affected() const;
  // The only value of a result that must have one row and one column. Errors: Corrupt.
  Result<std::string> scalar() const;

 private:
  std::unique_ptr<pg_result, ClearResult> result_;
};

}  // namespace pgtend::pg
