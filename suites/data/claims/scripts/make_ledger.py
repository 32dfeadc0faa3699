"""Writes suites/data/claims/published.tsv: published figures with their citations, in the form that eval/claims/claim_ledger.h reads.

usage: make_ledger.py claims.csv OUT.tsv [REPO=FILE ...]

claims.csv has the columns claim_id, claimant, kind, model, model_norm, benchmark, benchmark_norm, metric, shots, score, sd, unit,
table, locator, source, note. REPO=FILE names a text with the table rows of that repository's Markdown files, byte for byte: the
SHA-256 of each row that a claim quotes is kept, where exactly one row has the figure and the name of the benchmark or model.
"""
import csv
import hashlib
import re
import sys


def squash(text):
    return re.sub(r"[^a-z0-9]", "", text.lower())


def counts_as_printed(row):
    """n and samples where the source prints them. A range is what two texts of one release say: R1's README and its PDF."""
    note = row["note"]
    n = re.search(r"\bn=(\d+)", note)
    samples = ""
    if found := re.search(r"(\d+) responses/query|(\d+) runs averaged", note):
        samples = found[1] or found[2]
    elif "k=4-64" in note or "PDF in same repo: 4-64" in note:
        samples = "4-64" if row["kind"] == "self" else ""
    elif "AIME 64 samples/question, GPQA-D 10" in note and row["kind"] == "self":
        samples = {"AIME": "64", "GPQA": "10"}.get(row["benchmark_norm"][:4], "")
    return n[1] if n else "", samples


def has_number(line, number):
    return re.search(r"(?<![\d.])" + re.escape(number) + r"(?!\d|\.\d)", line) is not None


def quoted_row(row, lines):
    """The one line that has the figure and names the benchmark or the model."""
    names = [squash(row["benchmark"]), squash(row["model"])]
    found = [line for line in lines if has_number(line, row["score"]) and any(name in squash(line) for name in names)]
    return found[0] if len(found) == 1 else None


def main(table, out, texts):
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = {}
    for given in texts:
        repo, path = given.split("=", 1)
        with open(path, encoding="utf-8", newline="") as file:
            lines[repo] = file.read().split("\n")
    sources, claims, digests = {}, [], {}
    for row in rows:
        key = (row["claimant"], row["source"], row["table"], row["note"])
        place = sources.setdefault(key, len(sources) + 1)
        printed = [row[name] if row[name] != row[norm] else "" for name, norm in (("model", "model_norm"), ("benchmark", "benchmark_norm"))]
        n, samples = counts_as_printed(row)
        claims.append(["C", row["claim_id"], str(place), row["kind"], row["model_norm"], printed[0], row["benchmark_norm"], printed[1],
                       row["metric"], row["shots"], row["score"], row["sd"], row["unit"], row["locator"], n, samples])
        repo = row["source"].split("@")[0]
        if row["locator"][:1] == "L" and row["locator"][1:].isdigit() and repo in lines:
            line = quoted_row(row, lines[repo])
            if line is not None:
                digest = hashlib.sha256(line.encode()).hexdigest()
                digests.setdefault((row["source"], row["locator"]), set()).add(digest)
    with open(out, "w", encoding="utf-8", newline="\n") as file:
        file.write("# assay ledger 1: S number claimant source table note | D source locator sha256-of-the-row | C id number-of-S kind model "
                   "model-as-printed benchmark benchmark-as-printed metric shots score sd unit locator n samples\n")
        for key, place in sources.items():
            claimant, source, table_name, note = key
            file.write("\t".join(["S", str(place), claimant, source, table_name, note]) + "\n")
        for (source, locator), found in sorted(digests.items()):
            if len(found) == 1:
                file.write("\t".join(["D", source, locator, *found]) + "\n")
        for claim in claims:
            assert not any("\t" in field or "\n" in field for field in claim), claim
            file.write("\t".join(claim) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
