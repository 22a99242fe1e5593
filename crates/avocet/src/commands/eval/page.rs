//! The page of wrong answers: pictures, questions, what is right and what was said, by kind.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use avocet_media::{Limits, decode};
use avocet_report::{Page, Picture};
use avocet_text::Turn;
use avocet_train::eval::Asked;
use serde::Serialize;

use crate::ui::output;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// Wrong answers shown of each kind.
const MOST_SHOWN: usize = 60;
/// Bytes of pictures on the page.
const MOST_BYTES: usize = 24 << 20;
/// Pictures of one question.
const MOST_IMAGES: usize = 8;

/// Wrong answers, as they are collected.
#[derive(Default)]
pub struct WrongAnswers {
    kinds: BTreeMap<String, KindCards>,
    bytes: usize,
}

#[derive(Serialize)]
struct Body<'a> {
    task: &'a str,
    model: &'a str,
    questions: usize,
    wrong: usize,
    kinds: Vec<KindCards>,
}

#[derive(Default, Serialize)]
struct KindCards {
    name: String,
    questions: usize,
    wrong: usize,
    cards: Vec<Card>,
}

/// One wrong answer.
#[derive(Serialize)]
struct Card {
    id: String,
    images: Vec<Picture>,
    question: String,
    right: Vec<String>,
    given: String,
}

impl WrongAnswers {
    /// Counts an answer, and keeps it if it is `wrong` and there is room.
    pub fn add(&mut self, asked: &Asked, given: &str, wrong: bool) {
        let kind = self.kinds.entry(asked.kind.clone()).or_default();
        kind.questions += 1;
        if !wrong {
            return;
        }
        kind.wrong += 1;
        if kind.cards.len() >= MOST_SHOWN || self.bytes >= MOST_BYTES {
            return;
        }
        let question = asked.turns.last();
        let last = question.map_or(0, Turn::num_images).min(MOST_IMAGES);
        let own = asked
            .images
            .iter()
            .skip(asked.images.len().saturating_sub(last));
        let images: Vec<Picture> = own.filter_map(|file| shown(file)).collect();
        self.bytes += images.iter().map(Picture::bytes).sum::<usize>();
        // The same right answer of several people is shown once.
        let mut right: Vec<String> = Vec::new();
        for reference in &asked.references {
            if !right.contains(reference) {
                right.push(reference.clone());
            }
        }
        kind.cards.push(Card {
            id: asked.id.clone(),
            images,
            question: question.map_or(String::new(), Turn::text).trim().to_owned(),
            right,
            given: given.trim().to_owned(),
        });
    }

    /// Writes the page.
    pub fn write(mut self, path: &Path, task: &str, model: &str) -> Result<()> {
        for (name, kind) in &mut self.kinds {
            kind.name.clone_from(name);
        }
        let mut kinds: Vec<KindCards> = self.kinds.into_values().collect();
        kinds.sort_by(|a, b| b.wrong.cmp(&a.wrong).then(a.name.cmp(&b.name)));
        let (questions, wrong) = kinds
            .iter()
            .fold((0, 0), |(q, w), kind| (q + kind.questions, w + kind.wrong));
        let body = Body {
            task,
            model,
            questions,
            wrong,
            kinds,
        };
        let page = Page {
            title: &format!("Wrong answers of {model}"),
            style: STYLE,
            ..Page::default()
        };
        output::save(path, page.render(TEMPLATE, &body).as_bytes())
    }
}

/// The picture as the page carries it; nothing if it does not decode.
fn shown(file: &[u8]) -> Option<Picture> {
    let picture = decode(file, &Limits::default()).ok()?;
    let size = (picture.width, picture.height);
    Picture::new(file, size, || picture.to_png().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wrong_answers_are_shown_and_none_writes_markup() {
        let picture = avocet_media::Picture::from_rgb(4, 2, vec![7; 24]).expect("a picture");
        let asked = |id: &str| Asked {
            id: id.into(),
            kind: "fruit".into(),
            images: vec![picture.to_png().expect("a file")],
            turns: vec![Turn::about(1, "What <b>fruit</b>?")],
            references: vec!["pear".into(), "pear".into(), "a pear".into()],
            spelled: false,
        };
        let mut wrong = WrongAnswers::default();
        wrong.add(&asked("first-one"), "pear", false);
        wrong.add(&asked("second-one"), "<script>apple", true);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("page.html");
        wrong.write(&path, "task", "mini").expect("written");
        let page = std::fs::read_to_string(path).expect("there");
        assert!(page.contains("second-one") && !page.contains("first-one"));
        assert!(page.contains("&lt;script&gt;apple") && !page.contains("<b>fruit"));
        assert!(page.contains("data:image/png;base64,") && page.contains("1 of 2"));
    }
}
