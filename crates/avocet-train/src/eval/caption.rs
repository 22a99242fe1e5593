//! Metrics that count the runs of words (n-grams) that texts share.

use std::collections::{BTreeMap, HashMap};

/// Longest runs that are counted.
const ORDERS: usize = 4;
/// Standard deviation of CIDEr-D's penalty on a difference in length.
const SIGMA: f64 = 6.0;

type Counts<'a> = HashMap<&'a [String], f64>;

fn counts(words: &[String], order: usize) -> Counts<'_> {
    let mut counts = Counts::new();
    for run in words.windows(order) {
        *counts.entry(run).or_default() += 1.0;
    }
    counts
}

/// BLEU of a corpus, 0 to 100: `answers` with their references, as sacrebleu's `corpus_bleu`
/// computes it (tokens of mteval-v13a, case kept, exponential smoothing).
///
/// Papineni et al. 2002; Post 2018, arXiv:1804.08771.
pub fn bleu<'a>(answers: impl IntoIterator<Item = (&'a str, &'a [String])>) -> f64 {
    let (mut right, mut total) = ([0.0; ORDERS], [0.0; ORDERS]);
    let (mut length, mut reference_length) = (0usize, 0usize);
    for (answer, references) in answers {
        let answer = bleu_tokens(answer);
        let references: Vec<Vec<String>> = references.iter().map(|r| bleu_tokens(r)).collect();
        let distance =
            |reference: &&Vec<String>| (reference.len().abs_diff(answer.len()), reference.len());
        length += answer.len();
        reference_length += references.iter().min_by_key(distance).map_or(0, Vec::len);
        for order in 1..=ORDERS {
            let mut most: Counts<'_> = HashMap::new();
            for reference in &references {
                for (run, count) in counts(reference, order) {
                    let known = most.entry(run).or_default();
                    *known = count.max(*known);
                }
            }
            for (run, count) in counts(&answer, order) {
                right[order - 1] += count.min(most.get(run).copied().unwrap_or(0.0));
                total[order - 1] += count;
            }
        }
    }
    if right[0] == 0.0 {
        return 0.0;
    }
    let (mut log_sum, mut smoothing) = (0.0, 1.0);
    for (right, total) in right.into_iter().zip(total) {
        if total == 0.0 {
            // Without a run of this length the score of the reference is 0 as well.
            return 0.0;
        }
        let precision = if right == 0.0 {
            smoothing *= 2.0;
            1.0 / (smoothing * total)
        } else {
            right / total
        };
        log_sum += f64::ln(precision);
    }
    let brevity = match length < reference_length {
        true => (1.0 - reference_length as f64 / length as f64).exp(),
        false => 1.0,
    };
    100.0 * brevity * (log_sum / ORDERS as f64).exp()
}

/// The tokens of mteval-v13a, NIST's tokeniser for machine translation: marks stand alone, full
/// stops and commas only where they are not within a number.
pub fn bleu_tokens(text: &str) -> Vec<String> {
    let text = text
        .replace("<skipped>", "")
        .replace("-\n", "")
        .replace('\n', " ");
    let text = [
        ("&quot;", "\""),
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ]
    .iter()
    .fold(text, |text, (from, to)| text.replace(from, to));
    let stands_alone =
        |c: char| matches!(c, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/');
    let mut line = vec![' '];
    for c in text.chars().chain([' ']) {
        match stands_alone(c) {
            true => line.extend([' ', c, ' ']),
            false => line.push(c),
        }
    }
    let is_stop = |c: char| matches!(c, '.' | ',');
    line = spread(
        &line,
        |a, b| !a.is_ascii_digit() && is_stop(b),
        [false, true, true],
    );
    line = spread(
        &line,
        |a, b| is_stop(a) && !b.is_ascii_digit(),
        [true, true, false],
    );
    line = spread(
        &line,
        |a, b| a.is_ascii_digit() && b == '-',
        [false, true, true],
    );
    let line: String = line.into_iter().collect();
    line.split_whitespace().map(str::to_owned).collect()
}

/// Puts spaces before, between and after each pair that `is_pair` picks; pairs do not overlap.
fn spread(
    line: &[char],
    is_pair: impl Fn(char, char) -> bool,
    [before, between, after]: [bool; 3],
) -> Vec<char> {
    let mut spaced = Vec::with_capacity(line.len() + 16);
    let mut place = 0;
    while place < line.len() {
        let first = line[place];
        match line.get(place + 1) {
            Some(&second) if is_pair(first, second) => {
                spaced.extend(before.then_some(' '));
                spaced.push(first);
                spaced.extend(between.then_some(' '));
                spaced.push(second);
                spaced.extend(after.then_some(' '));
                place += 2;
            }
            _ => {
                spaced.push(first);
                place += 1;
            }
        }
    }
    spaced
}

/// Words as captions are compared by: lower case, marks dropped, contractions apart (`isn't` is
/// `is n't`), as the Penn Treebank tokeniser of the COCO evaluation leaves them. Brackets, which
/// that tokeniser spells out, are dropped as well.
pub fn caption_words(text: &str) -> Vec<String> {
    const ENDINGS: [&str; 7] = ["n't", "'s", "'re", "'ve", "'ll", "'d", "'m"];
    let is_inner = |c: char| matches!(c, '\'' | '-' | '.' | ',');
    let mut words = Vec::new();
    let lower = text.to_lowercase().replace('’', "'");
    for piece in lower.split(|c: char| !c.is_alphanumeric() && !is_inner(c)) {
        let mut word = piece.trim_matches(is_inner);
        let chars: Vec<char> = word.chars().collect();
        let in_number = |w: &[char]| w[0].is_ascii_digit() && w[2].is_ascii_digit();
        let odd = chars
            .windows(3)
            .any(|w| matches!(w[1], '.' | ',') && !in_number(w));
        if odd || word.contains("--") {
            let parts = word.split(['.', ',', '-']);
            words.extend(parts.filter(|part| !part.is_empty()).map(str::to_owned));
            continue;
        }
        let mut ending = None;
        if let Some(found) = ENDINGS.iter().find(|ending| word.ends_with(**ending))
            && word.len() > found.len()
        {
            (word, ending) = (&word[..word.len() - found.len()], Some((*found).to_owned()));
        }
        words.extend((!word.is_empty()).then(|| word.to_owned()));
        words.extend(ending);
    }
    words
}

/// CIDEr-D of each answer, 0 to 10; rare runs weigh more, by how many of the `answers` have them
/// in their references.
///
/// Vedantam et al. 2015, arXiv:1411.5726, as pycocoevalcap computes it: the length that it
/// compares is the number of pairs of words.
pub fn cider<'a>(answers: impl IntoIterator<Item = (&'a str, &'a [String])>) -> Vec<f64> {
    let cut = |(answer, references): (&str, &[String])| {
        let references: Vec<Vec<String>> = references.iter().map(|r| caption_words(r)).collect();
        (caption_words(answer), references)
    };
    let texts: Vec<(Vec<String>, Vec<Vec<String>>)> = answers.into_iter().map(cut).collect();
    let mut holders: HashMap<&[String], f64> = HashMap::new();
    for (_, references) in &texts {
        let runs = |words| (1..=ORDERS).flat_map(move |order| counts(words, order).into_keys());
        let runs: std::collections::HashSet<&[String]> = references
            .iter()
            .flat_map(|words| runs(words.as_slice()))
            .collect();
        for run in runs {
            *holders.entry(run).or_default() += 1.0;
        }
    }
    let log_total = (texts.len() as f64).ln();
    let score = |(answer, references): &(Vec<String>, Vec<Vec<String>>)| {
        let answer = Weighed::of(answer, &holders, log_total);
        let all = references.iter().map(|words| {
            let reference = Weighed::of(words, &holders, log_total);
            answer.likeness(&reference)
        });
        10.0 * all.sum::<f64>() / references.len().max(1) as f64
    };
    texts.iter().map(score).collect()
}

/// The runs of a text, weighed by frequency and rarity.
struct Weighed<'a> {
    runs: [BTreeMap<&'a [String], f64>; ORDERS],
    norms: [f64; ORDERS],
    length: f64,
}

impl<'a> Weighed<'a> {
    fn of(words: &'a [String], holders: &HashMap<&[String], f64>, log_total: f64) -> Self {
        let rarity =
            |run: &[String]| log_total - holders.get(run).copied().unwrap_or(0.0).max(1.0).ln();
        let weighed = |order: usize| {
            let counts = counts(words, order + 1).into_iter();
            counts
                .map(|(run, count)| (run, count * rarity(run)))
                .collect()
        };
        let runs: [BTreeMap<&[String], f64>; ORDERS] = std::array::from_fn(weighed);
        let norm = |order: usize| runs[order].values().map(|w| w * w).sum::<f64>().sqrt();
        Self {
            norms: std::array::from_fn(norm),
            length: words.len().saturating_sub(1) as f64,
            runs,
        }
    }

    fn likeness(&self, reference: &Self) -> f64 {
        let apart = self.length - reference.length;
        let penalty = (-apart * apart / (2.0 * SIGMA * SIGMA)).exp();
        let of = |order: usize| {
            let shared = self.runs[order].iter().filter_map(|(run, weight)| {
                let other = reference.runs[order].get(run)?;
                Some(weight.min(*other) * other)
            });
            let shared: f64 = shared.sum();
            match self.norms[order] * reference.norms[order] {
                0.0 => shared,
                norms => shared / norms,
            }
        };
        (0..ORDERS).map(of).sum::<f64>() * penalty / ORDERS as f64
    }
}
