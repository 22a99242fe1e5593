//! Typefaces for made-up pages, from the packages that the other pipelines use too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use avocet_browser::{Family, Fonts};
use avocet_fetch::{SourceError, Sources};
use drawing::{FAMILIES, UNSEEN_FAMILIES};
use pipeline::Split;

/// Most families of one package.
const OF_A_PACKAGE: usize = 3;

/// Fetches and reads the families of a split.
///
/// Errors if a package cannot be had.
pub fn load(sources: &Sources, split: Split) -> Result<Fonts, SourceError> {
    let packages = match split {
        Split::Train => &FAMILIES[..],
        Split::Test => &UNSEEN_FAMILIES,
    };
    let mut all = Vec::new();
    for package in packages {
        all.extend(families(&sources.folder(package)?));
    }
    Ok(Fonts(all))
}

/// The families in a folder that have a regular face; without a bold one that stands in for it.
fn families(folder: &Path) -> Vec<Family> {
    let mut files = Vec::new();
    collect(folder, &mut files);
    let mut faces: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
    for path in files {
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if stem.contains('[') {
            continue;
        }
        let (family, style) = match stem.rsplit_once(['-', '_']) {
            Some((family, style)) => (family.to_owned(), style.to_lowercase()),
            None => (stem, "regular".to_owned()),
        };
        faces.entry(family).or_default().insert(style, path);
    }
    let read = |path: Option<&PathBuf>| path.and_then(|path| fs::read(path).ok());
    let family = |(name, styles): (String, BTreeMap<String, PathBuf>)| {
        let regular = read(
            styles
                .get("regular")
                .or(styles.get("book"))
                .or(styles.get("roman")),
        )?;
        let bold = read(styles.get("bold")).unwrap_or_else(|| regular.clone());
        Some(Family {
            name,
            regular,
            bold,
        })
    };
    faces
        .into_iter()
        .filter_map(family)
        .take(OF_A_PACKAGE)
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() && !path.is_symlink() {
            collect(&path, files);
        } else if path
            .extension()
            .is_some_and(|ending| ending == "ttf" || ending == "otf")
        {
            files.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faces_are_found_by_the_names_of_their_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "A-Regular.ttf",
            "A-Bold.ttf",
            "A-Italic.ttf",
            "B.otf",
            "C-Bold.ttf",
            "D[wght].ttf",
            "notes.txt",
        ] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let fonts = Fonts(families(folder.path()));
        assert_eq!(fonts.names(), ["A", "B"]);
        assert_eq!(fonts.at("/fonts/0-700"), Some(&b"A-Bold.ttf"[..]));
        assert_eq!(fonts.at("/fonts/1-700"), Some(&b"B.otf"[..]));
        for path in [
            "/fonts/2-400",
            "/fonts/0-500",
            "/fonts/../0-400",
            "/etc/passwd",
        ] {
            assert_eq!(fonts.at(path), None);
        }
    }
}
