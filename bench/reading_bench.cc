// What reading a file of plans into trees costs, without diagnoses and output: seconds of user CPU
// of the fastest of some rounds, and the nodes that were read. ./run bench explain calls it.
//
// reading_bench FILE [rounds]
#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include "explain/read_plans.h"

namespace pgtend::explain {
namespace {

double user_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec) * 1e-6;
}

int run(const char* path, int rounds) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  double fastest = std::numeric_limits<double>::max();
  size_t nodes = 0;
  for (int round = 0; round < rounds; ++round) {
    const double start = user_seconds();
    const auto read = read_plans(text);
    fastest = std::min(fastest, user_seconds() - start);
    if (!read) {
      fmt::print(stderr, "reading_bench: {}: {}\n", path, read.error().message);
      return 1;
    }
    nodes = 0;
    for (const ReadPlan& plan : read->plans) nodes += plan.plan.nodes.size();
  }
  fmt::print("{:.4f} {}\n", fastest, nodes);
  return 0;
}

}  // namespace
}  // namespace pgtend::explain

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: reading_bench FILE [rounds]\n");
    return 2;
  }
  return pgtend::explain::run(argv[1], argc > 2 ? std::max(1, std::atoi(argv[2])) : 5);
}
