//! The kinds of samples.

use clap::ValueEnum;

/// What a sample shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Kind {
    /// A formula drawn from the grammar.
    Formula,
    /// A formula found in a file.
    FormulaFile,
    /// Some sentences.
    Paragraph,
    /// A small page: headings, paragraphs, lists, tables, formulas, one or two columns.
    Document,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Formula,
        Self::FormulaFile,
        Self::Paragraph,
        Self::Document,
    ];

    /// As on the command line and in samples.
    pub fn name(self) -> &'static str {
        match self {
            Self::Formula => "formula",
            Self::FormulaFile => "formula-file",
            Self::Paragraph => "paragraph",
            Self::Document => "document",
        }
    }

    /// Whether its samples show running text.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Paragraph | Self::Document)
    }
}
