//! Which changes leave what pictures show, by what is asked about them.

use anyhow::Result;
use avocet_data::Content;
use avocet_data::shard::Reader;
use avocet_train::config::AugmentConfig;

/// Words of questions and answers that speak of what a mirrored picture shows otherwise, or of what
/// stands at an edge.
const SIDES: [&str; 22] = [
    "left",
    "right",
    "clockwise",
    "read",
    "reads",
    "text",
    "say",
    "says",
    "said",
    "word",
    "words",
    "letter",
    "letters",
    "write",
    "written",
    "writes",
    "spell",
    "sign",
    "number",
    "digit",
    "title",
    "line",
];
/// Samples that are looked at.
const MOST: usize = 2000;

/// Changes that fit all of the samples: none without pictures, and no mirrored ones where a word
/// speaks of sides or of reading, or an answer is a letter, a number or a formula.
pub fn fitting(dataset: &Reader) -> Result<AugmentConfig> {
    let mut sees = false;
    for index in 0..dataset.len().min(MOST) {
        let sample = dataset.get(index)?;
        sees |= !sample.images.is_empty();
        let Content::Turns(turns) = &sample.content else {
            return Ok(AugmentConfig::Letters);
        };
        let answers = turns.iter().skip(1).step_by(2);
        if turns.iter().any(|turn| speaks_of_sides(&turn.text()))
            || answers
                .map(|turn| turn.text())
                .any(|text| is_no_name(&text))
        {
            return Ok(AugmentConfig::Letters);
        }
    }
    Ok(if sees {
        AugmentConfig::Things
    } else {
        AugmentConfig::None
    })
}

fn speaks_of_sides(text: &str) -> bool {
    let words = text.split(|c: char| !c.is_alphabetic());
    words
        .map(str::to_lowercase)
        .any(|word| SIDES.contains(&word.as_str()))
}

/// Whether an answer is a single letter, or has signs in it that no name has.
fn is_no_name(text: &str) -> bool {
    let text = text.trim();
    let of_a_name = |c: char| c.is_alphabetic() || c.is_whitespace() || "-'’.,".contains(c);
    text.chars().count() < 2 || !text.chars().all(of_a_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use avocet_data::Sample;
    use avocet_data::shard::{Recipe, Writer};
    use avocet_text::Turn;

    fn fits(asked: &[(&str, &str)]) -> AugmentConfig {
        let folder = tempfile::tempdir().expect("a folder");
        let recipe = Recipe::new("test", "train", 0, serde_json::json!(null));
        let mut writer = Writer::open(folder.path(), recipe).expect("made");
        for (question, answer) in asked {
            let from = ("questions", "made-up", "CC0-1.0");
            let picture = avocet_media::Picture::from_rgb(1, 1, vec![9; 3]).expect("a picture");
            let image = picture.to_png().expect("a file");
            let sample = Sample::question(from, image, None, question, Turn::assistant(*answer));
            writer
                .keep(question, &[sample.expect("a sample")])
                .expect("kept");
        }
        writer.finish().expect("finished");
        fitting(&Reader::open(folder.path()).expect("opened")).expect("whole")
    }

    #[test]
    fn only_what_is_named_is_mirrored() {
        let name = ("What is this?", "a sports car");
        assert_eq!(fits(&[name, ("Is it red?", "yes")]), AugmentConfig::Things);
        for other in [
            ("What does it say?", "archive"),
            ("Where is the cat?", "on the left"),
            ("Which one?", "b"),
            ("How much?", "12 kg"),
        ] {
            assert_eq!(fits(&[name, other]), AugmentConfig::Letters, "{other:?}");
        }
    }
}
