// Prints the digests of tests/unit/kernel_signature.h for the kernels named by its argument, with two threads. Compiled by
// tests/neon/run.sh for AArch64.
#include <cstdio>
#include <cstring>

#include "base/parallel.h"
#include "kernels/tables.h"
#include "tests/unit/kernel_signature.h"

int main(int n_arguments, char** arguments) {
  if (n_arguments != 2) return 2;
  const assay::Kernels& table = std::strcmp(arguments[1], "neon") == 0 ? assay::neon_kernels() : assay::scalar_kernels();
  assay::ThreadPool pool(2);
  std::fputs(assay::test::signature_text(assay::test::kernel_signature({table, pool})).c_str(), stdout);
}
