//! Pieces of text put together as a paragraph or as the blocks of a page.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::page::Block;

/// A paragraph has at most this many characters.
const MOST_CHARS: usize = 420;
/// A page has at most this many characters of running text.
const PAGE_CHARS: usize = 900;
/// Words of a heading.
const HEADING_WORDS: usize = 6;

/// Pieces as one paragraph, cut between words where it grows too long.
pub fn paragraph(pieces: &[String], rng: &mut ChaCha8Rng) -> String {
    let most = rng.random_range(40..=MOST_CHARS);
    cut(&pieces.join(" "), most)
}

/// As many whole words as there is room for, and at least one.
fn cut(text: &str, most: usize) -> String {
    let mut out = String::new();
    for word in text.split(' ') {
        if !out.is_empty() && out.len() + 1 + word.len() > most {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Pieces as a page: a heading, paragraphs, and perhaps a list, a table or a formula.
pub fn document(pieces: &[String], formula: Option<Block>, rng: &mut ChaCha8Rng) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut room = PAGE_CHARS;
    let mut formula = formula.filter(|_| rng.random_bool(0.35));
    if rng.random_bool(0.85) {
        blocks.push(Block::Heading(heading(&pieces[0])));
    }
    let mut rest = pieces;
    while let [piece, ..] = rest {
        if room < 60 {
            break;
        }
        match rng.random_range(0..12) {
            0..2 if rest.len() >= 2 => {
                let count = rng.random_range(2..=4usize).min(rest.len());
                let items = rest[..count].iter().map(|piece| cut(piece, 70)).collect();
                blocks.push(Block::List(items, rng.random_bool(0.4)));
                room = room.saturating_sub(75 * count);
                rest = &rest[count..];
            }
            2 if room > 300 => {
                blocks.push(table(rng));
                room -= 150;
            }
            3 if blocks.len() > 2 => {
                blocks.push(Block::Heading(heading(piece)));
                blocks.push(Block::Paragraph(cut(piece, room.min(300))));
                room = room.saturating_sub(piece.len() + 60);
                rest = &rest[1..];
            }
            _ => {
                let count = rng.random_range(1..=3usize).min(rest.len());
                let text = cut(&rest[..count].join(" "), room.min(360));
                room = room.saturating_sub(text.len());
                blocks.push(Block::Paragraph(text));
                rest = &rest[count..];
                if let Some(formula) = formula.take() {
                    blocks.push(formula);
                    room = room.saturating_sub(120);
                }
            }
        }
    }
    blocks
}

/// The first words of a text as a heading has them.
fn heading(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').take(HEADING_WORDS).collect();
    let line = cut(&words.join(" "), 34);
    let line = line.trim_end_matches(|c: char| !c.is_alphanumeric());
    let mut letters = line.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => "Notes".into(),
    }
}

const COLUMNS: [&str; 10] = [
    "Year", "Name", "Count", "Price", "Total", "Share", "Size", "Score", "Rate", "Item",
];
const NAMES: [&str; 16] = [
    "apples", "Berlin", "copper", "Delta", "east", "Ferry", "grain", "Harbour", "iron", "July",
    "Kyoto", "lamps", "maple", "north", "Oslo", "paper",
];

/// A table of names and numbers.
fn table(rng: &mut ChaCha8Rng) -> Block {
    let columns = rng.random_range(2..=4usize);
    let heads: Vec<&str> = COLUMNS.choose_multiple(rng, columns).copied().collect();
    let mut rows = vec![
        heads
            .iter()
            .map(|head| (*head).to_owned())
            .collect::<Vec<_>>(),
    ];
    for _ in 0..rng.random_range(2..=4) {
        let cell = |head: &&str| match *head {
            "Year" => rng.random_range(1900..2030u32).to_string(),
            "Name" | "Item" => (*NAMES.choose(rng).expect("there are names")).to_owned(),
            "Price" => format!(
                "{}.{:02}",
                rng.random_range(1..200u32),
                rng.random_range(0..100u32)
            ),
            "Share" | "Rate" => format!("{}%", rng.random_range(0..101u32)),
            _ => rng.random_range(0..10_000u32).to_string(),
        };
        rows.push(heads.iter().map(cell).collect());
    }
    Block::Table(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn pages_have_every_kind_of_block_and_end() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let pieces: Vec<String> = (0..8)
            .map(|i| format!("Sentence number {i} has a handful of words in it."))
            .collect();
        let (mut lists, mut tables, mut headings) = (0, 0, 0);
        for _ in 0..200 {
            for block in document(&pieces, None, &mut rng) {
                match block {
                    Block::List(..) => lists += 1,
                    Block::Table(..) => tables += 1,
                    Block::Heading(..) => headings += 1,
                    Block::Paragraph(text) => assert!(!text.is_empty()),
                    Block::Formula(..) => panic!("none was given"),
                }
            }
        }
        assert!(lists > 20 && tables > 20 && headings > 150);
        assert_eq!(heading("a brief, (very) odd - "), "A brief, (very) odd");
    }
}
