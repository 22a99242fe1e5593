//! The first screen of one page, by URL or of a file.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use avocet_fetch::web::{Answer, Fetcher, WebLimits, web_url};
use avocet_media::{Picture, check_kind};

use crate::error::RenderError;
use crate::limits::RenderLimits;
use crate::renderer::Renderer;
use crate::request_policy::RequestPolicy;
use crate::view::{Extent, View};

/// What a URL turned out to be.
#[derive(Debug)]
pub enum Shown {
    /// A picture's file.
    File(Vec<u8>),
    /// A page's first screen.
    Page(Picture),
}

/// Fetches `url` from the public internet: a picture as it is, a page as its first screen.
///
/// Errors, in one line, if it is refused, gives nothing, or is neither.
pub fn address(url: &str, view: View) -> Result<Shown, RenderError> {
    address_by(Arc::new(Fetcher::new(WebLimits::default())), url, view)
}

/// As [`address`], by a fetcher with rules of its own.
///
/// Errors as it does.
pub fn address_by(fetcher: Arc<Fetcher>, url: &str, view: View) -> Result<Shown, RenderError> {
    let began = Instant::now();
    let answer = fetcher.get(url)?;
    if check_kind(&answer.body).is_ok() {
        return Ok(Shown::File(answer.body));
    }
    let policy = web_policy(fetcher, url, answer)?;
    screen(policy, view, began.elapsed()).map(Shown::Page)
}

/// The first screen of an HTML file, which is shown alone: nothing else is read for it.
///
/// Errors, in one line, if it cannot be read or shown.
pub fn file(path: &Path, view: View) -> Result<Picture, RenderError> {
    let name = path.display().to_string();
    let policy = RequestPolicy::file(path).map_err(|reason| RenderError::File { name, reason })?;
    screen(policy, view, Duration::ZERO)
}

/// The policy of a page that has been fetched.
///
/// Errors if what was fetched is no page.
pub fn web_policy(
    fetcher: Arc<Fetcher>,
    url: &str,
    first: Answer,
) -> Result<RequestPolicy, RenderError> {
    let kind = first.media_type();
    // A server that says nothing has pages in mind more often than not.
    if !matches!(kind.as_str(), "text/html" | "application/xhtml+xml" | "") {
        return Err(RenderError::NotAPage {
            name: url.to_owned(),
            kind,
        });
    }
    let asked = web_url(url)?;
    Ok(RequestPolicy::Web {
        fetcher,
        asked,
        first: Box::new(first),
    })
}

/// The first screen; `spent` of the page's time are over.
fn screen(policy: RequestPolicy, view: View, spent: Duration) -> Result<Picture, RenderError> {
    let mut limits = RenderLimits::default();
    limits.page = limits.page.saturating_sub(spent);
    let mut renderer = Renderer::new(limits)?;
    Ok(renderer
        .render(&Arc::new(policy), view, Extent::Screen)?
        .picture)
}
