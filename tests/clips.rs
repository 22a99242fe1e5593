//! Small videos in many containers and codecs, whose frames show their own number.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use avocet_media::Picture;

/// Frames of every clip, before edit lists cut some.
pub const NUM_FRAMES: usize = 120;

/// Bits of the number that a frame shows.
const NUM_BITS: usize = 7;

/// One way to write a video.
pub struct Clip {
    /// File name.
    pub name: &'static str,
    /// What FFmpeg is told after the inputs.
    pub arguments: &'static str,
    /// Stored size.
    pub size: (usize, usize),
    /// Whether a tone is added.
    pub sound: bool,
    /// What is done to the written file.
    pub after: After,
}

/// What is done to a clip after FFmpeg has written it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// The display matrix says a quarter turn clockwise, as phones write it.
    Turn,
    /// The index is cut off, as when a recording is interrupted.
    CutIndex,
    /// The first second and a half is cut without encoding again, which leaves an edit list.
    CutStart,
}

const fn clip(name: &'static str, arguments: &'static str) -> Clip {
    Clip {
        name,
        arguments,
        size: (256, 144),
        sound: true,
        after: After::Nothing,
    }
}

/// Every container and every way of ordering frames that seeking has to get right.
pub const CLIPS: &[Clip] = &[
    clip(
        "b-frames.mp4",
        "-c:v libx264 -preset veryfast -bf 3 -g 30 -c:a aac",
    ),
    clip("open-gop.ts", "-c:v mpeg2video -bf 2 -g 12 -q:v 3 -c:a mp2"),
    clip(
        "open-gop-h264.ts",
        "-c:v libx264 -preset veryfast -bf 3 -x264-params open-gop=1:keyint=25 -c:a aac",
    ),
    Clip {
        sound: false,
        ..clip(
            "variable-rate.mkv",
            "-vf settb=1/1000,setpts=40*N+13*mod(N\\,3)+500*gte(N\\,60) -fps_mode passthrough -enc_time_base 1:1000 \
             -c:v libx264 -preset veryfast -g 20",
        )
    },
    clip(
        "vp9.webm",
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 40 -c:a libopus",
    ),
    clip(
        "vp8.webm",
        "-c:v libvpx -deadline realtime -cpu-used 8 -g 40 -auto-alt-ref 1 -lag-in-frames 8 \
         -c:a libvorbis",
    ),
    Clip {
        after: After::CutIndex,
        ..clip("no-index.avi", "-c:v mpeg4 -bf 2 -g 20 -q:v 3 -c:a mp2")
    },
    Clip {
        after: After::Turn,
        ..clip("turned.mov", "-c:v libx264 -preset veryfast -g 30 -c:a aac")
    },
    Clip {
        size: (321, 179),
        sound: false,
        ..clip(
            "odd-size.mkv",
            "-c:v libx264 -preset veryfast -g 30 -pix_fmt yuv444p",
        )
    },
    clip(
        "fragmented.mp4",
        "-c:v libx264 -preset veryfast -g 25 -movflags frag_keyframe+empty_moov -c:a aac",
    ),
    clip("flash.flv", "-c:v flv -g 25 -q:v 3 -c:a mp3 -ar 44100"),
    Clip {
        sound: false,
        ..clip("raw.h264", "-c:v libx264 -preset veryfast -bf 3 -g 30")
    },
    clip(
        "ten-bit.mp4",
        "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le \
         -x265-params log-level=none:open-gop=1:keyint=25 -c:a aac",
    ),
    Clip {
        after: After::CutStart,
        ..clip(
            "edit-list.mp4",
            "-c:v libx264 -preset veryfast -bf 2 -g 25 -c:a aac",
        )
    },
    clip(
        "programme.mpg",
        "-c:v mpeg2video -bf 2 -g 15 -q:v 3 -c:a mp2",
    ),
    clip("theora.ogv", "-c:v libtheora -q:v 7 -g 20 -c:a libvorbis"),
    Clip {
        sound: false,
        ..clip(
            "refresh.ts",
            "-c:v libx264 -preset veryfast -bf 0 -x264-params intra-refresh=1:keyint=25",
        )
    },
    clip(
        "anamorphic.mkv",
        "-c:v libx264 -preset veryfast -g 25 -vf setsar=4/3 -c:a aac",
    ),
];

/// Writes `clip` into `folder`.
pub fn make(folder: &Path, clip: &Clip) -> Result<PathBuf> {
    let path = folder.join(clip.name);
    let (width, height) = clip.size;
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo"]);
    command.args(["-pix_fmt", "rgb24", "-r", "25"]);
    command.args(["-s", &format!("{width}x{height}"), "-i", "-"]);
    if clip.sound {
        let seconds = NUM_FRAMES as f64 / 25.0;
        let tone = format!("sine=frequency=440:sample_rate=48000:duration={seconds}");
        command.args(["-f", "lavfi", "-i", &tone]);
    }
    if !clip.arguments.contains("pix_fmt") {
        command.args(["-pix_fmt", "yuv420p"]);
    }
    command.args(clip.arguments.split_whitespace());
    command
        .args(["-threads", "2"])
        .arg(&path)
        .stdin(Stdio::piped());
    let mut process = command
        .spawn()
        .context("these tests need the ffmpeg command")?;
    let mut input = process.stdin.take().context("stdin is piped")?;
    for number in 0..NUM_FRAMES {
        input.write_all(&drawn(number, width, height))?;
    }
    drop(input);
    ensure!(process.wait()?.success(), "{} was not written", clip.name);
    match clip.after {
        After::Nothing => {}
        After::Turn => turn(&path)?,
        After::CutIndex => {
            let bytes = std::fs::read(&path)?;
            let at = find(&bytes, b"idx1").context("an index to cut")?;
            std::fs::write(&path, &bytes[..at])?;
        }
        After::CutStart => {
            let whole = folder.join(format!("whole-{}", clip.name));
            std::fs::rename(&path, &whole)?;
            ffmpeg(&["-ss", "1.5", "-i"], &whole, "-c copy", &path)?;
        }
    }
    Ok(path)
}

/// Runs the `ffmpeg` command from one file to another.
pub fn ffmpeg(before: &[&str], input: &Path, arguments: &str, output: &Path) -> Result<()> {
    let status = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-y"])
        .args(before)
        .arg(input)
        .args(arguments.split_whitespace())
        .arg(output)
        .stdin(Stdio::null())
        .status()
        .context("these tests need the ffmpeg command")?;
    ensure!(status.success(), "{} was not written", output.display());
    Ok(())
}

fn find(bytes: &[u8], name: &[u8]) -> Option<usize> {
    bytes.windows(name.len()).position(|window| window == name)
}

/// Writes the matrix of a quarter turn clockwise into the first track's header.
fn turn(path: &Path) -> Result<()> {
    let mut bytes = std::fs::read(path)?;
    let plain = [0x0001_0000_u32, 0, 0, 0, 0x0001_0000]
        .map(u32::to_be_bytes)
        .concat();
    let turned = [0_u32, 0x0001_0000, 0, 0xffff_0000, 0]
        .map(u32::to_be_bytes)
        .concat();
    let track = find(&bytes, b"tkhd").context("a track header")?;
    let at = track + find(&bytes[track..], &plain).context("a matrix")?;
    bytes[at..at + turned.len()].copy_from_slice(&turned);
    Ok(std::fs::write(path, bytes)?)
}

/// A moving pattern under a row of black and white fields that spell the number.
fn drawn(number: usize, width: usize, height: usize) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            if y < height / 4 {
                let bit = x * NUM_BITS / width;
                rgb.extend([if number >> bit & 1 == 1 { 235 } else { 20 }; 3]);
            } else {
                let wave = |k: usize| (k % 64 * 3 + 32) as u8;
                rgb.extend([wave(x + 3 * number), wave(y + 2 * number), wave(x + y)]);
            }
        }
    }
    rgb
}

/// The number that a frame shows; `turned` if the clip was turned clockwise.
pub fn number_in(picture: &Picture, turned: bool) -> usize {
    (0..NUM_BITS)
        .map(|bit| {
            let along = (2 * bit + 1) as f64 / (2 * NUM_BITS) as f64;
            let (x, y) = match turned {
                false => (along * picture.width as f64, picture.height as f64 / 8.0),
                true => (
                    picture.width as f64 * 7.0 / 8.0,
                    along * picture.height as f64,
                ),
            };
            let at = 3 * (y as usize * picture.width + x as usize) + 1;
            usize::from(picture.rgb[at] > 128) << bit
        })
        .sum()
}
