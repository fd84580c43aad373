#include "e2e/support/dump_text.h"

#include <algorithm>
#include <regex>
#include <set>

#include "base/text.h"

namespace pgtend::e2e {
namespace {

constexpr std::string_view kTablespace = "SET default_tablespace = ";

bool of_a_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '"' || c == '$';
}

// Where `name` stands in `text` as a whole, from `at` on.
size_t find_name(std::string_view text, std::string_view name, size_t at = 0) {
  for (; (at = text.find(name, at)) != std::string_view::npos; ++at) {
    const size_t end = at + name.size();
    if ((at == 0 || !of_a_name(text[at - 1])) && (end == text.size() || !of_a_name(text[end]))) {
      return at;
    }
  }
  return at;
}

void rename(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = find_name(text, from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

void take_out(std::string& text, const std::regex& what) {
  text = std::regex_replace(text, what, "");
}

// Whether it speaks of a table alone makes no difference.
std::string plain(std::string text) {
  for (const char* word : {" ON ONLY ", "ALTER TABLE ONLY "}) {
    for (size_t at = 0; (at = text.find(word, at)) != std::string::npos;) {
      text.erase(at + std::string_view(word).size() - 5, 5);
    }
  }
  return text;
}

// Rights have no order.
std::string sorted(const std::string& text) {
  std::vector<std::string_view> lines = split(text, '\n');
  std::ranges::sort(lines);
  std::string out;
  for (const std::string_view line : lines) {
    if (!line.empty() && !line.starts_with("RESET ")) out += cat(line, "\n");
  }
  return out;
}

bool is(const std::string& key, std::string_view type) { return key.starts_with(cat(type, "  ")); }

// "PRIMARY KEY (id)" takes the partition key in.
bool widen(std::string& text, const std::string& key) {
  static const std::regex columns(
      R"re((PRIMARY KEY|UNIQUE|UNIQUE NULLS NOT DISTINCT) \(([^()]*)\))re");
  std::smatch found;
  if (!std::regex_search(text, found, columns)) return false;
  const std::string names = found[2].str();
  for (const std::string_view column : split(names, ',')) {
    if (trim(column) == key) return false;
  }
  text.insert(static_cast<size_t>(found.position(2) + found.length(2)), cat(", ", key));
  return true;
}

class Folding {
 public:
  Folding(Dump& before, Dump& after) : before_(before), after_(after) {
    for (auto& [key, text] : before_) text = plain(std::move(text));
    for (auto& [key, text] : after_) text = plain(std::move(text));
  }
  int widen_keys(const Divided& table) {
    int count = 0;
    for (auto& [key, text] : before_) {
      if (is(key, "CONSTRAINT") && mentions(text, table) && widen(text, table.key)) ++count;
    }
    return count;
  }
  void fold(const Divided& table) {
    std::map<std::string, std::string> texts;  // of the table's own, and what they are of
    for (const auto& [key, text] : before_) {
      if (mentions(text, table) || of_parts(text, table)) texts[text] = key;
    }
    std::map<std::string, size_t> found;
    for (auto at = after_.begin(); at != after_.end();) {
      std::string text = at->second;
      if (!rename_parts(text, table)) {
        ++at;
        continue;
      }
      // The sequence is not the partition's, so its default does not stand apart.
      static const std::regex number(R"( DEFAULT nextval\('[^\n]*'::regclass\))");
      if (is(at->first, "TABLE")) take_out(text, number);
      const auto same = texts.find(text);
      if (same != texts.end()) {
        ++found[same->second];
      } else if (!is(at->first, "TABLE ATTACH") && !is(at->first, "INDEX ATTACH")) {
        problems += cat("\n", table.table, " had no such thing: ", at->first, "\n", text);
      }
      at = after_.erase(at);
    }
    for (const auto& [text, key] : texts) {
      const bool all =
          is(key, "TABLE") || is(key, "INDEX") || is(key, "CONSTRAINT") || is(key, "STATISTICS");
      if (!all || found[key] == table.partitions.size()) continue;
      problems += cat("\n", found[key], " of ", table.partitions.size(), " partitions have ", key);
    }
  }
  // What only partitions can have.
  void strip(const Divided& table) {
    static const std::regex storage(R"(\nWITH \([^\n]*\))");
    static const std::regex cluster(R"(\n+ALTER TABLE [^\n]* CLUSTER ON [^\n]*;)");
    static const std::regex division(R"(\nPARTITION BY RANGE \([^\n]*\))");
    for (auto& [key, text] : before_) {
      if (!mentions(text, table)) continue;
      if (is(key, "TABLE")) take_out(text, storage);
      if (is(key, "INDEX") || is(key, "CONSTRAINT")) take_out(text, cluster);
    }
    for (auto& [key, text] : after_) {
      if (is(key, "TABLE") && mentions(text, table)) take_out(text, division);
    }
  }
  std::string problems;

 private:
  static bool mentions(const std::string& text, const Divided& table) {
    return find_name(text, table.table) != std::string::npos;
  }
  static bool of_parts(const std::string& text, const Divided& table) {
    if (find_name(text, table.schema) == std::string::npos) return false;
    for (const auto& [part, whole] : table.parts) {
      if (find_name(text, whole) != std::string::npos) return true;
    }
    return false;
  }
  static bool rename_parts(std::string& text, const Divided& table) {
    if (find_name(text, table.schema) == std::string::npos) return false;
    const std::string before = text;
    for (const std::string& partition : table.partitions) rename(text, partition, table.table);
    for (const auto& [part, whole] : table.parts) rename(text, part, whole);
    return text != before;
  }

  Dump& before_;
  Dump& after_;
};

}  // namespace

Dump read_dump(std::string_view text) {
  static const std::regex head(R"(-- Name: (.*); Type: (.*); Schema: (.*); Owner: (.*))");
  Dump out;
  std::string key;
  std::string tablespace = "''";
  std::string body;
  const auto end = [&] {
    body = std::string(trim(body));
    if (is(key, "ACL")) body = sorted(body);
    if (!key.empty() && !body.empty()) {
      const bool placed = is(key, "TABLE") || is(key, "INDEX") || is(key, "CONSTRAINT");
      out[key] = placed && tablespace != "'';" ? cat(body, "\nin ", tablespace) : body;
    }
    body.clear();
  };
  for (const std::string_view view : split(text, '\n')) {
    const std::string line(view);
    std::smatch found;
    if (std::regex_match(line, found, head)) {
      end();
      key = cat(found[2].str(), "  ", found[3].str(), ".", found[1].str());
    } else if (line.starts_with(kTablespace)) {
      end();
      key.clear();
      tablespace = line.substr(kTablespace.size());
    } else if (!line.starts_with("--") && !line.starts_with("\\") && !line.starts_with("SET ") &&
               !line.starts_with("SELECT pg_catalog.set_config")) {
      body += cat(line, "\n");
    }
  }
  end();
  return out;
}

std::string dump_difference(const Dump& before, const Dump& after) {
  std::set<std::string> keys;
  for (const auto& [key, text] : before) keys.insert(key);
  for (const auto& [key, text] : after) keys.insert(key);
  std::string out;
  for (const std::string& key : keys) {
    const auto text = [&](const Dump& dump) {
      const auto at = dump.find(key);
      return at == dump.end() ? std::string("(none)") : at->second;
    };
    if (text(before) == text(after)) continue;
    out += cat("\n", key, "\nbefore: ", text(before), "\nafter:  ", text(after));
  }
  return out;
}

std::string division_difference(Dump before, Dump after, const std::vector<Divided>& tables,
                                int& widened) {
  Folding folding(before, after);
  for (const Divided& table : tables) widened += folding.widen_keys(table);
  for (const Divided& table : tables) folding.fold(table);
  for (const Divided& table : tables) folding.strip(table);
  return cat(folding.problems, dump_difference(before, after));
}

}  // namespace pgtend::e2e
