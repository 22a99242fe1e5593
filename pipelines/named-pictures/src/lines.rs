//! What the lines of text say: words, phrases, numbers, dates, prices, codes and
//! random strings, and which of them are kept for the test.

use avocet_text::MONTHS;
use drawing::wording::upper_first;
use pipeline::Split;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Of 256 strings, how many belong to the test.
const HELD_OUT_OF_256: u8 = 6;

/// Signs in random strings; those that look like others alone are left out.
const SIGNS: &[u8] = b".,:;!?'\"()-+/&#%@$*=";

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Whether a string belongs to the test: then no training picture ever shows it.
pub(crate) fn is_held_out(line: &str) -> bool {
    pipeline::is_held_out(line, HELD_OUT_OF_256)
}

/// Where words and phrases come from.
#[derive(Debug)]
pub struct Lines {
    pub(crate) words: Vec<String>,
    pub(crate) phrases: Vec<String>,
    pub(crate) glosses: Vec<String>,
}

impl Lines {
    /// Lines made of a word list, phrases of a dictionary, and pieces of its glosses.
    ///
    /// None of the three may be empty.
    pub fn new(words: Vec<String>, phrases: Vec<String>, glosses: Vec<String>) -> Self {
        assert!(!words.is_empty() && !phrases.is_empty() && !glosses.is_empty());
        Self {
            words,
            phrases,
            glosses,
        }
    }

    /// A line of 1 to `max_chars` characters that belongs to `split`.
    pub fn draw(&self, split: Split, max_chars: usize, rng: &mut ChaCha8Rng) -> String {
        let line = |rng: &mut ChaCha8Rng| match rng.random_range(0..100) {
            0..32 => self.words(max_chars, rng),
            32..42 => self.phrase(rng),
            42..62 => self.piece(max_chars, rng),
            62..69 => number(rng),
            69..76 => date(rng),
            76..82 => price(rng),
            82..89 => code(rng),
            _ => random_string(max_chars, rng),
        };
        of_split(split, max_chars, rng, line)
    }

    /// Words or a phrase of 1 to `max_chars` characters, as a thing may be called: mostly with a
    /// capital.
    pub fn name(&self, split: Split, max_chars: usize, rng: &mut ChaCha8Rng) -> String {
        of_split(split, max_chars, rng, |rng| {
            let line = match rng.random_bool(0.7) {
                true => self.words(max_chars, rng),
                false => self.phrase(rng),
            };
            match rng.random_bool(0.7) {
                true => upper_first(&line),
                false => line,
            }
        })
    }

    fn phrase(&self, rng: &mut ChaCha8Rng) -> String {
        cased(self.phrases.choose(rng).expect("not empty"), rng)
    }

    /// One to three words.
    fn words(&self, max_chars: usize, rng: &mut ChaCha8Rng) -> String {
        let mut line = String::new();
        for n in 0..rng.random_range(1..=3) {
            let word = self.words.choose(rng).expect("not empty");
            if n > 0 && line.chars().count() + word.chars().count() >= max_chars {
                break;
            }
            if n > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
        cased(&line, rng)
    }

    /// Some words of a gloss, one after another.
    fn piece(&self, max_chars: usize, rng: &mut ChaCha8Rng) -> String {
        let target = rng.random_range(1..=max_chars);
        let words: Vec<&str> = self
            .glosses
            .choose(rng)
            .expect("not empty")
            .split(' ')
            .collect();
        let start = rng.random_range(0..words.len());
        let mut line = words[start].to_owned();
        for word in &words[start + 1..] {
            if line.chars().count() + 1 + word.chars().count() > target {
                break;
            }
            line.push(' ');
            line.push_str(word);
        }
        if rng.random_bool(0.3) {
            upper_first(&line)
        } else {
            line
        }
    }
}

/// The first of the lines drawn by `draw` that fits and belongs to `split`.
fn of_split(
    split: Split,
    max_chars: usize,
    rng: &mut ChaCha8Rng,
    mut draw: impl FnMut(&mut ChaCha8Rng) -> String,
) -> String {
    loop {
        let line = draw(rng);
        let length = line.chars().count();
        let fits = (1..=max_chars).contains(&length) && line.trim() == line;
        if fits && is_held_out(&line) == (split == Split::Test) {
            return line;
        }
    }
}

/// As it is, With Capitals, or ALL CAPITALS.
pub(crate) fn cased(line: &str, rng: &mut ChaCha8Rng) -> String {
    match rng.random_range(0..20) {
        0..10 => line.to_owned(),
        10..16 => line
            .split(' ')
            .map(upper_first)
            .collect::<Vec<_>>()
            .join(" "),
        _ => line.to_uppercase(),
    }
}

pub(crate) fn number(rng: &mut ChaCha8Rng) -> String {
    let digits = rng.random_range(1..=7u32);
    let n = rng.random_range(0..10u64.pow(digits));
    match rng.random_range(0..8) {
        0..3 => n.to_string(),
        3 => grouped(n),
        4 => format!("{}.{:02}", n % 1000, rng.random_range(0..100)),
        5 => format!("{}%", n % 101),
        6 => format!("-{}", n % 10_000),
        _ => format!(
            "+{} {} {:04}",
            n % 90 + 10,
            n % 900 + 100,
            rng.random_range(0..10_000)
        ),
    }
}

/// The number with a comma before every three digits.
fn grouped(n: u64) -> String {
    if n < 1000 {
        n.to_string()
    } else {
        format!("{},{:03}", grouped(n / 1000), n % 1000)
    }
}

pub(crate) fn date(rng: &mut ChaCha8Rng) -> String {
    let (year, day) = (rng.random_range(1900..2050), rng.random_range(1..=28));
    let index = rng.random_range(0..12);
    let (month, name) = (index + 1, MONTHS[index]);
    let short = &name[..3];
    let weekday = DAYS.choose(rng).expect("there are seven");
    let (hour, minute) = (rng.random_range(0..24), rng.random_range(0..60));
    match rng.random_range(0..10) {
        0 => format!("{year}-{month:02}-{day:02}"),
        1 => format!("{day:02}/{month:02}/{year}"),
        2 => format!("{day:02}.{month:02}.{year}"),
        3 => format!("{name} {day}, {year}"),
        4 => format!("{day} {short} {year}"),
        5 => format!("{} {day} {short}", &weekday[..3]),
        6 => format!("{hour:02}:{minute:02}"),
        7 => format!(
            "{}:{minute:02} {}",
            hour % 12 + 1,
            if hour < 12 { "am" } else { "pm" }
        ),
        8 => format!("{weekday}, {name} {day}"),
        _ => format!("{name} {year}"),
    }
}

pub(crate) fn price(rng: &mut ChaCha8Rng) -> String {
    let most = 10u64.pow(rng.random_range(1..=5));
    let (whole, cents) = (rng.random_range(0..most), rng.random_range(0..100));
    match rng.random_range(0..7) {
        0 | 1 => format!("${whole}.{cents:02}"),
        2 => format!("€{whole}.{cents:02}"),
        3 => format!("£{}", grouped(whole)),
        4 => format!("{whole},{cents:02} €"),
        5 => format!("{whole}.{cents:02} USD"),
        _ => format!("${}", grouped(whole)),
    }
}

pub(crate) fn code(rng: &mut ChaCha8Rng) -> String {
    let n = rng.random_range(0..100_000u32);
    let mut capitals = |length: usize| -> String {
        (0..length)
            .map(|_| char::from(rng.random_range(b'A'..=b'Z')))
            .collect()
    };
    match n % 9 {
        0 => format!("{}-{:04}", capitals(2), n / 10),
        1 => format!("{}{}-{}", capitals(1), n / 1000, capitals(3)),
        2 => format!("No. {n}"),
        3 => format!("v{}.{}.{}", n % 7, n / 13 % 20, n / 71 % 10),
        4 => format!("{} {}", capitals(2), n / 10 % 1000),
        5 => format!("#{n:05}"),
        6 => format!("{n:04x}-{:04x}", n * 7919 % 65_536),
        7 => format!("{}{}", capitals(1), n % 100),
        _ => format!(
            "{}@{}.com",
            capitals(4).to_lowercase(),
            capitals(5).to_lowercase()
        ),
    }
}

/// Letters, digits, signs and single spaces between them.
pub(crate) fn random_string(max_chars: usize, rng: &mut ChaCha8Rng) -> String {
    let length = rng.random_range(1..=max_chars);
    let mut line = String::new();
    while line.len() < length {
        let next = match rng.random_range(0..20) {
            0..8 => rng.random_range(b'a'..=b'z'),
            8..13 => rng.random_range(b'A'..=b'Z'),
            13..17 => rng.random_range(b'0'..=b'9'),
            17 if !line.is_empty() && !line.ends_with(' ') && line.len() + 1 < length => b' ',
            _ if length > 2 => *SIGNS.choose(rng).expect("not empty"),
            _ => rng.random_range(b'a'..=b'z'),
        };
        line.push(char::from(next));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    fn lines() -> Lines {
        let owned = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        Lines::new(
            owned(&["apple", "river", "stone", "naïve", "a"]),
            owned(&["ice cream", "fountain pen"]),
            owned(&["the act of moving (or being moved) from one place to another"]),
        )
    }

    #[test]
    fn no_string_of_the_test_is_ever_drawn_in_training() {
        let (lines, mut rng) = (lines(), ChaCha8Rng::seed_from_u64(8));
        let mut draw = |split, n| -> BTreeSet<String> {
            (0..n).map(|_| lines.draw(split, 8, &mut rng)).collect()
        };
        let (train, test) = (draw(Split::Train, 20_000), draw(Split::Test, 1000));
        assert!(train.is_disjoint(&test));
        assert!(train.iter().all(|line| !is_held_out(line)));
        assert!(test.iter().all(|line| is_held_out(line)));
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        assert!((0..2000).all(|_| !is_held_out(&lines.name(Split::Train, 22, &mut rng))));
    }

    #[test]
    fn lines_keep_to_their_length_and_have_no_outer_or_double_spaces() {
        let (lines, mut rng) = (lines(), ChaCha8Rng::seed_from_u64(9));
        for max_chars in [1, 4, 24] {
            for _ in 0..2000 {
                let line = lines.draw(Split::Train, max_chars, &mut rng);
                assert!((1..=max_chars).contains(&line.chars().count()), "{line:?}");
                assert!(line.trim() == line && !line.contains("  "), "{line:?}");
            }
        }
    }
}
