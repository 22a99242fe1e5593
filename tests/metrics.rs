//! The metrics of `avocet eval` are those of their reference implementations, on the answers of
//! `golden/metrics.json`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use avocet_train::eval::{
    Answered, Metric, anls, bleu, bleu_tokens, caption_words, cider, formula_edit_rate,
    vqa_accuracy, vqa_normalised,
};
use serde_json::Value;

fn golden() -> Result<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/metrics.json");
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn cases<'a>(golden: &'a Value, name: &str) -> Result<&'a [Value]> {
    let cases = golden[name].as_array().context(name.to_owned())?;
    ensure!(!cases.is_empty(), "{name}: no cases");
    Ok(cases)
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("a text")?.to_owned())
}

fn texts(value: &Value) -> Result<Vec<String>> {
    value
        .as_array()
        .context("a list")?
        .iter()
        .map(text)
        .collect()
}

fn number(value: &Value) -> Result<f64> {
    value.as_f64().context("a number")
}

/// The references compute in f64 as we do; only the order of sums differs.
fn close(ours: f64, theirs: &Value, what: &str) -> Result<()> {
    let theirs = number(theirs)?;
    ensure!(
        (ours - theirs).abs() < 1e-9,
        "{what}: {ours}, the reference says {theirs}"
    );
    Ok(())
}

#[test]
fn vqa_accuracy_is_that_of_the_official_evaluation() -> Result<()> {
    let golden = golden()?;
    for case in cases(&golden, "vqa")? {
        let (answer, references) = (text(&case["answer"])?, texts(&case["references"])?);
        let normalised = text(&case["normalised"])?;
        ensure!(
            vqa_normalised(&answer) == normalised,
            "{answer:?}: {normalised:?}"
        );
        close(
            vqa_accuracy(&answer, &references),
            &case["accuracy"],
            &answer,
        )?;
    }
    for pair in cases(&golden, "contractions")? {
        let (from, to) = (text(&pair[0])?, text(&pair[1])?);
        ensure!(
            vqa_normalised(&from) == to,
            "{from:?}: {:?}, not {to:?}",
            vqa_normalised(&from)
        );
    }
    Ok(())
}

#[test]
fn anls_is_that_of_its_package() -> Result<()> {
    for case in cases(&golden()?, "anls")? {
        let answer = text(&case["answer"])?;
        close(
            anls(&answer, &texts(&case["references"])?),
            &case["anls"],
            &answer,
        )?;
    }
    Ok(())
}

#[test]
fn captions_are_cut_and_scored_as_the_coco_evaluation_does() -> Result<()> {
    let golden = golden()?;
    let mut read = Vec::new();
    for case in cases(&golden, "captions")? {
        let (answer, references) = (text(&case["answer"])?, texts(&case["references"])?);
        let all = std::iter::once(&answer).chain(&references);
        let words: Vec<Vec<String>> = all.map(|text| caption_words(text)).collect();
        let theirs = case["words"].as_array().context("words")?;
        let theirs = theirs.iter().map(texts).collect::<Result<Vec<_>>>()?;
        ensure!(words == theirs, "{words:?}, not {theirs:?}");
        read.push((answer, references));
    }
    let pairs = || {
        read.iter()
            .map(|(answer, references)| (answer.as_str(), references.as_slice()))
    };
    for ((ours, case), (answer, _)) in cider(pairs())
        .iter()
        .zip(cases(&golden, "captions")?)
        .zip(&read)
    {
        close(*ours, &case["cider"], answer)?;
    }
    close(bleu(pairs()), &golden["bleu"], "BLEU")
}

#[test]
fn bleu_cuts_texts_as_sacrebleu_does() -> Result<()> {
    for pair in cases(&golden()?, "bleu_tokens")? {
        let (line, tokens) = (text(&pair[0])?, texts(&pair[1])?);
        ensure!(
            bleu_tokens(&line) == tokens,
            "{:?}, not {tokens:?}",
            bleu_tokens(&line)
        );
    }
    Ok(())
}

#[test]
fn error_rates_are_those_of_jiwer() -> Result<()> {
    let golden = golden()?;
    let mut all = Vec::new();
    for case in cases(&golden, "spoken")? {
        let one = Answered {
            id: String::new(),
            kind: "spoken".into(),
            answer: text(&case["answer"])?,
            references: vec![text(&case["reference"])?],
        };
        close(Metric::WordErrorRate.of(&[&one]), &case["wer"], &one.answer)?;
        close(
            Metric::CharacterErrorRate.of(&[&one]),
            &case["cer"],
            &one.answer,
        )?;
        all.push(one);
    }
    let all: Vec<&Answered> = all.iter().collect();
    close(
        Metric::WordErrorRate.of(&all),
        &golden["all_wer"],
        "all words",
    )?;
    close(
        Metric::CharacterErrorRate.of(&all),
        &golden["all_cer"],
        "all characters",
    )
}

#[test]
fn formulas_differ_by_the_edits_of_their_tokens() -> Result<()> {
    for case in cases(&golden()?, "formulas")? {
        let (answer, reference) = (text(&case["answer"])?, text(&case["reference"])?);
        let (edits, length) = formula_edit_rate(&answer, &[reference]);
        close(edits as f64, &case["edits"], &answer)?;
        close(length as f64, &case["length"], &answer)?;
    }
    Ok(())
}
