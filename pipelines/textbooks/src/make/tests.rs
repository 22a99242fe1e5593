//! The whole pipeline with a model that is no model.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use avocet_data::shard::Reader;
use pipeline::{RunArgs, Split};
use serde_json::Value;

use super::*;
use crate::prompts::{Ask, Step};

/// Passages of 110 words: ten people, each of whom carries something somewhere.
fn story(passages: usize) -> String {
    let colours = ["green", "yellow", "silver", "wooden", "heavy"];
    let person = |n: usize| {
        let colour = colours[n % colours.len()];
        format!("Person{n} carries the {colour} lantern{n} to the harbour of Town{n} today.")
    };
    let passage = |n: usize| {
        (10 * n..10 * n + 10)
            .map(person)
            .collect::<Vec<_>>()
            .join(" ")
    };
    (0..passages).map(passage).collect::<Vec<_>>().join("\n\n")
}

/// The number behind the first `name` in `text`.
fn number(text: &str, name: &str) -> Option<usize> {
    let rest = text.split_once(name)?.1;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit());
    rest[..digits.unwrap_or(rest.len())].parse().ok()
}

/// Asks and answers well, badly or not at all, as the length of the text and the person have it.
fn say(ask: &Ask) -> String {
    let last = ask.text.rsplit_once("Text: ").unwrap().1;
    let asked = match ask.step {
        Step::Question => {
            let wanted = last.split_once("Answer: ").unwrap().1;
            match (number(wanted, "lantern"), number(wanted, "Town")) {
                _ if last.len().is_multiple_of(5) => "A text about a harbour.".into(),
                (Some(n), _) => {
                    let n = n - usize::from(n > 0 && last.len().is_multiple_of(3));
                    format!("What does Person{n} carry to the harbour?")
                }
                (_, Some(n)) => format!("Where does Person{n} carry lantern{n}?"),
                _ => format!(
                    "What is the harbour of Town{}?",
                    number(last, "Town").unwrap()
                ),
            }
        }
        Step::Answer => {
            let asked = last.split_once("Question: ").unwrap().1;
            return match number(asked, "Person") {
                Some(n) if n.is_multiple_of(7) => " the old harbour".into(),
                Some(n) if n.is_multiple_of(5) => " It is not mentioned.".into(),
                Some(n) if asked.contains("carry to") => format!(" one lantern{n}. It is old."),
                Some(n) => format!(" Town{n}"),
                None => String::new(),
            };
        }
    };
    // The first word, or two, stand in the prompt.
    let begun = last.rsplit_once("Question: ").unwrap().1;
    let words = begun.split(' ').count();
    asked
        .split_inclusive(' ')
        .skip(words)
        .fold(String::from(" "), |all, word| all + word)
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.at(name), text).unwrap();
        self.at(name)
    }

    fn args(&self, files: Vec<PathBuf>, output: &str) -> Args {
        Args {
            files,
            run: RunArgs {
                output: self.at(output),
                seed: 1,
                rank: 0,
                world: 1,
                shard_bytes: 64 << 20,
            },
            model: "fake".into(),
            questions: 3,
            closed_book: false,
            licence: "CC0-1.0".into(),
            split: Split::Train,
        }
    }

    /// Every file of a dataset.
    fn tree(&self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(self.at(name)).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let read = |path: &PathBuf| (path.file_name().unwrap().into(), fs::read(path).unwrap());
        files.iter().map(read).collect()
    }

    fn ledger(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.at(name).join("ledger.jsonl")).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn model() -> Model {
    Model::of_bytes("fake", b"")
}

fn made(args: &Args) -> Manifest {
    make(args, &model(), &mut |ask| Ok(say(ask))).unwrap()
}

/// The name of the file, the bytes and the number of a question that the ledger speaks of.
fn place(input: &str) -> (&str, std::ops::Range<usize>, &str) {
    let (name, rest) = input
        .strip_prefix("file/")
        .unwrap()
        .split_once('/')
        .unwrap();
    let (_, rest) = rest.split_once('@').unwrap();
    let (bytes, question) = rest.split_once('/').unwrap();
    let (start, end) = bytes.split_once('-').unwrap();
    (name, start.parse().unwrap()..end.parse().unwrap(), question)
}

#[test]
fn every_question_is_accounted_for_and_every_sample_can_be_traced() {
    let folder = Folder::new();
    let text = story(20);
    let files = vec![folder.file("story.txt", &text)];
    let mut args = folder.args(files, "out");
    args.questions = 64;
    let manifest = made(&args);
    // A passage has ten lanterns, ten towns, and one harbour.
    assert_eq!(manifest.inputs, 420);
    let rejected: u64 = manifest.rejected.values().sum();
    assert_eq!(manifest.inputs, manifest.kept + rejected);
    let reasons: Vec<&str> = manifest.rejected.keys().map(String::as_str).collect();
    let wanted = [
        "answer: none found by the model",
        "answer: repeats the question",
        "answer: the model finds another",
        "question: names what the passage does not",
        "question: nearly an earlier one",
        "question: not one sentence with a question mark",
    ];
    assert_eq!(reasons, wanted);
    assert!(manifest.kept > 10, "{manifest:?}");
    let settings = &manifest.recipe.settings;
    assert_eq!(settings["model"]["sha256"], model().sha256);
    assert_eq!(
        settings["files"][0]["sha256"],
        crate::model::sha256(text.as_bytes())
    );

    let reader = Reader::open(&folder.at("out")).unwrap();
    for line in folder.ledger("out") {
        let (name, bytes, _) = place(line["input"].as_str().unwrap());
        assert_eq!(name, "story.txt");
        let passage = &text[bytes];
        assert_eq!(passage.split_whitespace().count(), 110);
        let Some(kept) = line["kept"].as_array() else {
            continue;
        };
        let sample = reader
            .get(reader.find(kept[0].as_str().unwrap()).unwrap())
            .unwrap();
        assert_eq!(
            (sample.kind.as_str(), sample.source.as_str()),
            ("reading", "file/story.txt")
        );
        assert_eq!(sample.licence, "CC0-1.0");
        let Content::Turns(turns) = &sample.content else {
            panic!("{sample:?}")
        };
        let asked = turns[0].text();
        let (before, question) = asked.split_once("\n\n").unwrap();
        assert_eq!(before, passage);
        assert!(question.contains(" does Person"), "{question}");
        assert!(passage.contains(&turns[1].text()), "{turns:?}");
    }
}

#[test]
fn a_run_killed_anywhere_ends_with_the_same_bytes_and_asks_nothing_twice() {
    let folder = Folder::new();
    let files = vec![folder.file("story.txt", &story(12))];
    // Shards of a few samples, so that a run also goes on behind closed ones.
    let run = |output: &str, stop: usize| {
        let asked = Cell::new(0);
        let mut args = folder.args(files.clone(), output);
        args.run.shard_bytes = 12_000;
        let made = make(&args, &model(), &mut |ask| {
            if asked.get() == stop {
                return Err(AskError::Failed("killed".into()));
            }
            asked.set(asked.get() + 1);
            Ok(say(ask))
        });
        (made.is_ok(), asked.get())
    };
    let (finished, all) = run("whole", usize::MAX);
    assert!(finished && all > 36);
    assert!(folder.tree("whole").len() > 4, "several shards");
    for stop in [0, 1, 20, 50, all - 1] {
        let output = format!("killed-{stop}");
        assert_eq!(run(&output, stop), (false, stop));
        assert_eq!(
            run(&output, usize::MAX),
            (true, all - stop),
            "{stop} of {all}"
        );
        assert_eq!(folder.tree(&output), folder.tree("whole"), "{stop}");
    }
    // What is finished stays, and asks nobody.
    assert_eq!(run("whole", 0), (true, 0));
}

#[test]
fn another_seed_asks_other_questions_and_another_text_is_no_resumption() {
    let folder = Folder::new();
    let files = vec![folder.file("story.txt", &story(4))];
    let mut args = folder.args(files, "a");
    made(&args);
    (args.run.seed, args.run.output) = (2, folder.at("b"));
    made(&args);
    assert_ne!(folder.tree("a"), folder.tree("b"));
    folder.file("story.txt", &story(3));
    let other = make(&args, &model(), &mut |ask| Ok(say(ask)));
    assert!(other.unwrap_err().to_string().contains("story.txt"));
}

#[test]
fn without_the_book_questions_stand_alone_and_come_once() {
    let folder = Folder::new();
    // The same passage twice.
    let text = format!("{}\n\n{}", story(1), story(1));
    let mut args = folder.args(vec![folder.file("story.txt", &text)], "out");
    (args.closed_book, args.questions) = (true, 64);
    made(&args);
    let reader = Reader::open(&folder.at("out")).unwrap();
    let mut questions = std::collections::BTreeSet::new();
    for index in 0..reader.len() {
        let sample = reader.get(index).unwrap();
        assert_eq!(sample.kind, "closed-book");
        let Content::Turns(turns) = &sample.content else {
            panic!("{sample:?}")
        };
        assert!(turns[0].text().contains(" does Person"));
        assert!(questions.insert(turns[0].text()), "{:?}", turns[0]);
    }
    let ledger = folder.ledger("out");
    let repeats: Vec<&Value> = ledger
        .iter()
        .filter(|line| line.get("of").is_some())
        .collect();
    assert!(!repeats.is_empty());
    for line in repeats {
        assert!(reader.find(line["of"].as_str().unwrap()).is_some());
    }
}

#[test]
fn the_ranks_share_the_passages_out_and_merge_to_the_single_run() {
    let folder = Folder::new();
    let files = vec![
        folder.file("one.txt", &story(7)),
        folder.file("two.txt", &story(4)),
    ];
    for rank in 0..3 {
        let mut args = folder.args(files.clone(), "out");
        (args.run.rank, args.run.world) = (rank, 3);
        made(&args);
    }
    made(&folder.args(files, "single"));
    let layout = avocet_data::Layout::default();
    let (parts, merged) = (folder.at("out"), folder.at("merged"));
    avocet_data::merge(&[parts], &merged, &layout, &|_, _| {}).unwrap();
    for file in ["train-00000.tar", "index.parquet", "ledger.jsonl"] {
        let read = |name: &str| fs::read(folder.at(name).join(file)).unwrap();
        assert_eq!(read("merged"), read("single"), "{file}");
    }
}

#[test]
fn pages_and_unreadable_files_are_accounted_for_too() {
    let folder = Folder::new();
    let page = format!(
        "<html><body><p>{}</p>\n<p>The end.</p></body></html>",
        story(1)
    );
    fs::write(folder.at("broken.txt"), b"\xFF\xFE").unwrap();
    let files = vec![
        folder.file("page.html", &page),
        folder.file("empty.md", "\n"),
        folder.file("note.txt", "Only a note."),
        folder.at("broken.txt"),
    ];
    let manifest = made(&folder.args(files, "out"));
    for reason in ["no text", "not UTF-8"] {
        assert_eq!(manifest.rejected[reason], 1, "{reason}");
    }
    assert_eq!(manifest.rejected["passage: fewer than 40 words"], 2);
    let ledger = folder.ledger("out");
    let first = ledger[0]["input"].as_str().unwrap();
    let (name, bytes, _) = place(first);
    assert_eq!((name, &page[bytes]), ("page.html", story(1).as_str()));
}

#[test]
fn a_passage_that_the_model_cannot_take_is_rejected_and_a_broken_model_ends_the_run() {
    let folder = Folder::new();
    let files = vec![folder.file("story.txt", &story(2))];
    let args = folder.args(files, "out");
    let broken = &mut |_: &Ask| Err(AskError::Failed("no weights".into()));
    let error = make(&args, &model(), broken).unwrap_err().to_string();
    assert!(
        error.contains("fake") && error.contains("no weights"),
        "{error}"
    );
    let long = make(&args, &model(), &mut |_| Err(AskError::Unfit)).unwrap();
    assert_eq!(long.rejected[UNFIT], 6);
}

#[test]
fn what_cannot_be_taken_is_named() {
    let folder = Folder::new();
    let story = folder.file("story.txt", "A story.");
    let refused = |args: &Args| {
        let made = make(args, &model(), &mut |ask| Ok(say(ask)));
        made.unwrap_err().to_string()
    };
    let of = |path: &str| folder.args(vec![path.into()], "out");
    assert!(refused(&of("picture.png")).contains("picture.png"));
    assert!(refused(&of("gone.txt")).contains("gone.txt"));
    fs::create_dir(folder.at("other")).unwrap();
    let twin = folder.file("other/story.txt", "Another.");
    let twins = folder.args(vec![story.clone(), twin], "out");
    assert!(refused(&twins).contains("other/story.txt"));
    let mut args = folder.args(vec![story.clone()], "out");
    (args.run.rank, args.run.world) = (2, 2);
    assert!(refused(&args).contains("--rank is 2, but must be below --world, which is 2"));
    let mut args = folder.args(vec![story.clone()], "out");
    args.licence = " ".into();
    assert!(refused(&args).contains("--licence"));
    assert_eq!(Split::of_name("file/story.txt"), Split::Train);
    let mut args = folder.args(vec![story], "out");
    args.split = Split::Test;
    assert!(refused(&args).contains("--split train"));
    assert!(!folder.at("out").exists(), "nothing was begun");
}
