//! Why a program of others set nothing.

use std::path::{Path, PathBuf};

/// What is asked for and made with a program: the flag and its value, `--set formulas-tex`.
pub type Wanted = &'static str;

/// Why nothing can be set.
#[derive(Debug, thiserror::Error)]
pub enum PressError {
    /// A program is not on the machine.
    #[error("{wanted} is made with {program}, which is not here ({package} has it)")]
    Tool {
        /// What was asked for.
        wanted: Wanted,
        /// The program.
        program: &'static str,
        /// Debian's package of it.
        package: &'static str,
    },
    /// The browser did not do what it is for.
    #[error(transparent)]
    Browser(#[from] avocet_browser::BrowserError),
    /// A file of a package is of no use.
    #[error(transparent)]
    Package(#[from] drawing::PackageError),
    /// A package could not be had.
    #[error(transparent)]
    Source(#[from] avocet_fetch::SourceError),
    /// A file for a program could not be written, or the program not be run.
    #[error("{path:?}: {cause}")]
    Io {
        /// The file or program.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
}

impl PressError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io {
            path: path.to_owned(),
            cause,
        }
    }

    /// Whether a program that is missing is why.
    pub fn is_missing_tool(&self) -> bool {
        let missing = avocet_browser::BrowserError::Missing;
        match self {
            Self::Tool { .. } => true,
            Self::Browser(error) => {
                std::mem::discriminant(error) == std::mem::discriminant(&missing)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named_with_its_package() {
        let error = PressError::Tool {
            wanted: "--set formulas-tex",
            program: "dvipng",
            package: "dvipng",
        };
        assert!(error.is_missing_tool());
        let text = error.to_string();
        assert!(
            text.contains("formulas-tex") && text.contains("dvipng"),
            "{text}"
        );
    }
}
