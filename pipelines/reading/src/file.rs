//! Text files, under a limit.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Larger files are rejected.
const MAX_FILE: u64 = 64 << 20;

/// The text of a file, or why it is rejected: larger than 64 MiB, or not UTF-8.
///
/// Errors if it cannot be read at all.
pub fn read(path: &Path) -> io::Result<Result<String, &'static str>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Ok(Err("larger than 64 MiB"));
    }
    Ok(String::from_utf8(bytes).map_err(|_| "not UTF-8"))
}
