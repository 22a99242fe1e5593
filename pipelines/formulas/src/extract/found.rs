//! The formulas of a text, and the state while they are looked for.

use std::collections::HashMap;
use std::ops::Range;

use crate::macros::Macros;
use crate::tokens::{Source, Token};

/// A formula in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where its source stands in [`Formulas::text`].
    pub range: Range<u32>,
    /// Where in the file it ends, which says what its macros mean.
    pub at: u32,
    /// Whether it stands in a line of text.
    pub inline: bool,
}

/// All formulas of a text in their order, and the macros it defines.
#[derive(Debug, Default)]
pub struct Formulas {
    /// Their sources one after another, without comments and definitions.
    pub text: String,
    /// Where each stands.
    pub found: Vec<Found>,
    /// What the file defines.
    pub macros: Macros,
}

impl Formulas {
    /// The source of a formula.
    pub fn source(&self, found: &Found) -> &str {
        let range = found.range.start as usize..found.range.end as usize;
        self.text.get(range).unwrap_or_default()
    }

    /// A formula with its macros, and then those of packages, spelled out.
    ///
    /// Errors with what is wrong with a macro.
    pub fn spelled_out(&self, found: &Found) -> Result<Vec<Token>, String> {
        let tokens = crate::tokens::read(self.source(found));
        let tokens = self.macros.expand(tokens, found.at as usize)?;
        Macros::of_packages().expand(tokens, usize::MAX)
    }
}

/// What ends a formula.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum End {
    Dollar,
    Dollars,
    Round,
    Square,
    Environment(String),
}

/// The state while the formulas of a text are looked for.
pub(super) struct Finder<'a> {
    pub source: Source<'a>,
    pub is_prose: bool,
    pub out: Formulas,
    /// Up to which place of the text there is no such end.
    pub open_until: HashMap<End, usize>,
    /// Signs between which text is shown as it is written.
    pub short_verbs: Vec<char>,
    /// What macros may still add.
    pub left: usize,
    /// What they added at the place that the text has come to.
    pub added: (usize, usize),
    /// The token before.
    pub before: Option<Token>,
}
