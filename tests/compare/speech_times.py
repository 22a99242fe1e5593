"""How far off the times of `avocet transcribe` are, on speech whose times are known.

    apt-get install espeak-ng ffmpeg
    apt-get download pocketsphinx-testdata && dpkg-deb -x pocketsphinx-testdata_*.deb DATA
    python3 tests/compare/speech_times.py --data DATA --avocet target/release/avocet

Two kinds of speech. espeak-ng says where each of its words begins, so words are compared; it reads
three texts in as many voices. LibriVox's five clips have no times of words: where each begins to
sound is known, so segments are compared. Both are joined with pauses of 0.5 to 20 s, bare, with
half a minute of noise before the first word, and with noise throughout (hum, hiss and pink noise
of amplitudes 0.003 to 0.03).

Words are matched with those that were said as difflib does, so that what was misheard counts for
nothing. A segment is off by what its first word is, if that is the word that was said first in it.
A caption is over a pause if it is shown in the middle of a pause of a second or more.
"""

import argparse
import array
import ctypes
import difflib
import functools
import json
import math
import random
import re
import statistics
import subprocess
import tempfile
import wave
from pathlib import Path

from transcribe import clips

RATE = 16000
PAUSES_S = [0.5, 1.3, 5.0, 0.8, 20.0, 2.5, 0.4, 9.0]
TEXTS = [
    "The old man walked slowly along the river every morning. He carried a small brown bag with "
    "bread for the ducks. Nobody in the village knew where he had come from. Some people said that "
    "he had been a sailor. Others thought he had worked in a bank for many years.",
    "We will now look at the second part of the machine. Please open the lid and remove the filter. "
    "Wash it with warm water and let it dry for an hour. Do not use soap or any kind of oil. When "
    "it is dry, put the filter back and close the lid.",
    "Last summer my sister bought a house near the coast. The garden was full of weeds and the roof "
    "leaked. After three months of hard work everything looked beautiful. Now she grows tomatoes, "
    "beans and apples behind the kitchen. On Sundays we sit outside and drink tea together.",
]
VOICES = [("en-us", 160, 50), ("en-gb", 175, 40), ("en-us+f3", 150, 60)]
NOISES = [("hum", 0.003), ("hiss", 0.003), ("pink", 0.01), ("hum", 0.03), ("hiss", 0.03),
          ("pink", 0.03)]


class Event(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("unique", ctypes.c_uint), ("text_position", ctypes.c_int),
                ("length", ctypes.c_int), ("audio_position", ctypes.c_int),
                ("sample", ctypes.c_int), ("user", ctypes.c_void_p), ("id", ctypes.c_char * 8)]


class Espeak:
    """espeak-ng's library, which tells when it begins each word."""

    def __init__(self):
        self.lib = ctypes.CDLL("libespeak-ng.so.1")
        self.rate = self.lib.espeak_Initialize(1, 0, None, 0)

    def say(self, text, voice, words_a_minute, pitch):
        """Samples, and the words with their starts in seconds."""
        sound, words = array.array("h"), []
        callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int,
                                    ctypes.POINTER(Event))

        def take(samples, count, events):
            if samples and count:
                sound.extend(samples[:count])
            at = 0
            while events[at].type != 0:
                if events[at].type == 1:
                    first = events[at].text_position - 1
                    word = text[first:first + events[at].length]
                    words.append((events[at].audio_position / 1000, word))
                at += 1
            return 0

        kept = callback(take)
        self.lib.espeak_SetSynthCallback(kept)
        self.lib.espeak_SetVoiceByName(voice.encode())
        self.lib.espeak_SetParameter(1, words_a_minute, 0)
        self.lib.espeak_SetParameter(3, pitch, 0)
        data = text.encode()
        self.lib.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1, None, None)
        self.lib.espeak_Synchronize()
        return resampled(sound.tobytes(), self.rate), words


def resampled(data, rate):
    command = ["ffmpeg", "-v", "error", "-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", "-",
               "-f", "f32le", "-ar", str(RATE), "-"]
    floats = array.array("f")
    floats.frombytes(subprocess.run(command, input=data, capture_output=True, check=True).stdout)
    return floats.tolist()


@functools.cache
def unit_noise(kind):
    """The loudest noise of a kind, a minute and a half of it."""
    if kind == "hum":
        period = [sum(math.sin(2 * math.pi * 60 * k * i / RATE + k) / k for k in range(1, 20)) / 1.9
                  for i in range(RATE // 20)]
        return period * (90 * 20)
    generator = random.Random(1)
    low = middle = high = 0.0
    out = []
    for _ in range(90 * RATE):
        white = generator.uniform(-1, 1)
        low = 0.99765 * low + white * 0.099
        middle = 0.963 * middle + white * 0.2965
        high = 0.57 * high + white * 1.0526
        out.append(white if kind == "hiss" else (low + middle + high + white * 0.1848) / 3.5)
    return out


def noisy(sound, kind, amplitude, seconds):
    """The sound with noise in its first `seconds`."""
    count = int(seconds * RATE)
    added = [a + amplitude * b for a, b in zip(sound[:count], unit_noise(kind))]
    return added + sound[len(added):]


def trimmed(sound):
    """The sound without the silence around it, and how much of that there was before it, in s."""
    hop = RATE // 100
    power = [sum(x * x for x in sound[i:i + hop]) for i in range(0, len(sound) - hop, hop)]
    needed = max(power) * 1e-3
    loud = [i for i, value in enumerate(power) if value > needed]
    first, last = loud[0] * hop, (loud[-1] + 1) * hop
    return sound[first:last], first / RATE


def joined(parts, lead_s, first_pause):
    """Parts with pauses between them: the sound, its words or starts, and the pauses."""
    sound, words, pauses = [0.0] * int(lead_s * RATE), [], []
    for index, (part, said) in enumerate(parts):
        if index:
            begin = len(sound) / RATE
            sound += [0.0] * int(PAUSES_S[(index - 1 + first_pause) % len(PAUSES_S)] * RATE)
            pauses.append((begin, len(sound) / RATE))
        offset = len(sound) / RATE
        words += [(offset + at if at is not None else None, word) for at, word in said]
        sound += part
    return sound + [0.0] * RATE, words, pauses


def spoken(espeak):
    for text, voice in zip(TEXTS, VOICES):
        parts = []
        for sentence in re.findall(r"[^.]+\.", text):
            sound, words = espeak.say(sentence.strip(), *voice)
            sound, before_s = trimmed(sound)
            loudest = max(map(abs, sound))
            parts.append(([x / loudest * 0.5 for x in sound],
                          [(max(0.0, at - before_s), word) for at, word in words]))
        yield f"espeak {voice[0]}", parts


def read_aloud(data):
    parts = []
    for path, text in clips(data):
        with wave.open(str(path)) as clip:
            sound = resampled(clip.readframes(clip.getnframes()), clip.getframerate())
        sound, _ = trimmed(sound)
        # Only where the first word begins is known.
        words = [(0.0 if index == 0 else None, word) for index, word in enumerate(text.split())]
        parts.append((sound, words))
    return parts


def cases(data):
    """Name, sound, words with starts where they are known, and pauses."""
    sources = list(spoken(Espeak()))
    if data:
        sources.append(("librivox", read_aloud(data)))
    for number, (name, parts) in enumerate(sources):
        yield f"{name}, pauses", *joined(parts, 0.7, 3 * number)
        for which, (kind, amplitude) in enumerate(NOISES):
            if name != "librivox" and which % 3 != number % 3:
                continue
            sound, words, pauses = joined(parts, 30.0, 3 * number)
            for how, seconds in [("before", 30.0), ("throughout", 90.0)]:
                yield (f"{name}, {kind} {amplitude} {how}",
                       noisy(sound, kind, amplitude, seconds), words, pauses)


def written(sound, path):
    data = array.array("h", (max(-32768, min(32767, round(x * 32767))) for x in sound))
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(data.tobytes())


def bare(word):
    return re.sub(r"[^\w']", "", word.lower())


def seconds(stamp):
    hours, minutes, rest = stamp.replace(",", ".").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def off(transcript, words):
    """Errors of the starts of words, and of segments, in seconds; and how many words matched."""
    heard = [(word["start_s"], bare(word["word"]), first)
             for segment in transcript["segments"]
             for first, word in ((i == 0 and segment["start_s"], w)
                                 for i, w in enumerate(segment["words"]))]
    matcher = difflib.SequenceMatcher(None, [bare(word) for _, word in words],
                                      [word for _, word, _ in heard], autojunk=False)
    of_words, of_segments, matched = [], [], 0
    for said_at, heard_at, count in matcher.get_matching_blocks():
        for said, (start_s, word, first) in zip(words[said_at:said_at + count],
                                                heard[heard_at:heard_at + count]):
            matched += 1
            if said[0] is None:
                continue
            of_words.append((start_s - said[0], word, round(said[0], 2)))
            if first is not False:
                of_segments.append((first - said[0], word, round(said[0], 2)))
    return of_words, of_segments, matched


def over_pauses(srt, pauses):
    spans = [(seconds(a), seconds(b)) for a, b in re.findall(r"(\S+) --> (\S+)", srt)]
    long = [(begin, end) for begin, end in pauses if end - begin >= 1.0]
    return sum(start <= (begin + end) / 2 < stop for begin, end in long for start, stop in spans)


def figures(errors):
    sizes = sorted(abs(error) for error, *_ in errors)
    if not sizes:
        return {}
    worst = max(errors, key=lambda error: abs(error[0]))
    return {"median_s": round(statistics.median(sizes), 3),
            "p90_s": round(sizes[int(len(sizes) * 0.9)], 3),
            "bias_s": round(statistics.median(error for error, *_ in errors), 3),
            "worst_s": round(worst[0], 2), "worst": list(worst[1:]), "count": len(sizes)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="where pocketsphinx-testdata was unpacked")
    parser.add_argument("--avocet", default="target/release/avocet")
    parser.add_argument("--models", nargs="+", default=["tiny.en", "base"])
    parser.add_argument("--threads", default="2")
    parser.add_argument("--keep", help="keep the files in this folder")
    args = parser.parse_args()
    made = list(cases(args.data))
    for model in args.models:
        all_words, all_segments, captions, said = {}, {}, 0, [0, 0]
        with tempfile.TemporaryDirectory() as folder:
            for number, (name, sound, words, pauses) in enumerate(made):
                media = Path(args.keep or folder) / f"{number:02}.wav"
                written(sound, media)
                command = [args.avocet, "transcribe", str(media), "--whisper", model, "--language",
                           "en", "--threads", args.threads, "--format", "json,srt", "-o", folder]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(done.stderr)
                out = Path(folder) / media.stem
                transcript = json.loads(out.with_suffix(".json").read_text())
                of_words, of_segments, matched = off(transcript, words)
                over = over_pauses(out.with_suffix(".srt").read_text(), pauses)
                captions += over
                said[0] += matched
                said[1] += len(words)
                kind = "librivox" if name.startswith("librivox") else "espeak"
                all_words.setdefault(kind, []).extend(of_words)
                all_segments.setdefault(kind, []).extend(of_segments)
                print(json.dumps({"model": model, "case": name, "words": figures(of_words),
                                  "segments": figures(of_segments), "matched": matched,
                                  "said": len(words), "captions_over_pauses": over}), flush=True)
        for kind in all_words:
            print(json.dumps({"model": model, "all": kind, "words": figures(all_words[kind]),
                              "segments": figures(all_segments[kind])}))
        print(json.dumps({"model": model, "matched": said[0], "said": said[1],
                          "captions_over_pauses": captions}), flush=True)


if __name__ == "__main__":
    main()
