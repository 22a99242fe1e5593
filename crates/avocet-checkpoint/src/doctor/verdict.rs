//! What a model is asked for, and whether it would run.

use crate::files::ModelFiles;
use serde::Serialize;
use std::fmt;

/// Longest text that memory is reserved for in an examination that names none.
const USUAL_CONTEXT: usize = 8192;

/// What a model is examined for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// Tokens of a text with its answer.
    pub context: usize,
    /// Pictures that the text is about.
    pub images: usize,
}

impl Use {
    /// One picture, if the model sees any, and a text as long as the model allows, up to 8192
    /// tokens.
    pub fn usual(files: &ModelFiles) -> Self {
        Self {
            context: files.config().decoder.max_context.min(USUAL_CONTEXT),
            images: usize::from(files.config().sees()),
        }
    }
}

/// Whether a model would run on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All of it fits into the memory that is available now.
    Fits,
    /// The weights are read from the disk again and again while it computes; the rest fits.
    StreamsFromDisk,
    /// It cannot be loaded, what cannot be read again from the disk does not fit, or it refuses
    /// every question.
    DoesNotRun,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fits => "fits",
            Self::StreamsFromDisk => "streams from disk",
            Self::DoesNotRun => "does not run",
        })
    }
}
