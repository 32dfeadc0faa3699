#!/bin/bash
# On a machine with an NVIDIA GPU: runs every check of the GPU's kernels (also under compute-sanitizer), measures, and writes the measured
# part of docs/gpu-report.md. Made to end within ten minutes; each step has a limit of its own, and a step that fails or runs out of time is
# reported and does not stop the others.
#   tests/cuda/device_check.sh pack        where nvcc and the packages of packages.txt are: builds the two programs and puts them, with the
#                                          shared libraries that they need, into build/device
#   tests/cuda/device_check.sh [OUT]       where the GPU is, in the tree's root: runs what build/device holds (or builds it here); OUT is
#                                          where report and logs go
set -u
cd "$(dirname "$0")/../.."
if [ "${1:-}" = pack ]; then
  set -e
  cmake --preset cuda
  cmake --build --preset cuda --target gpu_tests gpu_measure
  rm -rf build/device
  mkdir -p build/device/lib
  cp build/cuda/bin/gpu_tests build/cuda/bin/gpu_measure build/device/
  strip build/device/gpu_tests build/device/gpu_measure
  # All but the C library, which belongs to the machine.
  ldd build/device/gpu_tests build/device/gpu_measure | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
    grep -vE '/(libc|libm|libdl|libpthread|librt|ld-linux[^/]*)\.so' | xargs -I{} cp -L {} build/device/lib/
  du -sh build/device
  exit 0
fi
out=$(mkdir -p "${1:-build/device-report}" && cd "${1:-build/device-report}" && pwd)
report=$out/gpu-report-measured.md
if ! nvidia-smi > "$out/nvidia-smi.txt" 2>&1; then
  echo "skipped: no CUDA device"
  exit 77
fi
failed=0
step() {  # NAME SECONDS COMMAND...
  local title=$1 limit=$2 begin=$SECONDS rc=0 result
  shift 2
  timeout -k 5 "$limit" "$@" > "$out/$title.log" 2>&1 || rc=$?
  case $rc in
    0) result=passed ;;
    124 | 137) result="ran out of $limit s" ;;
    *) result="FAILED ($rc)" ;;
  esac
  [ $rc = 0 ] || failed=1
  local said
  said=$(grep -E '^(All tests passed|test cases:|assertions:|=+ ERROR SUMMARY|=+ RACECHECK SUMMARY|skipped)' "$out/$title.log" | tr '\n' ' ')
  echo "| $title | $result | $((SECONDS - begin)) s | $said |" >> "$report"
}
{
  echo "## Measured: $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -1), $(date -u +%F), commit $(git rev-parse --short HEAD 2> /dev/null || echo unknown)"
  echo
  echo "| check | result | time | said |"
  echo "|---|---|---|---|"
} > "$report"
if [ ! -x build/device/gpu_tests ]; then
  step build 300 "$0" pack
fi
export LD_LIBRARY_PATH=$PWD/build/device/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}:/usr/local/cuda/lib64
tests=$PWD/build/device/gpu_tests
step kernels 60 "$tests" "cuda:*"
step families 90 "$tests" "cuda path:*"
sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
for tool in memcheck racecheck synccheck initcheck; do
  step "sanitizer-$tool" 50 "$sanitizer" --tool $tool --error-exitcode 9 "$tests" "cuda: sanitized*"
done
step measure 150 build/device/gpu_measure
{
  echo
  grep -E '^\|' "$out/measure.log"
  grep -vE '^\||^$' "$out/measure.log"
} >> "$report"
if command -v ncu > /dev/null; then
  step profile 45 ncu --clock-control none --set basic -k regex:run_on_device -c 8 build/device/gpu_measure 1024
fi
cat "$report"
exit $failed
