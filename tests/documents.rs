//! What Markdown says is there: links lead somewhere, and commands exist with their flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::spoken::{commands, help};
use crate::tidy::root;

/// Every Markdown file, but those that build and test runs leave behind.
fn documents() -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "runs", "datasets"].contains(&&*name) {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Lines in code blocks, and all others.
fn code_and_prose(text: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut code, mut prose, mut fenced) = (Vec::new(), Vec::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            code.push(line);
        } else {
            prose.push(line);
        }
    }
    (code, prose)
}

/// The name by which a heading is linked to.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    heading
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

/// What is wrong with a link in the file at `path`.
fn broken(path: &Path, link: &str) -> Result<Option<&'static str>> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(None);
    }
    let (file, name) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => path.to_path_buf(),
        file => path.parent().context("a folder")?.join(file),
    };
    if !target.exists() {
        return Ok(Some("leads nowhere"));
    }
    if name.is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&target)?;
    let (_, prose) = code_and_prose(&text);
    let mut headings = prose.iter().filter(|line| line.starts_with('#'));
    let found = headings.any(|heading| anchor(heading) == name);
    Ok((!found).then_some("names no heading"))
}

#[test]
fn links_between_documents_lead_somewhere() -> Result<()> {
    let (mut wrong, mut followed) = (Vec::new(), 0);
    for path in documents()? {
        let text = std::fs::read_to_string(&path)?;
        for line in code_and_prose(&text).1 {
            for part in line.split("](").skip(1) {
                let link = part.split([')', ' ']).next().unwrap_or_default();
                followed += 1;
                if let Some(what) = broken(&path, link)? {
                    wrong.push(format!("{}: {link} {what}", path.display()));
                }
            }
        }
    }
    assert!(followed > 20, "{followed}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let here = root().join("README.md");
    assert_eq!(broken(&here, "none.md")?, Some("leads nowhere"));
    assert_eq!(
        broken(&here, "CONTRIBUTING.md#none")?,
        Some("names no heading")
    );
    Ok(())
}

/// What a line of a code block calls `avocet` for that there is not.
fn unknown(helps: &BTreeMap<String, String>, line: &str) -> Option<String> {
    // What follows three spaces explains; `#`, `&&` and `;` end a command.
    let line = line.trim().trim_start_matches("$ ");
    let line = line.split("   ").next()?.split(" # ").next()?;
    let mut words = line.split(['&', ';']).next()?.split_whitespace();
    if words.next()? != "avocet" {
        return None;
    }
    // Of `train|serve`, which stands for two commands, the first.
    let words: Vec<&str> = words.filter_map(|word| word.split('|').next()).collect();
    let verb = words.first().filter(|word| !word.starts_with('-'));
    if let Some(verb) = verb.filter(|verb| !helps.contains_key(**verb)) {
        return Some((*verb).to_owned());
    }
    let named = |count| Some(words.get(..count)?.join(" "));
    let (name, help) = [2, 1, 0]
        .into_iter()
        .filter_map(named)
        .find_map(|name| helps.get_key_value(&name))?;
    let flags = words.iter().map(|word| word.trim_matches(['[', ']']));
    let mut flags = flags.filter(|word| word.starts_with("--"));
    let known = |flag: &str| help.split([' ', ',', '\n', '=']).any(|word| word == flag);
    let wrong = flags.find(|flag| !known(flag.split('=').next().unwrap_or(flag)))?;
    Some(format!("{name} {wrong}"))
}

#[test]
fn commands_in_documents_exist_with_their_flags() -> Result<()> {
    let mut helps = BTreeMap::new();
    for command in commands()? {
        helps.insert(command.join(" "), help(&command)?);
    }
    let mut wrong = Vec::new();
    for path in documents()? {
        let text = std::fs::read_to_string(&path)?;
        for line in code_and_prose(&text).0 {
            let what = unknown(&helps, line);
            wrong.extend(what.map(|what| format!("{}: {what}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        unknown(&helps, "avocet paint x.png").as_deref(),
        Some("paint")
    );
    let flag = unknown(&helps, "avocet data merge A --fast   joins");
    assert_eq!(flag.as_deref(), Some("data merge --fast"));
    Ok(())
}
