"""Frames a second: the worker against PyAV and the ffmpeg command, on the same file in one run.

    cargo build --release -p avocet && cargo build --release -p avocet-media --example frames
    pip install av numpy
    python3 tests/compare/frames.py [VIDEO]

Every way ends with RGB bytes in the process that asked. `all` decodes the whole file; `seek` asks for
N times in random order, each answered by the last frame no later than the time. Ways take turns,
and the median of five runs counts.
"""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def ours(frames, what, video, times=()):
    command = [frames, what, video, "4096", *[f"{t:.6f}" for t in times]]
    count, seconds, _ = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(count), float(seconds)


def pyav_all(video):
    start, count = time.perf_counter(), 0
    with av.open(video) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            frame.to_ndarray(format="rgb24")
            count += 1
    return count, time.perf_counter() - start


def pyav_seek(video, times):
    start, count = time.perf_counter(), 0
    with av.open(video) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for wanted in times:
            container.seek(int(wanted / stream.time_base), stream=stream)
            shown = None
            for frame in container.decode(stream):
                if frame.time > wanted and shown is not None:
                    break
                shown = frame
            shown.to_ndarray(format="rgb24")
            count += 1
    return count, time.perf_counter() - start


def read_raw(command, size):
    count = 0
    buffer = bytearray(size)
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
        view, filled = memoryview(buffer), 0
        while got := process.stdout.readinto(view[filled:]):
            filled += got
            if filled == size:
                np.frombuffer(buffer, np.uint8)[::4096].sum()
                count, filled = count + 1, 0
    return count


def cli(video, size, times=None):
    quiet = ["ffmpeg", "-v", "error", "-nostdin"]
    raw = ["-i", video, "-an", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    start = time.perf_counter()
    if times is None:
        count = read_raw([*quiet, *raw, "-fps_mode", "passthrough", "-"], size)
    else:
        count = sum(read_raw([*quiet, "-ss", f"{t:.6f}", *raw, "-frames:v", "1", "-"], size) for t in times)
    return count, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", nargs="?")
    parser.add_argument("--target", default=str(ROOT / "target/release"), help="folder of the built binaries")
    parser.add_argument("--seeks", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    frames = str(Path(arguments.target) / "examples/frames")
    with tempfile.TemporaryDirectory() as folder:
        video = arguments.video
        if video is None:
            video = f"{folder}/made.mp4"
            source = "testsrc2=size=1280x720:rate=30:duration=20,noise=alls=8:allf=t"
            subprocess.run(
                ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p",
                 "-c:v", "libx264", "-preset", "veryfast", "-g", "60", video], check=True)
        with av.open(video) as container:
            stream = container.streams.video[0]
            size = 3 * stream.width * stream.height
            length_s = float(container.duration / av.time_base)
        draw = random.Random(7)
        times = [draw.uniform(0, length_s - 0.5) for _ in range(arguments.seeks)]
        ways = {
            ("all", "ours"): lambda: ours(frames, "scan", video),
            ("all", "PyAV"): lambda: pyav_all(video),
            ("all", "ffmpeg"): lambda: cli(video, size),
            ("seek", "ours"): lambda: ours(frames, "at", video, times),
            ("seek", "PyAV"): lambda: pyav_seek(video, times),
            ("seek", "ffmpeg"): lambda: cli(video, size, times),
        }
        rates = {way: [] for way in ways}
        for _ in range(arguments.rounds):
            for way, run in ways.items():
                count, seconds = run()
                rates[way].append(count / seconds)
    for what in ("all", "seek"):
        mine = statistics.median(rates[what, "ours"])
        print(f"{what:5} ours {mine:8.1f} frames/s")
        for peer in ("PyAV", "ffmpeg"):
            theirs = statistics.median(rates[what, peer])
            print(f"{what:5} {peer:6} {theirs:6.1f} frames/s, ours {mine / theirs:.2f} x")


if __name__ == "__main__":
    sys.exit(main())
