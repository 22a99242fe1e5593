//! The contact sheet: one page without links or scripts that shows samples of every kind.

use std::collections::HashMap;
use std::io::Write;

use avocet_media::{Limits, decode};
use avocet_text::turn::stretches;
use avocet_text::{Part, Role};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::Environment;
use minijinja::value::Serde;
use rayon::prelude::*;
use serde::Serialize;

use super::Summary;
use super::counts::{Figure, List, figures, lists, thousands};
use crate::shard::Reader;
use crate::{Content, DataError, Sample, Truth};

/// Kinds on a page, the most frequent ones.
const MOST_KINDS: usize = 60;
/// Bytes of pictures on a page, shared by its kinds; each shows a sample, however large.
const MOST_BYTES: u64 = 48 << 20;
/// Pictures of one sample.
const MOST_IMAGES: usize = 12;
/// Characters of a piece of text before it is folded, and how many stay in sight.
const LONG_TEXT: usize = 700;
const IN_SIGHT: usize = 500;
/// Pictures up to this width are shown larger, with their pixels visible.
const SMALL: usize = 160;
const ZOOM: usize = 2;

/// Writes a page that shows about `count` samples, some of every kind.
///
/// Errors if a sample is damaged or `out` refuses.
pub fn contact_sheet(reader: &Reader, count: usize, out: &mut impl Write) -> Result<(), DataError> {
    let summary = Summary::of(reader);
    let mut kinds: Vec<(&String, &u64)> = summary.kinds.iter().collect();
    kinds.sort_by_key(|&(name, &samples)| (std::cmp::Reverse(samples), name));
    kinds.truncate(MOST_KINDS);
    let each = (count / kinds.len().max(1)).max(2);
    let mut chosen = chosen(reader, &kinds, each);
    let budget = MOST_BYTES / kinds.len().max(1) as u64;
    let mut shown = Vec::new();
    for (name, &samples) in kinds {
        let mut left = budget;
        let mut affordable = chosen.remove(name.as_str()).unwrap_or_default();
        let mut fits = |index: &usize| {
            let bytes = reader.sample_bytes(*index);
            let fits = bytes <= left || left == budget;
            left = left.saturating_sub(bytes);
            fits
        };
        affordable.retain(|index| fits(index));
        let card = |index: &usize| Ok(Card::of(&reader.get(*index)?));
        let cards: Vec<Card> = affordable
            .par_iter()
            .map(card)
            .collect::<Result<_, DataError>>()?;
        shown.push(Kind {
            name,
            count: thousands(samples),
            wide: cards.iter().any(Card::is_wide),
            cards,
        });
    }
    let page = Page {
        name: reader
            .folder()
            .file_name()
            .map_or("dataset".into(), |name| name.to_string_lossy().into_owned()),
        figures: figures(&summary),
        lists: lists(&summary),
        total: thousands(summary.samples),
        zoom: ZOOM,
        kinds: shown,
        summary: &summary,
    };
    let broken = |cause: minijinja::Error| DataError::Io {
        path: "contact sheet".into(),
        cause: std::io::Error::other(cause),
    };
    let mut pages = Environment::new();
    pages
        .add_template("page.html", include_str!("page.html"))
        .map_err(broken)?;
    let template = pages.get_template("page.html").map_err(broken)?;
    template
        .render_captured_to(Serde(&page), out)
        .map_err(broken)?;
    Ok(())
}

/// For each kind `each` of its samples, spread over the dataset.
fn chosen<'a>(
    reader: &Reader,
    kinds: &[(&'a String, &u64)],
    each: usize,
) -> HashMap<&'a str, Vec<usize>> {
    let mut seen: HashMap<&str, (usize, usize, Vec<usize>)> = kinds
        .iter()
        .map(|&(name, &count)| (name.as_str(), (0, count as usize, Vec::new())))
        .collect();
    for index in 0..reader.len() {
        if let Some((number, count, chosen)) = seen.get_mut(reader.kind(index)) {
            let wanted = each.min(*count);
            if chosen.len() < wanted && *number == chosen.len() * *count / wanted {
                chosen.push(index);
            }
            *number += 1;
        }
    }
    let chosen = seen
        .into_iter()
        .map(|(name, (_, _, chosen))| (name, chosen));
    chosen.collect()
}

#[derive(Serialize)]
struct Page<'a> {
    name: String,
    summary: &'a Summary,
    figures: Vec<Figure>,
    lists: Vec<List>,
    total: String,
    zoom: usize,
    kinds: Vec<Kind<'a>>,
}

/// Samples of one task.
#[derive(Serialize)]
struct Kind<'a> {
    name: &'a str,
    count: String,
    wide: bool,
    cards: Vec<Card>,
}

/// One sample.
#[derive(Serialize)]
struct Card {
    id: String,
    source: String,
    licence: String,
    turns: Vec<Said>,
    hidden_images: usize,
}

/// What one speaker says, or a document, which has none.
#[derive(Serialize)]
struct Said {
    role: &'static str,
    pieces: Vec<Shown>,
}

/// A picture and the text after it; either may be missing.
#[derive(Serialize)]
struct Shown {
    image: Option<Image>,
    text: String,
    rest: String,
    rest_length: String,
}

#[derive(Serialize, Default)]
struct Image {
    media_type: &'static str,
    base64: String,
    width: usize,
    height: usize,
    small: bool,
    shows: String,
    broken: String,
    boxes: Vec<Outline>,
}

/// A thing on a picture, in percent of its sides.
#[derive(Serialize)]
struct Outline {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Card {
    fn of(sample: &Sample) -> Self {
        let mut images = sample.images.iter().zip(&sample.truths);
        let mut shown_images = 0;
        let mut said = |role, parts: &[Part]| {
            let mut pieces = Vec::new();
            for (index, part) in stretches(parts).iter().enumerate() {
                let image = (index > 0).then(|| images.next()).flatten();
                shown_images += usize::from(image.is_some());
                let image = image.filter(|_| shown_images <= MOST_IMAGES);
                let image = image.map(|(image, truth)| Image::of(image, truth.as_ref()));
                if image.is_some() || !part.is_empty() {
                    pieces.push(Shown::of(image, part.trim_matches('\n')));
                }
            }
            Said { role, pieces }
        };
        let mut turns = match &sample.content {
            Content::Document(parts) => vec![said("", parts)],
            Content::Turns(turns) => turns
                .iter()
                .map(|turn| match turn.role {
                    Role::System => said("system", &turn.parts),
                    Role::User => said("user", &turn.parts),
                    Role::Assistant => said("assistant", &turn.parts),
                })
                .collect(),
        };
        if let (Content::Turns(said), [_]) = (&sample.content, &sample.images[..]) {
            let mut pieces = turns.iter_mut().flat_map(|turn| &mut turn.pieces);
            if let Some(image) = pieces.find_map(|piece| piece.image.as_mut()) {
                said.iter().for_each(|turn| image.outline(&turn.text()));
            }
        }
        Self {
            id: sample.id.clone(),
            source: sample.source.clone(),
            licence: sample.licence.clone(),
            turns,
            hidden_images: sample.images.len().saturating_sub(MOST_IMAGES),
        }
    }

    /// Whether it needs more room than a small picture with a question.
    fn is_wide(&self) -> bool {
        let pieces = || self.turns.iter().flat_map(|turn| &turn.pieces);
        let long = pieces().any(|piece| piece.text.len() > 300);
        let image_widths = pieces().filter_map(|piece| Some(piece.image.as_ref()?.width));
        long || image_widths.max().is_some_and(|width| width > 400) || self.hidden_images > 0
    }
}

impl Shown {
    fn of(image: Option<Image>, text: &str) -> Self {
        let length = text.chars().count();
        let at = match length > LONG_TEXT {
            true => text
                .char_indices()
                .nth(IN_SIGHT)
                .map_or(text.len(), |(at, _)| at),
            false => text.len(),
        };
        let (text, rest) = text.split_at(at);
        Self {
            image,
            text: text.to_string(),
            rest: rest.to_string(),
            rest_length: thousands(rest.chars().count() as u64),
        }
    }
}

impl Image {
    fn of(image: &[u8], truth: Option<&Truth>) -> Self {
        let picture = match decode(image, &Limits::default()) {
            Ok(picture) => picture,
            Err(error) => {
                return Self {
                    broken: format!("a picture that does not decode: {error}"),
                    ..Self::default()
                };
            }
        };
        Self {
            media_type: media_type(image),
            base64: STANDARD.encode(image),
            width: picture.width,
            height: picture.height,
            small: picture.width <= SMALL,
            shows: match truth {
                Some(Truth::Text(text)) => format!("reads: {text}"),
                Some(Truth::Name(name)) => format!("shows: {name}"),
                None => String::new(),
            },
            broken: String::new(),
            boxes: Vec::new(),
        }
    }

    /// Draws the boxes that a text speaks of: lines that end in `left top right bottom`, in
    /// pixels of the picture.
    fn outline(&mut self, text: &str) {
        let (width, height) = (self.width as f64, self.height as f64);
        for line in text.lines() {
            let numbers = line.split_whitespace().rev().map_while(|word| {
                let number = word.parse::<u16>().ok()?;
                Some(f64::from(number))
            });
            let numbers: Vec<f64> = numbers.take(4).collect();
            let [bottom, right, top, left] = numbers[..] else {
                continue;
            };
            if left < right && top < bottom && right <= width && bottom <= height {
                self.boxes.push(Outline {
                    left: 100.0 * left / width,
                    top: 100.0 * top / height,
                    width: 100.0 * (right - left) / width,
                    height: 100.0 * (bottom - top) / height,
                });
            }
        }
    }
}

fn media_type(image: &[u8]) -> &'static str {
    match image {
        [0xff, 0xd8, ..] => "image/jpeg",
        [b'R', b'I', b'F', b'F', ..] => "image/webp",
        [b'G', b'I', b'F', ..] => "image/gif",
        [b'B', b'M', ..] => "image/bmp",
        [b'I', b'I', ..] | [b'M', b'M', ..] => "image/tiff",
        _ => "image/png",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Piece;
    use crate::shard::{Recipe, Writer};
    use avocet_media::Picture;
    use avocet_text::Turn;

    fn page(samples: &[Sample], count: usize) -> String {
        let dir = tempfile::tempdir().unwrap();
        let recipe = Recipe::new("test", "train", 1, serde_json::json!(null));
        let mut writer = Writer::open(dir.path(), recipe).unwrap();
        for (n, sample) in samples.iter().enumerate() {
            writer
                .keep(&n.to_string(), std::slice::from_ref(sample))
                .unwrap();
        }
        writer.reject("last", "no <reason>").unwrap();
        writer.finish().unwrap();
        let mut page = Vec::new();
        contact_sheet(&Reader::open(dir.path()).unwrap(), count, &mut page).unwrap();
        String::from_utf8(page).unwrap()
    }

    fn png(shade: u8) -> Vec<u8> {
        Picture::from_rgb(2, 1, vec![shade; 6])
            .unwrap()
            .to_png()
            .unwrap()
    }

    #[test]
    fn samples_are_spread_over_the_kinds_and_none_can_write_markup() {
        let sample = |kind: &str, n: u8| {
            let answer = Turn::assistant(format!("<script>alert({n})</script>"));
            let truth = Some(Truth::Text("\"><u>".into()));
            let from = (kind, "made-<up>", "CC0-1.0");
            Sample::question(from, png(n), truth, "a & b?", answer).unwrap()
        };
        let mut samples: Vec<Sample> = (0..40).map(|n| sample("many", n)).collect();
        samples.push(sample("<i>rare", 99));
        let page = page(&samples, 10);
        assert_eq!(page.matches("<article>").count(), 5 + 1);
        for n in [0, 8, 16, 24, 32, 99] {
            assert!(page.contains(&format!("alert({n})")), "{n}");
        }
        for markup in ["<script", "<i>rare", "<reason>", "<up>", "\"><u>"] {
            assert!(!page.contains(markup), "{markup}");
        }
        assert!(page.contains("5 of 40 shown") && page.contains("no &lt;reason&gt;"));
    }

    #[test]
    fn pictures_stand_where_the_document_has_them_and_long_text_is_folded() {
        let from = ("video", "made-up", "CC0-1.0");
        let pieces = vec![
            Piece::Text("first words".into()),
            Piece::Image(png(1), None),
            Piece::Text("z".repeat(900)),
            Piece::Image(b"GIF89a?".to_vec(), None),
        ];
        let marked = Sample::document(from, "the <image> tag").unwrap();
        let page = page(&[Sample::interleaved(from, pieces).unwrap(), marked], 4);
        let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}"));
        assert!(at("first words") < at("src=\"data:image/png;base64,"));
        assert!(at("src=\"data:image/png;base64,") < at("zzz"));
        assert!(page.contains("<summary>400 more characters</summary>"));
        assert!(at("zzz") < at("does not decode"));
        assert!(page.contains("the &lt;image&gt; tag"));
    }

    #[test]
    fn boxes_that_an_answer_gives_are_drawn_if_they_fit_the_picture() {
        let answer = "button \"Go\" 10 5 30 15\nlink 1 2\nh1 \"x\" 90 0 200 10\nprice 9 9 9 9";
        let image = Picture::from_rgb(100, 50, vec![9; 15_000]).unwrap();
        let from = ("page", "made-up", "CC0-1.0");
        let image = image.to_png().unwrap();
        let sample =
            Sample::question(from, image, None, "Where?", Turn::assistant(answer)).unwrap();
        let page = page(&[sample], 1);
        assert_eq!(page.matches("<i style=\"left:").count(), 1);
        assert!(page.contains("left:10.0%;top:10.0%;width:20.0%;height:20.0%"));
    }
}
