//! MEDIA arguments to images: files, one on stdin, and pages by URL or as HTML files.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use avocet_browser::Shown;
use avocet_infer::{Engine, Image};
use avocet_media::named::{brief, data_uri, find, is_data_uri};
use avocet_media::{check_kind, needs_worker};
use tracing::info;

use super::page;
use crate::features::Feature;
use crate::ui::output;

/// Files longer than this are not read: no picture we accept needs as much.
const MAX_FILE_BYTES: u64 = 48 << 20;
/// Bytes that tell an image from anything else; an SVG may begin with long comments.
const START_BYTES: u64 = 5 << 10;
/// What is read at once of a source without a length.
const PIECE_BYTES: u64 = 1 << 20;

/// An image with the name the user gave it.
#[derive(Debug, Clone)]
pub struct Source {
    /// As written on the command line.
    pub name: String,
    /// The image.
    pub image: Image,
}

/// Reads one MEDIA argument; errors name it, and what is wrong with a picture that can be looked
/// at all the same is said on stderr.
pub fn read(engine: &Engine, name: &OsStr) -> Result<Source> {
    let said = || shown(name);
    let began = Instant::now();
    let found = match page::shown(engine, name) {
        Some(page) => page?,
        None => Shown::File(read_bytes(name).with_context(said)?),
    };
    let image = match found {
        Shown::Page(picture) => engine.preprocess(&picture),
        Shown::File(bytes) => {
            if needs_worker(&bytes) {
                Feature::Video.needed_for(Path::new(&said()))?;
            }
            engine.read_image(&bytes)
        }
    };
    let image = image.with_context(said)?;
    if let Some(damage) = image.damage() {
        output::note(&format!("warning: {}: {damage}\n", said()));
    }
    let name = brief(&name.to_string_lossy());
    let (width, height) = (image.width(), image.height());
    let seconds = began.elapsed().as_secs_f64();
    // What follows in an address may be a key.
    let told = name.split('?').next();
    info!(name = told, width, height, seconds, "picture read");
    Ok(Source { name, image })
}

/// Reads the image file that a record names; errors name it.
///
/// Errors also if a part of the picture is missing: a record is data.
pub fn read_image(engine: &Engine, path: &Path) -> Result<Image> {
    let name = || brief(&path.to_string_lossy());
    let bytes = read_named(path.as_os_str()).with_context(name)?;
    engine.read_whole_image(&bytes).with_context(name)
}

/// A path that a record in a file names: as it stands, or else beside that file.
pub fn beside(path: &Path, folder: &Path) -> PathBuf {
    if path.to_str().is_some_and(is_data_uri) || find(path).exists() {
        path.to_owned()
    } else {
        folder.join(path)
    }
}

fn shown(name: &OsStr) -> String {
    if name == "-" {
        "stdin".into()
    } else {
        brief(&name.to_string_lossy())
    }
}

fn read_bytes(name: &OsStr) -> Result<Vec<u8>> {
    if name == "-" {
        return limited(std::io::stdin().lock(), None);
    }
    read_named(name)
}

/// What a file or a data URI holds.
fn read_named(name: &OsStr) -> Result<Vec<u8>> {
    match name
        .to_str()
        .and_then(|text| data_uri(text, MAX_FILE_BYTES as usize))
    {
        Some(data) => limited(&data?[..], None),
        None => read_file(&find(Path::new(name))),
    }
}

/// Reads a whole file, within the limit.
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        bail!("is a folder, not an image file");
    }
    limited(file, metadata.is_file().then_some(metadata.len()))
}

/// Reads all of `reader`, whose length is believed only to refuse it or to make room once.
///
/// Errors if the first bytes are those of no image, or if there are more than [`MAX_FILE_BYTES`];
/// no more than that is ever held of what is refused.
fn limited(mut reader: impl Read, announced: Option<u64>) -> Result<Vec<u8>> {
    if let Some(length) = announced.filter(|length| *length > MAX_FILE_BYTES) {
        bail!("the file has {length} bytes, at most {MAX_FILE_BYTES} are read");
    }
    let mut start = Vec::new();
    reader.by_ref().take(START_BYTES).read_to_end(&mut start)?;
    check_kind(&start)?;
    if let Some(announced) = announced {
        let mut bytes = Vec::with_capacity(announced as usize + 1);
        bytes.append(&mut start);
        reader
            .take(MAX_FILE_BYTES + 1 - START_BYTES)
            .read_to_end(&mut bytes)?;
        return if bytes.len() as u64 > MAX_FILE_BYTES {
            too_long()
        } else {
            Ok(bytes)
        };
    }
    // Pieces, so that refusing an endless source never costs twice the limit.
    let mut pieces = vec![start];
    for _ in 0..MAX_FILE_BYTES / PIECE_BYTES {
        let mut piece = Vec::with_capacity(PIECE_BYTES as usize);
        if reader.by_ref().take(PIECE_BYTES).read_to_end(&mut piece)? == 0 {
            return Ok(pieces.concat());
        }
        pieces.push(piece);
    }
    too_long()
}

fn too_long() -> Result<Vec<u8>> {
    bail!("has more than {MAX_FILE_BYTES} bytes, the most that are read")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

    #[test]
    fn an_endless_source_is_refused() {
        let error = limited(PNG.chain(std::io::repeat(7)), None).expect_err("it never ends");
        assert!(error.to_string().contains("50331648"), "{error}");
    }

    #[test]
    fn what_is_no_image_is_refused_by_its_first_bytes() {
        let error = limited(std::io::repeat(0), None).expect_err("zeros are no image");
        assert!(error.to_string().contains("not an image"), "{error}");
        assert!(limited(&b""[..], Some(0)).is_err());
    }

    #[test]
    fn an_announced_length_may_be_wrong() {
        assert!(limited(PNG, Some(MAX_FILE_BYTES + 1)).is_err());
        let bytes = [PNG, &[5; 5000]].concat();
        for announced in [None, Some(0), Some(100), Some(5008), Some(9000)] {
            assert_eq!(limited(&bytes[..], announced).expect("a whole file"), bytes);
        }
    }
}
