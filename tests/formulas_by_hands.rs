//! Formulas set by other people's programs, on packages that lie in the cache: batches change no byte
//! wherever a run begins, and a program that is missing is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use avocet_data::shard::Reader;
use tempfile::TempDir;

use crate::command::{binary, stderr};

/// A checksum that no archive needs to have: what is in the cache is not fetched.
const SUM: &str = "00000000000000000000000000000000000000000000000000000000000000ab";
/// Stands in for KaTeX: shows the source of a formula, and refuses fractions.
const KATEX: &str = "katex={render(t,e){if(t.includes('frac'))throw 1;e.textContent=t}}";

/// A cache with what stands in for KaTeX, and a manifest of it.
struct Packages {
    folder: TempDir,
}

impl Packages {
    fn new() -> Result<Self> {
        let folder = TempDir::new()?;
        let root = folder
            .path()
            .join(format!("cache/katex-{}/package/dist", &SUM[..16]));
        fs::create_dir_all(&root)?;
        fs::write(root.join("katex.min.js"), KATEX)?;
        fs::write(root.join("katex.min.css"), "")?;
        let manifest = format!(
            "[[source]]\nname = \"katex\"\nkind = \"npm\"\npackage = \"katex\"\nversion = \"1\"\n\
             file = \"katex-1.tgz\"\nsha256 = \"{SUM}\"\nlicence = \"MIT\"\n"
        );
        fs::write(folder.path().join("manifest.toml"), manifest)?;
        Ok(Self { folder })
    }

    fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, renderer: &str, output: &str, more: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(["data", "formulas", "--renderer", renderer, "--count", "100"])
            .args(["--seed", "4", "--manifest"])
            .args([self.at("manifest.toml"), "-o".into(), self.at(output)])
            .args(more)
            .env("AVOCET_CACHE", self.at("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn ids(&self, output: &str, more: &[&str], dataset: &str) -> Result<Vec<String>> {
        let more = [&["--kind", "formula"], more].concat();
        let made = self.command("katex", output, &more).output()?;
        ensure!(made.status.success(), "{}", stderr(&made));
        let reader = Reader::open(&self.at(dataset))?;
        let ids = (0..reader.len()).map(|index| Ok(reader.get(index)?.id));
        ids.collect()
    }
}

#[test]
fn ranks_that_cut_a_batch_laid_together_are_the_single_run() -> Result<()> {
    let packages = Packages::new()?;
    let whole = packages.ids("whole", &["--jobs", "2"], "whole")?;
    ensure!((20..100).contains(&whole.len()), "{} samples", whole.len());
    let mut parts = Vec::new();
    for rank in ["0", "1", "2"] {
        let part = format!("shared/part-{rank}-of-3");
        let more = ["--jobs", "1", "--rank", rank, "--world", "3"];
        parts.extend(packages.ids("shared", &more, &part)?);
    }
    ensure!(
        parts == whole,
        "{} and {} samples",
        parts.len(),
        whole.len()
    );
    let ledger = fs::read_to_string(packages.at("whole/ledger.jsonl"))?;
    ensure!(
        ledger.contains("the browser does not show all of it"),
        "{ledger}"
    );
    Ok(())
}

#[test]
fn a_program_that_is_missing_is_named_and_text_is_for_our_own() -> Result<()> {
    let packages = Packages::new()?;
    let mut command = packages.command("tex", "tex", &["--kind", "formula"]);
    let made = command.env("PATH", packages.at("no-programs")).output()?;
    let said = stderr(&made);
    ensure!(!made.status.success());
    ensure!(
        said.contains("--renderer tex") && said.contains("texlive-latex-base"),
        "{said}"
    );
    let made = packages
        .command("katex", "text", &["--kind", "paragraph"])
        .output()?;
    let said = stderr(&made);
    ensure!(
        said.contains("--kind paragraph is drawn by our own"),
        "{said}"
    );
    let made = packages
        .command("katex", "bundled", &["--bundled"])
        .output()?;
    ensure!(stderr(&made).contains("--bundled"), "{}", stderr(&made));
    Ok(())
}
