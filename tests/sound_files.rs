//! The sound of media files: 16 kHz mono, with its times kept.

use std::f64::consts::TAU;
use std::path::Path;

use anyhow::{Result, ensure};
use avocet_media::audio::{self, SAMPLE_RATE_HZ};
use tempfile::TempDir;

use crate::clips::ffmpeg;

const RATE: f64 = SAMPLE_RATE_HZ as f64;

/// Writes what an FFmpeg source makes.
fn make(source: &str, arguments: &str, path: &Path) -> Result<()> {
    ffmpeg(&["-f", "lavfi", "-i"], Path::new(source), arguments, path)
}

/// All samples from zero on, silence where a block starts late.
fn heard(path: &Path) -> Result<Vec<f32>> {
    let mut samples = Vec::new();
    for block in audio::blocks(path)? {
        let block = block?;
        let start = (block.start_s * RATE).round() as usize;
        ensure!(
            start >= samples.len(),
            "blocks overlap at {} s",
            block.start_s
        );
        samples.resize(start, 0.0);
        samples.extend(block.samples);
    }
    Ok(samples)
}

/// When the sound first rises above a tenth of full scale.
fn onset_s(samples: &[f32]) -> f64 {
    samples
        .iter()
        .position(|s| s.abs() > 0.1)
        .unwrap_or(samples.len()) as f64
        / RATE
}

#[test]
fn a_tone_comes_out_as_it_went_in_at_every_rate_and_layout() -> Result<()> {
    let folder = TempDir::new()?;
    for (rate, channels) in [
        (8000, 1),
        (11_025, 2),
        (44_100, 2),
        (48_000, 6),
        (96_000, 1),
    ] {
        let path = folder.path().join(format!("tone-{rate}-{channels}.wav"));
        let tone = vec!["0.5*sin(2*PI*440*t)"; channels].join("|");
        let source = format!("aevalsrc={tone}:s={rate}:d=2");
        make(&source, "-c:a pcm_f32le", &path)?;
        let samples = heard(&path)?;
        ensure!(
            samples.len().abs_diff(32_000) <= 1,
            "{rate}: {} samples",
            samples.len()
        );
        // The ends of a file have no neighbours to be interpolated from.
        for (index, sample) in samples.iter().enumerate().take(31_500).skip(500) {
            let expected = 0.5 * (TAU * 440.0 * index as f64 / RATE).sin();
            // Five of six channels are mixed, as the deep one is left out; all keep their loudness.
            ensure!(
                (f64::from(*sample) - expected).abs() < 4e-3,
                "{rate} Hz, {channels} channels: {sample} instead of {expected} at {index}"
            );
        }
    }
    Ok(())
}

#[test]
fn sound_that_starts_late_or_pauses_keeps_its_times() -> Result<()> {
    let folder = TempDir::new()?;
    // A second of tone after 1.5 s, and another after 4 s, with no packets in between.
    let source = "aevalsrc='0.5*sin(2*PI*440*t)':s=48000:d=2";
    let apart = "-af asetpts=PTS+(1.5+1.5*gte(T\\,1))/TB";
    for (name, codec) in [("late.mkv", "pcm_s16le"), ("late.nut", "pcm_s16le")] {
        let path = folder.path().join(name);
        let arguments = format!("{apart} -copyts -c:a {codec}");
        let video = folder.path().join("sound.mkv");
        make(source, &arguments, &video)?;
        // The picture starts at zero, so the sound is late by its own clock only.
        let picture = "color=size=64x64:rate=25:duration=6";
        let both = format!(
            "-i {} -map 0:v -map 1:a -c:v mpeg4 -c:a copy -copyts",
            video.display()
        );
        make(picture, &both, &path)?;
        let samples = heard(&path)?;
        let second = (3.2 * RATE) as usize;
        let (first_s, second_s) = (onset_s(&samples), 3.2 + onset_s(&samples[second..]));
        ensure!(
            (first_s - 1.5).abs() < 0.03,
            "{name}: first tone at {first_s} s"
        );
        ensure!(
            (second_s - 4.0).abs() < 0.03,
            "{name}: second tone at {second_s} s"
        );
        let pause = &samples[(2.6 * RATE) as usize..(3.9 * RATE) as usize];
        ensure!(
            pause.iter().all(|s| s.abs() < 1e-3),
            "{name}: the pause is not silent"
        );
    }
    Ok(())
}

#[test]
fn priming_that_a_codec_adds_is_not_heard() -> Result<()> {
    let folder = TempDir::new()?;
    // A click after exactly one second.
    let source = "aevalsrc='if(between(t,1,1.01),0.9,0)':s=48000:d=2";
    for (name, codec) in [
        ("click.m4a", "aac"),
        ("click.mp3", "mp3"),
        ("click.ogg", "libopus"),
    ] {
        let path = folder.path().join(name);
        make(source, &format!("-c:a {codec} -b:a 128k"), &path)?;
        let at_s = onset_s(&heard(&path)?);
        ensure!(
            (at_s - 1.0).abs() < 0.005,
            "{name}: the click is at {at_s} s"
        );
    }
    Ok(())
}
