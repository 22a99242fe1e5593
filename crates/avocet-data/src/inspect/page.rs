//! The contact sheet: one page without links or scripts that shows samples of every kind.

use std::collections::HashMap;

use avocet_media::{Limits, decode};
use avocet_report::numbers::thousands;
use avocet_report::{Page, Picture};
use avocet_text::turn::stretches;
use avocet_text::{Part, Role};
use rayon::prelude::*;
use serde::Serialize;

use super::Summary;
use super::counts::{List, figures, lists};
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

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// A page that shows about `count` samples, some of every kind.
///
/// Errors if a sample is damaged.
pub fn contact_sheet(reader: &Reader, count: usize) -> Result<String, DataError> {
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
        shown.push(KindCards {
            name,
            count: thousands(samples as f64),
            wide: cards.iter().any(Card::is_wide),
            cards,
        });
    }
    let name = reader.folder().file_name();
    let name = name.map_or("dataset".into(), |name| name.to_string_lossy());
    let sheet = Sheet {
        name: &name,
        dataset: &summary.dataset,
        pipeline: &summary.pipeline,
        figures: figures(&summary),
        lists: lists(&summary),
        total: thousands(summary.samples as f64),
        kinds: shown,
    };
    // A kind that is chosen hides the others.
    let rule = |kind: usize| {
        format!("body:has(#k{kind}:checked) .kind:not(.k{kind}) {{ display: none; }}\n")
    };
    let rules: String = (1..=sheet.kinds.len()).map(rule).collect();
    let page = Page {
        title: &name,
        style: &format!("{STYLE}{rules}"),
        ..Page::default()
    };
    Ok(page.render(TEMPLATE, &sheet))
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
struct Sheet<'a> {
    name: &'a str,
    dataset: &'a str,
    pipeline: &'a str,
    figures: Vec<(&'static str, String)>,
    lists: Vec<List>,
    total: String,
    kinds: Vec<KindCards<'a>>,
}

/// Samples of one task.
#[derive(Serialize)]
struct KindCards<'a> {
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
#[derive(Serialize, Default)]
struct Shown {
    image: Option<Picture>,
    /// Why there is none.
    broken: String,
    /// What is known to be on the picture.
    shows: String,
    size: (usize, usize),
    /// Things on it: left, top, right and bottom in its pixels.
    boxes: Vec<[u16; 4]>,
    text: String,
    rest: String,
    rest_length: String,
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
                if image.is_some() || !part.is_empty() {
                    let mut shown = Shown::text(part.trim_matches('\n'));
                    if let Some((image, truth)) = image {
                        shown.show(image, truth.as_ref());
                    }
                    pieces.push(shown);
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
            if let Some(piece) = pieces.find(|piece| piece.image.is_some()) {
                said.iter().for_each(|turn| piece.outline(&turn.text()));
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
        long || pieces().any(|piece| piece.size.0 > 400) || self.hidden_images > 0
    }
}

impl Shown {
    fn text(text: &str) -> Self {
        let length = text.chars().count();
        let cut = text.char_indices().nth(IN_SIGHT);
        let cut = cut.filter(|_| length > LONG_TEXT);
        let (text, rest) = text.split_at(cut.map_or(text.len(), |(at, _)| at));
        Self {
            text: text.to_string(),
            rest: rest.to_string(),
            rest_length: thousands(rest.chars().count() as f64),
            ..Self::default()
        }
    }

    fn show(&mut self, file: &[u8], truth: Option<&Truth>) {
        let picture = match decode(file, &Limits::default()) {
            Ok(picture) => picture,
            Err(error) => {
                self.broken = format!("a picture that does not decode: {error}");
                return;
            }
        };
        self.size = (picture.width, picture.height);
        self.image = Picture::new(file, self.size, || picture.to_png().ok());
        self.shows = match truth {
            Some(Truth::Text(text)) => format!("reads: {text}"),
            Some(Truth::Name(name)) => format!("shows: {name}"),
            None => String::new(),
        };
    }

    /// Draws the boxes that a text speaks of: lines that end in `left top right bottom`, in
    /// pixels of the picture.
    fn outline(&mut self, text: &str) {
        let (width, height) = self.size;
        for line in text.lines() {
            let words = line.split_whitespace().rev();
            let numbers = words.map_while(|word| word.parse::<u16>().ok());
            let numbers: Vec<u16> = numbers.take(4).collect();
            let [bottom, right, top, left] = numbers[..] else {
                continue;
            };
            let fits = usize::from(right) <= width && usize::from(bottom) <= height;
            if left < right && top < bottom && fits {
                self.boxes.push([left, top, right, bottom]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Piece;
    use crate::shard::{Recipe, Writer};
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
        contact_sheet(&Reader::open(dir.path()).unwrap(), count).unwrap()
    }

    fn png(shade: u8) -> Vec<u8> {
        avocet_media::Picture::from_rgb(2, 1, vec![shade; 6])
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
        let image = avocet_media::Picture::from_rgb(100, 50, vec![9; 15_000]).unwrap();
        let from = ("page", "made-up", "CC0-1.0");
        let image = image.to_png().unwrap();
        let sample =
            Sample::question(from, image, None, "Where?", Turn::assistant(answer)).unwrap();
        let page = page(&[sample], 1);
        let boxes = page.matches("<rect x=").count();
        assert_eq!(boxes, 1);
        assert!(page.contains("viewBox=\"0 0 100 50\""));
        assert!(page.contains("<rect x=\"10\" y=\"5\" width=\"20\" height=\"10\"/>"));
    }
}
