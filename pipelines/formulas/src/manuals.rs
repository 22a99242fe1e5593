//! The formulas of manuals that other people wrote, for training: as they stand there or varied.

use std::collections::HashSet;

use avocet_fetch::Sources;
use drawing::Package;
use presses::is_program;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use reading::unescaped;

use crate::clean::clean;
use crate::error::FormulasError;
use crate::macros::Macros;
use crate::normal::normalise;
use crate::tokens::{Token, print, read};
use crate::typeset::shown;
use crate::vary::WORDS;

/// The rows of the manifest.
const MANUALS: [&str; 4] = ["sympy-doc", "scipy-doc", "statsmodels-doc", "sklearn-doc"];
/// The manual that is kept for tests by other hands: what stands in it stands nowhere else.
const KEPT_OUT: &str = "mpmath-doc";
/// Characters of a formula's source.
const LENGTH: std::ops::RangeInclusive<usize> = 2..=160;

/// Letters that stand beside one another as so many names.
const LETTERS: usize = 3;
/// Digits of a number.
const DIGITS: usize = 8;

/// A formula as its manual has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its source, cleaned.
    pub latex: String,
    /// The row of the manifest.
    pub manual: &'static str,
    /// As in a line of text.
    pub inline: bool,
}

/// The formulas of all manuals, each once, in an order of the seed's own.
#[derive(Debug, Default)]
pub struct Manuals {
    /// The formulas.
    pub written: Vec<Written>,
    licences: Vec<(&'static str, String)>,
    /// The normal forms of the manual that is kept for tests.
    kept_out: HashSet<String>,
}

impl Manuals {
    /// Reads all pages.
    ///
    /// Errors if a package cannot be had or read, or has no formula.
    pub fn load(sources: &Sources, seed: u64) -> Result<Self, FormulasError> {
        let forms = |found: Vec<(String, bool)>| {
            let forms = found.into_par_iter().map(|(latex, _)| normalise(&latex));
            forms.collect()
        };
        let mut manuals = Self {
            kept_out: forms(formulas_of(&Package::open(sources, KEPT_OUT)?)?),
            ..Self::default()
        };
        let mut seen = HashSet::new();
        for name in MANUALS {
            let package = Package::open(sources, name)?;
            let found: Vec<_> = formulas_of(&package)?
                .into_par_iter()
                .filter_map(|(latex, inline)| Some((usable(&latex, inline)?, inline)))
                .collect();
            for ((latex, form), inline) in found {
                if !manuals.kept_out.contains(&form) && seen.insert(form) {
                    let manual = name;
                    manuals.written.push(Written {
                        latex,
                        manual,
                        inline,
                    });
                }
            }
            manuals.licences.push((name, package.licence));
        }
        manuals
            .written
            .shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        Ok(manuals)
    }

    /// The licence of a manual.
    pub fn licence(&self, manual: &str) -> &str {
        let found = self.licences.iter().find(|(name, _)| *name == manual);
        found.map_or("", |(_, licence)| licence)
    }

    /// Whether a normal form stands in the manual that is kept for tests.
    pub fn keeps_out(&self, form: &str) -> bool {
        self.kept_out.contains(form)
    }
}

/// A formula cleaned with its normal form, if the answer shows what the formula does.
fn usable(latex: &str, inline: bool) -> Option<(String, String)> {
    if !LENGTH.contains(&latex.len()) || !latex.is_ascii() || is_program(latex) {
        return None;
    }
    let tokens = Macros::of_packages().expand(read(latex), usize::MAX).ok()?;
    let tokens = clean(tokens);
    if is_code(&tokens) {
        return None;
    }
    let latex = print(&tokens).trim().to_owned();
    let form = normalise(&latex);
    let drawn = shown(&latex, inline).ok()?;
    (!form.is_empty() && !drawn.is_empty() && shown(&form, inline).ok()? == drawn)
        .then_some((latex, form))
}

/// Whether names of programs stand where mathematics should: long words without a command for words,
/// and numbers that go on.
fn is_code(tokens: &[Token]) -> bool {
    let mut run = 0;
    let mut before = None;
    let mut words = false;
    for token in tokens {
        let kind = match token {
            Token::Char(letter) if letter.is_ascii_alphabetic() => 1,
            Token::Char(digit) if digit.is_ascii_digit() => 2,
            Token::Command(name) if name == "_" => return true,
            // What stands in the braces of such a command is meant to be read as words.
            Token::Command(name) => {
                words = WORDS.contains(&name.as_str());
                0
            }
            Token::Close => {
                words = false;
                0
            }
            _ => 0,
        };
        run = if kind != 0 && before == Some(kind) {
            run + 1
        } else {
            1
        };
        before = Some(kind);
        if kind == 1 && run > LETTERS && !words || kind == 2 && run > DIGITS {
            return true;
        }
    }
    false
}

/// The formulas in the pages of a manual made by Sphinx, each with whether it stands in a line of
/// text: those that a script of the page sets, and those in the place of which it has a picture.
fn formulas_of(package: &Package) -> Result<Vec<(String, bool)>, FormulasError> {
    let mut found = Vec::new();
    for member in package.files(&[".html"])? {
        let page = String::from_utf8_lossy(&package.read(&member)?).into_owned();
        found.extend(formulas_of_page(&page));
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Err(package.broken("", "no formula in its pages").into());
    }
    Ok(found)
}

fn formulas_of_page(page: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for part in page.split("class=\"math").skip(1) {
        let (attributes, inner) = part.split_once('>').unwrap_or((part, ""));
        if let Some((_, source)) = attributes.split_once("alt=\"") {
            let source = unescaped(source.split('"').next().unwrap_or_default());
            // A picture between paragraphs is wrapped in one of its own.
            found.extend(bare(&source).map(|latex| (latex, !source.contains("\\begin"))));
            continue;
        }
        let text = unescaped(inner.split("</").next().unwrap_or_default());
        let text = text.trim();
        let between = |open, close| text.strip_prefix(open)?.strip_suffix(close);
        if let Some(inner) = between("\\(", "\\)") {
            found.extend(bare(inner).map(|latex| (latex, true)));
        } else if let Some(inner) = between("\\[", "\\]") {
            found.extend(bare(inner).map(|latex| (latex, false)));
        }
    }
    found
}

/// Without the stop that ends the sentence around it, if it shows more than a letter.
fn bare(latex: &str) -> Option<String> {
    let latex = latex.split_whitespace().collect::<Vec<_>>().join(" ");
    let latex = latex.trim_end_matches(['.', ',', ';']).trim_end();
    (latex.len() > 1).then(|| latex.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_found_where_scripts_or_pictures_set_them() {
        let page = r#"<span class="math notranslate">\(a &lt; b\)</span>
            <div class="math">\[ x = 1. \]</div> <img class="math" src="a" alt="c^0 &gt; d"/>
            <span class="math">\(q\)</span>"#;
        let found = formulas_of_page(page);
        let of = |latex: &str, inline| (latex.to_owned(), inline);
        assert_eq!(
            found,
            [of("a < b", true), of("x = 1", false), of("c^0 > d", true)]
        );
    }

    #[test]
    fn what_cannot_be_drawn_or_is_a_program_is_of_no_use() {
        assert!(usable(r"\dfrac 12", false).is_some_and(|(_, form)| form == r"\frac{1}{2}"));
        assert!(usable(r"\mathrm{sinc}(abc)", true).is_some());
        for none in [
            r"\undefinedthing",
            r"\input{a}",
            "",
            r"x^2^3",
            "noise(x)",
            r"k\_n",
            "123456789",
        ] {
            assert_eq!(usable(none, false), None, "{none}");
        }
    }
}
