//! Asking and chatting as scripts rely on it: exit codes, streams, JSON, and every bad input.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{
    avocet, avocet_reading, binary, fails, path, picture, stderr, stdout, succeeds,
};
use crate::pictures;

#[test]
fn help_and_version_are_no_errors() -> Result<()> {
    for arguments in [
        vec!["--help"],
        vec!["ask", "--help"],
        vec!["data", "--help"],
        vec!["--version"],
    ] {
        succeeds(arguments)?;
    }
    Ok(())
}

#[test]
fn a_wrong_command_line_exits_with_2() -> Result<()> {
    for arguments in [
        vec![],
        vec!["paint"],
        vec!["ask"],
        vec!["ask", "--colour", "Why?"],
        vec!["ask", "--temperature", "-1", "Why?"],
        vec!["ask", "--max-tokens", "many", "Why?"],
        vec!["score"],
        vec!["eval"],
    ] {
        let output = avocet(&arguments)?;
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(stdout(&output).is_empty(), "{arguments:?}");
    }
    Ok(())
}

#[test]
fn the_json_of_ask_has_the_promised_shape() -> Result<()> {
    let folder = TempDir::new()?;
    let file = picture(&folder, "circle.png")?;
    let command = [
        "ask",
        "--json",
        "--threshold",
        "0",
        "--max-tokens",
        "5",
        &file,
    ];
    let said = succeeds([&command[..], &["What is this?"]].concat())?;
    let value: Value = serde_json::from_str(&said)?;
    let keys = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .map(|o| o.keys().cloned().collect())
            .unwrap_or_default()
    };
    let sorted = |names: &[&str]| {
        let mut names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(
        keys(&value),
        sorted(&[
            "answer",
            "confidence",
            "sure",
            "model",
            "finish_reason",
            "images",
            "usage",
            "timing"
        ])
    );
    assert_eq!(
        keys(&value["images"][0]),
        sorted(&["source", "width", "height"])
    );
    assert_eq!(
        keys(&value["usage"]),
        sorted(&["prompt_tokens", "completion_tokens", "vision_tokens"])
    );
    let timing = [
        "load_ms",
        "vision_ms",
        "first_token_ms",
        "decode_tokens_per_s",
    ];
    assert_eq!(keys(&value["timing"]), sorted(&timing));
    assert_eq!(value["model"], "mini");
    assert_eq!(value["images"][0]["source"], file.as_str());
    assert_eq!(
        (&value["images"][0]["width"], &value["images"][0]["height"]),
        (&48.into(), &32.into())
    );
    assert!(
        value["usage"]["completion_tokens"]
            .as_u64()
            .is_some_and(|n| (1..=5).contains(&n))
    );
    assert!(
        value["usage"]["vision_tokens"]
            .as_u64()
            .is_some_and(|n| n > 0)
    );
    assert!(["stop", "length"].contains(&value["finish_reason"].as_str().unwrap_or("")));
    Ok(())
}

#[test]
fn the_streamed_answer_is_the_one_in_the_json() -> Result<()> {
    let folder = TempDir::new()?;
    let file = picture(&folder, "circle.png")?;
    let streamed = succeeds(["ask", "--max-tokens", "8", &file, "What is this?"])?;
    let value: Value = serde_json::from_str(&succeeds([
        "ask",
        "--max-tokens",
        "8",
        "--json",
        &file,
        "What is this?",
    ])?)?;
    assert_eq!(
        value["answer"].as_str().map(|answer| format!("{answer}\n")),
        Some(streamed)
    );
    Ok(())
}

#[test]
fn every_promised_format_is_read() -> Result<()> {
    let folder = TempDir::new()?;
    for name in ["a.png", "a.jpg", "a.webp", "a.gif", "a.bmp", "a.tiff"] {
        let file = picture(&folder, name)?;
        let said = succeeds(["ask", "--json", "--max-tokens", "2", &file, "What is this?"])?;
        let value: Value = serde_json::from_str(&said)?;
        assert_eq!(value["images"][0]["width"], 48, "{name}");
    }
    Ok(())
}

#[test]
fn an_image_may_come_from_stdin() -> Result<()> {
    let folder = TempDir::new()?;
    let file = picture(&folder, "circle.png")?;
    let output = avocet_reading(
        &["ask", "--json", "--max-tokens", "3", "-", "What is this?"],
        &std::fs::read(&file)?,
    )?;
    assert!(output.status.success(), "{}", stderr(&output));
    let piped: Value = serde_json::from_slice(&output.stdout)?;
    let direct: Value = serde_json::from_str(&succeeds([
        "ask",
        "--json",
        "--max-tokens",
        "3",
        &file,
        "What is this?",
    ])?)?;
    assert_eq!(piped["answer"], direct["answer"]);
    assert_eq!(piped["images"][0]["source"], "-");
    Ok(())
}

#[test]
fn no_image_one_and_several_are_all_questions() -> Result<()> {
    let folder = TempDir::new()?;
    let (one, two) = (picture(&folder, "1.png")?, picture(&folder, "2.jpg")?);
    let mut seen = Vec::new();
    for media in [vec![], vec![&one], vec![&one, &two]] {
        let mut arguments = vec!["ask", "--json", "--max-tokens", "2"];
        arguments.extend(media.iter().map(|name| name.as_str()));
        arguments.push("What is this?");
        let value: Value = serde_json::from_str(&succeeds(arguments)?)?;
        assert_eq!(value["images"].as_array().map(Vec::len), Some(media.len()));
        seen.push(
            value["usage"]["vision_tokens"]
                .as_u64()
                .context("a count")?,
        );
    }
    assert_eq!((seen[0], seen[2]), (0, 2 * seen[1]));
    Ok(())
}

#[test]
fn bad_media_fail_with_one_line_that_names_them() -> Result<()> {
    let folder = TempDir::new()?;
    let png = std::fs::read(picture(&folder, "whole.png")?)?;
    let write = |name: &str, bytes: &[u8]| -> Result<String> {
        std::fs::write(folder.path().join(name), bytes)?;
        Ok(path(&folder, name))
    };
    let cases = [
        (write("half.png", &png[..png.len() / 2])?, "half.png"),
        (write("empty.png", b"")?, "empty"),
        (
            write("noise.jpg", b"\xff\xd8\xff\xe0 not really a jpeg")?,
            "noise.jpg",
        ),
        (write("text.png", b"just words")?, "text.png"),
        (
            write("huge.png", &pictures::huge_png(30_000, 30_000))?,
            "30000",
        ),
        (path(&folder, "missing.png"), "missing.png"),
        (folder.path().display().to_string(), "folder"),
        ("http://127.0.0.1/".to_owned(), "public internet"),
        ("https://[::ffff:10.0.0.1]/".to_owned(), "public internet"),
        ("file:///etc/passwd".to_owned(), "only http and https"),
    ];
    for (file, word) in cases {
        fails(["ask", "--json", &file, "What is this?"], &[&file, word])?;
    }
    let output = avocet_reading(&["ask", "-", "What is this?"], b"no image")?;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("stdin"), "{}", stderr(&output));
    Ok(())
}

#[test]
fn unknown_models_empty_questions_and_long_texts_fail_clearly() -> Result<()> {
    let folder = TempDir::new()?;
    let empty = folder.path().display().to_string();
    fails(
        ["ask", "--model", "/no/such/model", "Why?"],
        &["--model", "/no/such/model"],
    )?;
    fails(
        ["ask", "--model", "someone/some-model", "Why?"],
        &["--model", "someone/some-model", "hub"],
    )?;
    fails(["ask", "--model", &empty, "Why?"], &[&empty, "config.toml"])?;
    for question in ["", "  ", "\n"] {
        fails(["ask", question], &["question is empty"])?;
    }
    fails(["ask", &"why ".repeat(5_000)], &["context", "tokens"])?;
    fails(
        ["ask", &"why ".repeat(25_000)],
        &["at least", "context", "tokens"],
    )?;
    Ok(())
}

#[test]
fn a_seed_repeats_an_answer_byte_for_byte() -> Result<()> {
    let ask = |seed: &str| {
        succeeds([
            "ask",
            "--temperature",
            "1.5",
            "--max-tokens",
            "24",
            "--threshold",
            "0",
            "--seed",
            seed,
            "Why?",
        ])
    };
    assert_eq!(ask("1")?, ask("1")?);
    let answers = [ask("1")?, ask("2")?, ask("3")?];
    assert!(
        answers.iter().any(|answer| *answer != answers[0]),
        "three seeds, one answer: {answers:?}"
    );
    Ok(())
}

#[test]
fn a_chat_goes_on_after_mistakes_and_ends_with_its_input() -> Result<()> {
    let folder = TempDir::new()?;
    let file = picture(&folder, "circle.png")?;
    let input = format!("What is this?\n/image /no/such.png\n/paint\n\n/image {file}\nAnd this?\n");
    let output = avocet_reading(&["chat", "--max-tokens", "4", &file], input.as_bytes())?;
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(
        said.contains("/no/such.png") && said.contains("/paint"),
        "{said}"
    );
    assert!(
        stdout(&output).matches('\n').count() >= 2,
        "two answers: {:?}",
        stdout(&output)
    );
    Ok(())
}

#[test]
fn a_reader_that_leaves_is_no_error() -> Result<()> {
    for arguments in [
        vec!["ask", "--max-tokens", "20", "Why?"],
        vec!["inspect", "mini", "--shapes"],
    ] {
        let mut child = Command::new(binary())
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        drop(child.stdout.take());
        let output = child.wait_with_output()?;
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).is_empty(),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
    Ok(())
}

#[test]
fn a_chat_longer_than_the_context_forgets_its_oldest_turns() -> Result<()> {
    let line = format!("{}\n", "why is it so? ".repeat(40));
    let output = avocet_reading(&["chat", "--max-tokens", "2"], line.repeat(14).as_bytes())?;
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(
        said.contains("forgotten") && !said.contains("error"),
        "{said}"
    );
    Ok(())
}
