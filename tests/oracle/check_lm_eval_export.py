"""lm-evaluation-harness's own readers on what `assay export --format lm-eval` wrote: files found by name, the table printed, hashes made again.

usage: python check_lm_eval_export.py OUT
"""
import glob
import json
import sys

from lm_eval import utils


def main():
    files = glob.glob(f"{sys.argv[1]}/**/*", recursive=True)
    results, samples = utils.get_results_filenames(files), utils.get_sample_results_filenames(files)
    assert results and samples, files
    print(utils.get_file_task_name(samples[0].split("/")[-1]), utils.get_file_datetime(utils.get_latest_filename(samples)))
    for path in results:
        with open(path) as file:
            print(utils.make_table(json.load(file)))
    n = 0
    for path in samples:
        for line in open(path, encoding="utf-8"):
            record = json.loads(line)
            assert record["doc_hash"] == utils.hash_string(json.dumps(record["doc"], indent=2, ensure_ascii=False)), record["doc_id"]
            assert record["prompt_hash"] == utils.hash_string(record["arguments"]["gen_args_0"]["arg_0"])
            assert record["target_hash"] == utils.hash_string(record["target"])
            n += 1
    print(n, "records, their hashes agree")


if __name__ == "__main__":
    main()
