//! The pages pipeline as a program: killed at any point it ends with the bytes of a clean run,
//! ranks and jobs share the work out, and what cannot be rendered is said in one line.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;
use avocet_data::Sample;
use avocet_data::shard::Reader;
use tempfile::TempDir;

use crate::command::{binary, fails, path};
use crate::kills::lose_nothing;

/// A folder of a few small pages.
fn site(folder: &TempDir) -> Result<String> {
    let site = folder.path().join("site");
    fs::create_dir_all(site.join("more"))?;
    fs::write(site.join("style.css"), "h1 { color: darkred }")?;
    for (name, title) in [
        ("index.html", "Front"),
        ("more/a.html", "First"),
        ("more/b.html", "Second"),
    ] {
        let html = format!(
            "<link rel=stylesheet href=/style.css><h1>{title}</h1><p>This is the {title} page.<button>Go on</button>"
        );
        fs::write(site.join(name), html)?;
    }
    Ok(site.display().to_string())
}

fn command(site: &str, output: &Path, made_up: u64, more: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args([
            "data",
            "pages",
            site,
            "--viewport",
            "320x240",
            "--system-fonts",
            "--seed",
            "5",
        ])
        .args([
            "--synthetic",
            &made_up.to_string(),
            "--shard-mib",
            "1",
            "-o",
        ])
        .arg(output)
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

fn finished(site: &str, output: &Path, made_up: u64, more: &[&str]) -> Result<()> {
    let status = command(site, output, made_up, more).status()?;
    anyhow::ensure!(status.success(), "{}: {status}", output.display());
    Ok(())
}

fn samples(dataset: &Path) -> Result<Vec<Sample>> {
    let reader = Reader::open(dataset)?;
    (0..reader.len())
        .map(|index| Ok(reader.get(index)?))
        .collect()
}

#[test]
fn killed_again_and_again_it_ends_with_the_bytes_of_a_clean_run() -> Result<()> {
    let folder = TempDir::new()?;
    let site = site(&folder)?;
    // Each is a browser's start, so these are few.
    let places = ["input accounted 3", "shard written 1", "index complete 1"];
    lose_nothing(folder.path(), &places, |output, jobs| {
        command(&site, output, 8, &["--jobs", jobs])
    })
}

#[test]
fn the_shares_of_all_ranks_are_the_samples_of_a_single_run() -> Result<()> {
    let folder = TempDir::new()?;
    let site = site(&folder)?;
    let (whole, shared) = (folder.path().join("whole"), folder.path().join("shared"));
    finished(&site, &whole, 3, &["--jobs", "2"])?;
    let mut merged = Vec::new();
    for rank in ["0", "1"] {
        finished(
            &site,
            &shared,
            3,
            &["--rank", rank, "--world", "2", "--jobs", "1"],
        )?;
        merged.extend(samples(&shared.join(format!("part-{rank}-of-2")))?);
    }
    assert!(merged == samples(&whole)?, "{} samples", merged.len());
    let texts: Vec<String> = merged.iter().map(Sample::text).collect();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("This is the First page.")),
        "{texts:?}"
    );
    Ok(())
}

#[test]
fn what_cannot_be_rendered_is_said_in_one_line() -> Result<()> {
    let folder = TempDir::new()?;
    let out = path(&folder, "out");
    let text = path(&folder, "notes.txt");
    fs::write(&text, "words")?;
    let empty = path(&folder, "empty");
    fs::create_dir(&empty)?;
    for (given, words) in [
        (vec![], vec!["nothing to render", "--synthetic"]),
        (vec!["nowhere.html"], vec!["nowhere.html"]),
        (vec![text.as_str()], vec!["notes.txt", ".html"]),
        (vec![empty.as_str()], vec!["empty", "no .html file"]),
        (vec!["ftp://example.org/"], vec!["ftp"]),
        (
            vec!["--synthetic", "1", "--manifest", "none.toml"],
            vec!["none.toml"],
        ),
        (
            vec!["--synthetic", "1", "--rank", "2", "--world", "2"],
            vec!["--rank is 2", "which is 2"],
        ),
        (
            vec!["--synthetic", "1", "--scale", "9"],
            vec!["--scale is 9", "0.5 to 4"],
        ),
    ] {
        let line = ["data", "pages", "-o", &out].into_iter().chain(given);
        fails(line, &words)?;
    }
    // Without a Chromium, its package is named.
    let output = Command::new(binary())
        .args([
            "data",
            "pages",
            "--synthetic",
            "1",
            "--system-fonts",
            "-o",
            &out,
        ])
        .env("AVOCET_CHROMIUM", "/no/such/chromium")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(1) && said.contains("AVOCET_CHROMIUM"),
        "{said}"
    );
    Ok(())
}

#[test]
fn ask_shows_a_local_page() -> Result<()> {
    let folder = TempDir::new()?;
    let page = path(&folder, "page.html");
    fs::write(&page, "<h1>Hello</h1>")?;
    let output = crate::command::succeeds([
        "ask",
        "--json",
        "--max-tokens",
        "2",
        &page,
        "What does it say?",
    ])?;
    let said: serde_json::Value = serde_json::from_str(&output)?;
    assert_eq!(said["images"][0]["width"], 448, "{said}");
    Ok(())
}

/// A question about a page, asked with a folder of its own for what is temporary.
fn asked(folder: &TempDir, page: &str) -> Result<(Output, Duration)> {
    let place = folder.path().join("temporary");
    fs::create_dir_all(&place)?;
    let start = Instant::now();
    let output = Command::new(binary())
        .args(["ask", page, "Read the title."])
        .env("TMPDIR", &place)
        .stdin(Stdio::null())
        .output()?;
    let took = start.elapsed();
    let left: Vec<_> = fs::read_dir(&place)?.flatten().map(|e| e.path()).collect();
    anyhow::ensure!(left.is_empty(), "{left:?} is left behind");
    for process in fs::read_dir("/proc")?.flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        anyhow::ensure!(
            !line.contains(&*place.to_string_lossy()),
            "{line} still runs"
        );
    }
    Ok((output, took))
}

#[test]
fn a_page_that_does_not_end_is_answered_within_half_a_minute() -> Result<()> {
    let folder = TempDir::new()?;
    for (name, script) in [
        ("busy", "setTimeout(() => { while (1); }, 200)"),
        ("alert", "while (1) alert('again')"),
        (
            "unload",
            "onbeforeunload = () => 'stay'; setInterval(() => location.reload(), 1)",
        ),
    ] {
        let page = path(&folder, &format!("{name}.html"));
        let html = format!(
            "<body style='margin:0;background:white;font:bold 40px sans-serif'><h1>Harbour 27</h1><script>{script}</script>"
        );
        fs::write(&page, html)?;
        let (output, took) = asked(&folder, &page)?;
        assert!(
            output.status.success(),
            "{}",
            crate::command::stderr(&output)
        );
        let answer = crate::command::stdout(&output);
        assert!(answer.starts_with("Harbour"), "{name}: {answer}");
        assert!(took < Duration::from_secs(30), "{name}: {took:?}");
    }
    let page = path(&folder, "nothing.html");
    fs::write(&page, "<script>while (1);</script>")?;
    let (output, took) = asked(&folder, &page)?;
    let said = crate::command::stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("nothing.html") && said.contains("a script of it that does not end"),
        "{said}"
    );
    assert!(took < Duration::from_secs(30), "{took:?}");
    Ok(())
}
