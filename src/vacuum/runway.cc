#include "vacuum/runway.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "base/text.h"
#include "base/units.h"

namespace pgtend::vacuum {
namespace {

constexpr int64_t kHalfOfIds = 2'147'483'647;
constexpr int64_t kReserve = 3'000'000;
constexpr int64_t kReserveOf13 = 1'000'000;
constexpr int64_t kMultixactReserveOf13 = 100;
constexpr int64_t kMembers = int64_t{1} << 32;
constexpr double kDay = 86'400;
constexpr double kFarAway = 100 * 365.25 * kDay;  // later dates say nothing
constexpr double kFreezePageBytes = 8192;
constexpr double kFreezeFactor = 2;  // a page is read and written

std::optional<double> until(int64_t used, int64_t limit, double per_second) {
  if (used >= limit) return 0.0;
  if (per_second <= 0) return {};
  return static_cast<double>(limit - used) / per_second;
}

// "2027-02-03", with the time when it is within two days; "in more than 100 years".
std::string date(const std::optional<double>& in_s, WallTime now) {
  if (!in_s || *in_s > kFarAway) return "in more than 100 years";
  if (*in_s <= 0) return "now";
  const auto at = now + std::chrono::seconds(static_cast<int64_t>(*in_s));
  const std::time_t stamp = std::chrono::system_clock::to_time_t(at);
  std::tm parts{};
  gmtime_r(&stamp, &parts);
  char buffer[32];
  const size_t length = std::strftime(buffer, sizeof buffer,
                                      *in_s < 2 * kDay ? "%Y-%m-%d %H:%M UTC" : "%Y-%m-%d", &parts);
  return std::string(buffer, length);
}

std::string rate(double per_second) {
  if (per_second >= 10) return cat(grouped(std::llround(per_second)), " a second");
  return cat(grouped(std::llround(per_second * 3600)), " an hour");
}

const facts::DatabaseAge* oldest(const std::vector<facts::DatabaseAge>& databases,
                                 int64_t facts::DatabaseAge::*age) {
  const auto found = std::ranges::max_element(databases, {}, age);
  return found == databases.end() ? nullptr : &*found;
}

// Members of each multixact on the average since the cluster was made, as far as the counter has
// not begun again.
double members_each(const facts::Consumption& used) {
  if (used.mxid_next <= 1) return 0;
  return static_cast<double>(used.member_next) / static_cast<double>(used.mxid_next - 1);
}

struct Level {
  care::Severity severity = care::Severity::Notice;
  std::string_view why;
};

std::optional<Level> level_of(const Track& track, double freeze_s) {
  const double stop = track.until_stop().value_or(kFarAway);
  if (stop <= std::max(7 * kDay, 3 * freeze_s)) {
    return Level{care::Severity::Critical, "then nothing can be written in the whole cluster"};
  }
  if (stop <= 30 * kDay || track.used >= track.stop / 2) {
    return Level{care::Severity::Warning, "then nothing can be written in the whole cluster"};
  }
  const double forced = track.until_forced().value_or(kFarAway);
  if (track.used < track.forced && forced <= 3 * kDay) {
    return Level{care::Severity::Notice,
                 "from then on autovacuum freezes whatever the hour, is not cancelled by those who "
                 "wait for it, and looks after the oldest database alone"};
  }
  return {};
}

}  // namespace

std::optional<double> Track::until_forced() const { return until(used, forced, per_second); }
std::optional<double> Track::until_stop() const { return until(used, stop, per_second); }

RunwayReport runway(const facts::Runway& facts, const facts::ServerSettings& settings,
                    double mb_s) {
  RunwayReport out;
  const bool old = settings.version < 140000;
  const facts::Consumption used = facts.used.value_or(facts::Consumption{});
  out.measured_s = used.seconds;
  const auto per_second = [&](double count) {
    return used.seconds > 0 ? count / used.seconds : 0.0;
  };
  if (const auto* database = oldest(facts.databases, &facts::DatabaseAge::xid_age)) {
    out.tracks.push_back({.kind = "transaction ids",
                          .database = database->name,
                          .used = database->xid_age,
                          .forced = settings.autovacuum.freeze_age_max,
                          .stop = kHalfOfIds - (old ? kReserveOf13 : kReserve),
                          .per_second = per_second(static_cast<double>(used.xids))});
  }
  if (const auto* database = oldest(facts.databases, &facts::DatabaseAge::mxid_age)) {
    out.tracks.push_back({.kind = "multixact ids",
                          .database = database->name,
                          .used = database->mxid_age,
                          .forced = settings.autovacuum.freeze_mxid_age_max,
                          .stop = kHalfOfIds - (old ? kMultixactReserveOf13 : kReserve),
                          .per_second = per_second(static_cast<double>(used.mxids))});
    const double each = members_each(used);
    out.tracks.push_back(
        {.kind = "multixact members",
         .database = database->name,
         .used = std::min(std::llround(each * static_cast<double>(database->mxid_age)),
                          static_cast<long long>(kMembers)),
         .forced = kMembers / 2,
         .stop = kMembers,
         .per_second = per_second(each * static_cast<double>(used.mxids)),
         .estimated = true});
  }
  int64_t pages = 0;
  for (const facts::RelationAge& relation : facts.relations) pages += relation.pages;
  if (mb_s > 0) {
    out.freeze_s = static_cast<double>(pages) * kFreezePageBytes * kFreezeFactor / (mb_s * 1e6);
  }
  return out;
}

std::vector<care::Finding> runway_findings(const facts::Runway& facts,
                                           const facts::ServerSettings& settings, WallTime now) {
  const RunwayReport report = runway(facts, settings);
  std::vector<care::Finding> out;
  for (const Track& track : report.tracks) {
    const auto level = level_of(track, report.freeze_s);
    if (!level) continue;
    const bool notice = level->severity == care::Severity::Notice;
    care::Finding finding{.id = "wraparound",
                          .object = track.database,
                          .severity = level->severity,
                          .what = notice
                                      ? cat("autovacuum forces itself on ",
                                            date(track.until_forced(), now), " (", track.kind, ")")
                                      : cat(track.kind, " end on ", date(track.until_stop(), now)),
                          .why = std::string(level->why)};
    finding.evidence = {{"used", cat(track.estimated ? "about " : "", grouped(track.used), " of ",
                                     grouped(track.stop))},
                        {"rate", cat(rate(track.per_second), ", seen for ",
                                     human(seconds(std::llround(report.measured_s))))}};
    int shown = 0;
    for (const facts::RelationAge& relation : facts.relations) {
      if (++shown > 3) break;
      const bool xids = track.kind == "transaction ids";
      finding.evidence.push_back(
          {cat(relation.toast ? "TOAST of " : "", relation.table),
           cat("age ", grouped(xids ? relation.xid_age : relation.mxid_age),
               relation.temporary ? ", temporary: only its session can freeze it, or a DROP"
                                  : "")});
    }
    finding.prediction = cat(
        "`pgtend vacuum run --apply`, connected to this database, freezes what is oldest first; "
        "the 20 oldest relations of the connected one take about ",
        human(seconds(std::llround(report.freeze_s))), " at 100 MB/s");
    out.push_back(std::move(finding));
  }
  return out;
}

std::string to_text(const Track& track, WallTime now) {
  return cat(track.kind, ": ", track.estimated ? "about " : "", grouped(track.used), " of ",
             grouped(track.stop), " used, ", rate(track.per_second), "; end ",
             date(track.until_stop(), now), ", autovacuum forces itself ",
             date(track.until_forced(), now));
}

json::object to_json(const RunwayReport& report, WallTime now) {
  const auto in_s = [](const std::optional<double>& value) {
    return value ? json::value(*value) : json::value(nullptr);
  };
  json::array tracks;
  for (const Track& track : report.tracks) {
    tracks.emplace_back(json::object{{"kind", track.kind},
                                     {"database", track.database},
                                     {"used", track.used},
                                     {"estimated", track.estimated},
                                     {"forced", track.forced},
                                     {"stop", track.stop},
                                     {"per_second", track.per_second},
                                     {"forced_in_s", in_s(track.until_forced())},
                                     {"stop_in_s", in_s(track.until_stop())},
                                     {"forced_on", date(track.until_forced(), now)},
                                     {"stop_on", date(track.until_stop(), now)}});
  }
  return {{"tracks", std::move(tracks)},
          {"measured_s", report.measured_s},
          {"freeze_s", report.freeze_s}};
}

}  // namespace pgtend::vacuum
