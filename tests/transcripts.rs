//! What `avocet transcribe` does where nothing is said, and how it refuses.

use std::path::{Path, PathBuf};

use anyhow::Result;
use avocet_video::speech::{TranscribeOptions, transcribe};
use avocet_video::whisper_model::WhisperModel;
use tempfile::tempdir;

use crate::clips::ffmpeg;
use crate::command::{fails, offline, stderr};

/// A sound file of 16-bit samples.
fn wav(path: &Path, samples: &[i16]) -> Result<PathBuf> {
    let bytes = samples.len() as u32 * 2;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    for half in [1u16, 1] {
        file.extend(half.to_le_bytes());
    }
    for whole in [16_000u32, 32_000] {
        file.extend(whole.to_le_bytes());
    }
    for half in [2u16, 16] {
        file.extend(half.to_le_bytes());
    }
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    std::fs::write(path, file)?;
    Ok(path.to_owned())
}

/// The model is not there, which is not noticed as long as nobody has to listen.
#[test]
fn silence_and_noise_never_reach_the_model() -> Result<()> {
    let dir = tempdir()?;
    let mut state = 1u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 19) as i16
    });
    let sounds = [
        ("silence", vec![0; 64_000]),
        ("noise", noise.take(64_000).collect()),
    ];
    for (name, samples) in sounds {
        let path = wav(&dir.path().join(format!("{name}.wav")), &samples)?;
        let options = options(dir.path(), true);
        let mut done_s = 0.0;
        let transcript = transcribe(&path, &options, &mut |progress| done_s = progress.done_s)?;
        assert_eq!(transcript.segments, [], "{name}");
        assert_eq!(transcript.language, None);
        assert_eq!(transcript.nothing.as_deref(), Some("nobody speaks"));
        assert!(
            (transcript.duration_s - 4.0).abs() < 0.05 && done_s > 3.9,
            "{transcript:?}"
        );
    }
    Ok(())
}

/// What a model that is not there is to hear.
fn options(dir: &Path, is_multilingual: bool) -> TranscribeOptions {
    TranscribeOptions {
        model: WhisperModel {
            name: "none".into(),
            path: dir.join("none.bin"),
            is_multilingual,
            bytes: 1,
        },
        language: None,
        track: None,
        num_threads: 1,
        beam_size: 1,
    }
}

#[test]
fn a_film_that_says_it_is_in_a_language_the_model_lacks_is_refused_with_a_way_out() -> Result<()> {
    let dir = tempdir()?;
    let film = dir.path().join("film.mkv");
    let tags = "-f lavfi -i anullsrc=r=16000:d=1 -map 0:a -map 1:a -metadata:s:a:0 language=ger \
                -metadata:s:a:1 language=eng -disposition:a:0 default -disposition:a:1 0";
    let source = Path::new("anullsrc=r=16000:d=1");
    ffmpeg(&["-f", "lavfi", "-i"], source, tags, &film)?;
    let hear = |options: &TranscribeOptions| transcribe(&film, options, &mut |_| {});
    let refused = hear(&options(dir.path(), false)).unwrap_err().to_string();
    for word in [
        "film.mkv: track 1",
        "German",
        "none",
        "English only",
        "--track",
        "2 (English)",
    ] {
        assert!(refused.contains(word), "{word:?} is missing in: {refused}");
    }
    // A multilingual model, the other track or one's own word will do.
    let mut english = options(dir.path(), false);
    english.language = Some("en".into());
    let mut other = options(dir.path(), false);
    other.track = Some(2);
    for options in [options(dir.path(), true), english, other] {
        let nothing = hear(&options)?.nothing.unwrap_or_default();
        assert!(nothing.starts_with("nobody speaks in track"), "{nothing}");
        assert!(nothing.contains("--track hears another: "), "{nothing}");
    }
    let film = film.display().to_string();
    fails(
        ["transcribe", &film, "--track", "3"],
        &["--track 3", "film.mkv", "1 (German), 2 (English)"],
    )?;
    let output = offline()
        .args(["transcribe", &film, "--track", "0"])
        .output()?;
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    Ok(())
}

#[test]
fn what_cannot_be_transcribed_is_refused_in_one_line_before_a_model_is_fetched() -> Result<()> {
    let dir = tempdir()?;
    let place = |name: &str| dir.path().join(name).display().to_string();
    let sound = wav(&dir.path().join("sound.wav"), &[0; 16_000])?;
    let sound = sound.display().to_string();
    std::fs::write(place("words.txt"), "no media")?;
    std::fs::write(place("model.bin"), "GGUF....")?;
    fails(
        ["transcribe", &place("gone.mp4")],
        &["gone.mp4", "no such file"],
    )?;
    fails(["transcribe", &place("words.txt")], &["words.txt"])?;
    fails(
        ["transcribe", &sound, "--language", "klingon"],
        &["--language klingon"],
    )?;
    fails(
        ["transcribe", &sound, "--format", "srt,vtt"],
        &["--format", "-o"],
    )?;
    fails(
        ["transcribe", &sound, "--whisper", "enormous"],
        &["--whisper enormous", "tiny.en or base"],
    )?;
    fails(
        ["transcribe", &sound, "--whisper", &place("model.bin")],
        &["model.bin", "ggml"],
    )?;
    fails(
        [
            "transcribe",
            &sound,
            "--whisper",
            &dir.path().display().to_string(),
        ],
        &["vocabulary"],
    )?;
    let output = offline()
        .args(["transcribe", &sound, "--format", "doc"])
        .output()?;
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    Ok(())
}
