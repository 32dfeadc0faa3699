#!/usr/bin/env bash
# Installs what is needed, builds, and decides the claims about the bundled model. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")"
. cmake/install_packages.sh
install_packages
cmake --preset release >build-configure.log 2>&1 || { cat build-configure.log; exit 1; }
rm -f build-configure.log
cmake --build --preset release --target assay assay-viewer
mkdir -p assay-out
code=0
build/release/bin/assay demo --db assay-out/assay.db --out assay-out/report || code=$?
echo
echo "database: $PWD/assay-out/assay.db"
echo "report:   $PWD/assay-out/report/report.html"
echo "viewer:   build/release/bin/assay-viewer assay-out/assay.db"
exit $code
