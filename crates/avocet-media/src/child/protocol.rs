//! How messages lie in the pipes; the two ends share it.
//!
//! To the worker: lines of JSON (the limits, then requests), and after a request that takes
//! them, blocks of a little-endian u32 length and that many bytes, closed by a length of zero. From
//! the worker: the lengths of header and payload as two little-endian u32, the header as JSON (an
//! [`Envelope`]), the payload.

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// The longest header, and the longest line of a request.
pub const MAX_HEADER_BYTES: usize = 4 << 20;

/// The longest payload or block: a square frame of 4096 pixels takes 48 MiB.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 64 << 20;

/// What a header says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope<H> {
    /// One thing that was asked for; the payload belongs to it.
    Item(H),
    /// Nothing yet, but the worker is getting on.
    Alive,
    /// The request is answered.
    End,
    /// The request will not be answered; the worker waits for the next.
    Refused(Refusal),
}

/// Why the worker does not answer a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Something about the file.
    File {
        /// What, in words that follow the file's name.
        reason: String,
    },
    /// An allocation failed.
    Memory,
}

impl Refusal {
    /// Something about the file, in words that follow its name.
    pub fn file(reason: impl Into<String>) -> Self {
        Self::File {
            reason: reason.into(),
        }
    }
}

/// What serving a request gives.
pub type Served = Result<(), Refusal>;

/// The header of a message whose payload has `payload_bytes` bytes, with both lengths before it.
///
/// Errors if header or payload is longer than its limit.
pub fn header_bytes<H: Serialize>(
    envelope: &Envelope<H>,
    payload_bytes: usize,
) -> io::Result<Vec<u8>> {
    let header = serde_json::to_vec(envelope)?;
    if header.len() > MAX_HEADER_BYTES || payload_bytes > MAX_PAYLOAD_BYTES {
        return Err(io::Error::other(format!(
            "a message of {} + {payload_bytes} bytes",
            header.len(),
        )));
    }
    let mut front = Vec::with_capacity(8 + header.len());
    front.extend((header.len() as u32).to_le_bytes());
    front.extend((payload_bytes as u32).to_le_bytes());
    front.extend(header);
    Ok(front)
}

/// Writes one message, whose `header` is of [`header_bytes`].
///
/// Errors if the pipe is closed.
pub fn write_message(pipe: &mut impl Write, header: &[u8], payload: &[u8]) -> io::Result<()> {
    pipe.write_all(header)?;
    pipe.write_all(payload)?;
    pipe.flush()
}

/// Reads the next block of a request into `block`; false at the end mark.
///
/// Errors if the block is too long or the pipe closes within it.
pub fn read_block(pipe: &mut impl Read, block: &mut Vec<u8>) -> io::Result<bool> {
    let mut length = [0_u8; 4];
    pipe.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_PAYLOAD_BYTES {
        return Err(io::Error::other(format!("a block of {length} bytes")));
    }
    block.resize(length, 0);
    pipe.read_exact(block)?;
    Ok(length > 0)
}

/// One message as it lay in the pipe.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) header: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

impl Raw {
    pub(super) fn len(&self) -> usize {
        self.header.len() + self.payload.len()
    }
}

/// Puts messages together from whatever pieces a pipe that does not block gives.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    lengths: Vec<u8>,
    raw: Raw,
    bytes_read: u64,
}

impl Incoming {
    /// How many bytes came so far; tells a slow pipe from a silent one.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Reads once; gives a message when that completed it.
    ///
    /// Errors with `WouldBlock` when nothing is there, `UnexpectedEof` when the pipe is closed,
    /// and otherwise if a length is over its limit.
    pub(super) fn read(&mut self, pipe: BorrowedFd<'_>) -> io::Result<Option<Raw>> {
        if !fill(pipe, &mut self.lengths, 8, &mut self.bytes_read)? {
            return Ok(None);
        }
        let length = |at: usize| {
            let four = self.lengths[at..at + 4].try_into();
            u32::from_le_bytes(four.expect("four bytes")) as usize
        };
        let (header, payload) = (length(0), length(4));
        if header > MAX_HEADER_BYTES || payload > MAX_PAYLOAD_BYTES {
            return Err(io::Error::other(format!(
                "a message of {header} + {payload} bytes"
            )));
        }
        if !fill(pipe, &mut self.raw.header, header, &mut self.bytes_read)?
            || !fill(pipe, &mut self.raw.payload, payload, &mut self.bytes_read)?
        {
            return Ok(None);
        }
        self.lengths.clear();
        Ok(Some(std::mem::take(&mut self.raw)))
    }
}

/// Reads once towards `target` bytes in `buffer`; true when they are there.
fn fill(
    pipe: BorrowedFd<'_>,
    buffer: &mut Vec<u8>,
    target: usize,
    bytes_read: &mut u64,
) -> io::Result<bool> {
    let missing = target - buffer.len();
    if missing == 0 {
        return Ok(true);
    }
    buffer.reserve_exact(missing);
    let spare = buffer.capacity() - buffer.len();
    let count = if spare == missing {
        rustix::io::read(pipe, spare_capacity(buffer))
    } else {
        // The allocator gave more than was asked for: read no further than the message.
        let mut piece = vec![0_u8; missing.min(64 << 10)];
        rustix::io::read(pipe, &mut piece[..]).inspect(|&n| buffer.extend(&piece[..n]))
    };
    match count {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => {
            *bytes_read += count as u64;
            Ok(buffer.len() == target)
        }
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
