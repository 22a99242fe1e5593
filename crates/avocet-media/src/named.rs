//! What people name a picture by: a file, however the letters of its name are composed, or the
//! picture itself as a data URI.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use unicode_normalization::UnicodeNormalization;

/// Characters that a message shows of data.
const SHOWN: usize = 40;
/// A longer run of letters and digits is data, not a word or a name.
const WORD: usize = 96;

/// Finds files whose names are spelled with the same letters, composed or decomposed: `ü` is one
/// character in one program's table, and `u` with two dots in another system's folder.
#[derive(Debug, Default)]
pub struct FileNames {
    /// Names in a folder by their composed form, listed once each.
    folders: HashMap<PathBuf, HashMap<String, Vec<OsString>>>,
}

impl FileNames {
    /// The file that `path` names: itself if it is there or nothing like it is, else the one of
    /// the same letters, if it is the only one.
    pub fn find(&mut self, path: &Path) -> PathBuf {
        // Only letters beyond ASCII have two spellings.
        if path.as_os_str().is_ascii() || is_there(path) {
            return path.to_owned();
        }
        let mut found = PathBuf::new();
        for part in path.components() {
            let next = found.join(part);
            if is_there(&next) {
                found = next;
                continue;
            }
            let Some(name) = part.as_os_str().to_str() else {
                return path.to_owned();
            };
            match self.spelled_as(&found, name) {
                Some(name) => found.push(name),
                None => return path.to_owned(),
            }
        }
        found
    }

    /// The one name in `folder` of the same letters.
    fn spelled_as(&mut self, folder: &Path, name: &str) -> Option<OsString> {
        let names = self.folders.entry(folder.to_owned());
        let names = names.or_insert_with(|| listed(folder));
        let composed: String = name.nfc().collect();
        match names.get(&composed)?.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }
}

/// The file that `path` names, as [`FileNames::find`] finds it.
pub fn find(path: &Path) -> PathBuf {
    FileNames::default().find(path)
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// What lies in a folder, by composed names; nothing if it cannot be listed.
fn listed(folder: &Path) -> HashMap<String, Vec<OsString>> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let mut names: HashMap<String, Vec<OsString>> = HashMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if let Some(text) = name.to_str() {
            names.entry(text.nfc().collect()).or_default().push(name);
        }
    }
    names
}

/// Why a data URI holds no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataUriError {
    /// The data is not in base64.
    #[error("a data URI must hold base64, as data:image/png;base64,... does")]
    NotBase64,
    /// The base64 is damaged.
    #[error("the base64 of the data URI is damaged: {0}")]
    Damaged(String),
    /// There is more than is read.
    #[error("the data URI holds more than {limit} bytes, the most that are read")]
    TooLong {
        /// Most bytes that are read.
        limit: usize,
    },
}

/// Whether `text` is a data URI with base64 in it.
pub fn is_data_uri(text: &str) -> bool {
    !matches!(data_uri(text, 0), None | Some(Err(DataUriError::NotBase64)))
}

/// The bytes that `text` holds if it is a data URI (RFC 2397), at most `limit` of them.
///
/// Errors if they are not in base64, are damaged, or are more.
pub fn data_uri(text: &str, limit: usize) -> Option<Result<Vec<u8>, DataUriError>> {
    let scheme = text.get(..5)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    let Some((kind, data)) = text[5..].split_once(',') else {
        return Some(Err(DataUriError::NotBase64));
    };
    let ends = kind.rsplit(';').next().unwrap_or_default();
    if !ends.trim().eq_ignore_ascii_case("base64") {
        return Some(Err(DataUriError::NotBase64));
    }
    Some(from_base64(data, limit))
}

/// The bytes of base64 in either alphabet, with or without padding and ends of lines.
///
/// Errors if it is damaged, or holds more than `limit` bytes.
pub fn from_base64(data: &str, limit: usize) -> Result<Vec<u8>, DataUriError> {
    if data.len() / 4 > limit.div_ceil(3) + 1 {
        return Err(DataUriError::TooLong { limit });
    }
    let plain: String = data.split_ascii_whitespace().collect();
    let alphabet = match plain.contains(['-', '_']) {
        true => &alphabet::URL_SAFE,
        false => &alphabet::STANDARD,
    };
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, lenient)
        .decode(plain)
        .map_err(|error| DataUriError::Damaged(error.to_string()))
}

/// `text` as a message shows it: of data URIs, and of other data in it, only the beginning.
pub fn brief(text: &str) -> String {
    let parts_words = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
    let pieces = text.split_inclusive(parts_words);
    pieces
        .map(|piece| brief_word(piece).unwrap_or_else(|| piece.to_owned()))
        .collect()
}

/// A word that is data, cut off.
fn brief_word(word: &str) -> Option<String> {
    let is_data = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '=' | '-' | '_');
    let count = word.chars().count();
    // Paths are long, but have words between their slashes.
    let longest = || word.split(|c| !is_data(c)).map(str::len).max();
    let cut = count > WORD && (word.contains("data:") || longest() > Some(WORD));
    let (end, _) = word.char_indices().nth(SHOWN).filter(|_| cut)?;
    Some(format!("{}... ({count} characters)", &word[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const COMPOSED: &str = "M\u{fc}ller/caf\u{e9}.png";
    const DECOMPOSED: &str = "Mu\u{308}ller/cafe\u{301}.png";

    #[test]
    fn a_file_is_found_by_the_other_spelling_of_its_letters() {
        for (there, named) in [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(there);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            assert_eq!(find(&folder.path().join(named)), path);
            assert_eq!(find(&path), path, "its own spelling");
            let other = folder.path().join("Möller/x.png");
            assert_eq!(find(&other), other, "what is not there");
        }
    }

    #[test]
    fn nothing_is_guessed_between_two_files_of_the_same_letters() {
        let folder = tempfile::tempdir().unwrap();
        // Both marks can stand in either order.
        let (one, other) = ("a\u{323}\u{307}.png", "a\u{307}\u{323}.png");
        fs::write(folder.path().join(one), "").unwrap();
        fs::write(folder.path().join(other), "").unwrap();
        let composed = folder.path().join("\u{1ea1}\u{307}.png");
        assert_eq!(find(&composed), composed);
        assert_eq!(
            find(&folder.path().join(one)),
            folder.path().join(one),
            "a name that is there"
        );
    }

    #[test]
    fn data_uris_are_read_within_limits() {
        let read = |text| data_uri(text, 8);
        assert_eq!(read("a.png"), None);
        assert_eq!(read("dat"), None);
        let hello = Some(Ok(b"hello".to_vec()));
        assert_eq!(read("data:image/png;base64,aGVsbG8="), hello);
        assert_eq!(read("DATA:;charset=x;BASE64,aGVs\nbG8"), hello);
        let high = Some(Ok(vec![0xfb, 0xff]));
        assert_eq!(read("data:;base64,-_8"), high);
        assert_eq!(read("data:;base64,+/8="), high);
        assert_eq!(read("data:,hello"), Some(Err(DataUriError::NotBase64)));
        assert_eq!(read("data:hello"), Some(Err(DataUriError::NotBase64)));
        assert!(
            !is_data_uri("data: what is it, base64, or not?") && is_data_uri("data:;base64,AA")
        );
        assert!(matches!(
            read("data:;base64,a!"),
            Some(Err(DataUriError::Damaged(_)))
        ));
        let long = format!("data:;base64,{}", "A".repeat(40));
        assert_eq!(read(&long), Some(Err(DataUriError::TooLong { limit: 8 })));
    }

    #[test]
    fn a_message_never_repeats_data() {
        let data = format!("data:image/png;base64,{}==", "iVBORw0KGgo".repeat(500));
        let said = brief(&data);
        assert!(said.len() < 100, "{said}");
        assert!(said.starts_with("data:image/png;base64,iVBORw"), "{said}");
        let svg = format!(
            "line 7: \"data:image/svg+xml,{}\" is damaged",
            "%3Csvg%3E".repeat(90)
        );
        let said = brief(&svg);
        assert!(
            said.len() < 120 && said.starts_with("line 7: \"data:image"),
            "{said}"
        );
        assert!(said.ends_with("is damaged"), "{said}");
        let hash = "0123456789abcdef".repeat(4);
        for words in [
            &format!("{}/{hash}: none, line 3", "a/folder".repeat(20)),
            "",
            " a  b",
        ] {
            assert_eq!(brief(words), *words);
        }
    }
}
