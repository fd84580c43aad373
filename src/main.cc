// pgtend: the control plane's command line.
#include "cli/interrupt.h"
#include "cli/program.h"

int main(int argc, char** argv) {
  const pgtend::cli::Interrupt interrupt;
  return pgtend::cli::run_program(argc, argv, interrupt.token());
}
