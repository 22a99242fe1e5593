//! The worker's way to answer.
//!
//! A thread of its own writes to the pipe, so that the next frame is decoded while the parent
//! still takes the last. It holds one message at most.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use avocet_media::child::{Envelope, Refusal, Served, header_bytes};
use serde::Serialize;

use crate::pipe::Pipe;

/// How often a request that is getting on says so.
const ALIVE_EVERY: Duration = Duration::from_secs(1);

/// The pipe to the parent.
pub struct Replies {
    /// Headers and payloads to the thread that writes them.
    queue: SyncSender<(Vec<u8>, Vec<u8>)>,
    /// Payloads that may be filled again.
    written: Receiver<Vec<u8>>,
    last: Instant,
}

impl Replies {
    /// Errors if there can be no thread.
    pub(crate) fn new(pipe: File) -> io::Result<Self> {
        let mut pipe = Pipe::new(pipe);
        let (queue, messages) = sync_channel::<(Vec<u8>, Vec<u8>)>(0);
        let (used, written) = channel();
        std::thread::Builder::new()
            .name("replies".to_owned())
            .stack_size(256 << 10)
            .spawn(move || {
                for (header, payload) in messages {
                    match pipe.send(&header, payload) {
                        // The one who asked may be past caring.
                        Ok(free) => free.into_iter().for_each(|free| drop(used.send(free))),
                        Err(error) => {
                            // Nobody is left to tell.
                            eprintln!("avocet-worker: the answer cannot be sent: {error}");
                            std::process::exit(1);
                        }
                    }
                }
            })?;
        Ok(Self {
            queue,
            written,
            last: Instant::now(),
        })
    }

    /// Gives one thing that was asked for.
    ///
    /// Errors if it is longer than a message may be. Ends the process if the parent is gone.
    pub fn item<H: Serialize>(&mut self, header: H, payload: &[u8]) -> Served {
        let mut buffer = self.buffer();
        buffer.clear();
        buffer.extend_from_slice(payload);
        self.item_owned(header, buffer)
    }

    /// As [`Replies::item`], without a copy; see [`Replies::buffer`].
    pub(crate) fn item_owned<H: Serialize>(&mut self, header: H, payload: Vec<u8>) -> Served {
        self.write(&Envelope::Item(header), payload)
    }

    /// A buffer to fill with the next payload; what is in it is of no meaning.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.written.try_iter().last().unwrap_or_default()
    }

    /// Says that work goes on, at most once a second: call it wherever an answer may take long.
    pub fn alive(&mut self) -> Served {
        if self.last.elapsed() < ALIVE_EVERY {
            return Ok(());
        }
        self.write::<()>(&Envelope::Alive, Vec::new())
    }

    pub(crate) fn close(&mut self, served: Served) -> Served {
        match served {
            Ok(()) => self.write::<()>(&Envelope::End, Vec::new()),
            Err(refusal) => self.write::<()>(&Envelope::Refused(refusal), Vec::new()),
        }
    }

    fn write<H: Serialize>(&mut self, envelope: &Envelope<H>, payload: Vec<u8>) -> Served {
        self.last = Instant::now();
        let unsendable =
            |reason: String| Refusal::file(format!("the answer cannot be sent: {reason}"));
        let header =
            header_bytes(envelope, payload.len()).map_err(|error| unsendable(error.to_string()))?;
        self.queue
            .send((header, payload))
            .map_err(|error| unsendable(error.to_string()))
    }
}
