//! `avocet data other-hands` as a whole program, on packages that lie in the cache: killed at any
//! point it ends with the same bytes, what cannot be made is named, and `eval` takes the folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::command::{binary, stderr, stdout};
use crate::kills::{WRITING, lose_nothing};

/// A checksum that no archive needs to have: what is in the cache is not fetched.
const SUM: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
/// Countries of the fixture; each gives one input.
const COUNT: usize = 60;

/// A cache with round flags and the names of countries, and a manifest of them.
struct Packages {
    folder: TempDir,
}

impl Packages {
    fn new() -> Result<Self> {
        let folder = TempDir::new()?;
        let codes: Vec<String> = (0..COUNT).map(|n| format!("z{n}")).collect();
        let icon = |code: &String| {
            let body = format!("<path fill='#{:02}5080' d='M0 0h9v5z'/>", code.len() + 10);
            format!("\"{code}\":{{\"body\":\"{body}\"}}")
        };
        let country = |code: &String| {
            format!("{{\"code\":\"{code}\",\"name\":\"Country {code}\",\"iso\":true}}")
        };
        let join =
            |of: &dyn Fn(&String) -> String| codes.iter().map(of).collect::<Vec<_>>().join(",");
        let files = [
            (
                "flags-circle",
                "icons.json",
                format!("{{\"icons\":{{{}}}}}", join(&icon)),
            ),
            (
                "flag-icons",
                "country.json",
                format!("[{}]", join(&country)),
            ),
        ];
        let mut manifest = String::new();
        for (name, file, text) in files {
            let root = folder
                .path()
                .join(format!("cache/{name}-{}/package", &SUM[..16]));
            fs::create_dir_all(&root)?;
            fs::write(root.join(file), text)?;
            manifest += &format!(
                "[[source]]\nname = \"{name}\"\nkind = \"npm\"\npackage = \"{name}\"\nversion = \"1\"\n\
                 file = \"{name}-1.tgz\"\nsha256 = \"{SUM}\"\nlicence = \"MIT\"\n"
            );
        }
        fs::write(folder.path().join("manifest.toml"), manifest)?;
        Ok(Self { folder })
    }

    fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a set in a folder, beside the cache if it is given by its name alone.
    fn command(&self, set: &str, output: impl AsRef<Path>) -> Command {
        let mut command = Command::new(binary());
        command
            .args([
                "data",
                "other-hands",
                "--set",
                set,
                "--seed",
                "4",
                "--manifest",
            ])
            .args([self.at("manifest.toml"), "-o".into(), self.at(output)])
            .env("AVOCET_CACHE", self.at("cache"))
            .env("PATH", self.at("no-programs"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn makes(&self, set: &str, output: &str) -> Result<Output> {
        let made = self.command(set, output).output()?;
        ensure!(made.status.success(), "{}", stderr(&made));
        Ok(made)
    }
}

#[test]
fn other_hands_killed_again_and_again_end_with_the_bytes_of_a_clean_run() -> Result<()> {
    let packages = Packages::new()?;
    lose_nothing(packages.folder.path(), &WRITING, |output, jobs| {
        let mut command = packages.command("flags-round", output);
        command.args(["--jobs", jobs]);
        command
    })?;
    let said = stdout(&packages.makes("flags-round", "told")?);
    ensure!(
        said.contains(&format!("{COUNT} inputs = {COUNT} kept")),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_set_that_cannot_be_made_here_is_named_in_one_line() -> Result<()> {
    let packages = Packages::new()?;
    let refused = |set: &str| -> Result<String> {
        let output = packages.command(set, "out").output()?;
        ensure!(output.status.code() == Some(1), "{set}: {}", output.status);
        let said = stderr(&output);
        ensure!(said.trim().lines().count() == 1, "{said}");
        Ok(said)
    };
    let tex = refused("formulas-tex")?;
    assert!(
        tex.contains("formulas-tex") && tex.contains("texlive-latex-base"),
        "{tex}"
    );
    let magick = refused("text-common-magick")?;
    assert!(magick.contains("imagemagick"), "{magick}");
    let fetched = refused("photographs")?;
    assert!(fetched.contains("gcompris"), "{fetched}");
    Ok(())
}

#[test]
fn eval_prints_a_row_for_each_set_of_a_folder() -> Result<()> {
    let packages = Packages::new()?;
    packages.makes("flags-round", "sets")?;
    fs::create_dir_all(packages.at("sets/begun/test"))?;
    let eval = |more: &[&str]| -> Result<Output> {
        let mut command = Command::new(binary());
        command
            .args(["eval", "--limit", "6", "--task"])
            .arg(packages.at("sets"));
        Ok(command.args(more).stdin(Stdio::null()).output()?)
    };
    let answered = eval(&[])?;
    ensure!(answered.status.success(), "{}", stderr(&answered));
    let notes = stderr(&answered);
    assert!(notes.contains("begun is left out"), "{notes}");
    let table = stdout(&answered);
    let row = |name: &str| {
        table
            .lines()
            .find(|line| line.starts_with(name))
            .map(str::to_owned)
    };
    let words = |row: Option<String>| {
        row.unwrap_or_default()
            .split_whitespace()
            .nth(1)
            .map(str::to_owned)
    };
    assert_eq!(words(row("flags-round")).as_deref(), Some("6"), "{table}");
    assert_eq!(words(row("all")).as_deref(), Some("6"), "{table}");
    let kept = fs::read_to_string(packages.at("sets.answers-mini.jsonl"))?;
    assert_eq!(kept.lines().count(), 6);

    let json: serde_json::Value = serde_json::from_str(&stdout(&eval(&["--json"])?))?;
    assert_eq!(json["sets"]["flags-round"]["questions"], 6, "{json}");
    let refused = eval(&["--html", "page.html"])?;
    assert!(
        stderr(&refused).contains("--html is for a single task"),
        "{}",
        stderr(&refused)
    );
    Ok(())
}
