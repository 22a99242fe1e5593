//! Formulas and texts as a whole program: killed at any point it loses and doubles nothing,
//! threads and ranks change nothing, and what does not render stands in the ledger.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use avocet_data::Sample;
use avocet_data::shard::Reader;
use tempfile::TempDir;

use crate::command::{binary, fails, path};
use crate::kills::{WRITING, lose_nothing};

const NOTES: &str = r"\newcommand{\R}{\mathbb{R}}
Let $x \in \R^n$ and \[ \sum_{i=1}^n x_i^2 = 1 \] but $\undefinedthing{x}$ and
\begin{align*} a &= b \\ c &= d \end{align*} and $\frac{1}{2$ end.
";

fn command(output: &Path, count: usize, more: &[&str]) -> Command {
    let mut command = Command::new(binary());
    let count = count.to_string();
    command
        .args([
            "data",
            "formulas",
            "--bundled",
            "--seed",
            "5",
            "--count",
            &count,
        ])
        .args(["--shard-mib", "1", "-o"])
        .arg(output)
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

fn finished(output: &Path, count: usize, more: &[&str]) -> Result<()> {
    let status = command(output, count, more).status()?;
    ensure!(status.success(), "{}: {status}", output.display());
    Ok(())
}

fn samples(dataset: &Path) -> Result<Vec<Sample>> {
    let reader = Reader::open(dataset)?;
    let all = (0..reader.len()).map(|index| Ok(reader.get(index)?));
    all.collect()
}

#[test]
fn formulas_killed_again_and_again_end_with_the_bytes_of_a_clean_run() -> Result<()> {
    let folder = TempDir::new()?;
    lose_nothing(folder.path(), &WRITING, |output, jobs| {
        command(output, 160, &["--jobs", jobs])
    })
}

#[test]
fn the_shares_of_all_ranks_are_the_formulas_of_a_single_run() -> Result<()> {
    let folder = TempDir::new()?;
    let notes = folder.path().join("notes.tex");
    fs::write(&notes, NOTES)?;
    let notes = notes.to_string_lossy().into_owned();
    let (whole, shared) = (folder.path().join("whole"), folder.path().join("shared"));
    finished(&whole, 12, &[&notes])?;
    let mut merged = Vec::new();
    for rank in ["0", "1", "2", "3"] {
        finished(&shared, 12, &[&notes, "--rank", rank, "--world", "4"])?;
        merged.extend(samples(&shared.join(format!("part-{rank}-of-4")))?);
    }
    ensure!(merged == samples(&whole)?, "{} samples", merged.len());
    Ok(())
}

#[test]
fn what_does_not_render_is_in_the_ledger_with_the_renderers_message() -> Result<()> {
    let folder = TempDir::new()?;
    let (notes, empty) = (
        folder.path().join("notes.tex"),
        folder.path().join("empty.md"),
    );
    fs::write(&notes, NOTES)?;
    fs::write(&empty, "nothing here")?;
    let out = folder.path().join("out");
    let (notes, empty) = (notes.to_string_lossy(), empty.to_string_lossy());
    finished(&out, 1, &[&notes, &empty, "--kind", "formula-file"])?;
    let ledger = fs::read_to_string(out.join("ledger.jsonl"))?;
    let lines: Vec<&str> = ledger.lines().collect();
    ensure!(lines.len() == 6, "{ledger}");
    for (line, words) in [
        (2, "undefinedthing"),
        (4, "does not render"),
        (5, "without formulas"),
    ] {
        ensure!(
            lines[line].contains("rejected") && lines[line].contains(words),
            "{ledger}"
        );
    }
    let texts: Vec<String> = samples(&out)?.iter().map(Sample::text).collect();
    let told = |answer: &str| texts.iter().any(|text| text.ends_with(answer));
    ensure!(told("assistant: x\\in\\mathbb{R}^n"), "{texts:?}");
    ensure!(told("assistant: \\sum_{i=1}^nx_i^2=1"), "{texts:?}");
    Ok(())
}

/// The answers to the formulas of a file in both splits, and its lines of the ledger that say
/// why there is none.
fn answers(folder: &TempDir, name: &str, text: &str) -> Result<(Vec<String>, Vec<String>)> {
    let file = folder.path().join(name);
    fs::write(&file, text)?;
    let (mut answers, mut rejected) = (Vec::new(), Vec::new());
    for split in ["train", "test"] {
        let out = folder.path().join(format!("{name}-{split}"));
        finished(&out, 1, &[&file.to_string_lossy(), "--split", split])?;
        let text = samples(&out)?.iter().map(Sample::text).collect::<Vec<_>>();
        let answer = |text: &String| Some(text.rsplit_once("assistant: ")?.1.to_owned());
        answers.extend(text.iter().filter_map(answer));
        let ledger = fs::read_to_string(out.join("ledger.jsonl"))?;
        let other = "belongs to the other split";
        let lines = ledger.lines();
        rejected.extend(
            lines
                .filter(|line| line.contains("rejected") && !line.contains(other))
                .map(str::to_owned),
        );
    }
    answers.sort();
    Ok((answers, rejected))
}

#[test]
fn numbers_labels_and_tags_neither_cost_a_formula_nor_stand_in_its_answer() -> Result<()> {
    let folder = TempDir::new()?;
    let text = r"\begin{equation}\label{eq:a} E = mc^2 \end{equation}
\begin{align} a &= b \label{eq:1}\\ c &= d \nonumber \end{align}
\begin{eqnarray} x &=& y \label{q}\\ z &=& w \end{eqnarray}
\begin{equation} p = q \tag{7} \end{equation}
\begin{multline} a+b\\+c6 \end{multline}
\begin{align} a&=b,\\ \intertext{and} c&=d4 \end{align}
\begin{verbatim} $v$ \end{verbatim} \verb|$w$| \eqref{eq:a} $\DeclareUnknown$";
    let (found, rejected) = answers(&folder, "paper.tex", text)?;
    let mut wanted = vec![
        "E=mc^2",
        r"\begin{aligned}a&=b\\c&=d\end{aligned}",
        r"\begin{aligned}x&=y\\z&=w\end{aligned}",
        "p=q",
        r"\begin{gathered}a+b\\+c6\end{gathered}",
        r"\begin{aligned}a&=b,\\\text{and}\\c&=d4\end{aligned}",
    ];
    wanted.sort_unstable();
    ensure!(found == wanted, "{found:?}");
    ensure!(
        rejected.len() == 1 && rejected[0].contains("DeclareUnknown"),
        "{rejected:?}"
    );
    Ok(())
}

#[test]
fn code_and_money_in_notes_are_no_formulas() -> Result<()> {
    let folder = TempDir::new()?;
    let text = "It costs $5 or $6, `$a$` too.\n\n```\n$$b$$\n```\n\nBut $x²$ and \\(y ≤ z\\).\n\n\
                $$\n\\alpha_1 \\label{a}\n$$\n";
    let wanted = [r"\alpha_1", "x^2", r"y\leq z"];
    let (found, rejected) = answers(&folder, "notes.md", text)?;
    ensure!(
        found == wanted && rejected.is_empty(),
        "{found:?}: {rejected:?}"
    );
    let plain = "US$5 and US$6; $x²$, \\[y ≤ z\\] and 5% of $$\\alpha_1$$";
    let (found, rejected) = answers(&folder, "notes.txt", plain)?;
    ensure!(
        found == wanted && rejected.is_empty(),
        "{found:?}: {rejected:?}"
    );
    Ok(())
}

#[test]
fn macros_without_end_are_told_in_the_ledger() -> Result<()> {
    let folder = TempDir::new()?;
    let mut text = String::from("\\def\\a{\\a x}\\def\\ma{xxxxxxxxxx}");
    for (one, next) in ["ab", "bc", "cd", "de", "ef"].map(|pair| pair.split_at(1)) {
        let ten = format!("\\m{one}").repeat(10);
        text.push_str(&format!("\\def\\m{next}{{{ten}}}"));
    }
    text.push_str("$\\a$ and $\\mf$ and ${{{$ and $fine$");
    let (found, rejected) = answers(&folder, "hostile.tex", &text)?;
    ensure!(found == ["fine"], "{found:?}");
    let told = |words: &str| rejected.iter().filter(|line| line.contains(words)).count();
    // Once for each split.
    ensure!(told("cannot be spelled out") == 4, "{rejected:?}");
    ensure!(told("does not render") >= 1, "{rejected:?}");
    Ok(())
}

#[test]
fn formulas_that_cannot_be_made_are_refused_in_one_line() -> Result<()> {
    let folder = TempDir::new()?;
    let out = path(&folder, "out");
    let run = |more: &[&str]| -> Vec<String> {
        let words = ["data", "formulas", "--bundled", "-o", &out];
        words
            .iter()
            .chain(more)
            .map(|word| (*word).to_owned())
            .collect()
    };
    fails(
        run(&["--rank", "2", "--world", "2"]),
        &["--rank is 2", "which is 2"],
    )?;
    fails(
        run(&["--difficulty", "9"]),
        &["--difficulty is 9", "1 to 5"],
    )?;
    fails(
        run(&["--max-width", "5"]),
        &["--max-width is 5", "32 to 4096"],
    )?;
    fails(
        run(&["--kind", "formula-file"]),
        &["formula-file", "at least one"],
    )?;
    fails(run(&["none.pdf"]), &["none.pdf", ".tex, .md and .txt"])?;
    fails(run(&["none.tex"]), &["none.tex", "No such file"])
}
