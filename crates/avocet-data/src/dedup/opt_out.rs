//! A list of what nobody may train on: sources, addresses, pictures, samples.

use std::collections::HashSet;
use std::path::Path;

use crate::digest::{hex, sha256, unhex};
use crate::{DataError, Sample};

/// What a list names.
///
/// One entry a line; `#` begins a comment. 64 hexadecimal digits are the SHA-256 of an image
/// file, 32 the name of a sample. `https://host/path` is every source below that address,
/// `word*` every source that begins so, and `word` the source of that name or, if sources are
/// addresses, the host of that name and all below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptOut {
    images: HashSet<[u8; 32]>,
    samples: HashSet<[u8; 16]>,
    /// Source names, and hosts without the dot before them.
    names: HashSet<String>,
    /// Beginnings of sources.
    prefixes: Vec<String>,
    /// Addresses without scheme, which a source is equal to or below, or with a `*` at the end.
    addresses: Vec<String>,
    /// SHA-256 of the file.
    hash: [u8; 32],
}

impl OptOut {
    /// Reads a list.
    ///
    /// Errors if a line is none of these; says which.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let text = std::fs::read_to_string(path).map_err(DataError::io(path))?;
        let mut list = Self {
            hash: sha256(text.as_bytes()),
            ..Self::default()
        };
        for (index, line) in text.lines().enumerate() {
            let wrong = |reason| DataError::broken(path, format!("line {}: {reason}", index + 1));
            let entry = match line.find(" #") {
                Some(comment) => line[..comment].trim(),
                None => line.trim(),
            };
            if !entry.is_empty() && !entry.starts_with('#') {
                list.add(entry).map_err(wrong)?;
            }
        }
        Ok(list)
    }

    /// Names the list by its content.
    pub(crate) fn hash(&self) -> String {
        hex(&self.hash)
    }

    fn add(&mut self, entry: &str) -> Result<(), String> {
        let digits = entry.to_ascii_lowercase();
        if digits.len() >= 16 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            if let Some(image) = unhex(&digits) {
                self.images.insert(image);
            } else if let Some(sample) = unhex(&digits) {
                self.samples.insert(sample);
            } else {
                let count = digits.len();
                return Err(format!(
                    "{count} hexadecimal digits; an image has 64, a sample 32"
                ));
            }
        } else if entry.chars().any(char::is_control) {
            return Err(format!("{entry:?} holds a control character"));
        } else if let Some(address) = address(entry) {
            if address.starts_with('/') {
                return Err(format!("{entry:?} names no host"));
            }
            self.addresses.push(address);
        } else if entry.contains("://") {
            return Err(format!("{entry:?} is no http or https address"));
        } else if let Some(prefix) = entry.strip_suffix('*') {
            if prefix.is_empty() {
                return Err("* alone would take out everything".into());
            }
            self.prefixes.push(prefix.to_string());
        } else {
            self.names.insert(entry.to_string());
            if entry.contains('.') {
                self.names.insert(entry.to_lowercase());
            }
        }
        Ok(())
    }

    /// The entry that takes out `sample`, whose image files hash to `images`.
    pub(crate) fn names(&self, sample: &Sample, images: &[[u8; 32]]) -> Option<String> {
        let by_id = || unhex(&sample.id).is_some_and(|id| self.samples.contains(&id));
        if by_id() {
            return Some(sample.id.clone());
        }
        if let Some(image) = images.iter().find(|image| self.images.contains(*image)) {
            return Some(hex(image));
        }
        let source = sample.source.as_str();
        if self.names.contains(source) {
            return Some(source.to_string());
        }
        if let Some(prefix) = self.prefixes.iter().find(|p| source.starts_with(*p)) {
            return Some(format!("{prefix}*"));
        }
        let address = address(source)?;
        if let Some(above) = self
            .addresses
            .iter()
            .find(|above| is_below(&address, above))
        {
            return Some(above.clone());
        }
        let host = address
            .split(['/', '?', '#', ':'])
            .next()
            .unwrap_or_default();
        let above = |at: usize| {
            self.names
                .contains(&host[at..])
                .then(|| host[at..].to_string())
        };
        let dots = host.match_indices('.').map(|(at, _)| at + 1);
        std::iter::once(0).chain(dots).find_map(above)
    }
}

/// An http address without scheme and user, its host in small letters.
fn address(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = host.trim_end_matches('.').to_lowercase();
    let path = if host.is_empty() && path.is_empty() {
        "/"
    } else {
        path
    };
    Some(format!("{host}{path}"))
}

/// Whether an address is another or lies below it.
fn is_below(address: &str, above: &str) -> bool {
    if let Some(beginning) = above.strip_suffix('*') {
        return address.starts_with(beginning);
    }
    address.strip_prefix(above).is_some_and(|rest| {
        rest.is_empty() || above.ends_with('/') || rest.starts_with(['/', '?', '#'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<OptOut, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        OptOut::read(file.path()).map_err(|error| error.to_string())
    }

    fn of(source: &str) -> Sample {
        Sample::document(("page", source, "CC0-1.0"), "text").unwrap()
    }

    #[test]
    fn every_form_of_entry_takes_out_what_it_names_and_nothing_else() {
        let image = [7u8; 32];
        let sample = of("a");
        let text = format!(
            "# wishes\n\nfake-fonts # a source\ncrawl/2024*\nExample.org\n\
             https://News.example.com/sport\nhttp://blog.example.net/a*\n{}\n{}\n",
            "07".repeat(32).to_uppercase(),
            sample.id
        );
        let list = list(&text).unwrap();
        for (source, expected) in [
            ("fake-fonts", Some("fake-fonts")),
            ("fake-fonts-2", None),
            ("crawl/2024-05", Some("crawl/2024*")),
            ("crawl/2023", None),
            ("https://example.org/x", Some("example.org")),
            ("http://user@WWW.Example.org:80/x?y", Some("example.org")),
            ("https://badexample.org/", None),
            ("https://example.org.evil.net/", None),
            (
                "https://news.example.com/sport/1",
                Some("news.example.com/sport"),
            ),
            (
                "http://news.example.com/sport?p=2",
                Some("news.example.com/sport"),
            ),
            ("https://news.example.com/sports", None),
            (
                "https://blog.example.net/about",
                Some("blog.example.net/a*"),
            ),
            ("https://blog.example.net/b", None),
        ] {
            assert_eq!(
                list.names(&of(source), &[]).as_deref(),
                expected,
                "{source}"
            );
        }
        assert_eq!(list.names(&sample, &[]), Some(sample.id.clone()));
        assert_eq!(list.names(&of("b"), &[image]), Some("07".repeat(32)));
        assert_eq!(list.names(&of("b"), &[[8; 32]]), None);
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (line, word) in [
            ("0123456789abcdef0", "17 hexadecimal digits"),
            ("*", "everything"),
            ("https:///path", "no host"),
            ("ftp://example.org/", "no http"),
            ("a\u{7}b", "control character"),
        ] {
            let error = list(&format!("# first\n{line}\n")).unwrap_err();
            assert!(error.contains("line 2") && error.contains(word), "{error}");
        }
    }
}
