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
    for block in audio::blocks(path, None)? {
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

#[test]
fn channels_that_cancel_each_other_are_heard() -> Result<()> {
    let folder = TempDir::new()?;
    let (tone, over) = ("0.5*sin(2*PI*440*t)", "-0.5*sin(2*PI*440*t)");
    let center = "0*t";
    let sounds = [
        ("flac", "flac", format!("{tone}|{over}:s=44100")),
        ("mp3", "libmp3lame", format!("{tone}|0.8*{over}:s=48000")),
        ("m4a", "aac", format!("{tone}|{over}:s=48000")),
        ("wav", "pcm_s16le", format!("{tone}|{over}:s=16000")),
        (
            "mkv",
            "pcm_s16le",
            format!("{tone}|{over}|{center}|{center}|{center}|{center}:s=48000"),
        ),
    ];
    for (name, codec, source) in sounds {
        let path = folder.path().join(format!("over.{name}"));
        let source = format!("aevalsrc={source}:d=2");
        make(&source, &format!("-c:a {codec}"), &path)?;
        let samples = heard(&path)?;
        let middle = &samples[8000..24_000];
        let power: f32 = middle.iter().map(|s| s * s).sum::<f32>() / middle.len() as f32;
        // That of the tone, or of what is left of it where six channels share one.
        ensure!(power > 0.02, "{name}: a power of {power}");
    }
    Ok(())
}

/// Writes a Matroska file of tones, one a track, each with its flags and tags.
fn tracks(tones_hz: &[u32], arguments: &str, path: &Path) -> Result<()> {
    let mut inputs = String::new();
    for (index, hz) in tones_hz.iter().enumerate() {
        if index > 0 {
            inputs.push_str(" -f lavfi -i ");
            inputs.push_str(&format!("sine=frequency={hz}:sample_rate=16000:duration=2"));
        }
    }
    for index in 0..tones_hz.len() {
        inputs.push_str(&format!(" -map {index}:a"));
    }
    let first = format!(
        "sine=frequency={}:sample_rate=16000:duration=2",
        tones_hz[0]
    );
    make(
        &first,
        &format!("{inputs} -c:a pcm_s16le {arguments}"),
        path,
    )
}

/// How often a second what is heard of a track goes from below zero to above it.
fn pitch_hz(path: &Path, track: Option<u32>) -> Result<f64> {
    let mut samples = Vec::new();
    for block in audio::blocks(path, track)? {
        samples.extend(block?.samples);
    }
    let rises = samples
        .windows(2)
        .filter(|two| two[0] < 0.0 && two[1] >= 0.0);
    Ok(rises.count() as f64 / (samples.len() as f64 / RATE))
}

#[test]
fn the_default_track_is_heard_and_another_can_be_asked_for() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("tracks.mkv");
    let cases = [
        // The container's default counts, wherever it stands.
        (
            "-disposition:a:0 comment -disposition:a:1 default -disposition:a:2 0",
            600.0,
        ),
        (
            "-disposition:a:0 0 -disposition:a:1 0 -disposition:a:2 default",
            900.0,
        ),
        (
            "-disposition:a:0 comment -disposition:a:1 0 -disposition:a:2 default+comment",
            900.0,
        ),
        // Where all are or none is, what is meant for few comes last.
        (
            "-disposition:a:0 default+comment -disposition:a:1 default -disposition:a:2 default",
            600.0,
        ),
        (
            "-disposition:a:0 visual_impaired -disposition:a:1 comment -disposition:a:2 0",
            900.0,
        ),
    ];
    for (flags, expected_hz) in cases {
        tracks(&[300, 600, 900], flags, &path)?;
        let hz = pitch_hz(&path, None)?;
        ensure!((hz - expected_hz).abs() < 5.0, "{flags}: {hz}");
        for (track, asked_hz) in [(1, 300.0), (2, 600.0), (3, 900.0)] {
            let hz = pitch_hz(&path, Some(track))?;
            ensure!((hz - asked_hz).abs() < 5.0, "{flags}, track {track}: {hz}");
        }
    }
    for track in [0, 4, u32::MAX] {
        let missing = audio::blocks(&path, Some(track))?.next();
        let refused = missing.map(|block| block.err().map(|error| error.to_string()));
        let refused = refused.flatten().unwrap_or_default();
        ensure!(refused.contains("has 3 sound tracks"), "{track}: {refused}");
    }
    Ok(())
}

#[test]
fn tracks_say_their_number_language_and_title() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("tracks.mkv");
    let tags = "-metadata:s:a:0 language=ger -metadata:s:a:1 language=eng \
                -metadata:s:a:1 title=Main -disposition:a:0 0 -disposition:a:1 default";
    tracks(&[300, 600], tags, &path)?;
    let info = avocet_media::video::probe(&path)?;
    let about: Vec<_> = (info.audio_tracks.iter())
        .map(|a| (a.track, a.language.as_deref(), a.title.as_deref()))
        .collect();
    assert_eq!(
        about,
        [(1, Some("ger"), None), (2, Some("eng"), Some("Main"))]
    );
    assert_eq!(info.audio.as_ref(), info.audio_tracks.get(1));
    Ok(())
}
