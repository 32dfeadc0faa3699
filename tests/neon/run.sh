#!/bin/sh
# Compiles the kernels for AArch64 and runs them under qemu: NEON and plain C++ must give the digests that x86 gives.
# Needs g++-aarch64-linux-gnu and qemu-user-static (Debian's names); exit code 77, "skipped", where they are not there.
#
#   tests/neon/run.sh [BUILD FOLDER]
set -eu
cd "$(dirname "$0")/../.."
folder=${1:-build/neon}
compiler=aarch64-linux-gnu-g++
for tool in $compiler qemu-aarch64-static; do
  command -v $tool >/dev/null 2>&1 || { echo "skipped: no $tool"; exit 77; }
done
mkdir -p "$folder"
sources="attention head latent_attention math64 matmul memory neon_kernels pack router rows scalar_kernels"
set -- tests/neon/print_signature.cc base/check.cc base/parallel.cc
for name in $sources; do set -- "$@" kernels/$name.cc; done
$compiler -std=c++20 -O2 -Wall -Wextra -Werror -Wno-psabi -ffp-contract=off -fno-math-errno -I. -static -pthread \
  "$@" -o "$folder/print_signature"
for kernels in neon scalar; do
  qemu-aarch64-static "$folder/print_signature" $kernels >"$folder/$kernels.txt"
  diff -u tests/golden/data/kernel_signature.txt "$folder/$kernels.txt" ||
    { echo "the $kernels kernels of AArch64 give other bits"; exit 1; }
done
echo "$(wc -l <tests/golden/data/kernel_signature.txt) operations: NEON and scalar on AArch64 give the bits of x86"
