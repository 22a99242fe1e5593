//! A browser for many pages: started when it is needed, replaced when it dies, hangs or has grown.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::chromium::{Browser, BrowserError, chromium};
use crate::error::RenderError;
use crate::limits::RenderLimits;
use crate::render::{Rendered, render};
use crate::request_policy::RequestPolicy;
use crate::view::{Extent, View};

/// How often a page is tried, each time in a fresh browser.
const TRIES: usize = 3;
/// A browser that has shown so many pages is replaced: it only ever grows.
const PAGES_A_BROWSER: usize = 400;
/// The longest that a browser may take to start where no page waits for it yet.
const START: Duration = Duration::from_secs(60);

/// Renders pages one after another. It belongs to the thread that uses it.
#[derive(Debug)]
pub struct Renderer {
    program: PathBuf,
    limits: RenderLimits,
    browser: Option<Browser>,
    pages: usize,
    restarts: usize,
}

impl Renderer {
    /// A renderer with the system's Chromium, which is started with the first page.
    ///
    /// Errors, in words that say what to install, if there is none.
    pub fn new(limits: RenderLimits) -> Result<Self, BrowserError> {
        Ok(Self {
            program: chromium()?,
            limits,
            browser: None,
            pages: 0,
            restarts: 0,
        })
    }

    /// Shows a page. A browser that dies at it is replaced and the page tried again.
    ///
    /// Errors if the page cannot be opened or takes too much, every time.
    pub fn render(
        &mut self,
        policy: &Arc<RequestPolicy>,
        view: View,
        extent: Extent,
    ) -> Result<Rendered, RenderError> {
        let end = Instant::now() + self.limits.page;
        let mut tries = 1;
        loop {
            let fresh = self.browser.is_none();
            let error = match self.once(policy, view, extent, end) {
                Ok(rendered) => return Ok(rendered),
                Err(error) => error,
            };
            if error.may_pass() {
                self.drop_browser();
            }
            // A page that swells in a browser of its own does so again, and one that hangs has taken
            // the time there is.
            let hopeless = match error {
                RenderError::TooSlow { .. } | RenderError::Browser(BrowserError::TooSlow(_)) => {
                    true
                }
                RenderError::Browser(BrowserError::TooLarge(_)) => fresh,
                _ => false,
            };
            if !error.may_pass() || tries == TRIES || hopeless || Instant::now() >= end {
                return Err(error);
            }
            tries += 1;
        }
    }

    fn once(
        &mut self,
        policy: &Arc<RequestPolicy>,
        view: View,
        extent: Extent,
        end: Instant,
    ) -> Result<Rendered, RenderError> {
        let grown = self.limits.memory_bytes / 2;
        if let Some(browser) = &self.browser
            && (self.pages >= PAGES_A_BROWSER || browser.memory_bytes() > grown)
        {
            self.drop_browser();
        }
        let left = || end.saturating_duration_since(Instant::now());
        self.start_within(left())?;
        let browser = self.browser.as_mut().ok_or(BrowserError::Missing)?;
        self.pages += 1;
        let limits = RenderLimits {
            page: left(),
            ..self.limits.clone()
        };
        let whole_s = self.limits.page.as_secs();
        match render(browser, policy, (view, extent), &limits) {
            Err(RenderError::TooSlow { awaited, .. }) => Err(RenderError::TooSlow {
                seconds: whole_s,
                awaited,
            }),
            other => other,
        }
    }

    /// Starts the browser, if none runs.
    ///
    /// Errors if it does not start.
    pub fn start(&mut self) -> Result<(), BrowserError> {
        self.start_within(START)
    }

    fn start_within(&mut self, patience: Duration) -> Result<(), BrowserError> {
        if self.browser.is_none() {
            let browser = Browser::start(&self.program, self.limits.memory_bytes, patience)?;
            self.browser = Some(browser);
            self.pages = 0;
        }
        Ok(())
    }

    fn drop_browser(&mut self) {
        self.restarts += usize::from(self.browser.take().is_some());
    }
}

/// What tests of hostile pages ask of it.
#[cfg(test)]
impl Renderer {
    /// The running browser, if there is one.
    pub(crate) fn browser(&self) -> Option<&Browser> {
        self.browser.as_ref()
    }

    /// How many browsers were ended so far.
    pub(crate) fn restarts(&self) -> usize {
        self.restarts
    }
}
