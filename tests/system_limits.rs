//! Under the limits that shared machines set, a command works or says in one line what is too
//! small.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use avocet_media::child::{Child, ChildLimits, Request, ScanRequest};
use avocet_media::video::FrameHeader;
use tempfile::TempDir;

use crate::clips::ffmpeg;
use crate::command::{binary, path, stderr, stdout};

const CLIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/samples/clip.mp4");

/// Runs the binary under limits that a shell sets, as `ulimit` takes them.
fn limited(limits: &str, arguments: &[&str]) -> Result<Output> {
    let script = format!("ulimit {limits} && exec \"$@\"");
    let output = Command::new("bash")
        .args(["-c", &script, "bash"])
        .arg(binary())
        .args(arguments)
        .env("HF_HUB_OFFLINE", "1")
        .stdin(Stdio::null())
        .output()?;
    Ok(output)
}

/// What must fail says one line that holds `words`.
fn refused(limits: &str, arguments: &[&str], words: &[&str]) -> Result<()> {
    let output = limited(limits, arguments)?;
    let said = stderr(&output);
    ensure!(
        output.status.code() == Some(1),
        "{limits}: {}: {said}",
        output.status
    );
    ensure!(
        said.trim_end().lines().count() == 1,
        "{limits}: one line expected: {said}"
    );
    for word in words {
        ensure!(
            said.contains(word),
            "{limits}: {word:?} is missing in: {said}"
        );
    }
    Ok(())
}

#[test]
fn a_video_is_read_under_a_limit_below_our_own() -> Result<()> {
    let ask = ["ask", "--max-tokens", "2", CLIP, "What is in the picture?"];
    for limits in ["-v 3000000", "-v 2000000", "-n 64", "-c 0 -l 64 -s 4096"] {
        let output = limited(limits, &ask)?;
        ensure!(output.status.success(), "{limits}: {}", stderr(&output));
        ensure!(!stdout(&output).trim().is_empty(), "{limits}: no answer");
    }
    Ok(())
}

#[test]
fn a_limit_below_any_use_is_named_with_what_is_needed() -> Result<()> {
    let ask = ["ask", CLIP, "What is in the picture?"];
    refused(
        "-v 200000",
        &ask,
        &["needs", "address space", "(ulimit -v) is 195 MiB"],
    )?;
    refused(
        "-d 50000",
        &ask,
        &["needs", "data", "(ulimit -d) is 48 MiB"],
    )?;
    refused("-n 12", &ask, &["needs 16 open files", "(ulimit -n) is 12"])?;
    refused(
        "-t 1",
        &ask,
        &["needs 2 s of processor time", "(ulimit -t) is 1 s"],
    )
}

#[test]
fn a_browser_that_may_have_too_little_is_not_started() -> Result<()> {
    let folder = TempDir::new()?;
    let page = path(&folder, "page.html");
    std::fs::write(&page, "<h1>Harbour</h1>")?;
    let ask = ["ask", &page, "Read the title."];
    for (limits, words) in [
        (
            "-v 4000000",
            ["the browser needs", "(ulimit -v) is 3906 MiB"],
        ),
        (
            "-n 100",
            ["the browser needs 192 open files", "(ulimit -n) is 100"],
        ),
        (
            "-f 1000",
            [
                "the browser needs files of 64 MiB",
                "(ulimit -f) is 1000 KiB",
            ],
        ),
    ] {
        refused(limits, &ask, &words)?;
    }
    Ok(())
}

#[test]
fn a_file_that_may_not_grow_is_an_error_of_its_own() -> Result<()> {
    let folder = TempDir::new()?;
    let out = path(&folder, "out");
    let caption = [
        "caption",
        CLIP,
        "--no-speech",
        "--max-frames",
        "1",
        "-o",
        &out,
    ];
    let output = limited("-f 2", &caption)?;
    let said = stderr(&output);
    ensure!(output.status.code() == Some(1), "{}: {said}", output.status);
    let last = said.lines().last().context("a line")?;
    ensure!(
        last.contains("-o") && last.contains("the limit (ulimit -f) is 2 KiB"),
        "{said}"
    );
    Ok(())
}

#[test]
fn what_a_decoder_may_use_is_the_smaller_of_two_limits() -> Result<()> {
    let folder = TempDir::new()?;
    let film = folder.path().join("large.mp4");
    let source = "color=size=4096x4096:rate=10:duration=3";
    let arguments = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast";
    ffmpeg(&["-f", "lavfi", "-i"], Path::new(source), arguments, &film)?;
    let film_name = film.display().to_string();
    let ask = ["ask", &film_name, "What is in the picture?"];
    let words = [
        "large.mp4: needs more than 341 MiB to decode",
        "ulimit -v",
        "4096 MiB are enough",
    ];
    refused("-v 350000", &ask, &words)?;

    // Its own limit on processor time is told by its name, too.
    let worker = binary().with_file_name("avocet-worker");
    let limits = ChildLimits {
        cpu_s: Some(1),
        ..ChildLimits::default()
    };
    let mut child = Child::spawn_binary(&worker, limits)?;
    let request = ScanRequest {
        path: film.as_path().into(),
        max_side: 4096,
    };
    let error = loop {
        child.ask(&film, &Request::Scan(request.clone()))?;
        let ended = loop {
            match child.receive::<FrameHeader>() {
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        if let Some(error) = ended {
            break error.to_string();
        }
    };
    ensure!(
        error.ends_with("took more than 1 s of processor time"),
        "{error}"
    );
    Ok(())
}
