//! How well picture duplicates are told from other pictures, measured on a dataset: what the
//! default of `--picture-similarity` was chosen by.
//!
//! `cargo run --release -p avocet-data --example picture_similarity -- DATASET [PICTURES]`
//!
//! For each picture, copies are made (half the size, JPEG of quality 50, brighter, darker, all of
//! these), and for each threshold it prints how many copies are found, and how many of all
//! pictures pass for a copy of an earlier one.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use avocet_data::shard::{Reader, Recipe, Writer};
use avocet_data::{DedupOptions, Layout, Match, Sample, dedup};
use avocet_text::Turn;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, imageops};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const THRESHOLDS: [f64; 6] = [0.95, 0.97, 0.98, 0.985, 0.99, 0.995];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dataset = arguments.next().ok_or("usage: DATASET [PICTURES]")?;
    let most: usize = arguments.next().map_or(Ok(1000), |text| text.parse())?;
    let reader = Reader::open(Path::new(&dataset))?;
    let mut by_kind: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for index in 0..reader.len() {
        by_kind
            .entry(reader.kind(index).to_owned())
            .or_default()
            .push(index);
    }
    let each = most / by_kind.len().max(1);
    println!(
        "kind, threshold: copies found of all (half, jpeg, brighter, darker, all); passing for another"
    );
    for (kind, indices) in by_kind {
        let mut pictures = Vec::new();
        for &index in indices
            .iter()
            .step_by((indices.len() / each.max(1)).max(1))
            .take(each)
        {
            let sample = reader.get(index)?;
            if let Some(image) = sample.images.first() {
                pictures.push(image::load_from_memory(image)?.to_rgb8().into());
            }
        }
        if !pictures.is_empty() {
            measure(&kind, &pictures)?;
        }
    }
    Ok(())
}

fn measure(kind: &str, pictures: &[DynamicImage]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let originals = folder.path().join("originals");
    write(&originals, pictures.iter().map(png))?;
    let mut copies = Vec::new();
    for way in 0..5 {
        let at = folder.path().join(format!("copies-{way}"));
        write(&at, pictures.iter().map(|picture| copy(picture, way)))?;
        copies.push(at);
    }
    for threshold in THRESHOLDS {
        let kept = |inputs: &Path, against: &[&Path], number: usize| -> Result<u64> {
            let options = DedupOptions {
                pictures: Match::Near,
                said: false,
                picture_similarity: threshold,
                texts: Match::Off,
                text_similarity: 1.0,
                opt_out: None,
                against: against.iter().map(|path| path.to_path_buf()).collect(),
            };
            let output = folder.path().join(format!("out-{threshold}-{number}"));
            let inputs = [inputs.to_path_buf()];
            Ok(dedup(&inputs, &output, &options, &Layout::default(), &|_, _| {})?.kept)
        };
        let all = pictures.len() as u64;
        let mut found = Vec::new();
        for (way, at) in copies.iter().enumerate() {
            let count = Reader::open(at)?.len() as u64;
            found.push(format!("{}/{count}", count - kept(at, &[&originals], way)?));
        }
        let passing = all - kept(&originals, &[], 9)?;
        println!(
            "{kind:>14} {threshold}: {}; {passing}/{all}",
            found.join(" ")
        );
    }
    Ok(())
}

fn write(folder: &Path, pictures: impl Iterator<Item = Result<Vec<u8>>>) -> Result<()> {
    let recipe = Recipe::new("copies", "train", 0, serde_json::json!({}));
    let mut writer = Writer::open(folder, recipe)?;
    for (number, picture) in pictures.enumerate() {
        let from = ("copy", "measured", "unstated");
        // Another question for each, so that the same pixels are two samples.
        let asked = format!("What is number {number}?");
        let sample = Sample::question(from, picture?, None, &asked, Turn::assistant("x"))?;
        writer.keep(&number.to_string(), &[sample])?;
    }
    writer.finish()?;
    Ok(())
}

fn png(picture: &DynamicImage) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

fn jpeg(picture: &DynamicImage, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture)?;
    Ok(bytes)
}

fn copy(picture: &DynamicImage, way: usize) -> Result<Vec<u8>> {
    let half = || {
        let (width, height) = (picture.width().div_ceil(2), picture.height().div_ceil(2));
        picture.resize_exact(width, height, imageops::FilterType::Triangle)
    };
    match way {
        0 => png(&half()),
        1 => jpeg(picture, 50),
        2 => png(&picture.brighten(25)),
        3 => png(&scaled(picture, 0.8)),
        _ => jpeg(&half().brighten(15), 60),
    }
}

fn scaled(picture: &DynamicImage, factor: f32) -> DynamicImage {
    let mut rgb = picture.to_rgb8();
    rgb.iter_mut()
        .for_each(|value| *value = (f32::from(*value) * factor) as u8);
    rgb.into()
}
