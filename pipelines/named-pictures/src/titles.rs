//! What clip art shows, from the titles and folders that people gave it: a noun of WordNet, or
//! nothing where the title says nothing.

use crate::nouns::{Meaning, Nouns};

/// How many meanings of a word are looked at where a folder says what to expect.
const MEANINGS: usize = 4;
/// Titles that were given to many files at once; there the file's own name says more.
const SHARED: [&str; 9] = [
    "clipart by",
    "part of",
    "lemon",
    "etiquette",
    "aiga",
    "map symbol",
    "hotel icon",
    "svg ",
    "open clip art",
];
/// Words before which the thing itself stands.
const AFTER: [&str; 16] = [
    "of", "with", "on", "in", "for", "at", "from", "by", "to", "without", "behind", "under",
    "over", "near", "inside", "a",
];
/// Nouns that say how something is drawn, and not what, or that nobody should be called; and two
/// names that are no penguin's suit and no fish here.
const EMPTY: [&str; 52] = [
    "icon",
    "clip",
    "clipart",
    "symbol",
    "sign",
    "collection",
    "set",
    "theme",
    "art",
    "picture",
    "image",
    "drawing",
    "version",
    "shape",
    "style",
    "logo",
    "contour",
    "outline",
    "silhouette",
    "cartoon",
    "color",
    "colour",
    "black",
    "white",
    "blue",
    "green",
    "red",
    "thing",
    "object",
    "part",
    "line",
    "side",
    "front",
    "back",
    "group",
    "illustration",
    "sketch",
    "vector",
    "graphic",
    "sports",
    "pink",
    "grey",
    "gray",
    "brown",
    "purple",
    "yellow",
    "tux",
    "cisco",
    "stripper",
    "slave",
    "male",
    "female",
];
/// Folders whose files are too alike, too abstract, or a kind of pictures of their own.
const LEFT_OUT: [&str; 17] = [
    "shapes/",
    "special/",
    "logos/",
    "buttons/",
    "decorations/",
    "geography/",
    "computer/icons/",
    "computer/buttons/",
    "computer/diagrams/",
    "computer/folders/",
    "signs_and_symbols/flags/",
    "signs_and_symbols/led/",
    "signs_and_symbols/map_symbols/",
    "recreation/games/cards/",
    "people/stickmen/",
    "transportation/roadsigns/",
    "transportation/aiga-symbols/",
];
/// What is expected in a folder.
const EXPECTED: [(&str, &str); 14] = [
    ("animals/birds/", "bird"),
    ("animals/bugs/", "insect"),
    ("animals/", "animal"),
    ("people/clothing/", "clothing"),
    ("people/bodypart/", ""),
    ("people/", "person"),
    ("food/", "food"),
    ("plants/flowers/", "flower"),
    ("plants/trees/", "tree"),
    ("plants/", "plant"),
    ("transportation/", "vehicle"),
    ("tools/", "tool"),
    ("buildings/furniture/", "furniture"),
    ("buildings/", "building"),
];
/// What anything in a folder is, whatever its title says.
const ALL_OF: [(&str, &str); 14] = [
    ("/horses/", "horse"),
    ("/dogs/", "dog"),
    ("/cats/", "cat"),
    ("/birds/", "bird"),
    ("/bugs/", "insect"),
    ("/fish/", "fish"),
    ("/dinosaurs/", "dinosaur"),
    ("/fruit/", "fruit"),
    ("/vegetables/", "vegetable"),
    ("/flowers/", "flower"),
    ("/trees/", "tree"),
    ("/homes/", "house"),
    ("/clocks/", "clock"),
    ("/chess/", "chess piece"),
];

/// What the file of that path (`animals/birds/owl_02.svg`) with that title shows: its name and what
/// it means. None if nothing can be said.
pub fn name(path: &str, title: &str, nouns: &Nouns) -> Option<(String, Meaning)> {
    if LEFT_OUT.iter().any(|folder| path.starts_with(folder)) {
        return None;
    }
    let expected = EXPECTED.iter().find(|(folder, _)| path.starts_with(folder));
    let expected = expected.map(|(_, kind)| *kind);
    let small = title.to_lowercase();
    let is_shared = small.trim().is_empty() || SHARED.iter().any(|start| small.starts_with(start));
    let file = path.rsplit('/').next().unwrap_or(path);
    let said = if is_shared {
        file.trim_end_matches(".svg")
    } else {
        title
    };
    if let Some(named) = noun(said, expected, nouns) {
        return Some(named);
    }
    let all = format!("/{path}");
    let (_, all) = ALL_OF.iter().find(|(folder, _)| all.contains(folder))?;
    Some(((*all).to_owned(), nouns.meaning(all, expected, MEANINGS)?))
}

/// The whole of a short name if it is a noun: for icon sets, whose other names are of what a button
/// does.
pub fn whole(name: &str, nouns: &Nouns) -> Option<(String, Meaning)> {
    let name = name.replace(['-', '_'], " ");
    if name.len() < 3 || EMPTY.contains(&name.as_str()) {
        return None;
    }
    let name = nouns.singular(&name)?;
    if nouns.is_adjective(&name) {
        return None;
    }
    let meaning = nouns.meaning(&name, None, 1)?;
    Some((name, meaning))
}

/// The noun that a title ends in, before anything is said of where or with what.
fn noun(title: &str, expected: Option<&str>, nouns: &Nouns) -> Option<(String, Meaning)> {
    let small = title.to_lowercase();
    let words: Vec<&str> = small
        .split(|c: char| !c.is_alphabetic() && c != '\'')
        .filter(|word| !word.is_empty())
        .collect();
    if words.contains(&"and") {
        return None;
    }
    let end = words.iter().skip(1).position(|word| AFTER.contains(word));
    let words = &words[..end.map_or(words.len(), |end| end + 1)];
    let words: Vec<&str> = words
        .iter()
        .copied()
        .filter(|w| !EMPTY.contains(w))
        .collect();
    let most = if expected.is_some() { MEANINGS } else { 2 };
    for count in [3, 2, 1] {
        let Some(start) = words.len().checked_sub(count) else {
            continue;
        };
        let phrase = words[start..].join(" ");
        if phrase.len() < 3 {
            continue;
        }
        let Some(phrase) = nouns.singular(&phrase) else {
            continue;
        };
        let Some(meaning) = nouns.meaning(&phrase, expected, most) else {
            continue;
        };
        let fits = expected.is_some_and(|kind| meaning.kinds.contains(&kind));
        // "Open", "main": a title that says how something is.
        if !fits && nouns.is_adjective(&phrase) {
            return None;
        }
        // One word of another language may look like an English word: in a folder that says what to
        // expect, it must be of some kind.
        let strange = words.len() == 1 && meaning.kinds.is_empty() && !fits;
        if strange && !matches!(expected, None | Some("" | "person")) {
            return None;
        }
        return Some((phrase, meaning));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::packages;

    fn said(path: &str, title: &str) -> Option<String> {
        let fixture = packages();
        let nouns = Nouns::read(&fixture.package("wordnet")).unwrap();
        Some(name(path, title, &nouns)?.0)
    }

    #[test]
    fn a_title_is_the_noun_that_it_ends_in() {
        let expected = Some("horse".to_owned());
        assert_eq!(said("animals/a.svg", "Bored Horse"), expected);
        assert_eq!(said("animals/a.svg", "horses on a hill"), expected);
        assert_eq!(said("animals/a.svg", "horse_03"), expected);
        assert_eq!(
            said("animals/horse_2.svg", "Clipart by Somebody - cat"),
            expected
        );
        assert_eq!(said("animals/mammals/horses/c.svg", "Cavallo"), expected);
    }

    #[test]
    fn a_title_that_says_nothing_gives_nothing() {
        assert_eq!(said("animals/a.svg", "Cavallo"), None);
        assert_eq!(said("animals/a.svg", "1234"), None);
        assert_eq!(said("people/a.svg", "freedom"), None);
        assert_eq!(said("animals/a.svg", "horse and crane"), None);
        assert_eq!(said("shapes/horse.svg", "horse"), None);
    }
}
