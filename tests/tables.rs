//! Tables and lines of questions as people have them: their pictures are used, or what is wrong is
//! said in one line; nothing is asked or learned without them.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{avocet, fails, stderr, stdout, succeeds};

const QUESTION: &str = "What color is the circle?";

/// A coloured circle on white, as the built-in model was taught.
pub fn circle(colour: [u8; 3]) -> RgbImage {
    RgbImage::from_fn(224, 224, |x, y| {
        let (dx, dy) = (f64::from(x) - 112.0, f64::from(y) - 112.0);
        Rgb(if dx.hypot(dy) < 60.0 {
            colour
        } else {
            [255, 255, 255]
        })
    })
}

/// A folder with a red circle, a.png, and a blue one, b.png, and a file beside them.
fn folder(name: &str, text: impl AsRef<[u8]>) -> Result<TempDir> {
    let folder = TempDir::new()?;
    circle([220, 20, 20]).save(folder.path().join("a.png"))?;
    circle([20, 20, 220]).save(folder.path().join("b.png"))?;
    std::fs::write(folder.path().join(name), text)?;
    Ok(folder)
}

/// Answers a task, and gives the report with what was said on stderr.
fn eval(task: &Path, more: &[&str]) -> Result<(Value, String)> {
    let task = task.display().to_string();
    let command = ["eval", "--json", "--max-tokens", "4", "--task", &task];
    let output = avocet([&command[..], more].concat())?;
    ensure!(output.status.success(), "{task}: {}", stderr(&output));
    Ok((serde_json::from_str(&stdout(&output))?, stderr(&output)))
}

/// Both circles are seen: their colours are told, as none could without them.
fn is_seen(task: &Path) -> Result<()> {
    let (report, said) = eval(task, &[])?;
    let right = &report["kinds"]["all"]["exact_match"];
    ensure!(report["questions"] == 2 && *right == 1.0, "{report} {said}");
    Ok(())
}

#[test]
fn tables_of_every_spelling_are_asked_with_their_pictures() -> Result<()> {
    let tables = [
        "File_Name,question,answer\na.png,Q,red\nb.png,Q,blue\n",
        "image,question,answer\na.png,Q,red\nb.png,Q,blue\n",
        "file_name;question;answer\na.png;Q;red\nb.png;Q;blue\n",
        "sep=;\nfile_name;question;answer\na.png;Q;red\nb.png;Q;blue\n",
        "\u{feff}Image Path\tPrompt\tLabel\r\na.png\tQ\tred\r\nb.png\tQ\tblue\r\n",
    ];
    for table in tables {
        let folder = folder("metadata.csv", table.replace('Q', QUESTION))?;
        is_seen(folder.path()).context(table)?;
    }
    let rows = ["a.png", "b.png"].map(|name| {
        let colour = if name == "a.png" { "red" } else { "blue" };
        let named = json!({"file_name": name, "question": QUESTION, "answer": colour});
        let parts = json!([{"type": "image"}, {"type": "text", "text": QUESTION}]);
        let trl = json!({"images": [name], "messages": [
            {"role": "user", "content": parts}, {"role": "assistant", "content": colour}]});
        let llava = json!({"image": name, "conversations": [
            {"from": "human", "value": format!("<image>\n{QUESTION}")},
            {"from": "gpt", "value": colour}]});
        [named, trl, llava]
    });
    for (first, second) in rows[0].iter().zip(&rows[1]) {
        let lines = format!("\u{feff}{first}\n{second}\n");
        let folder = folder("metadata.jsonl", &lines)?;
        is_seen(folder.path()).context(lines.clone())?;
        let list = folder.path().join("rows.json");
        std::fs::write(&list, format!("[{first},\n{second}]"))?;
        is_seen(&list).context(lines)?;
    }
    Ok(())
}

#[test]
fn nothing_is_asked_or_learned_without_its_pictures() -> Result<()> {
    let cases = [
        (
            "metadata.csv",
            "bild,question,answer\na.png,Q,red\n",
            "bild, question, answer",
        ),
        (
            "metadata.csv",
            "file_name,image,question,answer\na.png,b.png,Q,red\n",
            "`file_name` and `image`",
        ),
        (
            "metadata.csv",
            "file_name,question,answer\nc.png,Q,red\n",
            "c.png: no such file",
        ),
        (
            "metadata.csv",
            "file_name,question,answer\n,Q,red\n",
            "line 2: names no picture",
        ),
        (
            "metadata.jsonl",
            r#"{"picure":"a.png","question":"Q","answer":"red"}"#,
            "picure, question, answer",
        ),
    ];
    for (name, table, words) in cases {
        let folder = folder(name, table)?;
        let (data, run) = (
            folder.path().display().to_string(),
            folder.path().join("runs/one"),
        );
        let run = run.display().to_string();
        fails(["eval", "--task", &data], &[name, words])?;
        let learn = [
            "finetune", "--data", &data, "-o", &run, "--steps", "1", "--batch", "1",
        ];
        fails(learn, &[name, words])?;
        ensure!(
            !folder.path().join("runs").exists(),
            "a refused run leaves nothing"
        );
        let left = std::fs::read_dir(folder.path())?.count();
        ensure!(left == 3, "{left} files in {data}");
    }
    Ok(())
}

#[test]
fn empty_rows_are_skipped_and_counted() -> Result<()> {
    let table =
        format!("file_name,question,answer\na.png,{QUESTION},red\n,,\nb.png,{QUESTION},blue\n,,\n");
    let folder = folder("metadata.csv", table)?;
    is_seen(folder.path())?;
    let (_, said) = eval(folder.path(), &[])?;
    ensure!(said.contains("2 rows are empty and skipped"), "{said}");
    let (data, run) = (
        folder.path().display().to_string(),
        folder.path().join("run"),
    );
    let run = run.display().to_string();
    let learn = [
        "finetune", "--data", &data, "-o", &run, "--steps", "1", "--batch", "1",
    ];
    let output = avocet(learn)?;
    let said = stderr(&output);
    ensure!(output.status.success(), "{said}");
    ensure!(
        said.contains("4 rows: 2 to learn from, 0 wrong, 2 empty"),
        "{said}"
    );
    Ok(())
}

#[test]
fn where_the_table_is_is_said() -> Result<()> {
    let folder = TempDir::new()?;
    let root = folder.path().join("d");
    for part in ["train", "test"] {
        std::fs::create_dir_all(root.join(part))?;
        std::fs::write(root.join(part).join("metadata.csv"), "")?;
    }
    let (data, run) = (root.display().to_string(), folder.path().join("run"));
    let run = run.display().to_string();
    let learn = ["finetune", "--data", &data, "-o", &run];
    fails(learn, &["metadata.csv", "test, train"])?;
    fails(["eval", "--task", &data], &["metadata.csv", "test, train"])?;
    std::fs::write(root.join("metadata.jsonl"), "")?;
    std::fs::write(root.join("metadata.csv"), "file_name,question,answer\n")?;
    fails(
        ["eval", "--task", &data],
        &["metadata.jsonl is empty", "metadata.csv"],
    )?;
    let workbook = folder.path().join("rows.xlsx");
    std::fs::write(&workbook, b"PK\x03\x04rest")?;
    let workbook = workbook.display().to_string();
    fails(
        ["eval", "--task", &workbook],
        &["rows.xlsx", "spreadsheet", ".csv"],
    )
}

#[test]
fn a_picture_in_the_line_is_seen_and_its_data_never_repeated() -> Result<()> {
    let folder = folder("none", "")?;
    let line = |name: &str, colour: &str| -> Result<String> {
        let uri = data_uri(&folder.path().join(name))?;
        Ok(json!({"images": [uri], "question": QUESTION, "answer": colour}).to_string())
    };
    let path = folder.path().join("rows.jsonl");
    std::fs::write(
        &path,
        format!("{}\n{}\n", line("a.png", "red")?, line("b.png", "blue")?),
    )?;
    is_seen(&path)?;
    let uri = data_uri(&folder.path().join("a.png"))?;
    let broken = json!({"images": [format!("{uri}%")], "question": "?", "answer": "b"});
    std::fs::write(&path, broken.to_string())?;
    let task = path.display().to_string();
    let bad = format!("{uri}%");
    for command in [
        &["eval", "--task", &task][..],
        &["ask", &bad, "Why?"],
        &["eval", "--task", &uri],
    ] {
        let output = avocet(command)?;
        let said = stderr(&output);
        ensure!(
            output.status.code() == Some(1) && said.len() < 400,
            "{said}"
        );
    }
    let seen = succeeds(["ask", &uri, QUESTION])?;
    ensure!(seen.trim() == "red", "{seen}");
    Ok(())
}

/// A file as a data URI.
fn data_uri(path: &Path) -> Result<String> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("data:image/png;base64,");
    for three in std::fs::read(path)?.chunks(3) {
        let byte = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for letter in 0..4 {
            let value = (bits >> (18 - 6 * letter) & 63) as usize;
            text.push(if letter > three.len() {
                '='
            } else {
                LETTERS[value].into()
            });
        }
    }
    Ok(text)
}

#[test]
fn the_accuracy_of_vqa_says_how_many_references_there_are() -> Result<()> {
    let rows = [
        json!({"image": "a.png", "question": QUESTION, "answers": ["red"]}),
        json!({"image": "b.png", "question": QUESTION, "answers": ["Blue.", "navy"]}),
    ];
    let folder = folder("metadata.jsonl", format!("{}\n{}\n", rows[0], rows[1]))?;
    let (report, _) = eval(folder.path(), &["--metrics", "vqa"])?;
    ensure!(report["kinds"]["all"]["vqa"] == 1.0, "{report}");
    ensure!(
        report["references"] == json!({"fewest": 1, "most": 2}),
        "{report}"
    );
    let task = folder.path().display().to_string();
    let output = avocet(["eval", "--max-tokens", "4", "--task", &task])?;
    let said = stderr(&output);
    ensure!(said.contains("here are 1 to 2"), "{said}");
    Ok(())
}
