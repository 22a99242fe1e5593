//! Which files of a folder are free, as GCompris's READMEs beside them say.
//!
//! A README is paragraphs of `Copyright:`, `License:`, `Source:` and `Files:`, the last with names
//! behind it, on its line or below.

use std::collections::BTreeMap;

/// The names of files that are in the public domain or under CC0, with the licence as SPDX has it.
pub(crate) fn free_files(readme: &str) -> BTreeMap<String, &'static str> {
    let text = readme.replace('\r', "");
    let mut free = BTreeMap::new();
    let mut paragraph = Vec::new();
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            free.extend(free_files_of(&paragraph));
            paragraph.clear();
        } else {
            paragraph.push(line);
        }
    }
    free
}

fn free_files_of(paragraph: &[&str]) -> Vec<(String, &'static str)> {
    let (mut licence, mut files, mut in_files) = (None, Vec::new(), false);
    for line in paragraph {
        let field = line.split_once(':').filter(|(name, _)| is_field(name));
        let rest = match field {
            Some((name, rest)) => {
                in_files = matches!(name, "Files" | "File");
                if matches!(name, "License" | "Licence") {
                    licence = spdx(rest.trim());
                }
                rest
            }
            None => line,
        };
        if in_files {
            files.extend(rest.split_whitespace().map(str::to_owned));
        }
    }
    let licence = licence.into_iter();
    licence
        .flat_map(|licence| files.iter().map(move |file| (file.clone(), licence)))
        .collect()
}

/// A word with a capital letter before a colon; names of files have small ones or endings.
fn is_field(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphabetic())
}

/// Of licences those without any condition.
fn spdx(licence: &str) -> Option<&'static str> {
    match licence {
        "Public Domain" | "Public domain" | "public domain" => Some("LicenseRef-public-domain"),
        "CC0-1.0" | "CC0" => Some("CC0-1.0"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_without_any_condition_are_free() {
        let readme = "Copyright: A\nLicense: CC-BY-SA-4.0\nFiles:\nowl.webp\n\n\
            Copyright: B\nSource: https://x.org/a:b\nLicense: Public Domain\nFiles:\ncat.webp\n\
            dog.webp\n\nCopyright: C\nLicense: CC0-1.0\nComments: cropped\nFiles: crab.webp\n\n\
            License: CC0-1.0 and CC-BY-3.0\nFiles: fox.webp\n";
        let free = free_files(readme);
        let names: Vec<_> = free.iter().map(|(name, of)| (name.as_str(), *of)).collect();
        let public = "LicenseRef-public-domain";
        let expected = [
            ("cat.webp", public),
            ("crab.webp", "CC0-1.0"),
            ("dog.webp", public),
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_licence_goes_no_further_than_its_paragraph() {
        assert!(free_files("License: CC0-1.0\n\nFiles:\ncat.webp\n").is_empty());
        assert!(free_files("").is_empty());
    }
}
