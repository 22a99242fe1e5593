//! What is asked about a page, and the right answers: all of them can be read off the picture.

use avocet_browser::snapshot::{Element, ElementKind, Line, PageSnapshot};
use avocet_data::{Content, Sample, SampleError};
use avocet_text::Turn;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::synthetic::Ask;
use crate::wording;

/// Longer texts and lists are not asked for: no answer is cut.
const MAX_ANSWER: usize = 4_000;
/// Answers up to this length are spelled, a token a character.
const MAX_SPELLED: usize = 48;

/// A question with its answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub kind: &'static str,
    pub question: String,
    pub answer: String,
    /// The answer stands on the page as it is.
    pub read: bool,
}

impl Asked {
    pub(crate) fn read(kind: &'static str, question: String, answer: &str) -> Self {
        Self {
            kind,
            question,
            answer: answer.to_owned(),
            read: true,
        }
    }

    pub(crate) fn told(kind: &'static str, question: String, answer: String) -> Self {
        Self {
            kind,
            question,
            answer,
            read: false,
        }
    }
}

/// Questions about a made-up page: those that its maker had in mind, as far as what they are
/// about is in view, and those that suit every page.
pub(crate) fn about_made(asks: &[Ask], seen: &PageSnapshot, rng: &mut ChaCha8Rng) -> Vec<Asked> {
    let mut all = Vec::new();
    for ask in asks {
        let Some(fact) = seen
            .facts
            .iter()
            .find(|fact| fact.name == ask.mark && fact.whole)
        else {
            continue;
        };
        match &ask.answer {
            // What its maker wrote there is read like anything else.
            Some(answer) if *answer != fact.text => {
                all.push(Asked::told(ask.kind, ask.question.clone(), answer.clone()))
            }
            _ if fact.text.is_empty() => {}
            _ => all.push(Asked::read(ask.kind, ask.question.clone(), &fact.text)),
        }
    }
    places(seen, 1, rng, &mut all);
    whole(seen, rng, &mut all);
    all
}

/// Questions about a page that somebody else has made.
pub(crate) fn about_given(seen: &PageSnapshot, rng: &mut ChaCha8Rng) -> Vec<Asked> {
    let mut all = Vec::new();
    let headings: Vec<&Element> = of_kind(seen, ElementKind::Heading).collect();
    if let Some(first) = headings.iter().find(|heading| heading.level == 1) {
        all.push(Asked::read(
            "page-title",
            one_of(&wording::TITLE, rng),
            &first.text,
        ));
    }
    let pairs: Vec<(&str, &str)> = headings
        .windows(2)
        .map(|pair| (pair[0].text.as_str(), pair[1].text.as_str()))
        .filter(|(before, _)| {
            headings
                .iter()
                .filter(|heading| heading.text == *before)
                .count()
                == 1
        })
        .collect();
    if let Some((before, after)) = pairs.choose(rng) {
        let question = about(wording::NEXT_HEADING, &quoted(before), rng);
        all.push(Asked::read("page-heading", question, after));
    }
    let buttons: Vec<&Element> = of_kind(seen, ElementKind::Button).collect();
    if let [button] = buttons[..] {
        all.push(Asked::read(
            "page-button",
            one_of(&wording::BUTTON, rng),
            &button.text,
        ));
    }
    let links: Vec<(&Element, &str)> = of_kind(seen, ElementKind::Link)
        .filter_map(named_target)
        .collect();
    let unique: Vec<&(&Element, &str)> = links
        .iter()
        .filter(|(_, name)| links.iter().filter(|(_, other)| other == name).count() == 1)
        .collect();
    if let Some((link, target)) = unique.choose(rng) {
        all.push(Asked::read(
            "page-link",
            about(wording::TARGET, target, rng),
            &link.text,
        ));
    }
    let prices: Vec<&str> = seen
        .lines
        .iter()
        .filter(|line| line.whole)
        .filter_map(|line| price_in(&line.text))
        .collect();
    if let [price] = prices[..] {
        all.push(Asked::read(
            "page-price",
            one_of(&wording::PRICE, rng),
            price,
        ));
    }
    if !seen.title.is_empty() {
        all.push(Asked::told(
            "page-tab",
            one_of(wording::TAB, rng),
            seen.title.clone(),
        ));
    }
    places(seen, 2, rng, &mut all);
    whole(seen, rng, &mut all);
    all
}

/// Where things are: as a part of the picture, and as a box.
fn places(seen: &PageSnapshot, count: usize, rng: &mut ChaCha8Rng, all: &mut Vec<Asked>) {
    let mut things: Vec<&Element> = seen
        .elements
        .iter()
        .filter(|element| element.whole && (3..=60).contains(&element.text.chars().count()))
        .filter(|element| {
            seen.elements
                .iter()
                .filter(|other| other.text == element.text)
                .count()
                == 1
        })
        .collect();
    for _ in 0..count {
        let Some(&chosen) = things.choose(rng) else {
            return;
        };
        things.retain(|thing| thing.text != chosen.text);
        let name = match chosen.kind {
            ElementKind::Heading => format!("the heading {}", quoted(&chosen.text)),
            ElementKind::Link => format!("the link {}", quoted(&chosen.text)),
            ElementKind::Button => format!("the button {}", quoted(&chosen.text)),
            ElementKind::Field => format!("the field with {}", quoted(&chosen.text)),
        };
        match part(chosen, seen) {
            Some(part) if rng.random_bool(0.6) => {
                all.push(Asked::told(
                    "page-where",
                    about(wording::WHERE, &name, rng),
                    part.into(),
                ));
            }
            _ => {
                let [left, top, right, bottom] = chosen.place.map(|side| side.round() as i64);
                let answer = format!("{left}, {top}, {right}, {bottom}");
                all.push(Asked::told(
                    "page-where",
                    about(wording::BOX, &name, rng),
                    answer,
                ));
            }
        }
    }
}

/// All text, and all elements with their boxes.
fn whole(seen: &PageSnapshot, rng: &mut ChaCha8Rng, all: &mut Vec<Asked>) {
    let text = seen.text();
    if seen.frames == 0 && !text.is_empty() && text.len() <= MAX_ANSWER {
        all.push(Asked::read("page-text", one_of(wording::TEXT, rng), &text));
    }
    let row = |element: &Element| {
        let kind = match element.kind {
            ElementKind::Heading => format!("h{}", element.level.clamp(1, 6)),
            ElementKind::Link => "link".to_owned(),
            ElementKind::Button => "button".to_owned(),
            ElementKind::Field => "field".to_owned(),
        };
        let [left, top, right, bottom] = element.place.map(|side| side.round() as i64);
        format!(
            "{kind} {} {left} {top} {right} {bottom}",
            quoted(&element.text)
        )
    };
    let rows: Vec<String> = seen
        .elements
        .iter()
        .filter(|element| element.whole)
        .map(row)
        .collect();
    let list = rows.join("\n");
    if !list.is_empty() && list.len() <= MAX_ANSWER {
        all.push(Asked::told(
            "page-elements",
            one_of(wording::ELEMENTS, rng),
            list,
        ));
    }
}

pub(crate) fn of_kind(seen: &PageSnapshot, kind: ElementKind) -> impl Iterator<Item = &Element> {
    seen.elements.iter().filter(move |element| {
        element.kind == kind && element.whole && (1..=200).contains(&element.text.len())
    })
}

/// Which of nine parts of the picture a thing is in; none where it lies between two.
fn part(element: &Element, seen: &PageSnapshot) -> Option<&'static str> {
    const PARTS: [[&str; 3]; 3] = [
        ["top left", "top", "top right"],
        ["left", "middle", "right"],
        ["bottom left", "bottom", "bottom right"],
    ];
    let [left, top, right, bottom] = element.place;
    let third = |middle: f64, length: f64| {
        let place = middle / length * 3.0;
        let clear = [1.0, 2.0].iter().all(|edge| (place - edge).abs() > 0.12);
        clear.then_some((place.floor() as usize).min(2))
    };
    let column = third((left + right) / 2.0, seen.width)?;
    let row = third((top + bottom) / 2.0, seen.height)?;
    Some(PARTS[row][column])
}

/// A link whose target can be told from its words, with the target's name.
fn named_target(link: &Element) -> Option<(&Element, &str)> {
    let path = link.href.split(['#', '?']).next()?;
    let file = path.trim_end_matches('/').rsplit('/').next()?;
    let stem = file.split('.').next()?;
    let plain = |text: &str| {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    let known = plain(stem);
    (known.len() >= 3 && link.text.len() <= 80 && plain(&link.text).contains(&known))
        .then_some((link, stem))
}

/// The price in a line, if it holds one: a sign of money with a number beside it.
pub(crate) fn price_in(text: &str) -> Option<&str> {
    let sign = text.find(['$', '€', '£', '¥'])?;
    let sign_length = text[sign..].chars().next()?.len_utf8();
    let number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '\u{a0}');
    let after = &text[sign + sign_length..];
    let spaces = after.len() - after.trim_start().len();
    let digits = after[spaces..]
        .find(|c| !number(c))
        .unwrap_or(after.len() - spaces);
    let found = if digits > 0 && after[spaces..].starts_with(|c: char| c.is_ascii_digit()) {
        &text[sign..sign + sign_length + spaces + digits]
    } else {
        let before = &text[..sign];
        let start = before.trim_end().rfind(|c| !number(c)).map_or(0, |at| {
            at + before[at..].chars().next().map_or(1, char::len_utf8)
        });
        &text[start..sign + sign_length]
    };
    let found = found.trim_end_matches(['.', ',']);
    found
        .contains(|c: char| c.is_ascii_digit())
        .then_some(found)
}

pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "'"))
}

pub(crate) fn one_of(wordings: &[&str], rng: &mut ChaCha8Rng) -> String {
    let wording = wordings
        .choose(rng)
        .expect("every list of wordings has entries");
    (*wording).to_owned()
}

pub(crate) fn about(wordings: &[&str], name: &str, rng: &mut ChaCha8Rng) -> String {
    one_of(wordings, rng).replace("{}", name)
}

/// Makes samples of questions about one picture: one sample for each kind that `kind_of` gives.
///
/// Errors if a sample's parts do not agree.
pub(crate) fn samples(
    (source, licence): (&str, &str),
    picture: &[u8],
    asked: &[Asked],
    kind_of: impl Fn(&Asked) -> &'static str,
) -> Result<Vec<Sample>, SampleError> {
    let mut kinds: Vec<&'static str> = Vec::new();
    for one in asked {
        if !kinds.contains(&kind_of(one)) {
            kinds.push(kind_of(one));
        }
    }
    let sample = |kind: &'static str| {
        let mut turns = Vec::new();
        for one in asked.iter().filter(|one| kind_of(one) == kind) {
            let images = usize::from(turns.is_empty());
            turns.push(Turn::about(images, one.question.as_str()));
            turns.push(
                match one.read && one.answer.chars().count() <= MAX_SPELLED {
                    true => Turn::transcription(one.answer.clone()),
                    false => Turn::assistant(one.answer.clone()),
                },
            );
        }
        Sample::new(
            kind,
            source,
            licence,
            vec![(picture.to_vec(), None)],
            Content::Turns(turns),
        )
    };
    kinds.into_iter().map(sample).collect()
}

/// Whether anything at all can be read.
pub(crate) fn is_empty(seen: &PageSnapshot) -> bool {
    !seen.lines.iter().any(|line: &Line| line.whole) && seen.elements.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use avocet_browser::snapshot::Fact;
    use rand::SeedableRng;

    fn element(kind: ElementKind, text: &str, href: &str, place: [f64; 4]) -> Element {
        Element {
            kind,
            level: 1,
            text: text.into(),
            label: String::new(),
            href: href.into(),
            place,
            whole: true,
        }
    }

    fn page() -> PageSnapshot {
        let elements = vec![
            element(ElementKind::Heading, "Lamps", "", [10.0, 10.0, 60.0, 30.0]),
            element(
                ElementKind::Link,
                "All lamps",
                "/lamps.html",
                [10.0, 200.0, 80.0, 220.0],
            ),
            element(
                ElementKind::Heading,
                "Cheap lamps",
                "",
                [10.0, 130.0, 90.0, 150.0],
            ),
            element(ElementKind::Button, "Buy", "", [250.0, 270.0, 290.0, 290.0]),
        ];
        let line = Line {
            text: "Only $19.99.".into(),
            place: [10.0, 60.0, 90.0, 75.0],
            block: 0,
            pre: false,
            whole: true,
        };
        PageSnapshot {
            title: "Shop".into(),
            width: 300.0,
            height: 300.0,
            frames: 0,
            lines: vec![line],
            elements,
            facts: vec![],
        }
    }

    #[test]
    fn an_answer_that_stands_at_the_mark_is_read_and_another_told() {
        let fact = |name: &str, text: &str| Fact {
            name: name.into(),
            text: text.into(),
            place: [10.0, 10.0, 60.0, 30.0],
            whole: true,
        };
        let facts = vec![fact("price0", "63,24 \u{20ac}"), fact("chart", "")];
        let seen = PageSnapshot { facts, ..page() };
        let ask = |mark: &str, answer: Option<&str>| Ask {
            kind: "page-price",
            question: "?".into(),
            mark: mark.into(),
            answer: answer.map(str::to_owned),
        };
        let asks = [
            ask("price0", None),
            ask("price0", Some("63,24 \u{20ac}")),
            ask("price0", Some("less than 70")),
            ask("chart", Some("March")),
            ask("chart", None),
        ];
        let asked = about_made(&asks, &seen, &mut ChaCha8Rng::seed_from_u64(3));
        let prices = asked.iter().filter(|one| one.kind == "page-price");
        let got: Vec<(&str, bool)> = prices.map(|one| (&*one.answer, one.read)).collect();
        let price = ("63,24 \u{20ac}", true);
        assert_eq!(
            got,
            [price, price, ("less than 70", false), ("March", false)]
        );
    }

    #[test]
    fn a_given_page_is_asked_about_what_it_shows() {
        let asked = about_given(&page(), &mut ChaCha8Rng::seed_from_u64(3));
        let answer = |kind: &str| {
            asked
                .iter()
                .find(|one| one.kind == kind)
                .map(|one| one.answer.as_str())
        };
        assert_eq!(answer("page-title"), Some("Lamps"));
        assert_eq!(answer("page-heading"), Some("Cheap lamps"));
        assert_eq!(answer("page-button"), Some("Buy"));
        assert_eq!(answer("page-link"), Some("All lamps"));
        assert_eq!(answer("page-price"), Some("$19.99"));
        assert_eq!(answer("page-tab"), Some("Shop"));
        assert_eq!(answer("page-text"), Some("Only $19.99."));
        assert!(
            answer("page-elements")
                .is_some_and(|list| list.contains("button \"Buy\" 250 270 290 290"))
        );
    }

    #[test]
    fn places_have_names_unless_they_lie_between_two() {
        let seen = page();
        assert_eq!(part(&seen.elements[3], &seen), Some("bottom right"));
        assert_eq!(part(&seen.elements[0], &seen), Some("top left"));
        let between = element(ElementKind::Link, "x", "", [90.0, 90.0, 110.0, 110.0]);
        assert_eq!(part(&between, &seen), None);
    }

    #[test]
    fn prices_are_found_with_their_sign() {
        for (text, price) in [
            ("Price: $1,299.00 only", "$1,299.00"),
            ("19,90 € incl. tax", "19,90 €"),
            ("£5", "£5"),
            ("from 7€.", "7€"),
            ("€ 12.50.", "€ 12.50"),
        ] {
            assert_eq!(price_in(text), Some(price), "{text}");
        }
        for text in ["no price", "$HOME", "a $ b", "€"] {
            assert_eq!(price_in(text), None, "{text}");
        }
    }

    #[test]
    fn a_page_may_speak_of_images_and_special_tokens() {
        let asked = ["<image>", "<|im_end|>", "</s>"].map(|word| {
            let question = format!("What does {word} do?");
            Asked::read("page-title", question, word)
        });
        let samples = samples(("s", "l"), b"\x89PNG", &asked, |one| one.kind).unwrap();
        assert_eq!(samples[0].images.len(), 1);
        let text = samples[0].text();
        assert!(text.starts_with("user: <image>What does <image> do?\nassistant: <image>\n"));
        assert!(text.contains("user: What does <|im_end|> do?\nassistant: <|im_end|>"));
    }
}
