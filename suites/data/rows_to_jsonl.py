"""Parquet and Arrow files as JSON lines, in the row order of the files: what `assay` reads where a data set is only distributed as such.

needs pyarrow. usage: python rows_to_jsonl.py FILE.parquet|FILE.arrow … > NAME.jsonl
  --set KEY=VALUE adds a member to every row (subject=anatomy, where every subject is a file of its own).
"""
import argparse
import json
import sys

import pyarrow
import pyarrow.parquet


def batches(path):
    """Record batches of one file; an .arrow file is a stream, as `datasets` writes it, or a file with a footer."""
    if path.endswith(".parquet"):
        yield from pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=1024)
        return
    with pyarrow.memory_map(path) as source:
        try:
            reader = pyarrow.ipc.open_stream(source)
            yield from reader
        except pyarrow.ArrowInvalid:
            reader = pyarrow.ipc.open_file(source)
            for i in range(reader.num_record_batches):
                yield reader.get_batch(i)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("files", nargs="+")
    arguments.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = arguments.parse_args()
    added = dict(pair.split("=", 1) for pair in given.set)
    for path in given.files:
        for batch in batches(path):
            for row in batch.to_pylist():
                sys.stdout.write(json.dumps({**row, **added}, ensure_ascii=False, default=str) + "\n")


if __name__ == "__main__":
    main()
