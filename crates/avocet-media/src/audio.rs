//! The sound of media files as 16 kHz mono, decoded by the worker.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::child::{AudioRequest, Child, ChildError, ChildLimits, Request};

/// Samples a second of all audio that the worker gives.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// Describes one block; the payload is little-endian f32 samples in [-1, 1], one channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BlockHeader {
    /// When the first sample is heard, from the start of the file.
    pub start_s: f64,
}

/// Samples that follow each other without a break.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// When the first sample is heard, from the start of the file.
    pub start_s: f64,
    /// In [-1, 1], [`SAMPLE_RATE_HZ`] a second; never empty.
    pub samples: Vec<f32>,
}

/// All that is heard in a file, or in one of its sound tracks (counted from 1), mixed to one channel, in blocks of about a second.
///
/// A block begins where the one before it ended, unless the sound pauses for long: gaps of up to
/// 30 s are filled with silence, and after a longer one a block has a later start, as the first
/// block has where sound starts late.
/// Errors if the worker does not start; what is wrong with the file is an item.
pub fn blocks(path: &Path, track: Option<u32>) -> Result<Blocks, ChildError> {
    let mut child = Child::spawn(ChildLimits::default())?;
    let request = AudioRequest {
        path: path.into(),
        track,
    };
    child.ask(path, &Request::Audio(request))?;
    Ok(Blocks {
        child: Some(child),
        path: path.to_path_buf(),
    })
}

/// Blocks as the worker gives them; ends after the last, or after an error.
pub struct Blocks {
    /// None once it has ended.
    child: Option<Child>,
    path: PathBuf,
}

impl Blocks {
    /// The process id of the worker, while there is one.
    pub fn worker_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn receive(&mut self) -> Result<Option<Block>, ChildError> {
        let Some(child) = &mut self.child else {
            return Ok(None);
        };
        let Some(message) = child.receive::<BlockHeader>()? else {
            return Ok(None);
        };
        let (samples, rest) = message.payload.as_chunks::<4>();
        if samples.is_empty() || !rest.is_empty() {
            return Err(ChildError::Protocol {
                subject: self.path.clone(),
                reason: format!("a block of {} bytes", message.payload.len()),
            });
        }
        Ok(Some(Block {
            start_s: message.header.start_s,
            samples: samples
                .iter()
                .map(|four| f32::from_le_bytes(*four))
                .collect(),
        }))
    }
}

impl Iterator for Blocks {
    type Item = Result<Block, ChildError>;

    fn next(&mut self) -> Option<Self::Item> {
        let received = self.receive();
        if !matches!(received, Ok(Some(_))) {
            self.child = None;
        }
        received.transpose()
    }
}
