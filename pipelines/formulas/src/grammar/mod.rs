//! Formulas drawn at random from a grammar that follows what is written in schools, courses
//! and papers: from sums of numbers at level 1 to systems, matrices and operators at level 4; at
//! level 5 every other one is as manuals have them in their sentences.

mod atoms;
mod expressions;
mod manual;
mod phrases;
mod state;
mod statements;
mod structures;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use state::Grammar;

/// The hardest level.
pub const MOST_LEVEL: usize = 5;
/// The levels of whole laws, which grow harder.
const LAW_LEVELS: usize = 4;
/// The level of what manuals write in their sentences.
const MANUAL_LEVEL: usize = 3;

/// A formula of a level from 1 to `most`.
pub fn formula(most: usize, rng: &mut ChaCha8Rng) -> String {
    if most > LAW_LEVELS && rng.random_bool(0.5) {
        let (rng, level) = (ChaCha8Rng::from_rng(rng), MANUAL_LEVEL);
        return Grammar { rng, level }.manual();
    }
    let level = rng.random_range(1..=most.clamp(1, LAW_LEVELS));
    let rng = ChaCha8Rng::from_rng(rng);
    Grammar { rng, level }.formula()
}

type Rule = fn(&mut Grammar) -> String;

/// What each level adds to those below it.
const RULES: [&[Rule]; LAW_LEVELS] = [
    &[
        Grammar::arithmetic,
        Grammar::equation,
        Grammar::equation,
        Grammar::inequality,
        Grammar::definition,
        Grammar::simple_fraction,
        Grammar::powers,
        Grammar::set_statement,
    ],
    &[
        Grammar::equation,
        Grammar::quadratic,
        Grammar::trigonometry,
        Grammar::logarithm,
        Grammar::series,
        Grammar::function,
        Grammar::derivative,
        Grammar::binomial,
        Grammar::wordy,
        Grammar::set_statement,
        Grammar::greek_law,
    ],
    &[
        Grammar::integral,
        Grammar::limit,
        Grammar::matrix,
        Grammar::cases,
        Grammar::accents,
        Grammar::vectors,
        Grammar::probability,
        Grammar::logic,
        Grammar::series,
        Grammar::derivative,
        Grammar::calligraphy,
    ],
    &[
        Grammar::aligned,
        Grammar::matrix,
        Grammar::integral,
        Grammar::braces,
        Grammar::arrows,
        Grammar::operators,
        Grammar::continued_fraction,
        Grammar::partial_equation,
        Grammar::equation,
        Grammar::series,
        Grammar::probability,
    ],
];

impl Grammar {
    fn formula(&mut self) -> String {
        // Harder levels keep some of the rules below them, with larger parts.
        let own = self.level == 1 || self.chance(0.75);
        let of = if own {
            self.level
        } else {
            self.rng.random_range(1..self.level)
        };
        let rule = RULES[of - 1]
            .choose(&mut self.rng)
            .expect("no level is empty");
        rule(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::katex::KatexFaces;
    use crate::lettering::Lettering;
    use crate::normal::normalise;
    use crate::typeset::typeset;
    use std::collections::HashSet;

    #[test]
    fn every_level_renders_before_and_after_normalising() {
        let faces = KatexFaces::load().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut seen = HashSet::new();
        for _ in 0..1500 {
            let latex = formula(MOST_LEVEL, &mut rng);
            let form = normalise(&latex);
            for source in [&latex, &form] {
                let set = typeset(source, false, &faces, &Lettering::Katex);
                assert!(set.is_ok(), "{source}: {:?}", set.err());
            }
            assert_eq!(normalise(&form), form, "{latex}");
            seen.insert(form);
        }
        assert!(seen.len() > 1300, "{} different ones", seen.len());
    }

    #[test]
    fn the_grammar_uses_all_it_promises() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let all: String = (0..3000).map(|_| formula(MOST_LEVEL, &mut rng)).collect();
        for part in [
            "\\frac",
            "\\sqrt",
            "\\sum",
            "\\prod",
            "\\int",
            "\\oint",
            "pmatrix",
            "bmatrix",
            "vmatrix",
            "cases",
            "aligned",
            "\\alpha",
            "\\Omega",
            "\\hat",
            "\\vec",
            "\\text",
            "\\lim",
            "\\binom",
            "\\mathbb",
            "\\mathcal",
            "\\mathfrak",
            "\\mathbf",
            "\\overbrace",
            "\\underbrace",
            "\\xrightarrow",
            "\\overset",
            "\\operatorname",
            "\\leq",
            "\\subset",
            "\\forall",
            "\\partial",
            "\\nabla",
            "\\left",
            "\\overline",
            "\\sin",
            "\\log",
            "\\infty",
        ] {
            assert!(all.contains(part), "{part}");
        }
    }
}
