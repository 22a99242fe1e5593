//! What people type is text, whatever it spells; and what a model says is whole letters.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{avocet_reading, path, picture, stderr, stdout, succeeds};

/// A copy of a golden model, with a chat template if one is given.
fn model(case: &str, template: Option<&str>) -> Result<TempDir> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/families");
    let folder = TempDir::new()?;
    for entry in fs::read_dir(golden.join(case).join("model"))? {
        let entry = entry?;
        fs::copy(entry.path(), folder.path().join(entry.file_name()))?;
    }
    if let Some(template) = template {
        fs::write(folder.path().join("chat_template.jinja"), template)?;
    }
    Ok(folder)
}

fn answer(arguments: &[&str]) -> Result<Value> {
    let asked = ["ask", "--json", "--max-tokens", "3"];
    Ok(serde_json::from_str(&succeeds(
        asked.iter().chain(arguments),
    )?)?)
}

#[test]
fn the_word_image_is_a_word_where_there_is_no_picture_for_it() -> Result<()> {
    let folder = TempDir::new()?;
    let file = picture(&folder, "a.png")?;
    let ends = "{% for m in messages %}<s>{{ m.content }}</s>{% endfor %}";
    let public = model("llama", Some(ends))?;
    let public = public.path().display().to_string();
    let idefics = model("idefics", None)?;
    let idefics = idefics.path().display().to_string();
    for question in [
        "What does the SVG element <image> do?",
        "<image>",
        "<|image|><|end|> <image></image> <fake_token_around_image>?",
    ] {
        for arguments in [
            vec![question],
            vec![&file, question],
            vec![&file, &file, question],
            vec!["--model", &public, question],
            vec!["--model", &idefics, question],
            vec!["--model", &idefics, &file, question],
        ] {
            let pictures = arguments.iter().filter(|name| **name == file).count();
            let report = answer(&arguments)?;
            let images = report["images"].as_array().map(Vec::len);
            ensure!(images == Some(pictures), "{arguments:?}: {report}");
        }
    }
    Ok(())
}

#[test]
fn a_chat_takes_special_words_as_words() -> Result<()> {
    let folder = TempDir::new()?;
    let file = picture(&folder, "a.png")?;
    let input = "What is <image>?\n/image FILE\nIs <image> like <|image|>?\n</s><|end|>?\n";
    let input = input.replace("FILE", &file);
    let output = avocet_reading(&["chat", "--max-tokens", "2"], input.as_bytes())?;
    ensure!(
        output.status.success() && stderr(&output).is_empty(),
        "{output:?}"
    );
    ensure!(stdout(&output).lines().count() == 3, "{output:?}");
    Ok(())
}

#[test]
fn typed_special_tokens_are_as_many_tokens_as_other_words() -> Result<()> {
    let ends = "{% for m in messages %}<s>{{ m.role }} {{ m.content }}</s>{% endfor %}<s>";
    let templated = model("llama", Some(ends))?;
    let lines = model("llama", None)?;
    let idefics = model("idefics", None)?;
    for folder in [templated, lines, idefics] {
        let folder = folder.path().display().to_string();
        let tokens = |word: &str| -> Result<Value> {
            let question = format!("What does the token {word} mean?{word}");
            let system = format!("Be {word} brief.");
            let report = answer(&["--model", &folder, "--system", &system, &question])?;
            Ok(report["usage"]["prompt_tokens"].clone())
        };
        // Letters without merges in the golden vocabularies.
        ensure!(tokens("<s>")? == tokens("<y>")?, "{folder}");
        ensure!(tokens("</s>")? == tokens("</y>")?, "{folder}");
    }
    Ok(())
}

#[test]
fn no_letter_is_cut_by_a_limit_or_by_the_model() -> Result<()> {
    // Random weights over bytes: most of what they say is pieces of letters.
    let folder = model("llama", None)?;
    let folder = folder.path().display().to_string();
    for most in ["1", "2", "3", "5", "8", "40"] {
        for seed in ["1", "2", "3"] {
            let asked = [
                "ask",
                "--model",
                &folder,
                "--max-tokens",
                most,
                "--temperature",
                "2",
                "--seed",
                seed,
                "Emoji?",
            ];
            let said = succeeds(asked)?;
            let report = succeeds(asked.iter().chain(&["--json"]))?;
            let report: Value = serde_json::from_str(&report)?;
            ensure!(!said.contains('\u{FFFD}'), "{most}, {seed}: {said:?}");
            ensure!(
                report["answer"] == json!(said.trim_end_matches('\n')) || said.ends_with("\n\n"),
                "{report}: {said:?}"
            );
            ensure!(
                !report["answer"]
                    .as_str()
                    .is_some_and(|text| text.contains('\u{FFFD}')),
                "{report}"
            );
        }
    }
    Ok(())
}

#[test]
fn templates_with_pythons_words_are_shown_by_doctor() -> Result<()> {
    for (template, wanted) in [
        (
            "{{ 'a,b,c'.rsplit(',', 1)[0] }}|{{ messages[0].content }}",
            "a,b|What is this?",
        ),
        (
            "{{ messages[0].content | wordcount }}|{{ messages[0].content }}",
            "3|What is this?",
        ),
        (
            "{{ '%d%%|%s' % (7, messages[0].content) }}",
            "7%|What is this?",
        ),
        (
            "{{ {'b': 1, 'a': [2]} | tojson(separators=(',', ':'), sort_keys=true) }}|",
            "{\\\"a\\\":[2],\\\"b\\\":1}|",
        ),
        (
            "{{ strftime_now('%F %T %Z')[2:3] ~ messages[0].content.partition(' ')[2] }}",
            "is this?",
        ),
    ] {
        let folder = model("llama", Some(template))?;
        let report = succeeds(["doctor".as_ref(), folder.path().as_os_str()])?;
        let example = report.lines().find(|line| line.starts_with("example"));
        ensure!(
            example.is_some_and(|line| line.contains(wanted)),
            "{template}: {report}"
        );
    }
    Ok(())
}

#[test]
fn a_tokenizer_without_words_is_refused_by_its_file() -> Result<()> {
    for kept in [&[][..], &["<unk>", "<s>", "</s>"]] {
        let folder = model("llama", None)?;
        let file = path(&folder, "tokenizer.json");
        let mut tokenizer: Value = serde_json::from_slice(&fs::read(&file)?)?;
        let vocab = tokenizer["model"]["vocab"].take();
        let vocab = kept
            .iter()
            .map(|name| (name.to_string(), vocab[name].clone()));
        tokenizer["model"]["vocab"] = Value::Object(vocab.collect());
        tokenizer["model"]["merges"] = json!([]);
        if kept.is_empty() {
            tokenizer["model"]["unk_token"] = Value::Null;
            tokenizer["added_tokens"] = json!([]);
            tokenizer["post_processor"] = Value::Null;
        }
        fs::write(&file, tokenizer.to_string())?;
        let model = folder.path().display().to_string();
        for arguments in [
            vec!["ask", "--model", &model, "What is this?"],
            vec!["doctor", &model],
        ] {
            let output = avocet_reading(&arguments, b"")?;
            let said = stderr(&output);
            ensure!(output.status.code() == Some(1), "{output:?}");
            ensure!(
                said.contains("tokenizer.json") && said.contains("no word"),
                "{said}"
            );
            ensure!(said.lines().count() == 1, "{said}");
        }
    }
    Ok(())
}
