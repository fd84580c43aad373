#include "pool/names.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace pgtend::pool {
namespace {

// An answer that may not be kept serves those who ask at the same time.
constexpr seconds kTtlMin{1};

// The zone of "db.example.org" is "example.org"; a name without a dot has none.
std::string zone_of(const std::string& host) {
  const size_t dot = host.find('.');
  return dot == std::string::npos ? "" : host.substr(dot + 1);
}

bool same_set(const std::vector<net::Address>& a, const std::vector<net::Address>& b) {
  const auto texts = [](const std::vector<net::Address>& addresses) {
    std::vector<std::string> out;
    for (const net::Address& address : addresses) out.push_back(address.host());
    std::ranges::sort(out);
    return out;
  };
  return texts(a) == texts(b);
}

}  // namespace

void Names::find(const std::string& host, Answer answer) {
  Name& name = names_[host];
  if (name.known && around_.now() < name.until) return answer(*name.known);
  name.waiting.push_back(std::move(answer));
  ask(host, name);
}

void Names::ask(const std::string& host, Name& name) {
  if (name.asking) return;
  name.asking = true;
  ++pending_;
  if (around_.resolver == nullptr) {
    return on_found(host, Error{ErrorCode::Unavailable, "there is no name resolver"});
  }
  around_.resolver->look_up(host, [this, host](const Result<net::Found>& found) {
    around_.post([this, host, found] { on_found(host, found); });
  });
}

void Names::on_found(const std::string& host, Result<net::Found> found) {
  Name& name = names_[host];
  name.asking = false;
  --pending_;
  const DnsSettings& settings = around_.settings();
  const bool had = name.known && *name.known;
  if (found) {
    const bool changed = had && !same_set(**name.known, found->addresses);
    const microseconds ttl = std::max<microseconds>(found->ttl, kTtlMin);
    name.until = around_.now() + std::min(ttl, settings.ttl_max);
    name.known = std::move(found->addresses);
    if (changed) around_.changed(host, **name.known);
  } else {
    name.until = around_.now() + settings.failure_ttl;
    const bool stands_in = had && found.error().code != ErrorCode::NotFound;
    log::warn(cat("server DNS lookup failed", stands_in ? ", the last addresses stand in" : ""),
              {log::kv("host", host), log::kv("cause", found.error().message)});
    if (!stands_in) name.known = Addresses(std::move(found).error());
  }
  const auto waiting = std::exchange(name.waiting, {});
  // A copy: an answer may ask again.
  const Addresses known = *name.known;
  for (const Answer& answer : waiting) answer(known);
}

void Names::look_after() {
  const microseconds period = around_.settings().zone_check;
  if (period.count() == 0 || around_.resolver == nullptr) return serials_.clear();
  if (around_.now() - zones_checked_ < period) return;
  zones_checked_ = around_.now();
  std::map<std::string, std::optional<int64_t>> wanted;
  for (const auto& [host, name] : names_) {
    const std::string zone = zone_of(host);
    if (!zone.empty()) wanted[zone] = serials_[zone];
  }
  serials_ = std::move(wanted);
  for (const auto& [zone, serial] : serials_) {
    ++pending_;
    around_.resolver->read_serial(zone, [this, zone = zone](const Result<int64_t>& told) {
      around_.post([this, zone, told] { on_serial(zone, told); });
    });
  }
}

void Names::on_serial(const std::string& zone, const Result<int64_t>& serial) {
  --pending_;
  const auto found = serials_.find(zone);
  if (found == serials_.end()) return;
  if (!serial) {
    return log::debug("no serial of zone",
                      {log::kv("zone", zone), log::kv("cause", serial.error().message)});
  }
  const bool changed = found->second && *found->second != *serial;
  found->second = *serial;
  if (!changed) return;
  log::info("zone has changed", {log::kv("zone", zone), log::kv("serial", *serial)});
  for (auto& [host, name] : names_) {
    if (zone_of(host) == zone) ask(host, name);
  }
}

void Names::forget_expired() {
  std::erase_if(names_, [this](const auto& entry) {
    const Name& name = entry.second;
    return !name.asking && name.until <= around_.now();
  });
}

std::vector<NameFigures> Names::names() const {
  std::vector<NameFigures> figures;
  for (const auto& [host, name] : names_) {
    NameFigures row{.name = host, .ttl = {}, .addresses = {}};
    if (name.until > around_.now()) {
      row.ttl = std::chrono::duration_cast<seconds>(name.until - around_.now());
    }
    if (name.known && *name.known) row.addresses = **name.known;
    figures.push_back(std::move(row));
  }
  return figures;
}

std::vector<ZoneFigures> Names::zones() const {
  std::vector<ZoneFigures> figures;
  for (const auto& [zone, serial] : serials_) {
    ZoneFigures row{.name = zone, .serial = serial, .names = 0};
    for (const auto& [host, name] : names_) row.names += zone_of(host) == zone ? 1 : 0;
    figures.push_back(std::move(row));
  }
  return figures;
}

}  // namespace pgtend::pool
