//! Video files through the worker: exact frames at exact times, in every container.

use anyhow::{Context, Result, ensure};
use avocet_media::audio;
use avocet_media::video::{self, Frame};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::clips::{self, After, CLIPS, Clip, NUM_FRAMES};

/// Large enough that no clip is scaled.
const MAX_SIDE: u32 = 4096;

/// Times asked for over all clips.
fn num_times() -> usize {
    let asked = std::env::var("AVOCET_VIDEO_TIMES").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(500)
}

/// What a full decode shows at `time_s`.
fn shown_at(frames: &[Frame], time_s: f64) -> &Frame {
    let after = frames.partition_point(|frame| frame.time_s <= time_s + 1e-6);
    &frames[after.saturating_sub(1)]
}

/// Times of every kind: anywhere, exactly at a frame, just before one, outside the file. The first
/// are in no order, the rest ascends.
fn times(frames: &[Frame], count: usize, random: &mut ChaCha8Rng) -> Vec<f64> {
    let end_s = frames.last().map_or(0.0, |frame| frame.time_s);
    let mut times: Vec<f64> = (0..count)
        .map(|index| {
            let frame = &frames[random.random_range(0..frames.len())];
            match index % 8 {
                0 => frame.time_s,
                1 => frame.time_s - 2e-4,
                2 if index < 8 => -1.0,
                3 if index < 8 => end_s + 100.0,
                _ => random.random_range(-0.1..end_s + 0.2),
            }
        })
        .collect();
    times.shuffle(random);
    let jumping = count / 4;
    times[jumping..].sort_by(f64::total_cmp);
    times
}

/// Decodes a clip in full and checks that it is what was drawn.
fn full_decode(clip: &Clip, path: &std::path::Path) -> Result<Vec<Frame>> {
    let frames: Vec<Frame> = video::scan(path, MAX_SIDE)?.collect::<Result<_, _>>()?;
    let turned = clip.after == After::Turn;
    let numbers: Vec<usize> = frames
        .iter()
        .map(|frame| clips::number_in(&frame.picture, turned))
        .collect();
    let first = *numbers.first().context("frames")?;
    ensure!(
        numbers.iter().copied().eq(first..NUM_FRAMES),
        "{}: frames {numbers:?}",
        clip.name
    );
    // An edit list begins in the middle; intra refresh shows nothing until the picture is whole.
    let late = clip.after == After::CutStart || clip.name == "refresh.ts";
    ensure!(late || first == 0, "{}: begins with {first}", clip.name);
    let told = video::probe(path)?.video.context("a video stream")?;
    let size = (told.width as usize, told.height as usize);
    for Frame { picture, .. } in &frames {
        ensure!(
            (picture.width, picture.height) == size,
            "{}: not {size:?}",
            clip.name
        );
    }
    Ok(frames)
}

#[test]
fn a_time_gives_exactly_the_frame_that_a_full_decode_shows() -> Result<()> {
    let folder = TempDir::new()?;
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let each = num_times().div_ceil(CLIPS.len());
    let mut wrong = Vec::new();
    for clip in CLIPS {
        let path = clips::make(folder.path(), clip)?;
        let frames = match full_decode(clip, &path) {
            Ok(frames) => frames,
            Err(error) => {
                wrong.push(format!("{error:#}"));
                continue;
            }
        };
        let times = times(&frames, each, &mut random);
        let given: Vec<Frame> = video::frames_at(&path, &times, MAX_SIDE)?
            .collect::<Result<_, _>>()
            .with_context(|| clip.name)?;
        ensure!(
            given.len() == times.len(),
            "{}: {} frames",
            clip.name,
            given.len()
        );
        for (time_s, frame) in times.iter().zip(&given) {
            let expected = shown_at(&frames, *time_s);
            if frame != expected {
                let turned = clip.after == After::Turn;
                wrong.push(format!(
                    "{} at {time_s}: frame {} of {} s instead of {} of {} s",
                    clip.name,
                    clips::number_in(&frame.picture, turned),
                    frame.time_s,
                    clips::number_in(&expected.picture, turned),
                    expected.time_s,
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    Ok(())
}

/// The most memory that a process has used so far.
fn peak_mib(process: Option<u32>) -> Result<f64> {
    let process = process.context("the worker still runs")?;
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .context("VmHWM")?;
    let kib = line.split_whitespace().nth(1).context("a number")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

#[test]
fn memory_does_not_grow_with_the_length_of_the_file() -> Result<()> {
    // A minute is written, and repeated for two hours.
    let seconds = 7200;
    let folder = TempDir::new()?;
    let minute = folder.path().join("minute.mp4");
    let sound = "sine=sample_rate=16000:duration=60";
    let arguments = format!(
        "-f lavfi -i {sound} -pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 20 -c:a aac"
    );
    let picture = "color=size=1280x720:rate=2:duration=60";
    clips::ffmpeg(
        &["-f", "lavfi", "-i"],
        picture.as_ref(),
        &arguments,
        &minute,
    )?;
    let path = folder.path().join("long.mp4");
    clips::ffmpeg(&["-stream_loop", "119", "-i"], &minute, "-c copy", &path)?;

    let times: Vec<f64> = (0..60)
        .map(|i| (i * 37 % 60) as f64 * seconds as f64 / 60.0)
        .collect();
    let mut frames = video::frames_at(&path, &times, MAX_SIDE)?;
    let mut peak_frames = 0.0;
    let mut count = 0;
    while let Some(frame) = frames.next() {
        let frame = frame?;
        ensure!(
            (frame.time_s - times[count]).abs() < 0.6,
            "{} s",
            frame.time_s
        );
        count += 1;
        if count == times.len() {
            peak_frames = peak_mib(frames.worker_id())?;
        }
    }
    let mut blocks = audio::blocks(&path, None)?;
    let (mut peak_sound, mut heard) = (0.0, 0);
    while let Some(block) = blocks.next() {
        heard += block?.samples.len();
        if heard / 160_000 != (heard - 1) / 160_000 {
            peak_sound = peak_mib(blocks.worker_id())?;
        }
    }
    // Every repetition adds what the last frame of sound is longer than the picture.
    ensure!(
        heard.abs_diff(seconds * 16_000) < 120 * 2_000,
        "{heard} samples"
    );
    println!("{seconds} s: frames {peak_frames:.0} MiB, sound {peak_sound:.0} MiB at the peak");
    assert!(
        peak_frames > 0.0 && peak_frames < 256.0,
        "frames: {peak_frames} MiB"
    );
    assert!(
        peak_sound > 0.0 && peak_sound < 256.0,
        "sound: {peak_sound} MiB"
    );
    Ok(())
}

#[test]
fn frames_are_upright_with_square_pixels_and_no_larger_than_asked() -> Result<()> {
    let folder = TempDir::new()?;
    for (name, whole, small) in [
        ("turned.mov", (144, 256), (36, 64)),
        ("anamorphic.mkv", (341, 144), (64, 27)),
        ("odd-size.mkv", (321, 179), (64, 36)),
    ] {
        let clip = CLIPS
            .iter()
            .find(|clip| clip.name == name)
            .context("a clip")?;
        let path = clips::make(folder.path(), clip)?;
        for (max_side, size) in [(MAX_SIDE, whole), (64, small)] {
            let frame = video::frames_at(&path, &[1.03], max_side)?
                .next()
                .context("a frame")??;
            let picture = frame.picture;
            ensure!(
                (picture.width, picture.height) == size,
                "{name}: {}",
                picture.width
            );
            let turned = clip.after == After::Turn;
            let number = clips::number_in(&picture, turned);
            ensure!(
                number == 25,
                "{name} at {max_side}: {number} of {} s",
                frame.time_s
            );
        }
    }
    let info = video::probe(&folder.path().join("turned.mov"))?;
    ensure!(info.video.is_some_and(|video| video.rotation_degrees == 90));
    ensure!(info.duration_s.is_some_and(|s| (s - 4.8).abs() < 0.05));
    ensure!(
        info.audio
            .is_some_and(|audio| audio.sample_rate_hz == 48_000)
    );
    Ok(())
}
