//! What the command line says of itself: help, errors, completions and manual pages.
//!
//! The snapshots are what was agreed; `INSTA_UPDATE=always make test` writes them anew, and the
//! difference is what a reviewer reads.

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::command::{offline, stderr, succeeds};

/// Every command with its sub-commands, as its help lists them: `[[], ["ask"], .., ["data", "merge"]]`.
pub fn commands() -> Result<Vec<Vec<String>>> {
    let mut all = vec![Vec::new()];
    let mut next = 0;
    while let Some(command) = all.get(next).cloned() {
        let help = help(&command)?;
        let listed = help
            .split_once("\nCommands:\n")
            .map_or("", |(_, list)| list);
        let lines = listed.lines().take_while(|line| !line.is_empty());
        let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
        for name in names.filter(|name| !name.is_empty() && *name != "help") {
            all.push([&command[..], &[name.to_owned()]].concat());
        }
        next += 1;
    }
    Ok(all)
}

/// The help of a command.
pub fn help(command: &[String]) -> Result<String> {
    succeeds(command.iter().map(String::as_str).chain(["--help"]))
}

#[test]
fn the_help_of_every_command_is_as_agreed() -> Result<()> {
    let mut text = String::new();
    for command in commands()? {
        let line = ["avocet", &command.join(" "), "--help"].join(" ");
        text.push_str(&format!("$ {line}\n{}\n", help(&command)?));
    }
    insta::assert_snapshot!("help", text);
    Ok(())
}

#[test]
fn typical_errors_are_as_agreed() -> Result<()> {
    let folder = TempDir::new()?;
    for (name, bytes) in [
        ("notes.txt", &b"words"[..]),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0"),
        ("paper.pdf", b"%PDF-1.7"),
        (
            "stage.toml",
            b"run = \"r\"\nseed = 1\n[[stage]]\nname = \"a\"\nkind = \"sound\"\n",
        ),
        ("task.jsonl", b"{\"question\": \"Why?\"}\n"),
    ] {
        std::fs::write(folder.path().join(name), bytes)?;
    }
    let mut text = String::new();
    for line in [
        "paint",
        "ask",
        "ask --temperature -1 Why?",
        "ask none.png Why?",
        "ask notes.txt Why?",
        "ask cut.png Why?",
        "ask paper.pdf Why?",
        "ask --model none Why?",
        "ask --model owner/name Why?",
        "ask --set decoder.dim=many Why?",
        "caption notes.txt",
        "transcribe none.mp4",
        "score --input none.jsonl",
        "eval --task none",
        "eval --task task.jsonl",
        "inspect none",
        "doctor notes.txt",
        "train stage.toml",
        "train none.toml",
        "finetune --data none -o run",
        "data merge none -o out",
        "data formulas --rank 2 --world 2 -o out",
        "data inspect none",
        "models export none -o out",
        "plan train --preset none",
    ] {
        let output = offline()
            .args(line.split(' '))
            .current_dir(folder.path())
            .env("HF_HOME", folder.path())
            .output()?;
        let code = output.status.code().context("no signal")?;
        text.push_str(&format!("$ avocet {line}\n{}[{code}]\n\n", stderr(&output)));
    }
    let text = text.replace(&*folder.path().to_string_lossy(), "FOLDER");
    insta::assert_snapshot!("errors", text);
    Ok(())
}

#[test]
fn shells_and_manuals_know_every_command() -> Result<()> {
    let commands = commands()?;
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = succeeds(["completions", shell])?;
        for name in commands.iter().flatten() {
            assert!(script.contains(name), "{shell} does not know {name}");
        }
    }
    let folder = TempDir::new()?;
    let out = folder.path().join("man");
    succeeds(["man", "-o", &out.to_string_lossy()])?;
    for command in &commands {
        let name = [&["avocet".to_owned()], &command[..]].concat().join("-");
        let page = std::fs::read_to_string(out.join(format!("{name}.1"))).context(name)?;
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    Ok(())
}
