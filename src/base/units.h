// Quantities with their unit in the type, and how people read them.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace pgtend {

// A number of bytes. Arithmetic is 64-bit and unchecked: sizes of files and tables.
struct Bytes {
  int64_t count = 0;

  friend auto operator<=>(const Bytes&, const Bytes&) = default;
  friend Bytes operator+(Bytes a, Bytes b) { return {a.count + b.count}; }
  friend Bytes operator-(Bytes a, Bytes b) { return {a.count - b.count}; }
};

constexpr Bytes operator""_KiB(unsigned long long n) { return {static_cast<int64_t>(n << 10)}; }
constexpr Bytes operator""_MiB(unsigned long long n) { return {static_cast<int64_t>(n << 20)}; }
constexpr Bytes operator""_GiB(unsigned long long n) { return {static_cast<int64_t>(n << 30)}; }

// "512 B", "24 kB", "1.3 GB": powers of 1024 with PostgreSQL's names (pg_size_pretty), three
// digits.
std::string human(Bytes bytes);
// "850 us", "12.3 ms", "4.20 s", "3 min 05 s", "2 h 10 min".
std::string human(std::chrono::nanoseconds duration);
// 1234567 as "1,234,567".
std::string grouped(int64_t count);
// "12 k", "1.34 M", "8.1 bn": three digits for tables and progress lines.
std::string compact(double count);

}  // namespace pgtend
