//! Media files that lie, point elsewhere or break the decoder: one clear error, and nothing else.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use avocet_media::audio::{self, BlockHeader};
use avocet_media::child::{
    AudioRequest, Child, ChildError, ChildLimits, FramesRequest, Request, ScanRequest,
};
use avocet_media::video::{self, FrameHeader};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::clips::{self, CLIPS};
use crate::command;

/// Files with damage that are tried.
fn num_mutations() -> usize {
    let asked = std::env::var("AVOCET_VIDEO_MUTATIONS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(60)
}

fn worker() -> PathBuf {
    command::binary().with_file_name("avocet-worker")
}

/// The error of whichever request is tried first; all of them have to fail.
fn refused(path: &Path) -> Result<String> {
    let error = video::probe(path).err().map(|error| error.to_string());
    let frames = video::scan(path, 64)?.any(|frame| frame.is_ok());
    let sound = audio::blocks(path, None)?.any(|block| block.is_ok());
    ensure!(!frames && !sound, "{} was decoded", path.display());
    error.with_context(|| format!("{} was taken for media", path.display()))
}

#[test]
fn a_file_that_names_other_files_or_addresses_reads_none_of_them() -> Result<()> {
    let folder = TempDir::new()?;
    let secret = clips::make(folder.path(), &CLIPS[1])?;
    let secret = secret.display();
    let canary = TcpListener::bind("127.0.0.1:0")?;
    canary.set_nonblocking(true)?;
    let address = canary.local_addr()?;
    let list = |target: &str| {
        format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{target}\n\
             #EXT-X-ENDLIST\n"
        )
    };
    let near = CLIPS[1].name;
    let tricks = [
        ("absolute.m3u8", list(&format!("{secret}"))),
        ("relative.m3u8", list(near)),
        ("scheme.m3u8", list(&format!("file://{secret}"))),
        ("concat.m3u8", list(&format!("concat:{secret}|{secret}"))),
        ("address.m3u8", list(&format!("http://{address}/a.ts"))),
        ("disguised.mp4", list(near)),
        ("disguised.ts", list(&format!("http://{address}/a.ts"))),
        (
            "list.ffconcat",
            format!("ffconcat version 1.0\nfile {near}\n"),
        ),
        (
            "list.txt",
            format!("ffconcat version 1.0\nfile '{secret}'\n"),
        ),
        (
            "address.ffconcat",
            format!("ffconcat version 1.0\nfile http://{address}/a.ts\n"),
        ),
        (
            "session.sdp",
            format!(
                "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 {}\nt=0 0\nm=video {} RTP/AVP 96\n\
                     a=rtpmap:96 H264/90000\n",
                address.ip(),
                address.port()
            ),
        ),
        (
            "manifest.mpd",
            format!(
                "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" \
                 type=\"static\" profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\">\
                 <Period><AdaptationSet mimeType=\"video/mp2t\"><Representation id=\"1\" \
                 bandwidth=\"1\"><BaseURL>http://{address}/a.ts</BaseURL></Representation>\
                 </AdaptationSet></Period></MPD>"
            ),
        ),
        (
            "drawing.svg",
            format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" \
                 xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"9\" height=\"9\">\
                 <image xlink:href=\"http://{address}/a.png\" width=\"9\" height=\"9\"/></svg>"
            ),
        ),
        ("frame%03d.png", "no picture".to_owned()),
        (
            "letter.txt",
            "Dear all, this is a letter and no film.\n".repeat(20),
        ),
        ("empty.mp4", String::new()),
    ];
    for (name, text) in tricks {
        let path = folder.path().join(name);
        std::fs::write(&path, text)?;
        let line = refused(&path)?;
        ensure!(
            line.contains(name) && line.lines().count() == 1,
            "{name}: {line}"
        );
    }
    ensure!(canary.accept().is_err(), "something called {address}");
    Ok(())
}

#[test]
fn what_is_no_file_is_refused_without_waiting_for_it() -> Result<()> {
    let folder = TempDir::new()?;
    let pipe = folder.path().join("pipe.mp4");
    ensure!(
        Command::new("mkfifo").arg(&pipe).status()?.success(),
        "mkfifo"
    );
    ensure!(refused(&pipe)?.contains("not a regular file"));
    ensure!(refused(folder.path())?.contains("not a regular file"));
    ensure!(refused(&folder.path().join("absent.mp4"))?.contains("No such file"));
    Ok(())
}

#[test]
fn frames_too_large_to_hold_are_refused_before_they_are_held() -> Result<()> {
    let folder = TempDir::new()?;
    let bomb = clips::make(folder.path(), &CLIPS[0])?;
    let mut bytes = std::fs::read(&bomb)?;
    let place = |bytes: &[u8], name: &[u8]| {
        let found = bytes.windows(4).position(|window| window == name);
        found.context("a sample description")
    };
    let description = place(&bytes, b"stsd")?;
    let sides = description + place(&bytes[description..], b"avc1")? + 28;
    bytes[sides..sides + 4].copy_from_slice(&[0x40, 0, 0x40, 0]);
    std::fs::write(&bomb, bytes)?;
    let line = video::probe(&bomb)
        .err()
        .context("it was taken for a film")?
        .to_string();
    ensure!(
        line.contains("16384 x 16384 frames have 268435456 pixels"),
        "{line}"
    );
    Ok(())
}

#[test]
fn a_file_that_needs_more_memory_than_allowed_says_so() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("large.mp4");
    let source = "color=size=4096x4096:rate=10:duration=1";
    let arguments = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast";
    clips::ffmpeg(&["-f", "lavfi", "-i"], source.as_ref(), arguments, &path)?;
    let mut child = Child::spawn_binary(
        &worker(),
        ChildLimits {
            address_space_bytes: 256 << 20,
            ..ChildLimits::default()
        },
    )?;
    let request = ScanRequest {
        path: path.as_path().into(),
        max_side: 64,
    };
    child.ask(&path, &Request::Scan(request))?;
    let error = loop {
        match child.receive::<FrameHeader>() {
            Ok(Some(_)) => {}
            Ok(None) => bail!("256 MiB were enough"),
            Err(error) => break error,
        }
    };
    ensure!(
        error
            .to_string()
            .ends_with("large.mp4: needs more than 256 MiB to decode"),
        "{error}"
    );
    Ok(())
}

/// A stand-in for the worker that does what `script` says once it was asked.
fn ending(folder: &Path, script: &str) -> Result<ChildError> {
    let binary = folder.join("stand-in");
    let text = folder.join("stand-in.sh");
    std::fs::write(
        &text,
        format!("#!/bin/sh\nread limits\nread request\n{script}\n"),
    )?;
    // Another process makes what is executed: a child that some other test starts meanwhile would
    // hold a file open that is written here, and what is open to be written is not executed.
    let install = [
        "-m".as_ref(),
        "755".as_ref(),
        text.as_os_str(),
        binary.as_os_str(),
    ];
    ensure!(Command::new("install").args(install).status()?.success());
    let limits = ChildLimits {
        stall: Duration::from_millis(300),
        cpu_s: Some(5),
        ..ChildLimits::default()
    };
    let path = Path::new("talk.mp4");
    let request = AudioRequest {
        path: path.into(),
        track: None,
    };
    let mut child = Child::spawn_binary(&binary, limits)?;
    child.ask(path, &Request::Audio(request))?;
    child
        .receive::<BlockHeader>()
        .err()
        .context("there was an answer")
}

#[test]
fn a_child_that_dies_or_falls_silent_becomes_an_error_that_names_the_file() -> Result<()> {
    let folder = TempDir::new()?;
    let cases = [
        ("kill -SEGV $$", "talk.mp4: the decoder crashed: SIGSEGV"),
        (
            "echo oops >&2; kill -ABRT $$",
            "talk.mp4: the decoder crashed: SIGABRT (oops)",
        ),
        (
            "kill -XCPU $$",
            "talk.mp4: took more than 5 s of processor time",
        ),
        (
            "echo boom >&2; exit 3",
            "talk.mp4: the decoder ended early: exit status: 3 (boom)",
        ),
        (
            "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
            "talk.mp4: needs more than 4096 MiB to decode",
        ),
        (
            "exec sleep 60",
            "talk.mp4: took more than 0.3 s without an answer",
        ),
        (
            "printf '\\377\\377\\377\\377\\0\\0\\0\\0'; exec sleep 60",
            "talk.mp4: the decoder was \
         misunderstood: a message of 4294967295 + 0 bytes",
        ),
    ];
    for (script, expected) in cases {
        let error = ending(folder.path(), script)?;
        ensure!(error.to_string() == expected, "{script}: {error}");
    }
    Ok(())
}

#[test]
fn a_dropped_handle_and_a_closed_pipe_both_end_the_child() -> Result<()> {
    let folder = TempDir::new()?;
    let path = clips::make(folder.path(), &CLIPS[0])?;
    let frames = video::scan(&path, 4096)?;
    let id = frames.worker_id().context("a worker")?;
    drop(frames);
    ensure!(!Path::new(&format!("/proc/{id}")).exists(), "{id} lives on");

    // A parent that is killed closes the pipe while the child waits for room to answer.
    let mut child = Command::new(worker())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("stdin is piped")?;
    let request = ScanRequest {
        path: path.as_path().into(),
        max_side: 4096,
    };
    writeln!(stdin, "{}", serde_json::to_string(&ChildLimits::default())?)?;
    writeln!(stdin, "{}", serde_json::to_string(&Request::Scan(request))?)?;
    std::thread::sleep(Duration::from_millis(300));
    ensure!(child.try_wait()?.is_none(), "it did not wait");
    drop(stdin);
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        ensure!(
            start.elapsed() < Duration::from_secs(10),
            "it waits for nobody"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Damages a file in one of the usual ways.
fn damage(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    let at = |random: &mut ChaCha8Rng, bytes: &[u8]| random.random_range(0..bytes.len());
    match random.random_range(0..5) {
        0 => {
            let end = at(random, bytes);
            bytes.truncate(end);
        }
        1 => {
            let (from, to) = (at(random, bytes), at(random, bytes));
            let length = random.random_range(1..64).min(bytes.len() - from.max(to));
            bytes.copy_within(from..from + length, to);
        }
        // The header is where sizes and counts are.
        2 => {
            for _ in 0..random.random_range(1..8) {
                let index = random.random_range(0..bytes.len().min(600));
                bytes[index] = *[0, 1, 0x7f, 0x80, 0xff]
                    .get(random.random_range(0..5))
                    .unwrap_or(&0);
            }
        }
        _ => {
            for _ in 0..random.random_range(1..200) {
                let index = at(random, bytes);
                bytes[index] = random.random();
            }
        }
    }
}

/// Asks for everything that a file may hold; says whether the child is still there.
fn try_all(child: &mut Child, path: &Path) -> Result<bool, ChildError> {
    let requests = [
        Request::Frames(FramesRequest {
            path: path.into(),
            times_s: vec![0.4, 0.1],
            max_side: 64,
        }),
        Request::Audio(AudioRequest {
            path: path.into(),
            track: None,
        }),
    ];
    for request in requests {
        child.ask(path, &request)?;
        loop {
            match child.receive::<serde_json::Value>() {
                Ok(Some(_)) => {}
                Ok(None) | Err(ChildError::Refused { .. } | ChildError::Memory { .. }) => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(true)
}

#[test]
fn damaged_files_end_the_child_at_worst_and_never_hang_it() -> Result<()> {
    let folder = TempDir::new()?;
    let mut whole = Vec::new();
    // A quick run damages every third kind of file.
    let step = if num_mutations() < 1000 { 3 } else { 1 };
    for clip in CLIPS.iter().step_by(step) {
        let long = clips::make(folder.path(), clip)?;
        let short = folder.path().join(format!("short-{}", clip.name));
        clips::ffmpeg(&["-t", "0.6", "-i"], &long, "-c copy", &short)?;
        whole.push((clip.name, std::fs::read(short)?));
    }
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let limits = ChildLimits {
        address_space_bytes: 1 << 30,
        ..ChildLimits::default()
    };
    let mut child = Child::spawn_binary(&worker(), limits)?;
    let mut crashes = Vec::new();
    for index in 0..num_mutations() {
        let (name, bytes) = &whole[index % whole.len()];
        let mut bytes = bytes.clone();
        damage(&mut bytes, &mut random);
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes)?;
        match try_all(&mut child, &path) {
            Ok(_) => {}
            Err(error @ (ChildError::Crashed { .. } | ChildError::Exited { .. })) => {
                crashes.push(format!("{index}: {error}"));
                child = Child::spawn_binary(&worker(), limits)?;
            }
            Err(error) => return Err(error).with_context(|| format!("file {index}")),
        }
    }
    println!("{} children died:\n{}", crashes.len(), crashes.join("\n"));
    Ok(())
}
