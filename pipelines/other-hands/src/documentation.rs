//! Manuals that other people wrote: their pages, lines of their text, and their formulas.

use avocet_fetch::Sources;
use drawing::{Package, PackageError};
use presses::{has_meaning, is_program};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use reading::unescaped;

use crate::error::OtherHandsError;
use crate::order::shuffled;

/// Manuals of several projects and looks: the row of the manifest and the folder of pages.
pub(crate) const MANUALS: [(&str, &str); 9] = [
    ("zsh-doc", "usr/share/doc/zsh-common/html"),
    ("cmake-doc", "usr/share/doc/cmake-data/html"),
    ("debian-policy", "usr/share/doc/debian-policy"),
    ("developers-reference", "usr/share/developers-reference"),
    ("gtk-doc", "usr/share/doc/libgtk-4-doc"),
    ("sqlalchemy-doc", "usr/share/doc/python-sqlalchemy-doc/html"),
    ("sqlite-doc", "usr/share/doc/sqlite3"),
    ("nodejs-doc", "usr/share/doc/nodejs/api"),
    ("r-doc", "usr/share/R/doc/manual"),
];
/// Those whose text is set as lines.
const READ: [&str; 3] = ["debian-policy", "developers-reference", "sqlite-doc"];
/// The manual whose formulas are set.
const MATHEMATICS: &str = "mpmath-doc";
/// Pages read for lines, of each manual.
const PAGES_READ: usize = 40;
/// Characters of a line.
const LINE: std::ops::RangeInclusive<usize> = 4..=24;
/// Characters of a formula's source.
const FORMULA: std::ops::RangeInclusive<usize> = 4..=90;

/// Lines of manuals, with the row of the manifest and the licence, in an order of the seed's own.
///
/// Errors if a manual cannot be had or has no lines.
pub(crate) fn lines(
    sources: &Sources,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<String>, OtherHandsError> {
    let mut lines = Vec::new();
    for manual in READ {
        lines.extend(lines_of(&Package::open(sources, manual)?, rng)?);
    }
    Ok(shuffled(lines, rng))
}

/// A line of each paragraph of some pages.
///
/// Errors if there is none.
pub(crate) fn lines_of(
    package: &Package,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<String>, PackageError> {
    let mut lines = Vec::new();
    let members = shuffled(package.files(&[".html"])?, rng);
    for member in members.iter().take(PAGES_READ) {
        let page = String::from_utf8_lossy(&package.read(member)?).into_owned();
        for paragraph in reading::blocks(&page) {
            lines.extend(line(&paragraph, rng));
        }
    }
    lines.sort();
    lines.dedup();
    if lines.is_empty() {
        return Err(package.broken("", "no line of text in its pages"));
    }
    Ok(lines)
}

/// Some words of a paragraph that stand together.
fn line(paragraph: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    let start = rng.random_range(0..words.len().max(1));
    let length = rng.random_range(LINE);
    let mut line = String::new();
    for word in words.get(start..)? {
        if !line.is_empty() && line.len() + 1 + word.len() > length {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let letters = line.chars().filter(char::is_ascii_alphabetic).count();
    // ImageMagick gives some signs a meaning of their own; the lines are the same for all setters.
    let plain = line.chars().all(|c| matches!(c, ' '..='~')) && !has_meaning(&line);
    (LINE.contains(&line.len()) && 2 * letters > line.len() && plain).then_some(line)
}

/// The formulas of a manual of mathematics with its row and licence, in an order of the seed's own.
///
/// Errors if it cannot be had or has none.
pub(crate) fn mathematics(
    sources: &Sources,
    rng: &mut ChaCha8Rng,
) -> Result<(Package, Vec<String>), OtherHandsError> {
    let package = Package::open(sources, MATHEMATICS)?;
    let formulas = formulas_of(&package)?;
    Ok((package, shuffled(formulas, rng)))
}

/// The formulas in the pages of a manual made by Sphinx, sorted and each once.
///
/// Errors if there is none.
pub(crate) fn formulas_of(package: &Package) -> Result<Vec<String>, PackageError> {
    let mut found = Vec::new();
    for member in package.files(&[".html"])? {
        let page = String::from_utf8_lossy(&package.read(&member)?).into_owned();
        for part in page.split("class=\"math").skip(1) {
            let inner = part.split_once('>').map_or("", |(_, inner)| inner);
            let inner = inner.split("</").next().unwrap_or_default();
            found.extend(formula(&unescaped(inner)));
        }
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Err(package.broken("", "no formula in its pages"));
    }
    Ok(found)
}

/// What stands between `\(` and `\)` or `\[` and `\]`, if it is a formula of one line.
fn formula(text: &str) -> Option<String> {
    let text = text.trim();
    let inner = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    let inner = inner("\\(", "\\)").or_else(|| inner("\\[", "\\]"))?;
    let inner = inner.split_whitespace().collect::<Vec<_>>().join(" ");
    let inner = inner.trim_end_matches(['.', ',', ';']).trim_end();
    let is_more_than_a_name = inner.contains(['\\', '^', '_', '=', '+', '/', '<', '>']);
    let of_many_lines = inner.contains("\\\\") || inner.contains("\\begin");
    let fits = FORMULA.contains(&inner.len()) && inner.is_ascii();
    let is_wanted = is_more_than_a_name && !of_many_lines && !is_program(inner);
    (fits && is_wanted).then(|| inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use rand::SeedableRng;

    #[test]
    fn lines_are_words_of_the_pages_as_they_stand_there() {
        let fixture = fixture::packages();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let lines = lines_of(&fixture.manual, &mut rng).unwrap();
        let pages = fixture.manual.text("one.html").unwrap();
        for line in &lines {
            assert!(!has_meaning(line));
            assert!(
                LINE.contains(&line.len()) && pages.contains(line.as_str()),
                "{line}"
            );
        }
    }

    #[test]
    fn formulas_of_one_line_are_found_and_names_are_not() {
        let fixture = fixture::packages();
        let found = formulas_of(&fixture.manual).unwrap();
        assert_eq!(found, ["\\frac{1}{2} < x^2", "a_1 + b_2 = c"]);
        for nothing in [
            "\\(x\\)",
            "\\[a \\\\ b = c\\]",
            "x^2 = 1",
            "\\(\\)",
            "\\(a",
            "(x^2)",
        ] {
            assert_eq!(formula(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_formula_that_is_a_program_is_passed_over() {
        for program in [
            "x^2 \\special{psfile=/etc/passwd}",
            "x^2 \\special{\"{}loop}",
            "x^2 ^^5cspecial{psfile=/etc/passwd}",
            "x = \\input{/etc/passwd}",
            "x = \\include{a}",
            "x = \\includegraphics{a}",
            "\\openin1=a",
            "\\immediate\\openout1=a",
            "\\read1 to\\a",
            "\\write18{a}",
            "\\def\\a{\\a}\\a",
            "\\let\\a=\\b",
            "\\csname input\\endcsname a",
            "\\catcode`|=0",
            "\\loop x\\iftrue\\repeat",
            "\\usepackage{a}",
            "\\require{html}",
            "x = \\InputIfFileExists{a}{}{}",
        ] {
            assert_eq!(formula(&format!("\\({program}\\)")), None, "{program}");
        }
        for fine in [
            "\\left(x\\leq 1\\right)",
            "\\operatorname{Re} z \\leftarrow 1",
        ] {
            let found = formula(&format!("\\({fine}\\)"));
            assert_eq!(found.as_deref(), Some(fine));
        }
    }
}
