//! A part of a small dataset that is kept from learning, so that what was learned can be seen: some
//! pictures of each answer, chosen by what they are and by nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::json;

use crate::digest::sha256;
use crate::shard::{Manifest, Reader, Recipe, Writer};
use crate::{Content, DataError, Sample};
use avocet_text::Role;

/// With fewer samples nothing is held out: all of them are needed.
const FEWEST: usize = 20;
/// More say no more of how good a model is.
const MOST: usize = 500;

/// Samples of `dataset` that are held out where `share` of them are: none of fewer than 20, and at
/// most 500. Those that share a picture stay together; of each answer that several pictures have, at
/// least one is held out and one is left. Which ones, their hashes decide, so that a picture more
/// moves few others.
///
/// Errors if a sample is damaged.
pub fn held_out(dataset: &Reader, share: f64) -> Result<BTreeSet<usize>, DataError> {
    let count = dataset.len();
    if count < FEWEST || share <= 0.0 {
        return Ok(BTreeSet::new());
    }
    // Samples by what they show, and the answers given about it.
    let mut shown: BTreeMap<[u8; 32], (Vec<usize>, String)> = BTreeMap::new();
    for index in 0..count {
        let sample = dataset.get(index)?;
        let (places, first) = shown.entry(shows(&sample)).or_default();
        if places.is_empty() {
            *first = answer(&sample);
        }
        places.push(index);
    }
    let mut by_answer: BTreeMap<String, Vec<Vec<usize>>> = BTreeMap::new();
    for (places, answer) in shown.into_values() {
        by_answer.entry(answer).or_default().push(places);
    }
    // What is answered once is held out as if all of that were one answer.
    let mut alone = Vec::new();
    by_answer.retain(|_, groups| {
        let one = groups.len() == 1;
        if one {
            alone.append(groups);
        }
        !one
    });
    alone.sort_by_key(|places| dataset.id(places[0]));
    let share = share.min(MOST as f64 / count as f64);
    let mut held = BTreeSet::new();
    for groups in by_answer.into_values() {
        let wanted = (share * groups.len() as f64).round() as usize;
        let wanted = wanted.clamp(1, groups.len() - 1);
        held.extend(groups.into_iter().take(wanted).flatten());
    }
    let wanted = (share * alone.len() as f64).round() as usize;
    held.extend(alone.into_iter().take(wanted).flatten());
    Ok(held)
}

/// Writes the samples of `held`, and all others, of `dataset` as the datasets `held-out` and
/// `learned` of `folder`; where they are written already, nothing is done.
///
/// Errors if a sample is damaged, or nothing can be written.
pub fn hold_out(
    dataset: &Reader,
    held: &BTreeSet<usize>,
    folder: &Path,
) -> Result<[Manifest; 2], DataError> {
    let write = |name: &str, is_held: bool| {
        let settings = json!({ "of": dataset.len(), "held": held });
        let recipe = Recipe::new("hold-out", name, 0, settings);
        let mut writer = Writer::open(&folder.join(name), recipe)?;
        if writer.is_finished() {
            return writer.finish();
        }
        let done = writer.num_inputs() as usize;
        let chosen = (0..dataset.len()).filter(|index| held.contains(index) == is_held);
        for index in chosen.skip(done) {
            let sample = dataset.get(index)?;
            writer.keep(&index.to_string(), &[sample])?;
        }
        writer.finish()
    };
    Ok([write("learned", false)?, write("held-out", true)?])
}

/// What of a sample must not be in both parts.
fn shows(sample: &Sample) -> [u8; 32] {
    match sample.images.first() {
        Some(first) => sha256(first),
        None => sha256(sample.id.as_bytes()),
    }
}

/// The last thing that is learned of it.
fn answer(sample: &Sample) -> String {
    let Content::Turns(turns) = &sample.content else {
        return String::new();
    };
    let mut answers = turns.iter().rev();
    let last = answers.find(|turn| turn.role == Role::Assistant);
    last.map_or_else(String::new, |turn| turn.text().trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use avocet_media::Picture;
    use avocet_text::Turn;

    fn dataset(folder: &Path, answers: &[&str]) -> Reader {
        let recipe = Recipe::new("test", "train", 1, json!(null));
        let mut writer = Writer::open(folder, recipe).expect("made");
        for (n, answer) in answers.iter().enumerate() {
            let picture = Picture::from_rgb(2, 1, vec![n as u8; 6]).expect("a picture");
            let image = picture.to_png().expect("a file");
            for question in ["What?", "And what else?"] {
                let from = ("vqa", "made-up", "CC0-1.0");
                let turn = Turn::assistant(*answer);
                let sample = Sample::question(from, image.clone(), None, question, turn);
                let sample = sample.expect("a sample");
                writer
                    .keep(&format!("{n} {question}"), &[sample])
                    .expect("kept");
            }
        }
        writer.finish().expect("finished");
        Reader::open(folder).expect("opened")
    }

    fn pictures(reader: &Reader, places: &BTreeSet<usize>) -> BTreeSet<[u8; 32]> {
        let get = |&place: &usize| shows(&reader.get(place).expect("whole"));
        places.iter().map(get).collect()
    }

    #[test]
    fn some_of_each_answer_are_held_out_and_no_picture_is_on_both_sides() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut answers = ["cat"; 20].to_vec();
        answers.extend(["dog"; 3]);
        answers.extend(["a hen", "a cow", "an owl", "a fox", "a bee"]);
        let reader = dataset(&folder.path().join("all"), &answers);
        let held = held_out(&reader, 0.2).expect("whole");
        let of = |answer: &str| {
            let is = |place: &&usize| super::answer(&reader.get(**place).expect("whole")) == answer;
            held.iter().filter(is).count()
        };
        // Two samples a picture.
        assert_eq!((of("cat"), of("dog"), held.len()), (8, 2, 12));
        let left = (0..reader.len()).filter(|place| !held.contains(place));
        let left = pictures(&reader, &left.collect());
        assert!(pictures(&reader, &held).is_disjoint(&left));

        let made = hold_out(&reader, &held, folder.path()).expect("written");
        assert_eq!(made.map(|part| part.samples), [44, 12]);
        let again = hold_out(&reader, &held, folder.path()).expect("there");
        assert_eq!(again.map(|part| part.samples), [44, 12]);
    }

    #[test]
    fn a_picture_more_moves_few_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let few = dataset(&folder.path().join("few"), &["cat"; 30]);
        let more = dataset(&folder.path().join("more"), &["cat"; 31]);
        let before = pictures(&few, &held_out(&few, 0.2).expect("whole"));
        let after = pictures(&more, &held_out(&more, 0.2).expect("whole"));
        assert!(before.intersection(&after).count() >= before.len() - 1);
    }

    #[test]
    fn nothing_of_little_is_held_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let little = dataset(&folder.path().join("little"), &["cat"; 9]);
        assert!(held_out(&little, 0.2).expect("whole").is_empty());
        let enough = dataset(&folder.path().join("enough"), &["cat"; 10]);
        assert_eq!(held_out(&enough, 0.2).expect("whole").len(), 4);
        assert!(held_out(&enough, 0.0).expect("whole").is_empty());
    }
}
