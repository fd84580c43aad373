// Reads the notices of VACUUM (VERBOSE): the only place where the server tells what stayed.
#include "base/text.h"
#include "vacuum/vacuum.h"

namespace pgtend::vacuum {
namespace {

// The integer that ends right before `marker` ("5 removed" -> 5), the first one in `text`.
std::optional<int64_t> number_before(std::string_view text, std::string_view marker) {
  const size_t at = text.find(marker);
  if (at == std::string_view::npos) return {};
  size_t start = at;
  while (start > 0 && text[start - 1] >= '0' && text[start - 1] <= '9') --start;
  const auto number = parse_int(text.substr(start, at - start));
  if (!number) return {};
  return *number;
}

// The integer right after `marker` ("cutoff: 745," -> 745).
std::optional<int64_t> number_after(std::string_view text, std::string_view marker) {
  const size_t at = text.find(marker);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + marker.size());
  size_t end = 0;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
  const auto number = parse_int(text.substr(0, end));
  if (!number) return {};
  return *number;
}

void add(std::optional<int64_t>& sum, const std::optional<int64_t>& part) {
  if (part) sum = sum.value_or(0) + *part;
}

// Several tables have several cutoffs; the oldest is the one that promises least.
void keep_oldest(std::optional<int64_t>& cutoff, const std::optional<int64_t>& other) {
  if (!other) return;
  const auto behind =
      cutoff ? static_cast<int32_t>(static_cast<uint32_t>(*other) - static_cast<uint32_t>(*cutoff))
             : -1;
  if (behind < 0) cutoff = other;
}

// 15 and later: everything of one table in one message.
void read_summary(const pg::Notice& notice, Verbose& out) {
  const std::string_view text = notice.message;
  const size_t tuples = text.find("\ntuples: ");
  if (tuples == std::string_view::npos) return;
  add(out.rows_removed, number_before(text.substr(tuples), " removed"));
  add(out.rows_not_removable,
      number_before(text.substr(tuples), " are dead but not yet removable"));
  const size_t pages = text.find("\npages: ");
  if (pages != std::string_view::npos) {
    add(out.pages_removed, number_before(text.substr(pages), " removed"));
  }
  keep_oldest(out.cutoff_xid, number_after(text, "removable cutoff: "));
  add(out.index_passes, number_after(text, "index scans: "));
  const size_t frozen = text.find("\nfrozen: ");
  if (frozen != std::string_view::npos) {
    add(out.pages_frozen, number_before(text.substr(frozen), " pages from table"));
  }
  const size_t wal = text.find("\nWAL usage: ");
  if (wal != std::string_view::npos) {
    add(out.wal_bytes, number_before(text.substr(wal), " bytes"));
  }
}

// 13 and 14: counts in the message, the rest in its detail.
void read_found(const pg::Notice& notice, Verbose& out) {
  add(out.rows_removed, number_before(notice.message, " removable, "));
  add(out.rows_not_removable, number_before(notice.detail, " dead row versions cannot be removed"));
  keep_oldest(out.cutoff_xid, number_after(notice.detail, "oldest xmin: "));
}

}  // namespace

Verbose read_verbose(const std::vector<pg::Notice>& notices) {
  Verbose out;
  std::optional<int64_t> truncated_pages;  // 13 and 14; later versions repeat it in the summary
  bool toast = false;
  for (const pg::Notice& notice : notices) {
    const std::string_view text = notice.message;
    if (text.starts_with("vacuuming \"") || text.starts_with("aggressively vacuuming \"")) {
      toast = text.find("pg_toast.pg_toast_") != std::string_view::npos;
    }
    if (text.find("bypassing nonessential maintenance") != std::string_view::npos) {
      out.failsafe = true;
    }
    if (toast) continue;
    if (text.find("finished ") != std::string_view::npos) read_summary(notice, out);
    if (text.find("\": found ") != std::string_view::npos) read_found(notice, out);
    const size_t truncated = text.find("\": truncated ");
    if (truncated != std::string_view::npos) {
      const auto from = number_before(text.substr(truncated), " to ");
      const auto to = number_before(text.substr(truncated), " pages");
      if (from && to) add(truncated_pages, *from - *to);
    }
  }
  if (!out.pages_removed) out.pages_removed = truncated_pages;
  return out;
}

}  // namespace pgtend::vacuum
