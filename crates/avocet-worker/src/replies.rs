//! The worker's way to answer.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use avocet_media::child::{Envelope, Refusal, Served, write_message};
use serde::Serialize;

/// How often a request that is getting on says so.
const ALIVE_EVERY: Duration = Duration::from_secs(1);

/// The pipe to the parent.
pub struct Replies {
    pipe: File,
    last: Instant,
}

impl Replies {
    pub(crate) fn new(pipe: File) -> Self {
        Self {
            pipe,
            last: Instant::now(),
        }
    }

    /// Gives one thing that was asked for.
    ///
    /// Errors if it is longer than a message may be. Ends the process if the parent is gone.
    pub fn item<H: Serialize>(&mut self, header: H, payload: &[u8]) -> Served {
        self.write(&Envelope::Item(header), payload)
    }

    /// Says that work goes on, at most once a second: call it wherever an answer may take long.
    pub fn alive(&mut self) -> Served {
        if self.last.elapsed() < ALIVE_EVERY {
            return Ok(());
        }
        self.write::<()>(&Envelope::Alive, &[])
    }

    pub(crate) fn close(&mut self, served: Served) -> Served {
        match served {
            Ok(()) => self.write::<()>(&Envelope::End, &[]),
            Err(refusal) => self.write::<()>(&Envelope::Refused(refusal), &[]),
        }
    }

    fn write<H: Serialize>(&mut self, envelope: &Envelope<H>, payload: &[u8]) -> Served {
        self.last = Instant::now();
        match write_message(&mut self.pipe, envelope, payload) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(1),
            Err(error) => Err(Refusal::file(format!("the answer cannot be sent: {error}"))),
        }
    }
}
