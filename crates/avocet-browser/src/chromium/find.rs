//! Where Chromium is.

use std::path::{Path, PathBuf};

use super::BrowserError;

/// Names another Chromium than the system's.
const VARIABLE: &str = "AVOCET_CHROMIUM";
/// Debian's program itself comes before the script that starts it, since the script adds flags
/// that others have put under /etc.
const PLACES: &[&str] = &[
    "/usr/lib/chromium/chromium",
    "/usr/bin/chromium",
    "/usr/lib/chromium-browser/chromium-browser",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome-stable",
    "/usr/bin/google-chrome",
];

/// The Chromium to use: `AVOCET_CHROMIUM`, or the system's.
///
/// Errors, in words that say what to install, if there is none.
pub fn chromium() -> Result<PathBuf, BrowserError> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        let path = PathBuf::from(path);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(BrowserError::NotAProgram { path })
        };
    }
    let found = PLACES.iter().map(Path::new).find(|path| path.is_file());
    found.map(Path::to_owned).ok_or(BrowserError::Missing)
}
