#!/usr/bin/env bash
# Installs what is needed, builds, and runs every test. Another preset: ./test.sh asan
set -euo pipefail
cd "$(dirname "$0")"
preset="${1:-release}"
. cmake/install_packages.sh
install_packages
cmake --preset "$preset"
cmake --build --preset "$preset"
ctest --preset "$preset"
