//! What can go wrong with the browser itself.

use std::path::PathBuf;

use avocet_media::system_limits::TooSmall;

/// Why the browser could not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// None is installed.
    #[error(
        "chromium is not installed; install the Debian package chromium, or set AVOCET_CHROMIUM"
    )]
    Missing,
    /// AVOCET_CHROMIUM names nothing that runs.
    #[error("AVOCET_CHROMIUM: {path:?} is not a program")]
    NotAProgram {
        /// What it says.
        path: PathBuf,
    },
    /// It could not be started.
    #[error("cannot start {path:?}: {cause}")]
    Start {
        /// The program.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A limit that the system sets is too small for any browser.
    #[error(transparent)]
    Limited(TooSmall),
    /// A folder for it could not be made.
    #[error("cannot make a folder for the browser: {0}")]
    Profile(std::io::Error),
    /// It ended, or was ended from outside.
    #[error("the browser ended by itself{said}")]
    Died {
        /// Its last words, after a colon, if it said anything.
        said: String,
    },
    /// It took longer than allowed and was ended.
    #[error("the browser took longer than {0} s and was ended")]
    TooSlow(u64),
    /// It took more memory than allowed and was ended.
    #[error("the browser took more than {0} MiB and was ended")]
    TooLarge(u64),
    /// It refused a command.
    #[error("the browser refused {method}: {reason}")]
    Refused {
        /// The command.
        method: String,
        /// What it said.
        reason: String,
    },
}
