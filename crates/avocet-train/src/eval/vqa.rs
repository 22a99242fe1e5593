//! The soft accuracy of visual question answering, over the answers of several people.
//!
//! Goyal et al. 2017, arXiv:1612.00837 (VQA v2), as its public evaluation code computes it: an
//! answer is right to the degree that three other people gave it, averaged over leaving each
//! person out. That code is made for ten answers a question.

/// Removed, or turned into a space.
const PUNCTUATION: &[char] = &[
    ';', '/', '[', ']', '"', '{', '}', '(', ')', '=', '+', '\\', '_', '-', '>', '<', '@', '`', ',',
    '?', '!',
];
/// The evaluation code hands a flag to where a count belongs, so that it drops this many full
/// stops and no more.
const MOST_FULL_STOPS: usize = 32;
const ARTICLES: &[&str] = &["a", "an", "the"];
const NUMBERS: &[(&str, &str)] = &[
    ("none", "0"),
    ("zero", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
];
/// Contractions that are put right where one apostrophe is missing.
const CONTRACTIONS: &str = "ain't aren't can't could've couldn't couldn't've didn't doesn't don't \
    hadn't hadn't've hasn't haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll \
    ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock oughtn't 'ow's'at \
    shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's \
    someone'd someone'd've someone'll someone's something'd something'd've something'll that's \
    there'd there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't \
    we'd've we've weren't what'll what're what's what've when's where'd where's where've who'd \
    who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've y'all \
    y'all'll y'all'd've you'd you'd've you'll you're you've";
/// The one that the evaluation code puts wrong.
const MISSPELT: (&str, &str) = ("somebody'd", "somebodyd");

/// An answer as it is compared: punctuation, articles, number words and contractions in one form.
pub fn vqa_normalised(answer: &str) -> String {
    let plain = without_punctuation(&on_one_line(answer));
    let words = plain.split_whitespace().map(str::to_lowercase);
    let words = words.map(
        |word| match NUMBERS.iter().find(|(name, _)| *name == word) {
            Some((_, digits)) => (*digits).to_owned(),
            None => word,
        },
    );
    let words = words.filter(|word| !ARTICLES.contains(&word.as_str()));
    words.map(contraction).collect::<Vec<_>>().join(" ")
}

fn on_one_line(answer: &str) -> String {
    answer.replace(['\n', '\t'], " ").trim().to_owned()
}

fn without_punctuation(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let groups_digits = chars
        .windows(3)
        .any(|w| w[0].is_numeric() && w[1] == ',' && w[2].is_numeric());
    let mut plain = text.to_owned();
    for &mark in PUNCTUATION {
        let stands_apart = chars
            .windows(2)
            .any(|pair| pair == [mark, ' '] || pair == [' ', mark]);
        let instead = if stands_apart || groups_digits {
            ""
        } else {
            " "
        };
        plain = plain.replace(mark, instead);
    }
    let chars: Vec<char> = plain.chars().collect();
    let mut dropped = 0;
    let kept = chars.iter().enumerate().filter(|&(place, &c)| {
        let ends = c == '.' && chars.get(place + 1).is_none_or(|next| !next.is_numeric());
        let drop = ends && dropped < MOST_FULL_STOPS;
        dropped += usize::from(drop);
        !drop
    });
    kept.map(|(_, &c)| c).collect()
}

fn contraction(word: String) -> String {
    if word == MISSPELT.0 {
        return MISSPELT.1.to_owned();
    }
    let misses_one = |right: &&str| {
        let marks = right.match_indices('\'');
        let mut spellings = marks.map(|(at, _)| format!("{}{}", &right[..at], &right[at + 1..]));
        spellings.any(|spelling| spelling == word)
    };
    match CONTRACTIONS.split_whitespace().find(misses_one) {
        Some(right) => right.to_owned(),
        None => word,
    }
}

/// Fewest answers of which one can be right by the rule: three others must agree with it.
pub const VQA_PEOPLE: usize = 4;

/// Share of right of an answer to a question that several people answered, 0 to 1.
///
/// Of fewer than [`VQA_PEOPLE`] references the rule would call none right, whatever is answered:
/// they are taken as answers that are each right, and compared in their one form.
pub fn vqa_accuracy(answer: &str, references: &[String]) -> f64 {
    if references.len() < VQA_PEOPLE {
        let answer = vqa_normalised(answer);
        let right = references.iter().any(|text| vqa_normalised(text) == answer);
        return f64::from(right);
    }
    let mut references: Vec<String> = references.iter().map(|text| on_one_line(text)).collect();
    let mut answer = on_one_line(answer);
    // Where all people agree, nothing is put into one form.
    if references.windows(2).any(|pair| pair[0] != pair[1]) {
        answer = vqa_normalised(&answer);
        references = references.iter().map(|text| vqa_normalised(text)).collect();
    }
    let agreeing = references.iter().filter(|text| **text == answer).count();
    let share = |agreeing: usize| (agreeing as f64 / 3.0).min(1.0);
    let left_out = references
        .iter()
        .map(|text| share(agreeing - usize::from(*text == answer)));
    left_out.sum::<f64>() / references.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_compared_in_one_form() {
        let cases = [
            ("The two dogs!", "2 dogs"),
            ("it isnt a cat.", "it isn't cat"),
            ("1,000", "1000"),
            ("red/blue", "red blue"),
            ("None", "0"),
            ("3.5 miles.", "3.5 miles"),
        ];
        for (answer, normalised) in cases {
            assert_eq!(vqa_normalised(answer), normalised);
        }
    }

    #[test]
    fn three_other_people_make_an_answer_right() {
        let people = |yes: usize| -> Vec<String> {
            let answer = |n| if n < yes { "yes" } else { "no" };
            (0..10).map(|n| answer(n).to_owned()).collect()
        };
        assert_eq!(vqa_accuracy("Yes", &people(0)), 0.0, "all agree on no");
        assert!((vqa_accuracy("yes", &people(1)) - 0.3).abs() < 1e-12);
        assert!((vqa_accuracy("yes", &people(3)) - 0.9).abs() < 1e-12);
        assert_eq!(vqa_accuracy("yes", &people(4)), 1.0);
    }

    #[test]
    fn a_right_answer_is_right_where_few_people_were_asked() {
        let few = |texts: &[&str]| -> Vec<String> { texts.iter().map(|t| (*t).into()).collect() };
        for references in [
            few(&["red"]),
            few(&["Red.", "crimson"]),
            few(&["a", "red", "b"]),
        ] {
            assert_eq!(vqa_accuracy("red", &references), 1.0, "{references:?}");
            assert_eq!(vqa_accuracy("blue", &references), 0.0, "{references:?}");
        }
        let four = few(&["red", "red", "red", "red"]);
        assert_eq!(vqa_accuracy("red", &four), 1.0);
        let apart = few(&["red", "crimson", "scarlet", "ruby"]);
        assert_eq!(vqa_accuracy("red", &apart), 0.25, "one of four people");
        assert_eq!(vqa_accuracy("red", &[]), 0.0);
    }
}
