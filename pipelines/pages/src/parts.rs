//! What is asked about a page of a manual or a part of one: what people ask first.

use avocet_browser::snapshot::{Element, ElementKind, PageSnapshot};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::questions::{Asked, about, of_kind, one_of, price_in, quoted};
use crate::wording;

/// Headings of a column begin within so many pixels.
const COLUMN: f64 = 48.0;
/// Characters of what is asked for.
const NAME: std::ops::RangeInclusive<usize> = 2..=60;

/// Questions about a page of a manual or a part of one: what people ask first, each answer in view.
/// Links that are not there are asked for by the names of those `elsewhere`, so that no name tells.
pub(crate) fn about_part(
    seen: &PageSnapshot,
    elsewhere: &[&str],
    rng: &mut ChaCha8Rng,
) -> Vec<Asked> {
    let mut all = Vec::new();
    let named = |kind| of_kind(seen, kind).map(|one| (one, name(one)));
    let headings: Vec<(&Element, &str)> = named(ElementKind::Heading)
        .filter(|(_, name)| NAME.contains(&name.chars().count()))
        .collect();
    let titles: Vec<_> = headings.iter().filter(|(one, _)| one.level == 1).collect();
    if let [(_, title)] = titles[..] {
        let question = one_of(&wording::TITLE, rng);
        all.push(Asked::read("page-title", question, title));
    }
    let once = |text: &str| headings.iter().filter(|(_, other)| *other == text).count() == 1;
    let pairs: Vec<_> = headings
        .windows(2)
        .filter(|pair| once(pair[0].1) && is_below(pair[1].0, pair[0].0))
        .collect();
    if let Some([(_, before), (_, after)]) = pairs.choose(rng) {
        let question = about(wording::NEXT_HEADING, &quoted(before), rng);
        all.push(Asked::read("page-heading", question, after));
    }
    let buttons: Vec<(&Element, &str)> = named(ElementKind::Button).collect();
    if let [(_, button)] = buttons[..]
        && NAME.contains(&button.chars().count())
    {
        all.push(Asked::read(
            "page-button",
            one_of(&wording::BUTTON, rng),
            button,
        ));
    }
    let lines = seen.lines.iter().filter(|line| line.whole);
    let prices: Vec<&str> = lines.filter_map(|line| price_in(&line.text)).collect();
    if let [price] = prices[..] {
        all.push(Asked::read(
            "page-price",
            one_of(&wording::PRICE, rng),
            price,
        ));
    }
    let says = |text: &str| seen.lines.iter().any(|line| line.text.contains(text));
    let is_name = |name: &&str| {
        let letters = name.chars().filter(|c| c.is_alphabetic()).count();
        letters >= 3 && NAME.contains(&name.chars().count())
    };
    let there: Vec<&str> = named(ElementKind::Link)
        .map(|(_, name)| name)
        .filter(is_name)
        .collect();
    let usual = rng.random_bool(0.3);
    let others = elsewhere.iter().copied().filter(|_| !usual);
    let absent: Vec<&str> = others.filter(is_name).filter(|text| !says(text)).collect();
    let absent = match absent.is_empty() {
        true => wording::ELSEWHERE
            .into_iter()
            .filter(|text| !says(text))
            .collect(),
        false => absent,
    };
    let yes = rng.random_bool(0.5);
    let asked_for = if yes { &there } else { &absent };
    if let (Some(link), false) = (asked_for.choose(rng), there.is_empty()) {
        let question = about(wording::WHETHER, &quoted(link), rng);
        let answer = if yes { "yes" } else { "no" };
        all.push(Asked::told("page-yes-no", question, answer.into()));
    }
    all
}

/// All text of a part, if it is no longer than `most` bytes.
pub(crate) fn text(seen: &PageSnapshot, most: usize, rng: &mut ChaCha8Rng) -> Option<Asked> {
    let text = seen.text();
    // What is cut off at the sides would be read as well.
    let all_whole = seen.lines.iter().all(|line| line.whole);
    (all_whole && !text.is_empty() && text.len() <= most && seen.frames == 0)
        .then(|| Asked::read("page-text", one_of(wording::TEXT, rng), &text))
}

/// Whether one element is the next in the other's column: what comes next in the document may stand
/// beside it.
fn is_below(one: &Element, other: &Element) -> bool {
    one.place[1] >= other.place[3] && (one.place[0] - other.place[0]).abs() < COLUMN
}

/// What an element says, without the sign that many manuals put behind headings.
pub(crate) fn name(element: &Element) -> &str {
    element
        .text
        .trim_end_matches(['¶', '#', '§', '\u{f0c1}'])
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use avocet_browser::snapshot::Line;
    use rand::SeedableRng;

    fn element(kind: ElementKind, level: u32, text: &str, top: f64) -> Element {
        Element {
            kind,
            level,
            text: text.into(),
            label: String::new(),
            href: String::new(),
            place: [0.0, top, 90.0, top + 9.0],
            whole: true,
        }
    }

    fn line(text: &str, whole: bool) -> Line {
        Line {
            text: text.into(),
            place: [0.0, 0.0, 50.0, 9.0],
            block: 0,
            pre: false,
            whole,
        }
    }

    #[test]
    fn what_stands_in_view_is_asked_for_without_the_marks_of_manuals() {
        let mut seen = PageSnapshot {
            elements: vec![
                element(ElementKind::Heading, 1, "Options¶", 0.0),
                element(ElementKind::Heading, 2, "Files #", 20.0),
                element(ElementKind::Button, 0, "Search", 40.0),
            ],
            lines: vec![line("It costs $12.50 today.", true)],
            ..PageSnapshot::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let asked = about_part(&seen, &[], &mut rng);
        let found: Vec<_> = asked.iter().map(|one| one.answer.as_str()).collect();
        assert_eq!(found, ["Options", "Files", "Search", "$12.50"]);
        assert!(asked[1].question.contains("\"Options\""));
        for element in &mut seen.elements {
            element.whole = false;
        }
        let kinds: Vec<_> = about_part(&seen, &[], &mut rng)
            .into_iter()
            .map(|one| one.kind)
            .collect();
        assert_eq!(kinds, ["page-price"]);
    }

    #[test]
    fn a_link_is_there_as_often_as_not() {
        let seen = PageSnapshot {
            elements: vec![element(ElementKind::Link, 0, "index", 0.0)],
            ..PageSnapshot::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut answer = |_| about_part(&seen, &[], &mut rng)[0].answer == "yes";
        let yes = (0..400).map(&mut answer).filter(|yes| *yes).count();
        assert!((150..250).contains(&yes), "{yes}");
    }

    #[test]
    fn a_link_that_is_not_there_is_one_of_another_part() {
        let seen = PageSnapshot {
            elements: vec![element(ElementKind::Link, 0, "index", 0.0)],
            lines: vec![line("index", true)],
            ..PageSnapshot::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut elsewhere = 0;
        for _ in 0..200 {
            let one = &about_part(&seen, &["index", "modules"], &mut rng)[0];
            assert_eq!(one.question.contains("index"), one.answer == "yes");
            elsewhere += usize::from(one.question.contains("modules"));
        }
        assert!(elsewhere > 40, "{elsewhere}");
    }

    #[test]
    fn a_text_that_is_cut_off_is_not_asked_for() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut seen = PageSnapshot {
            lines: vec![line("One line.", true)],
            ..PageSnapshot::default()
        };
        let asked = text(&seen, 40, &mut rng);
        assert_eq!(asked.map(|one| one.answer).as_deref(), Some("One line."));
        assert_eq!(text(&seen, 4, &mut rng), None);
        seen.lines.push(line("half of ano", false));
        assert_eq!(text(&seen, 40, &mut rng), None);
    }
}
