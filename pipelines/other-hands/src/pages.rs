//! Pages of manuals in a real browser, with questions that their own elements answer.

use std::path::PathBuf;

use avocet_browser::View;
use avocet_browser::snapshot::{Element, ElementKind, PageSnapshot};
use avocet_fetch::Sources;
use drawing::Package;
use presses::Studio;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::asked::{Asked, Made, Maker, yes_or_no};
use crate::documentation::MANUALS;
use crate::error::OtherHandsError;
use crate::order::shuffled;

const TITLE: [&str; 4] = [
    "What is the title of the page?",
    "What does the main heading say?",
    "What is the heading at the top?",
    "Read the title.",
];
const NEXT: [&str; 3] = [
    "What heading comes after {}?",
    "Which heading follows {}?",
    "What is the next heading below {}?",
];
const BUTTON: [&str; 3] = [
    "What does the button say?",
    "Read the button.",
    "What is the label of the button?",
];
const PRICE: [&str; 3] = [
    "What is the price?",
    "How much does it cost?",
    "Read the price.",
];
const WHETHER: [&str; 2] = [
    "Is there a link that says {}?",
    "Does the page have a link {}?",
];
/// Links that pages have, and these mostly not.
const ELSEWHERE: [&str; 8] = [
    "Sign in",
    "Contact us",
    "Privacy policy",
    "Add to basket",
    "Photo gallery",
    "Opening hours",
    "Careers",
    "Subscribe",
];
/// Headings of a column begin within so many pixels.
const COLUMN: f64 = 48.0;
/// Characters of what is asked for.
const ANSWER: std::ops::RangeInclusive<usize> = 2..=60;
/// The windows: small, telephone, tablet, laptop.
const WINDOWS: [(u32, u32, bool); 4] = [
    (448, 448, false),
    (390, 844, true),
    (820, 1180, true),
    (1366, 768, false),
];

/// A manual that is unpacked.
struct Manual {
    package: Package,
    root: PathBuf,
    pages: Vec<String>,
}

/// The set: pages of all manuals by turns.
pub(crate) struct Pages {
    studio: Studio,
    manuals: Vec<Manual>,
}

impl Pages {
    /// Starts a browser and lists the pages.
    ///
    /// Errors if a manual or the browser cannot be had.
    pub fn open(sources: &Sources, rng: &mut ChaCha8Rng) -> Result<Self, OtherHandsError> {
        let manuals = MANUALS
            .iter()
            .map(|(name, folder)| Ok((Package::open(sources, name)?, *folder)));
        let manuals: Result<Vec<_>, OtherHandsError> = manuals.collect();
        Self::of(manuals?, rng)
    }

    /// As [`Self::open`], of manuals given with their folders of pages.
    pub fn of(
        manuals: Vec<(Package, &str)>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, OtherHandsError> {
        let mut listed = Vec::new();
        for (package, folder) in manuals {
            let root = package.root.join(folder);
            let root = root.canonicalize().map_err(OtherHandsError::io(&root))?;
            let inside = Package {
                root: root.clone(),
                ..package.clone()
            };
            let pages = shuffled(inside.files(&[".html"])?, rng);
            if pages.is_empty() {
                return Err(package.broken(folder, "no page in it").into());
            }
            listed.push(Manual {
                package,
                root,
                pages,
            });
        }
        Ok(Self {
            studio: Studio::open()?,
            manuals: listed,
        })
    }
}

impl Maker for Pages {
    fn len(&self) -> usize {
        let fewest = self.manuals.iter().map(|manual| manual.pages.len()).min();
        // Of a manual of a few pages each is shown in several windows.
        fewest.unwrap_or(0) * WINDOWS.len() * self.manuals.len()
    }

    fn tool(&self) -> Option<&str> {
        Some(&self.studio.version)
    }

    fn make(&self, index: usize, rng: &mut ChaCha8Rng) -> Result<Made, OtherHandsError> {
        let manual = &self.manuals[index % self.manuals.len()];
        let number = index / self.manuals.len();
        let page = &manual.pages[number % manual.pages.len()];
        let (width, height, mobile) = WINDOWS[(number + index) % WINDOWS.len()];
        let view = View {
            width,
            height,
            scale: 1.0,
            mobile,
        };
        let rendered = match self.studio.page(&manual.root, page, view) {
            Ok(rendered) => rendered,
            Err(reason) => return Ok(Made::Unfit(reason)),
        };
        let Ok(picture) = rendered.picture.to_png() else {
            return Ok(Made::Unfit("the page has no picture"));
        };
        let asked = questions(&rendered.seen, rng)
            .into_iter()
            .map(|question| Asked {
                kind: question.kind,
                source: manual.package.name.clone(),
                licence: manual.package.licence.clone(),
                picture: picture.clone(),
                question: question.text,
                answers: question.answers,
                spelled: false,
            });
        let asked: Vec<Asked> = asked.collect();
        Ok(if asked.is_empty() {
            Made::Unfit("nothing on it that can be asked for")
        } else {
            Made::Asked(asked)
        })
    }
}

/// What is asked about a page.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    kind: &'static str,
    text: String,
    answers: Vec<String>,
}

/// What the elements in view answer, each kind once.
fn questions(seen: &PageSnapshot, rng: &mut ChaCha8Rng) -> Vec<Question> {
    let mut all = Vec::new();
    let mut ask = |kind, wordings: &[&str], name: &str, answers, rng: &mut ChaCha8Rng| {
        let wording = wordings.choose(rng).expect("there are wordings");
        let text = wording.replace("{}", &format!("\"{name}\""));
        all.push(Question {
            kind,
            text,
            answers,
        });
    };
    let of_kind = |kind| {
        let found = seen
            .elements
            .iter()
            .filter(move |one| one.kind == kind && one.whole);
        let found = found.map(|one| (one, label(one)));
        found.filter(|(_, text)| ANSWER.contains(&text.chars().count()))
    };
    let headings: Vec<(&Element, String)> = of_kind(ElementKind::Heading).collect();
    let titles: Vec<_> = headings.iter().filter(|(one, _)| one.level == 1).collect();
    if let [(_, title)] = titles[..] {
        ask("page-title", &TITLE, "", vec![title.clone()], rng);
    }
    let names = |text: &str| headings.iter().filter(|(_, other)| other == text).count();
    let pairs: Vec<_> = headings
        .windows(2)
        .filter(|pair| names(&pair[0].1) == 1 && is_below(pair[1].0, pair[0].0))
        .collect();
    if let Some([(_, before), (_, after)]) = pairs.choose(rng) {
        ask("page-heading", &NEXT, before, vec![after.clone()], rng);
    }
    let buttons: Vec<(&Element, String)> = of_kind(ElementKind::Button).collect();
    if let [(_, button)] = &buttons[..] {
        ask("page-button", &BUTTON, "", vec![button.clone()], rng);
    }
    let whole = seen.lines.iter().filter(|line| line.whole);
    let prices: Vec<&str> = whole.filter_map(|line| price(&line.text)).collect();
    if let [price] = prices[..] {
        ask("page-price", &PRICE, "", vec![price.to_owned()], rng);
    }
    let links: Vec<(&Element, String)> = of_kind(ElementKind::Link).collect();
    let says = |text: &str| seen.lines.iter().any(|line| line.text.contains(text));
    let absent: Vec<&str> = ELSEWHERE.into_iter().filter(|text| !says(text)).collect();
    let yes = rng.random_bool(0.5);
    let of_words = |text: &&str| text.chars().filter(|c| c.is_alphabetic()).count() >= 3;
    let there: Vec<&str> = links
        .iter()
        .map(|(_, text)| text.as_str())
        .filter(of_words)
        .collect();
    let there = there.choose(rng).copied();
    let named = if yes {
        there
    } else {
        absent.choose(rng).copied()
    };
    if let (Some(name), false) = (named, links.is_empty()) {
        ask("page-yes-no", &WHETHER, name, yes_or_no(yes), rng);
    }
    all
}

/// Whether one element is the next in the other's column: what comes next in the document may stand
/// beside it.
fn is_below(one: &Element, other: &Element) -> bool {
    one.place[1] >= other.place[3] && (one.place[0] - other.place[0]).abs() < COLUMN
}

/// What an element says, without the sign that many manuals put behind headings.
fn label(element: &Element) -> String {
    element
        .text
        .trim_end_matches(['¶', '#', '§'])
        .trim()
        .to_owned()
}

/// An amount of money that is the only number of a line.
fn price(line: &str) -> Option<&str> {
    let mut amounts = line.split_whitespace().filter(|word| {
        let digits = word.trim_start_matches(['$', '€', '£']);
        let digits = digits.trim_end_matches(['.', ',', ')', '€']);
        let is_amount = !digits.is_empty()
            && digits
                .chars()
                .all(|c| c.is_ascii_digit() || c == '.' || c == ',')
            && digits.contains('.');
        is_amount && word.contains(['$', '€', '£'])
    });
    let amount = amounts.next()?;
    amounts
        .next()
        .is_none()
        .then(|| amount.trim_end_matches(['.', ',', ')']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use avocet_browser::snapshot::Line;
    use rand::SeedableRng;

    fn element(kind: ElementKind, level: u32, text: &str) -> Element {
        Element {
            kind,
            level,
            text: text.into(),
            label: String::new(),
            href: String::new(),
            place: [
                0.0,
                20.0 * f64::from(level),
                9.0,
                20.0 * f64::from(level) + 9.0,
            ],
            whole: true,
        }
    }

    #[test]
    fn questions_are_answered_by_what_is_in_view() {
        let line = |text: &str| Line {
            text: text.into(),
            place: [0.0; 4],
            block: 0,
            pre: false,
            whole: true,
        };
        let mut seen = PageSnapshot {
            elements: vec![
                element(ElementKind::Heading, 1, "Options¶"),
                element(ElementKind::Heading, 2, "Files #"),
                element(ElementKind::Button, 0, "Search"),
                element(ElementKind::Link, 0, "index"),
            ],
            lines: vec![
                line("Options"),
                line("It costs $12.50 today."),
                line("index"),
            ],
            ..PageSnapshot::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let asked = questions(&seen, &mut rng);
        let found: Vec<_> = asked
            .iter()
            .map(|one| (one.kind, one.answers[0].as_str()))
            .collect();
        assert_eq!(
            found[..4],
            [
                ("page-title", "Options"),
                ("page-heading", "Files"),
                ("page-button", "Search"),
                ("page-price", "$12.50"),
            ]
        );
        assert!(asked[1].text.contains("\"Options\""));
        // What is cut off at the edge is not asked for.
        for element in &mut seen.elements {
            element.whole = false;
        }
        let kinds: Vec<_> = questions(&seen, &mut rng)
            .iter()
            .map(|one| one.kind)
            .collect();
        assert_eq!(kinds, ["page-price"]);
    }

    #[test]
    fn a_page_of_a_folder_is_shown_and_asked_about() {
        let fixture = crate::fixture::packages();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let set = Pages::of(vec![(fixture.manual.clone(), "")], &mut rng).unwrap();
        assert_eq!(set.len(), WINDOWS.len());
        let browser = set.tool().unwrap();
        assert!(browser.contains("Chrome/"), "{browser}");
        let Made::Asked(asked) = set.make(0, &mut rng).unwrap() else {
            panic!("the page has a title")
        };
        assert_eq!(
            (asked[0].kind, asked[0].answers[0].as_str()),
            ("page-title", "Building")
        );
        assert_eq!(asked[0].source, "manual");
        assert!(image::load_from_memory(&asked[0].picture).is_ok());
    }

    #[test]
    fn a_link_is_there_as_often_as_not() {
        let seen = PageSnapshot {
            elements: vec![element(ElementKind::Link, 0, "index")],
            ..PageSnapshot::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut answers = |_| questions(&seen, &mut rng)[0].answers[0] == "yes";
        let yes = (0..400).map(&mut answers).filter(|yes| *yes).count();
        assert!((150..250).contains(&yes), "{yes}");
    }

    #[test]
    fn versions_and_dates_are_no_prices() {
        assert_eq!(price("only €3.20"), Some("€3.20"));
        for none in ["version 3.20", "$PATH", "from $1.00 to $2.00", "$5", ""] {
            assert_eq!(price(none), None, "{none}");
        }
    }
}
