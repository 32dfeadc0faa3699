"""Turns lighteval's details (parquet) into JSON lines for `assay replay --format lighteval`.

usage: lighteval.py DETAILS.parquet [OUT.jsonl] [--model NAME]   (needs pyarrow)

One line a row with the columns __doc__, __model_response__ and __metric__ as they are, token ids and logits left out, and `model` and `task`
beside them: details lie in details/MODEL/DATE/details_TASK_DATE.parquet. NaN and infinities become null.
"""
import argparse
import json
import math
import pathlib
import sys

import pyarrow.parquet

COLUMNS = ("__doc__", "__model_response__", "__metric__")
LEFT_OUT = {"input_tokens", "output_tokens", "logits", "images"}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key not in LEFT_OUT}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("details", type=pathlib.Path)
    parser.add_argument("out", nargs="?", help="standard output where it is not given")
    parser.add_argument("--model", help="the folder's name where it is not given")
    args = parser.parse_args()
    file = pyarrow.parquet.ParquetFile(args.details)
    missing = [name for name in COLUMNS if name not in file.schema_arrow.names]
    if missing:
        sys.exit(f"{args.details}: no column {', '.join(missing)}; details of lighteval before 0.9 have another form")
    parents = args.details.resolve().parents
    named = dict(model=args.model or (parents[1].name if len(parents) > 1 else parents[0].name),
                 task=args.details.stem.removeprefix("details_").rsplit("_", 1)[0])
    out = open(args.out, "w", encoding="utf-8") if args.out else sys.stdout
    for batch in file.iter_batches(batch_size=256, columns=list(COLUMNS)):
        for row in batch.to_pylist():
            out.write(json.dumps({**named, **plain(row)}, ensure_ascii=False, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
