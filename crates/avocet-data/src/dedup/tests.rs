//! What counts as a duplicate and what does not, and that the pass can be broken off anywhere.

use std::path::PathBuf;

use avocet_media::Picture;
use avocet_text::Turn;

use super::text::Shingles;
use super::thumbnail::Thumbnail;
use super::*;
use crate::fixture::{Folder, drawing, killed_at};
use crate::shard::Manifest;
use crate::{DataError, Layout, OnProgress, Piece, Sample};

fn options() -> DedupOptions {
    DedupOptions {
        pictures: Match::Near,
        said: true,
        picture_similarity: DedupOptions::PICTURE_SIMILARITY,
        texts: Match::Near,
        text_similarity: DedupOptions::TEXT_SIMILARITY,
        opt_out: None,
        against: Vec::new(),
    }
}

fn deduped(
    folders: &[PathBuf],
    output: PathBuf,
    options: &DedupOptions,
    jobs: usize,
    progress: OnProgress<'_>,
) -> Result<Manifest, DataError> {
    let layout = Layout {
        jobs,
        ..Layout::default()
    };
    dedup(folders, &output, options, &layout, progress)
}

fn run(folder: &Folder, input: &str, output: &str, options: &DedupOptions) -> Manifest {
    deduped(
        &[folder.at(input)],
        folder.at(output),
        options,
        2,
        &|_, _| {},
    )
    .unwrap()
}

/// Half the size, by the mean of four pixels.
fn halved(picture: &Picture) -> Picture {
    let (width, height) = (picture.width / 2, picture.height / 2);
    let at = |x: usize, y: usize, c: usize| u32::from(picture.rgb[(y * picture.width + x) * 3 + c]);
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                let (x, y) = (2 * x, 2 * y);
                let sum = at(x, y, c) + at(x + 1, y, c) + at(x, y + 1, c) + at(x + 1, y + 1, c);
                rgb.push((sum / 4) as u8);
            }
        }
    }
    Picture::from_rgb(width, height, rgb).unwrap()
}

fn mapped(picture: &Picture, map: impl Fn(usize, u8) -> u8) -> Picture {
    let rgb = picture
        .rgb
        .iter()
        .enumerate()
        .map(|(i, &v)| map(i, v))
        .collect();
    Picture::from_rgb(picture.width, picture.height, rgb).unwrap()
}

/// Shrunk, brightened, noisy as if compressed, and with less contrast.
fn copies(picture: &Picture) -> Vec<Picture> {
    vec![
        halved(picture),
        mapped(picture, |_, v| v.saturating_add(25)),
        mapped(picture, |i, v| {
            v.saturating_add((i * 7919 % 13) as u8).saturating_sub(6)
        }),
        mapped(picture, |_, v| (f32::from(v) * 0.8) as u8),
        mapped(&halved(picture), |_, v| (f32::from(v) * 1.15) as u8),
    ]
}

fn asked(picture: &Picture, question: &str, source: &str) -> Sample {
    let from = ("vqa", source, "CC0-1.0");
    Sample::question(
        from,
        picture.to_png().unwrap(),
        None,
        question,
        Turn::assistant("x"),
    )
    .unwrap()
}

#[test]
fn copies_are_found_and_other_drawings_are_not() {
    let drawings: Vec<Picture> = (0..60)
        .map(|n| drawing(n, 60 + n as usize * 4, 60 + n as usize % 5 * 40))
        .collect();
    let first = |picture: &Picture| Thumbnail::of(picture).remove(0);
    let known: Vec<Thumbnail> = drawings.iter().map(first).collect();
    for (n, drawing) in drawings.iter().enumerate() {
        for copy in copies(drawing) {
            let looks = Thumbnail::of(&copy);
            for (other, thumbnail) in known.iter().enumerate() {
                let most = looks
                    .iter()
                    .map(|look| look.similarity(thumbnail))
                    .fold(0.0, f64::max);
                let same = most >= DedupOptions::PICTURE_SIMILARITY;
                assert_eq!(same, other == n, "{n} and {other}: {most}");
            }
        }
    }
}

#[test]
fn colours_shapes_and_empty_pages_are_told_apart() {
    let picture = drawing(3, 90, 60);
    let first = |picture: &Picture| Thumbnail::of(picture).remove(0);
    let other_colours = mapped(&picture, |i, v| match i % 3 {
        0 => v.saturating_add(40),
        1 => v,
        _ => v.saturating_sub(40),
    });
    let negative = mapped(&picture, |_, v| 255 - v);
    let squeezed = drawing(3, 70, 60);
    for other in [other_colours, negative, squeezed] {
        let similarity = first(&picture).similarity(&first(&other));
        assert!(similarity < 0.9, "{similarity}");
    }
    let page = |shade: u8| first(&Picture::from_rgb(40, 30, vec![shade; 3600]).unwrap());
    assert_eq!(page(200).similarity(&page(202)), 1.0);
    assert_eq!(page(200).similarity(&page(230)), 0.0);
    assert_eq!(page(200).similarity(&first(&drawing(1, 40, 30))), 0.0);
    let tiny = Picture::from_rgb(1, 1, vec![9; 3]).unwrap();
    assert_eq!(first(&tiny).similarity(&first(&tiny)), 1.0);
}

#[test]
fn a_duplicate_shows_and_says_the_same_and_the_ledger_names_the_first() {
    let folder = Folder::new();
    let (one, two) = (drawing(1, 80, 80), drawing(2, 80, 80));
    let samples = [
        asked(&one, "What?", "a"),
        asked(&halved(&one), "What?", "a"),
        asked(&one, "Which  colour?", "a"),
        asked(&one, "Which colour?", "b"),
        asked(&two, "What?", "a"),
    ];
    folder.dataset("in", &samples);
    let manifest = run(&folder, "in", "out", &options());
    assert_eq!(
        (manifest.inputs, manifest.kept, manifest.samples),
        (5, 3, 3)
    );
    let of = |n: usize| folder.rejection("out", &samples[n].id);
    assert_eq!(of(0), None);
    let near = "nearly the same pictures and the same words as an earlier sample";
    assert_eq!(of(1), Some((near.into(), samples[0].id.clone())));
    let same = "the same pictures and words as an earlier sample";
    assert_eq!(of(3), Some((same.into(), samples[2].id.clone())));

    let exact = DedupOptions {
        pictures: Match::Exact,
        ..options()
    };
    assert_eq!(run(&folder, "in", "exact", &exact).samples, 4);
    let off = DedupOptions {
        pictures: Match::Off,
        ..options()
    };
    assert_eq!(run(&folder, "in", "off", &off).samples, 5);
    let any = DedupOptions {
        said: false,
        ..options()
    };
    assert_eq!(run(&folder, "in", "any", &any).samples, 2);
}

#[test]
fn a_sample_of_several_pictures_is_a_duplicate_only_if_all_agree() {
    let folder = Folder::new();
    let frames = |numbers: [u64; 3]| {
        let image = |n| Piece::Image(drawing(n, 64, 48).to_png().unwrap(), None);
        let mut pieces: Vec<Piece> = numbers.map(image).into();
        pieces.push(Piece::Text("said".into()));
        Sample::interleaved(("video", "s", "CC0-1.0"), pieces).unwrap()
    };
    let mut again = frames([1, 2, 3]);
    again = Sample::new(
        "other-kind",
        &again.source,
        "CC0-1.0",
        again
            .images
            .into_iter()
            .map(|image| (image, None))
            .collect(),
        again.content,
    )
    .unwrap();
    folder.dataset("in", &[frames([1, 2, 3]), frames([1, 2, 4]), again]);
    assert_eq!(run(&folder, "in", "out", &options()).samples, 2);
}

/// A text of `length` words out of a thousand, and the same with some words changed.
fn words(seed: u64, length: usize, changed: usize) -> String {
    let mut state = seed;
    let word = |state: &mut u64| format!("w{}", scramble(state) % 1000);
    let mut words: Vec<String> = (0..length).map(|_| word(&mut state)).collect();
    let mut edits = seed ^ 0xABCD;
    for _ in 0..changed {
        let at = scramble(&mut edits) as usize % length;
        words[at] = word(&mut edits);
    }
    words.join(" ")
}

/// `AVOCET_DEDUP_TEXTS` raises the number of texts from 300; prints recall by similarity.
#[test]
fn nearly_all_texts_above_the_threshold_are_found_and_none_below() {
    let asked = std::env::var("AVOCET_DEDUP_TEXTS").ok();
    let count: u64 = asked.and_then(|text| text.parse().ok()).unwrap_or(300);
    let least = DedupOptions::TEXT_SIMILARITY;
    let mut index = index::TextIndex::new(least);
    let text = |n: u64| words(n, 60 + n as usize % 300, 0);
    for n in 0..count {
        index.insert(n as u32, &Shingles::of(&text(n)).unwrap());
    }
    let read = |n: u32| Ok::<_, ()>(Shingles::of(&text(u64::from(n))));
    let (mut above, mut found, mut wrong) = ([0; 5], [0; 5], 0);
    for n in 0..count {
        for changed in 0..8 {
            let edited = Shingles::of(&words(n, 60 + n as usize % 300, changed)).unwrap();
            let similarity = edited.similarity(&Shingles::of(&text(n)).unwrap());
            let hit = index.find(&edited, read).unwrap();
            wrong += usize::from(hit.is_some() && (similarity < least || hit != Some(n as u32)));
            if similarity >= least {
                let bucket = (((similarity - least) / 0.05) as usize).min(4);
                above[bucket] += 1;
                found[bucket] += usize::from(hit == Some(n as u32));
            }
        }
    }
    println!("from {least} in steps of 0.05: {found:?} of {above:?} found, {wrong} wrong");
    let (found, above) = (found.iter().sum::<usize>(), above.iter().sum::<usize>());
    assert_eq!(wrong, 0);
    assert!(found * 1000 >= above * 990, "{found} of {above}");
}

#[test]
fn words_are_compared_without_case_and_marks_and_in_scripts_without_spaces() {
    let text = words(5, 80, 0);
    let same = |a: &str, b: &str| {
        Shingles::of(a)
            .unwrap()
            .similarity(&Shingles::of(b).unwrap())
    };
    assert_eq!(same(&text, &text.to_uppercase().replace(' ', ", ")), 1.0);
    let letters: String = (0..60)
        .map(|n| char::from_u32(0x4E00 + n * 7).unwrap())
        .collect();
    assert_eq!(same(&letters, &format!("{letters}\u{3002}")), 1.0);
    assert!(same(&text, &words(6, 80, 0)) < 0.01);
    assert_eq!(Shingles::of("too short to be compared"), None);
}

#[test]
fn short_texts_and_questions_are_duplicates_only_word_for_word() {
    let folder = Folder::new();
    let from = ("text", "s", "CC0-1.0");
    let ask = |thing: &str| {
        let question = format!("{} what is a {thing}?", "please ".repeat(40));
        let turns = vec![Turn::user(question), Turn::assistant("x")];
        Sample::new("ask", "s", "CC0-1.0", vec![], crate::Content::Turns(turns)).unwrap()
    };
    let long = words(9, 200, 0);
    let samples = [
        ask("dog"),
        ask("cat"),
        Sample::document(from, "a short text").unwrap(),
        Sample::document(from, "a  short text").unwrap(),
        Sample::document(from, &long).unwrap(),
        Sample::document(from, &words(9, 200, 3)).unwrap(),
        Sample::document(from, &words(9, 200, 40)).unwrap(),
    ];
    folder.dataset("in", &samples);
    let manifest = run(&folder, "in", "out", &options());
    assert_eq!(manifest.samples, 5, "{:?}", manifest.rejected);
    assert_eq!(
        folder.rejection("out", &samples[5].id),
        Some((
            "nearly the same text as an earlier sample".into(),
            samples[4].id.clone()
        ))
    );
    let off = DedupOptions {
        texts: Match::Off,
        ..options()
    };
    assert_eq!(run(&folder, "in", "off", &off).samples, 7);
}

#[test]
fn what_is_held_out_or_opted_out_is_not_kept_whatever_is_said() {
    let folder = Folder::new();
    let from = ("text", "s", "CC0-1.0");
    let held_out = [
        asked(&drawing(1, 80, 80), "What?", "a"),
        Sample::document(from, &words(9, 200, 0)).unwrap(),
        Sample::document(from, "a short text").unwrap(),
    ];
    folder.dataset("test", &held_out);
    let samples = [
        asked(&drawing(1, 80, 80), "Another question?", "a"),
        asked(&halved(&drawing(1, 80, 80)), "Which?", "a"),
        Sample::document(from, &words(9, 200, 3)).unwrap(),
        Sample::document(("text", "t", "MIT"), "a short text").unwrap(),
        asked(&drawing(2, 80, 80), "What?", "unwilling"),
        asked(&drawing(3, 80, 80), "What?", "a"),
    ];
    folder.dataset("in", &samples);
    std::fs::write(folder.at("list"), "unwilling # asked us\n").unwrap();
    let options = DedupOptions {
        against: vec![folder.at("test")],
        opt_out: Some(OptOut::read(&folder.at("list")).unwrap()),
        ..options()
    };
    let manifest = run(&folder, "in", "out", &options);
    assert_eq!(folder.ids("out"), [samples[5].id.clone()]);
    assert_eq!(manifest.rejected.len(), 5, "{:?}", manifest.rejected);
    for (n, of) in [
        (0, &held_out[0]),
        (1, &held_out[0]),
        (2, &held_out[1]),
        (3, &held_out[2]),
    ] {
        let (reason, named) = folder.rejection("out", &samples[n].id).unwrap();
        assert!(reason.contains("held-out"), "{reason}");
        assert_eq!(named, of.id);
    }
    let (reason, named) = folder.rejection("out", &samples[4].id).unwrap();
    assert_eq!(
        (reason.as_str(), named.as_str()),
        ("on the opt-out list", "unwilling")
    );
}

#[test]
fn a_dedup_killed_at_any_point_ends_with_the_same_bytes_on_any_number_of_threads() {
    let folder = Folder::new();
    let from = ("text", "s", "CC0-1.0");
    let sample = |n: u64| match n % 4 {
        0 => Sample::document(from, &words(n % 40, 100, n as usize % 3)).unwrap(),
        1 => asked(&halved(&drawing(n % 20, 40, 48)), "What?", "a"),
        _ => asked(&drawing(n % 20, 40, 48), "What?", &format!("source {n}")),
    };
    let samples: Vec<Sample> = (0..160).map(sample).collect();
    let folders = [
        folder.dataset("a", &samples[..90]),
        folder.dataset("b", &samples[60..]),
    ];
    let run = |output: &str, jobs, progress: OnProgress<'_>| {
        deduped(&folders, folder.at(output), &options(), jobs, progress)
    };
    let whole = run("whole", 1, &|_, _| {}).unwrap();
    assert!(
        whole.kept > 20 && whole.rejected.len() >= 2,
        "{:?}",
        whole.rejected
    );
    assert!(whole.shards.len() > 2);
    for stop in [1, 20, 80, 150, 180] {
        let output = format!("killed-{stop}");
        killed_at(stop / 2, |progress| run(&output, 2, progress));
        killed_at(stop, |progress| run(&output, 1, progress));
        run(&output, 2, &|_, _| {}).unwrap();
        assert_eq!(folder.files(&output), folder.files("whole"), "{output}");
    }
}

#[test]
fn options_out_of_range_are_named_and_a_picture_that_does_not_decode_is_kept() {
    let folder = Folder::new();
    let from = ("vqa", "s", "CC0-1.0");
    let ask = |question| {
        let image = b"GIF89a?".to_vec();
        Sample::question(from, image, None, question, Turn::assistant("x")).unwrap()
    };
    folder.dataset("in", &[ask("What?"), ask("Which?"), ask("Which ?")]);
    assert_eq!(run(&folder, "in", "out", &options()).samples, 3);
    for value in [0.0, -1.0, 1.5, f64::NAN] {
        let wrong = DedupOptions {
            picture_similarity: value,
            ..options()
        };
        let error = deduped(&[folder.at("in")], folder.at("no"), &wrong, 1, &|_, _| {});
        let error = error.unwrap_err().to_string();
        assert!(error.contains("--picture-similarity"), "{error}");
    }
}
