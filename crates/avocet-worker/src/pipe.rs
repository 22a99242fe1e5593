//! The pipe to the parent. Long payloads are not copied into it: Linux lends it their pages.

use std::fs::File;
use std::io::{self, Write};

use avocet_media::child::write_message;

/// Shorter payloads are copied without another thought: no pipe holds less.
const SHORT: usize = 64 << 10;
/// Room for a first and a last page that are not full.
const TWO_PAGES: usize = 2 * 4096;

/// Writes messages, and keeps each payload whose pages may still lie in the pipe.
pub(crate) struct Pipe {
    file: File,
    lent: Option<Vec<u8>>,
}

impl Pipe {
    pub fn new(file: File) -> Self {
        Self { file, lent: None }
    }

    /// Writes a message, whose `header` is of [`avocet_media::child::header_bytes`]; gives a
    /// payload, this or an earlier one, that may be written over.
    ///
    /// Errors if the pipe is closed.
    pub fn send(&mut self, header: &[u8], payload: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        // Asked each time: the parent makes the pipe larger once it is there.
        let holds = match payload.len() > SHORT {
            true => capacity(&self.file),
            false => None,
        };
        if holds.is_none_or(|bytes| payload.len() <= bytes + TWO_PAGES) {
            write_message(&mut self.file, header, &payload)?;
            return Ok(Some(payload));
        }
        self.file.write_all(header)?;
        let lent = lend(&self.file, &payload)?;
        if lent < payload.len() {
            // The system does not lend after all, or a signal came.
            self.file.write_all(&payload[lent..])?;
        }
        // The pipe holds fewer bytes than this payload has, so the one before has been read.
        Ok(self.lent.replace(payload))
    }
}

/// How many bytes the pipe holds; none where pages cannot be lent.
#[cfg(target_os = "linux")]
fn capacity(file: &File) -> Option<usize> {
    rustix::pipe::fcntl_getpipe_size(file).ok()
}

#[cfg(not(target_os = "linux"))]
fn capacity(_file: &File) -> Option<usize> {
    None
}

/// Puts the pages of `payload` into the pipe; gives how many bytes of it.
#[cfg(target_os = "linux")]
fn lend(file: &File, payload: &[u8]) -> io::Result<usize> {
    use rustix::pipe::{IoSliceRaw, SpliceFlags, vmsplice};

    let mut lent = 0;
    while lent < payload.len() {
        let rest = [IoSliceRaw::from_slice(&payload[lent..])];
        // SAFETY: this is the end that is written to, so the pages are only read; the caller
        // changes nothing in them until the parent has taken them.
        match unsafe { vmsplice(file, &rest, SpliceFlags::empty()) } {
            Ok(bytes) => lent += bytes,
            Err(rustix::io::Errno::PIPE) => return Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => break,
        }
    }
    Ok(lent)
}

#[cfg(not(target_os = "linux"))]
fn lend(_file: &File, _payload: &[u8]) -> io::Result<usize> {
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use super::*;

    /// A payload of its own for each number.
    fn fill(buffer: &mut Vec<u8>, number: usize, bytes: usize) {
        buffer.clear();
        buffer.extend((0..bytes).map(|at| ((at / 4096 + at) * 31 + number * 97) as u8));
    }

    #[test]
    fn a_slow_reader_gets_every_payload_as_it_was_though_buffers_are_filled_again() {
        let sizes = [3_000_001, 10, 3_000_001, 70_000, 0, 2_500_000, 5, 4_000_000];
        let (mut reader, writer) = io::pipe().unwrap();
        let writing = std::thread::spawn(move || {
            let mut pipe = Pipe::new(File::from(std::os::fd::OwnedFd::from(writer)));
            let mut free = Vec::new();
            for (number, bytes) in sizes.into_iter().enumerate() {
                let mut buffer = free.pop().unwrap_or_default();
                fill(&mut buffer, number, bytes);
                free.extend(pipe.send(b"head", buffer).unwrap());
            }
            pipe.lent.is_some()
        });
        let mut expected = Vec::new();
        for (number, bytes) in sizes.into_iter().enumerate() {
            std::thread::sleep(Duration::from_millis(5));
            let mut message = vec![0; 4 + bytes];
            reader.read_exact(&mut message).unwrap();
            fill(&mut expected, number, bytes);
            assert_eq!(&message[..4], b"head");
            assert!(message[4..] == expected, "payload {number} was changed");
        }
        let lends = writing.join().unwrap();
        assert!(lends || !cfg!(target_os = "linux"));
    }

    #[test]
    fn a_reader_who_is_gone_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut pipe = Pipe::new(File::from(std::os::fd::OwnedFd::from(writer)));
        assert!(pipe.send(b"head", vec![1; 4 << 20]).is_err());
    }
}
