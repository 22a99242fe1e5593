//! Single pictures that the worker makes: those coded by a video codec, and drawings.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Picture;
use crate::child::{Child, ChildError, ChildLimits, Coding, Colours, Request, StillRequest};

/// Processor time that all of a picture may take.
const CPU_S: u64 = 10;
/// Pixels that travel at once.
pub const MAX_PART_BYTES: usize = 48 << 20;

/// Describes a part of a picture; the payload is `3 * width * rows` bytes, RGB by rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartHeader {
    /// Pixels across; 0 for a picture that does not decode.
    pub width: u32,
    /// Pixels down of the whole picture.
    pub height: u32,
    /// Rows of this part; parts come from top to bottom.
    pub rows: u32,
}

/// Describes a drawing; the payload is RGB by rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrawnHeader {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Whether it refers to other files, which are not read.
    pub refers: bool,
}

/// The picture of each coded item, stored one after another; none where one does not decode.
///
/// Errors, in words that follow the file's name, if the worker refuses or fails.
pub(crate) fn decode(
    coding: Coding,
    setup: &[u8],
    colours: Option<Colours>,
    items: &[&[u8]],
    max_pixels: u64,
) -> Result<Vec<Option<Picture>>, String> {
    let request = StillRequest {
        coding,
        setup: setup.to_vec(),
        colours,
        max_pixels,
    };
    let mut child = ask(&Request::Still(request), items).map_err(reason)?;
    let mut pictures = Vec::with_capacity(items.len());
    for _ in items {
        pictures.push(receive(&mut child).map_err(reason)?);
    }
    Ok(pictures)
}

/// One picture, part by part.
fn receive(child: &mut Child) -> Result<Option<Picture>, ChildError> {
    let mut rgb = Vec::new();
    let mut rows = 0;
    loop {
        let Some(message) = child.receive::<PartHeader>()? else {
            return Ok(None);
        };
        let PartHeader { width, height, .. } = message.header;
        rows += message.header.rows;
        rgb.extend(message.payload);
        if width == 0 {
            return Ok(None);
        }
        if rows >= height {
            return Ok(Picture::from_rgb(width as usize, height as usize, rgb).ok());
        }
    }
}

/// An SVG as a picture, and whether it refers to other files.
///
/// Errors, in words that follow the file's name, if the worker refuses or fails.
pub(crate) fn draw(file: &[u8]) -> Result<(Picture, bool), String> {
    let mut child = ask(&Request::Svg, &[file]).map_err(reason)?;
    let message = child.receive::<DrawnHeader>().map_err(reason)?;
    let message = message.ok_or("the decoder gave no picture")?;
    let header = message.header;
    let (width, height) = (header.width as usize, header.height as usize);
    let picture = Picture::from_rgb(width, height, message.payload);
    Ok((picture.map_err(|error| error.to_string())?, header.refers))
}

fn ask(request: &Request, blocks: &[&[u8]]) -> Result<Child, ChildError> {
    let mut child = Child::spawn(ChildLimits {
        cpu_s: Some(CPU_S),
        ..ChildLimits::default()
    })?;
    child.ask(Path::new(SUBJECT), request)?;
    for block in blocks {
        child.send_block(block)?;
    }
    child.end_blocks()?;
    Ok(child)
}

/// Stands for the file in the worker's errors; whoever read the file knows its name.
const SUBJECT: &str = "it";

/// A worker's error in words that follow the name of a file.
fn reason(error: ChildError) -> String {
    let words = error.to_string();
    match words
        .strip_prefix(SUBJECT)
        .and_then(|words| words.strip_prefix(": "))
    {
        // "needs more than" and "took more than" go on from the name.
        Some(words) if words.starts_with("needs") || words.starts_with("took") => {
            format!("{SUBJECT} {words}")
        }
        Some(words) => words.to_owned(),
        None => words,
    }
}
