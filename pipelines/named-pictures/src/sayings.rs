//! What lines say where they are as people meet them: pieces of sentences with their marks, labels,
//! lists, quotations, paths, addresses, versions, commands and code; real words mostly.

use drawing::wording::upper_first;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::lines::{Lines, cased, code, date, is_held_out, number, price, random_string};

const SMALL: [&str; 24] = [
    "the", "of", "and", "to", "in", "is", "that", "for", "it", "as", "with", "on", "be", "by",
    "this", "are", "or", "from", "at", "which", "not", "an", "you", "if",
];
const LABELS: [&str; 16] = [
    "Total", "Name", "Date", "Page", "Note", "Price", "Size", "From", "To", "Fig.", "No.",
    "Chapter", "Tel.", "Email", "Status", "Version",
];
const ENDINGS: [&str; 14] = [
    "txt", "rs", "py", "png", "html", "conf", "json", "tar.gz", "h", "pdf", "md", "sh", "so.2",
    "log",
];
const FOLDERS: [&str; 10] = [
    "/usr/share",
    "/etc",
    "/home",
    "/var/log",
    "src",
    "docs",
    "~/.config",
    "C:\\Users",
    "/opt",
    "..",
];
const DOMAINS: [&str; 6] = [".org", ".com", ".net", ".io", ".de", ".co.uk"];

impl Lines {
    /// A line of 1 to `max_chars` characters for training, in capitals alone where `capitals` asks
    /// for it; none that the test keeps.
    pub fn say(&self, max_chars: usize, capitals: bool, rng: &mut ChaCha8Rng) -> String {
        // Short lines are as common as long ones.
        let most = 1 + (max_chars as f32 * rng.random::<f32>().powf(0.8)) as usize;
        let most = most.clamp(max_chars.min(12), max_chars);
        loop {
            let line = match rng.random_range(0..100) {
                0..28 => self.sentence(most, rng),
                28..46 => self.some_words(most, rng),
                46..52 => cased(self.phrases.choose(rng).expect("not empty"), rng),
                52..56 => number(rng),
                56..60 => date(rng),
                60..63 => price(rng),
                63..67 => code(rng),
                67..72 => self.label(most, rng),
                72..82 => self.technical(rng),
                82..88 => self.listed(rng),
                88..92 => self.quoted(most, rng),
                _ => random_string(most.min(20), rng),
            };
            let line = if capitals { line.to_uppercase() } else { line };
            let fits = (1..=max_chars).contains(&line.chars().count()) && line.trim() == line;
            if fits && !is_held_out(&line) {
                return line;
            }
        }
    }

    fn word(&self, rng: &mut ChaCha8Rng) -> &str {
        if rng.random_bool(0.25) {
            return SMALL.choose(rng).expect("there are words");
        }
        let word = self.words.choose(rng).expect("not empty");
        // A third of the list are genitives.
        if rng.random_bool(0.75) {
            word.strip_suffix("'s").unwrap_or(word)
        } else {
            word
        }
    }

    /// A word of letters alone.
    fn plain(&self, rng: &mut ChaCha8Rng) -> String {
        let letters = |c: &char| c.is_ascii_alphabetic();
        let word: String = self.word(rng).chars().filter(letters).collect();
        if word.is_empty() {
            "it".to_owned()
        } else {
            word.to_lowercase()
        }
    }

    /// Words of a gloss as far as they fit, with a sentence's capital and marks or without.
    fn sentence(&self, most: usize, rng: &mut ChaCha8Rng) -> String {
        let gloss = self.glosses.choose(rng).expect("not empty");
        let words: Vec<&str> = gloss.split(' ').collect();
        let start = rng.random_range(0..words.len());
        let mut line = words[start].to_owned();
        for word in words[start + 1..].iter().chain(&words[..start]) {
            if line.len() + 2 + word.len() > most {
                break;
            }
            line.push(' ');
            line.push_str(word);
        }
        if rng.random_bool(0.5) {
            line = upper_first(&line);
        }
        match rng.random_range(0..20) {
            0..6 => line.push('.'),
            6 => line.push('?'),
            7 => line.push('!'),
            8 => line.push(','),
            9 => line.push(':'),
            10 => line.push_str("..."),
            11 => line = line.to_uppercase(),
            _ => {}
        }
        line
    }

    /// Words beside each other, in one case or another.
    fn some_words(&self, most: usize, rng: &mut ChaCha8Rng) -> String {
        let mut line = self.word(rng).to_owned();
        for _ in 0..rng.random_range(0..8) {
            let word = self.word(rng);
            if line.chars().count() + 1 + word.chars().count() > most {
                break;
            }
            line.push_str(match rng.random_range(0..12) {
                0 => ", ",
                1 => "-",
                _ => " ",
            });
            line.push_str(word);
        }
        cased(&line, rng)
    }

    fn label(&self, most: usize, rng: &mut ChaCha8Rng) -> String {
        let value = match rng.random_range(0..5) {
            0 => number(rng),
            1 => date(rng),
            2 => price(rng),
            3 => code(rng),
            _ => self.some_words(most.saturating_sub(8).max(4), rng),
        };
        let label = LABELS.choose(rng).expect("there are labels");
        match rng.random_range(0..5) {
            0 => format!("{label} {value}"),
            1 => format!("{}: {value}", upper_first(self.word(rng))),
            2 => format!("{}:", cased(self.word(rng), rng)),
            3 => format!("{} = {value}", self.plain(rng)),
            _ => format!("{label}: {value}"),
        }
    }

    fn technical(&self, rng: &mut ChaCha8Rng) -> String {
        let (a, b, c) = (self.plain(rng), self.plain(rng), self.plain(rng));
        let n = rng.random_range(0..1000u32);
        let ending = ENDINGS.choose(rng).expect("there are endings");
        let domain = DOMAINS.choose(rng).expect("there are domains");
        match rng.random_range(0..22) {
            0 => format!("{}/{a}/{b}.{ending}", FOLDERS.choose(rng).expect("some")),
            1 => format!("{a}_{b}.{ending}"),
            2 => format!("{a}-{}.{}.{}.{ending}", n % 10, n % 21, n % 7),
            3 => format!("https://{a}{domain}/{b}"),
            4 => format!("www.{a}{domain}"),
            5 => format!("{a}.{b}@{c}{domain}"),
            6 => format!("{a}_{b}({c}, {n})"),
            7 => format!("if {a} == \"{b}\" {{"),
            8 => format!("--{a}-{b}={n}"),
            9 => format!("$ {a} -{} {b}.{ending}", &c[..1]),
            10 => format!("{a}::{}<{b}>", upper_first(&c)),
            11 => format!("{}{}", a, upper_first(&b)),
            12 => format!("{}_{}", a.to_uppercase(), b.to_uppercase()),
            13 => format!("<{a} {b}=\"{c}\">"),
            14 => format!("{a}[{}] += {n};", n % 10),
            15 => format!("{}.{}.{}", n % 12, n % 23, n % 9),
            16 => format!("{} {}.{}", upper_first(&a), n % 12, n % 10),
            17 => format!("#{a} @{b}"),
            18 => format!("({a} {b})"),
            19 => format!("{{{a}: {n}, {b}: \"{c}\"}}"),
            20 => format!("{a} | {b} > {c}.{ending}"),
            _ => format!("0x{:04X} {a}", n * 61),
        }
    }

    fn listed(&self, rng: &mut ChaCha8Rng) -> String {
        let words = cased(&self.some_words(24, rng), rng);
        let n = rng.random_range(1..40);
        match rng.random_range(0..8) {
            0 => format!("{n}. {words}"),
            1 => format!("{n}.{} {words}", n % 7 + 1),
            2 => format!("- {words}"),
            3 => format!("* {words}"),
            4 => format!("({}) {words}", char::from(b'a' + (n % 26) as u8)),
            5 => format!("{words} .... {n}"),
            6 => format!("[{n}] {words}"),
            _ => format!("{words} & {}", self.word(rng)),
        }
    }

    fn quoted(&self, most: usize, rng: &mut ChaCha8Rng) -> String {
        let words = self.sentence(most.saturating_sub(2).max(4), rng);
        match rng.random_range(0..5) {
            0 => format!("'{words}'"),
            1 => format!("({words})"),
            2 => format!("\"{words}\" {}", self.word(rng)),
            3 => format!("{}'s {}", upper_first(&self.plain(rng)), self.word(rng)),
            _ => format!("\"{words}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn lines() -> Lines {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Lines::new(
            owned(&["apple", "na\u{ef}ve", "Bob's"]),
            owned(&["oak tree"]),
            owned(&["a tall plant; it has leaves"]),
        )
    }

    #[test]
    fn lines_fit_and_none_is_of_the_test() {
        let (lines, mut rng) = (lines(), ChaCha8Rng::seed_from_u64(1));
        for max_chars in [1, 9, 60] {
            for _ in 0..3000 {
                let line = lines.say(max_chars, false, &mut rng);
                assert!((1..=max_chars).contains(&line.chars().count()), "{line}");
                assert!(!is_held_out(&line) && line.trim() == line, "{line:?}");
            }
        }
    }

    #[test]
    fn a_face_of_capitals_is_given_no_small_letters() {
        let (lines, mut rng) = (lines(), ChaCha8Rng::seed_from_u64(2));
        for _ in 0..2000 {
            let line = lines.say(40, true, &mut rng);
            assert_eq!(line, line.to_uppercase());
            assert!(!is_held_out(&line));
        }
    }
}
