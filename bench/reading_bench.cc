// What reading a file of plans into trees costs, without diagnoses and output: seconds of CPU of
// the fastest of some rounds, and the nodes that were read. ./run bench explain calls it.
//
// reading_bench FILE [rounds]
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include "explain/read_plans.h"

namespace pgtend::explain {
namespace {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

int run(const char* path, int rounds) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  double fastest = std::numeric_limits<double>::max();
  size_t nodes = 0;
  for (int round = 0; round < rounds; ++round) {
    const double start = cpu_seconds();
    const auto read = read_plans(text);
    fastest = std::min(fastest, cpu_seconds() - start);
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
