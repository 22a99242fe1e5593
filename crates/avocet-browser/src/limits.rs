//! How much one page may take.

use std::time::Duration;

/// How much one page may take.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderLimits {
    /// A page that has not loaded by then is shown as it is, or given up if nothing is there.
    pub load: Duration,
    /// The longest for everything, the browser's start and a second try among it; a browser that
    /// takes longer is ended.
    pub page: Duration,
    /// Most requests of a page.
    pub requests: usize,
    /// Most bytes of all answers together.
    pub bytes: u64,
    /// Most elements in the document.
    pub elements: u64,
    /// Most pixels of a screenshot.
    pub pixels: f64,
    /// Most rows of a whole page, in CSS pixels.
    pub height: u32,
    /// Most memory of the browser, all its processes together.
    pub memory_bytes: u64,
}

impl Default for RenderLimits {
    fn default() -> Self {
        Self {
            load: Duration::from_secs(12),
            page: Duration::from_secs(25),
            requests: 500,
            bytes: 96 << 20,
            elements: 100_000,
            pixels: 32e6,
            height: 12_000,
            memory_bytes: 2 << 30,
        }
    }
}
