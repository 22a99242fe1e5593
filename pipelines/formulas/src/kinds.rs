//! The kinds of samples.

use clap::ValueEnum;

/// What a sample shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Kind {
    /// A formula drawn from the grammar.
    Formula,
    /// A formula of somebody's manual, as it stands there or with other letters in it.
    FormulaManual,
    /// A formula found in a file.
    FormulaFile,
    /// Some sentences.
    Paragraph,
    /// A small page: headings, paragraphs, lists, tables, formulas, one or two columns.
    Document,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Formula,
        Self::FormulaManual,
        Self::FormulaFile,
        Self::Paragraph,
        Self::Document,
    ];

    /// As on the command line and in samples.
    pub fn name(self) -> &'static str {
        match self {
            Self::Formula => "formula",
            Self::FormulaManual => "formula-manual",
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
