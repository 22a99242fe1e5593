//! What can go wrong with one page.

use crate::chromium::BrowserError;

/// Why a page was not rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Its URL was refused or gave nothing.
    #[error(transparent)]
    Web(#[from] avocet_fetch::web::WebError),
    /// A file of it cannot be used.
    #[error("{name}: {reason}")]
    File {
        /// The file.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It is something else than a page.
    #[error("{name} is not a page but {kind}")]
    NotAPage {
        /// What was asked for.
        name: String,
        /// Its media type.
        kind: String,
    },
    /// It was not ready in time.
    #[error("the page was not ready after {seconds} s, it waited for {awaited}")]
    TooSlow {
        /// How long it was waited.
        seconds: u64,
        /// For what.
        awaited: String,
    },
    /// It is too large to be looked at.
    #[error("the page has more than {0} elements")]
    TooLarge(u64),
    /// Its process ended.
    #[error("the page crashed")]
    Crashed,
    /// It opened nothing that can be shown.
    #[error("the page could not be opened: {0}")]
    NotOpened(String),
    /// The picture of it could not be used.
    #[error("the screenshot: {0}")]
    Picture(#[from] avocet_media::ImageError),
    /// The browser failed.
    #[error(transparent)]
    Browser(#[from] BrowserError),
}

impl RenderError {
    /// Why, in words so general that a ledger can count them.
    pub fn reason(&self) -> &'static str {
        use avocet_fetch::web::WebError as Web;
        match self {
            Self::Web(
                Web::Address { .. }
                | Web::Port { .. }
                | Web::Scheme { .. }
                | Web::Credentials { .. },
            ) => "refused address",
            Self::Web(Web::NoHost { .. }) => "no such host",
            Self::Web(Web::Timeout { .. }) | Self::TooSlow { .. } => "took too long",
            Self::Web(Web::Status { .. }) => "not found",
            Self::Web(_) => "no answer",
            Self::File { reason, .. } => reason,
            Self::NotAPage { .. } => "not a page",
            Self::TooLarge(_) => "too many elements",
            Self::NotOpened(_) => "could not be opened",
            Self::Crashed | Self::Picture(_) => "the page crashed",
            Self::Browser(BrowserError::TooSlow(_)) => "took too long",
            Self::Browser(BrowserError::TooLarge(_)) => "took too much memory",
            Self::Browser(_) => "the browser failed",
        }
    }

    /// Whether the same page may well succeed in a fresh browser.
    pub(crate) fn may_pass(&self) -> bool {
        let lasting = matches!(
            self,
            Self::Browser(
                BrowserError::Missing | BrowserError::NotAProgram { .. } | BrowserError::Limited(_)
            )
        );
        matches!(
            self,
            Self::Crashed | Self::TooSlow { .. } | Self::Browser(_)
        ) && !lasting
    }
}
