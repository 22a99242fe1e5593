//! What the dataset is made from: groups of synsets, pages, files.

use crate::error::PlainTextError;
use crate::wordnet::{Kinds, Speech, Synset};
use std::fs;
use std::path::{Path, PathBuf};

/// Neighbouring synsets, which are about related things, that make one document.
const GROUP: usize = 8;
/// Where the packages keep what is used of them.
const WORDNET_FOLDER: &str = "usr/share/wordnet";
const PYTHON_FOLDER: &str = "usr/share/doc/python3.11/html";

/// One input: a line of the ledger.
#[derive(Debug)]
pub struct Input {
    /// Its name, which decides its split and its random draws.
    pub name: String,
    pub(crate) material: Material,
}

#[derive(Debug)]
pub(crate) enum Material {
    Synsets(Speech, Vec<Synset>),
    NoSynset,
    Page(PathBuf),
    File(PathBuf),
}

/// The synsets of an unpacked WordNet in groups, and the hierarchy of its nouns.
pub(crate) fn wordnet(package: &Path) -> Result<(Vec<Input>, Kinds), PlainTextError> {
    let mut inputs = Vec::new();
    let mut kinds = Kinds::default();
    for speech in Speech::ALL {
        let path = package.join(WORDNET_FOLDER).join(speech.file());
        let text = fs::read_to_string(&path).map_err(PlainTextError::io(&path))?;
        let mut group = Vec::new();
        // The licence, at the top, is indented.
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.starts_with(' '))
        {
            let Some(synset) = Synset::parse(line) else {
                let name = format!("wordnet/{}/line-{}", speech.name(), number + 1);
                inputs.push(Input {
                    name,
                    material: Material::NoSynset,
                });
                continue;
            };
            if speech == Speech::Noun {
                kinds.add(&synset);
            }
            group.push(synset);
            if group.len() == GROUP {
                inputs.push(grouped(speech, std::mem::take(&mut group)));
            }
        }
        if !group.is_empty() {
            inputs.push(grouped(speech, group));
        }
    }
    Ok((inputs, kinds))
}

/// The synsets of one part of speech of an unpacked WordNet.
pub(crate) fn synsets(package: &Path, speech: Speech) -> Result<Vec<Synset>, PlainTextError> {
    let path = package.join(WORDNET_FOLDER).join(speech.file());
    let text = fs::read_to_string(&path).map_err(PlainTextError::io(&path))?;
    Ok(text.lines().filter_map(Synset::parse).collect())
}

fn grouped(speech: Speech, synsets: Vec<Synset>) -> Input {
    let first = synsets.first().map_or(0, |synset| synset.offset);
    let name = format!("wordnet/{}/{first:08}", speech.name());
    Input {
        name,
        material: Material::Synsets(speech, synsets),
    }
}

/// The pages of an unpacked Python documentation, sorted.
pub(crate) fn python_pages(package: &Path) -> Result<Vec<Input>, PlainTextError> {
    let root = package.join(PYTHON_FOLDER);
    let mut folders = vec![root.clone()];
    let mut inputs = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(PlainTextError::io(&folder))? {
            let entry = entry.map_err(PlainTextError::io(&folder))?;
            let (path, kind) = (entry.path(), entry.file_type());
            let kind = kind.map_err(PlainTextError::io(&path))?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|ending| ending == "html") {
                let inside = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy();
                let name = format!("python-doc/{inside}");
                inputs.push(Input {
                    name,
                    material: Material::Page(path),
                });
            }
        }
    }
    inputs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(inputs)
}

/// The files that the user gave, in their order.
///
/// Errors if one is neither .txt nor .md, or cannot be opened.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<Input>, PlainTextError> {
    let input = |path: &PathBuf| {
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        if ending != "txt" && ending != "md" {
            return Err(PlainTextError::Ending { path: path.clone() });
        }
        fs::metadata(path).map_err(PlainTextError::io(path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Input {
            name: format!("file/{name}"),
            material: Material::File(path.clone()),
        })
    };
    paths.iter().map(input).collect()
}
