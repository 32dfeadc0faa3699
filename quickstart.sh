#!/usr/bin/env bash
# Installs what is needed, builds, and decides claims. Safe to run again.
#   ./quickstart.sh                      the claims about the bundled model: half a minute
#   ./quickstart.sh --real [OPTIONS]     what the card of SmolLM2-135M-Instruct and somebody else claim about it; OPTIONS go to `assay verify`:
#                                        --budget 20min asks what decides most, --plan only says how long what takes. An interrupted run goes on.
set -euo pipefail
cd "$(dirname "$0")"
case "${1:-}" in
  "" | --real) ;;
  *)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    [ "$1" = --help ] && exit 0
    exit 2
    ;;
esac
. cmake/install_packages.sh
install_packages
cmake --preset release >build-configure.log 2>&1 || { cat build-configure.log; exit 1; }
rm -f build-configure.log
cmake --build --preset release --target assay assay-viewer
mkdir -p assay-out
if [ "${1:-}" = --real ]; then
  shift
  . cmake/real_claims.sh
  decide_real_claims "$@"
  exit $?
fi
code=0
build/release/bin/assay demo --db assay-out/assay.db --out assay-out/report || code=$?
echo
echo "database: $PWD/assay-out/assay.db"
echo "report:   $PWD/assay-out/report/report.html"
echo "viewer:   build/release/bin/assay-viewer assay-out/assay.db"
exit $code
