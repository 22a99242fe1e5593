//! MEDIA arguments to bytes: files, or one on stdin.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use avocet_infer::{Engine, Image};

/// Files longer than this are not read: no picture we accept needs as much.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// An image with the name the user gave it.
#[derive(Debug, Clone)]
pub struct Source {
    /// As written on the command line.
    pub name: String,
    /// The image.
    pub image: Image,
}

/// Reads one MEDIA argument; errors name it.
pub fn read(engine: &Engine, name: &str) -> Result<Source> {
    let bytes = read_bytes(name).with_context(|| shown(name))?;
    let image = engine.read_image(&bytes).with_context(|| shown(name))?;
    Ok(Source {
        name: name.to_owned(),
        image,
    })
}

/// Reads the bytes of a file that a record names; errors name it.
pub fn read_image(engine: &Engine, path: &Path) -> Result<Image> {
    let name = path.display().to_string();
    let bytes = read_file(path).with_context(|| name.clone())?;
    engine.read_image(&bytes).context(name)
}

/// A path that a record in a file names: as it stands, or else beside that file.
pub fn beside(path: &Path, folder: &Path) -> PathBuf {
    if path.exists() {
        path.to_owned()
    } else {
        folder.join(path)
    }
}

fn shown(name: &str) -> String {
    if name == "-" {
        "stdin".into()
    } else {
        name.to_owned()
    }
}

fn read_bytes(name: &str) -> Result<Vec<u8>> {
    if name == "-" {
        return limited(std::io::stdin().lock(), None);
    }
    if name.starts_with("http://") || name.starts_with("https://") {
        bail!("page URLs are not supported yet; save the picture and give the file");
    }
    read_file(Path::new(name))
}

/// Reads a whole file, within the limit.
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        bail!("is a folder, not an image file");
    }
    limited(file, Some(metadata.len()))
}

/// Reads all of `reader`, but refuses more than [`MAX_FILE_BYTES`], whatever length was announced.
fn limited(reader: impl Read, announced: Option<u64>) -> Result<Vec<u8>> {
    if let Some(length) = announced.filter(|length| *length > MAX_FILE_BYTES) {
        bail!("the file has {length} bytes, at most {MAX_FILE_BYTES} are read");
    }
    let mut bytes = Vec::new();
    reader.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        bail!("has more than {MAX_FILE_BYTES} bytes, the most that are read");
    }
    if bytes.is_empty() {
        bail!("the file is empty");
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_source_is_refused() {
        let error = limited(std::io::repeat(7), None)
            .expect_err("it never ends")
            .to_string();
        assert!(error.contains("67108864"), "{error}");
    }

    #[test]
    fn an_announced_length_is_believed_only_to_refuse() {
        assert!(limited(&b"abc"[..], Some(MAX_FILE_BYTES + 1)).is_err());
        assert_eq!(limited(&b"abc"[..], Some(1)).expect("three bytes"), b"abc");
    }
}
