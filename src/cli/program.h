// From argv to an exit code.
#pragma once

#include <stop_token>

namespace pgtend::cli {

// Runs `pgtend AREA VERB …`. Returns the exit code: 0 fine, 1 findings at or above --fail-on,
// 2 usage, 3 cannot connect, 4 rights missing, 5 action failed, 6 lock not obtained,
// 130 interrupted. Thread: main.
int run_program(int argc, char** argv, std::stop_token stop);

}  // namespace pgtend::cli
