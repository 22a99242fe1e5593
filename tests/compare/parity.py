"""Proves that avocet computes what the reference libraries compute, family by family.

    cargo build --release -p avocet && python3 tests/compare/parity.py [--family NAME]...

For every case a tiny random model is made with the reference library and saved as the hub would
have it; `avocet score` then reads that folder, and its tokens, logits, log-probs and greedy
continuation are held against the reference's. Exits with 1 unless every logit and every log-prob
is within 2e-4 and every greedy token is the same.

    --avocet PATH     the binary, target/release/avocet unless named
    --family NAME     only this family; may be given several times
    --case NAME       only this case; may be given several times
    --write DIR       writes a receipt of each family, NAME.json and NAME.md
    --keep DIR        keeps the models' folders here
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

import families  # noqa: E402

LIMIT = 2e-4
TIMEOUT_S = 300
LOGITS = "avocet.safetensors"


def command(avocet, case):
    return [
        *(str(avocet), "score", "--model", "./model", "--input", "requests.jsonl"),
        *("--logits", LOGITS, "--greedy", str(case.greedy)),
    ]


def run_avocet(avocet, case, folder):
    """avocet's answers by request id and its logits, or the reason why there are none."""
    try:
        done = subprocess.run(
            command(avocet, case), cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        return None, None, str(fault)
    if done.returncode != 0:
        message = done.stderr.strip() or done.stdout.strip()
        return None, None, f"exit {done.returncode}: {message[-400:]}"
    try:
        answers = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
        return {answer["id"]: answer for answer in answers}, load_file(folder / LOGITS), None
    except (ValueError, KeyError, OSError) as fault:
        return None, None, f"unreadable output: {fault!r}"


def compare_request(expected, answer, logits):
    """Differences of one request: {"fault"} or the measured numbers."""
    if answer is None:
        return {"fault": "no answer"}
    if "error" in answer:
        return {"fault": answer["error"]}
    if answer["token_ids"] != expected.token_ids:
        return {"fault": f"tokens {answer['token_ids']}, expected {expected.token_ids}"}
    if logits is None or logits.shape != expected.logits.shape:
        found = None if logits is None else tuple(logits.shape)
        return {"fault": f"logits {found}, expected {tuple(expected.logits.shape)}"}
    pairs = list(zip(answer["logprobs"], expected.logprobs, strict=True))
    if any((mine is None) != (theirs is None) for mine, theirs in pairs):
        places = [i for i, (mine, theirs) in enumerate(pairs) if (mine is None) != (theirs is None)]
        return {"fault": f"log-probs null or not at {places}"}
    difference = (logits.double() - expected.logits.double()).abs()
    return {
        "max": difference.max().item(),
        "mean": difference.mean().item(),
        "logprob_max": max((abs(a - b) for a, b in pairs if a is not None), default=0.0),
        "greedy_same": answer.get("greedy_ids") == expected.greedy_ids,
        "tokens": len(expected.token_ids),
    }


def compare_case(avocet, case, folder):
    expected = case.make(folder)
    answers, logits, fault = run_avocet(avocet, case, folder)
    row = {"case": case.name, "note": case.note, "seed": case.seed, "fault": fault}
    row |= {"attention": case.attention, "versions": case.receipt_versions()}
    row["spread"] = torch.cat([v.logits.flatten() for v in expected.values()]).std().item()
    if fault is None:
        row["requests"] = requests = {
            name: compare_request(values, answers.get(name), logits.get(name))
            for name, values in expected.items()
        }
        faults = [f"{name}: {r['fault']}" for name, r in requests.items() if "fault" in r]
        row["fault"] = "; ".join(faults) or None
    if row["fault"] is None:
        weights = [values.logits.numel() for values in expected.values()]
        means = [r["mean"] * weight for r, weight in zip(requests.values(), weights)]
        row["max"] = max(r["max"] for r in requests.values())
        row["mean"] = sum(means) / sum(weights)
        row["logprob_max"] = max(r["logprob_max"] for r in requests.values())
        row["greedy_same"] = all(r["greedy_same"] for r in requests.values())
    row["passed"] = (
        row["fault"] is None
        and row["max"] <= LIMIT
        and row["logprob_max"] <= LIMIT
        and row["greedy_same"]
    )
    return row


HEADER = f"{'case':<26} {'max':>9} {'mean':>9} {'log-prob':>9}  greedy     result"


def line(row):
    if row["fault"]:
        return f"{row['case']:<26} {row['fault']}"
    greedy = "identical" if row["greedy_same"] else "DIFFERENT"
    numbers = " ".join(f"{row[k]:9.1e}" for k in ("max", "mean", "logprob_max"))
    return f"{row['case']:<26} {numbers}  {greedy}  {'ok' if row['passed'] else 'FAILED'}"


def receipt(family, rows, avocet):
    """What a family's JSON receipt holds; the Markdown one shows the same."""
    version = subprocess.run([str(avocet), "--version"], capture_output=True, text=True)
    return {
        "family": family,
        "avocet": version.stdout.strip(),
        "versions": rows[0]["versions"],
        "dtype": "float32 on both sides",
        "attention": rows[0]["attention"],
        "command": f"python3 tests/compare/parity.py --family {family}",
        "limit": LIMIT,
        "passed": all(row["passed"] for row in rows),
        "cases": [{k: v for k, v in r.items() if k not in ("versions", "attention")} for r in rows],
    }


def markdown(made):
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    out = [
        f"# {made['family']}: {'passed' if made['passed'] else 'FAILED'}",
        "",
        f"{made['avocet']} against {versions}; {made['dtype']}; reference attention: "
        f"{made['attention']}. Limit {made['limit']:g} on every logit and log-prob, and the same "
        "greedy tokens.",
        "",
        f"    {made['command']}",
        "",
        "| case | largest logit difference | mean | largest log-prob difference | logits' spread |"
        " greedy | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in made["cases"]:
        name = row["case"] + (f" ({row['note']})" if row["note"] else "")
        if row["fault"]:
            fault = row["fault"].replace("|", "\\|").replace("\n", " ")
            out.append(f"| {name} | {fault} | | | | | FAILED |")
            continue
        numbers = " | ".join(f"{row[k]:.1e}" for k in ("max", "mean", "logprob_max"))
        greedy = "identical" if row["greedy_same"] else "different"
        verdict = "ok" if row["passed"] else "FAILED"
        out.append(f"| {name} | {numbers} | {row['spread']:.1f} | {greedy} | {verdict} |")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--avocet", type=Path, default=ROOT / "target/release/avocet")
    parser.add_argument("--family", action="append", default=[])
    parser.add_argument("--case", action="append", default=[])
    parser.add_argument("--write", type=Path)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    avocet = options.avocet.resolve()
    if not avocet.is_file():
        parser.error(f"no binary at {avocet}; build it with cargo build --release -p avocet")
    torch.set_num_threads(1)
    cases = families.chosen(options.family)
    cases = [case for case in cases if not options.case or case.name in options.case]
    if not cases:
        parser.error(f"no case {', '.join(options.case)}")
    by_family = {}
    print(HEADER)
    with tempfile.TemporaryDirectory() as scratch:
        for case in cases:
            folder = (options.keep or Path(scratch)).resolve() / case.name
            folder.mkdir(parents=True, exist_ok=True)
            row = compare_case(avocet, case, folder)
            print(line(row), flush=True)
            by_family.setdefault(case.family, []).append(row)
    if options.write:
        options.write.mkdir(parents=True, exist_ok=True)
        for family, rows in by_family.items():
            made = receipt(family, rows, avocet)
            text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
            (options.write / f"{family}.json").write_text(text)
            (options.write / f"{family}.md").write_text(markdown(made))
    rows = [row for family in by_family.values() for row in family]
    passed = sum(row["passed"] for row in rows)
    print(f"{passed} of {len(rows)} cases within {LIMIT:g} and with identical greedy tokens")
    sys.exit(0 if passed == len(rows) else 1)


if __name__ == "__main__":
    main()
