//! The child process that opens hostile media: spawned under limits, asked over pipes.
//!
//! FFmpeg and Whisper read files that anyone may have made, so they run in `avocet-worker` and
//! never in this process: a file can end the child and nothing else. One [`Child`] serves any
//! number of requests, one after another. A request is one JSON line on its stdin, which blocks of
//! bytes may follow; the replies are [`Message`]s on its stdout, closed by an end mark, and what it
//! writes on stderr is kept for the error line. Dropping the handle kills and reaps the child; a
//! child whose parent has died sees its stdin close, and ends by itself.

mod error;
mod limits;
mod locate;
mod protocol;
mod request;

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use tracing::{debug, info};

pub use error::ChildError;
pub use limits::ChildLimits;
pub use protocol::{
    Envelope, MAX_HEADER_BYTES, Refusal, Served, header_bytes, read_block, write_message,
};
pub use request::{
    AudioRequest, Coding, Colours, FilePath, FramesRequest, ProbeRequest, Request, ScanRequest,
    SpeechRequest, StillRequest,
};

use crate::system_limits::{GroupMemory, SystemLimit, TooSmall, too_small};
use protocol::{Incoming, MAX_PAYLOAD_BYTES, Raw};

/// Bytes of replies kept while a request is still being sent; a child that says more before it
/// has read its input has to wait.
const MAX_WAITING_BYTES: usize = 256 << 20;

/// The end of what the child wrote on stderr that is kept for the error line.
const MAX_STDERR_BYTES: usize = 8 << 10;

/// What messages call the worker.
const DECODER: &str = "the decoder";

/// What a worker takes before it has read a byte of any file.
const NEEDS: [(SystemLimit, u64); 3] = [
    (SystemLimit::AddressSpace, 256 << 20),
    (SystemLimit::Data, 64 << 20),
    (SystemLimit::OpenFiles, 12),
];

/// Threads of a worker that decodes on one core, with its own process.
const PROCESSES: u64 = 8;

/// One reply: a header, and bytes that the header describes.
#[derive(Debug)]
pub struct Message<H> {
    /// The described thing.
    pub header: H,
    /// Pixels, samples, or nothing.
    pub payload: Vec<u8>,
}

/// A running worker.
pub struct Child {
    process: std::process::Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    limits: ChildLimits,
    /// The limits asked for; the system may grant less.
    asked: ChildLimits,
    /// What its control group had when it started.
    group: Option<GroupMemory>,
    /// What the present request is about, for error lines.
    subject: PathBuf,
    incoming: Incoming,
    waiting: VecDeque<Raw>,
    waiting_bytes: usize,
    stdout_open: bool,
    stderr_open: bool,
    said: VecDeque<u8>,
}

impl Child {
    /// Starts a worker that holds itself to `limits`.
    ///
    /// Errors if the worker's binary is not found or does not start.
    pub fn spawn(limits: ChildLimits) -> Result<Self, ChildError> {
        Self::spawn_binary(&locate::worker()?, limits)
    }

    /// Starts the worker that lies at `binary`.
    ///
    /// Errors if it does not start.
    pub fn spawn_binary(binary: &Path, limits: ChildLimits) -> Result<Self, ChildError> {
        let start = |source: io::Error| match short(&source.to_string()) {
            Some(limit) => ChildError::Limited(limit),
            None => ChildError::Start {
                path: binary.to_path_buf(),
                source,
            },
        };
        let (asked, limits) = (limits, limits.granted());
        let mut process = Command::new(binary)
            // Every further arena of glibc's allocator takes 64 MiB of address space.
            .env("MALLOC_ARENA_MAX", "2")
            // Whisper's threads sleep while they wait: when they spin, a program beside them that
            // takes one core away makes every step wait for a turn of the scheduler.
            .env("OMP_WAIT_POLICY", "passive")
            // Where Whisper gives up it would call a debugger.
            .env("GGML_NO_BACKTRACE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(start)?;
        let stdin = process.stdin.take().expect("stdin is piped");
        let stdout = process.stdout.take().expect("stdout is piped");
        let stderr = process.stderr.take().expect("stderr is piped");
        let mut child = Self {
            process,
            stdin,
            stdout,
            stderr,
            limits,
            asked,
            group: GroupMemory::now(),
            subject: PathBuf::from("the worker"),
            incoming: Incoming::default(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            stdout_open: true,
            stderr_open: true,
            said: VecDeque::new(),
        };
        for pipe in [
            child.stdin.as_fd(),
            child.stdout.as_fd(),
            child.stderr.as_fd(),
        ] {
            rustix::io::ioctl_fionbio(pipe, true).map_err(|e| start(e.into()))?;
        }
        // A larger pipe saves switching between the two; the default works too.
        #[cfg(target_os = "linux")]
        let _ = rustix::pipe::fcntl_setpipe_size(&child.stdout, 1 << 20);
        child.send_line(&limits)?;
        let pid = child.process.id();
        info!(pid, program = %binary.display(), "worker started");
        Ok(child)
    }

    /// Sends a request about the file `subject`. Its replies are read by [`Child::receive`] until
    /// it gives `None` or an error; only then the next request may be sent.
    pub fn ask(&mut self, subject: &Path, request: &Request) -> Result<(), ChildError> {
        self.subject = subject.to_path_buf();
        debug!(pid = self.process.id(), file = %subject.display(), "worker asked");
        self.send_line(request)
    }

    /// Sends one block of bytes that belongs to the present request.
    ///
    /// Replies that arrive meanwhile are kept, so neither side waits for the other for ever.
    /// Errors if the block is empty, as an empty block is the end mark, or too long.
    pub(crate) fn send_block(&mut self, block: &[u8]) -> Result<(), ChildError> {
        if block.is_empty() || block.len() > MAX_PAYLOAD_BYTES {
            return Err(self.protocol(format!("a block of {} bytes was to be sent", block.len())));
        }
        self.send(&(block.len() as u32).to_le_bytes())?;
        self.send(block)
    }

    /// Says that no further block of the present request follows.
    pub(crate) fn end_blocks(&mut self) -> Result<(), ChildError> {
        self.send(&0_u32.to_le_bytes())
    }

    /// The next reply to the present request; `None` after the last.
    ///
    /// Errors if the worker refused the file, died, ran into a limit or fell silent.
    pub fn receive<H: DeserializeOwned>(&mut self) -> Result<Option<Message<H>>, ChildError> {
        loop {
            let raw = self.receive_raw()?;
            let envelope = serde_json::from_slice::<Envelope<H>>(&raw.header)
                .map_err(|error| self.protocol(format!("a header that does not read: {error}")))?;
            let subject = self.subject.clone();
            return match envelope {
                Envelope::Alive => continue,
                Envelope::Item(header) => Ok(Some(Message {
                    header,
                    payload: raw.payload,
                })),
                Envelope::End => Ok(None),
                Envelope::Refused(Refusal::File { reason }) => {
                    Err(ChildError::Refused { subject, reason })
                }
                Envelope::Refused(Refusal::Memory) => Err(self.out_of_memory()),
            };
        }
    }

    /// The child's process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    fn send_line(&mut self, value: &impl serde::Serialize) -> Result<(), ChildError> {
        let mut line = serde_json::to_vec(value)
            .map_err(|error| self.protocol(format!("a request that does not write: {error}")))?;
        line.push(b'\n');
        if line.len() > MAX_HEADER_BYTES {
            return Err(self.protocol(format!("a request of {} bytes", line.len())));
        }
        self.send(&line)
    }

    fn send(&mut self, mut bytes: &[u8]) -> Result<(), ChildError> {
        let mut deadline = Instant::now() + self.limits.stall;
        while !bytes.is_empty() {
            match rustix::io::write(&self.stdin, bytes) {
                Ok(count) => {
                    bytes = &bytes[count..];
                    deadline = Instant::now() + self.limits.stall;
                    continue;
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Err(self.ended()),
            }
            self.wait(true, deadline)?;
            if self.waiting_bytes < MAX_WAITING_BYTES
                && let Some(raw) = self.advance()?
            {
                self.waiting_bytes += raw.len();
                self.waiting.push_back(raw);
            }
        }
        Ok(())
    }

    fn receive_raw(&mut self) -> Result<Raw, ChildError> {
        if let Some(raw) = self.waiting.pop_front() {
            self.waiting_bytes -= raw.len();
            return Ok(raw);
        }
        let mut deadline = Instant::now() + self.limits.stall;
        loop {
            let before = self.incoming.bytes_read();
            if let Some(raw) = self.advance()? {
                return Ok(raw);
            }
            if self.incoming.bytes_read() != before {
                deadline = Instant::now() + self.limits.stall;
            }
            if !self.stdout_open {
                return Err(self.ended());
            }
            self.wait(false, deadline)?;
        }
    }

    /// Reads what has arrived, up to one whole message.
    fn advance(&mut self) -> Result<Option<Raw>, ChildError> {
        while self.stdout_open {
            match self.incoming.read(self.stdout.as_fd()) {
                Ok(Some(raw)) => return Ok(Some(raw)),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.stdout_open = false;
                }
                Err(error) => return Err(self.protocol(error.to_string())),
            }
        }
        Ok(None)
    }

    /// Sleeps until a pipe can move, and takes what stderr has.
    fn wait(&mut self, sending: bool, deadline: Instant) -> Result<(), ChildError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let _ = self.process.kill();
            return Err(ChildError::Stalled {
                subject: self.subject.clone(),
                seconds: self.limits.stall.as_secs_f64(),
            });
        }
        let mut pipes = Vec::with_capacity(3);
        if self.stdout_open && self.waiting_bytes < MAX_WAITING_BYTES {
            pipes.push(PollFd::new(&self.stdout, PollFlags::IN));
        }
        if self.stderr_open {
            pipes.push(PollFd::new(&self.stderr, PollFlags::IN));
        }
        if sending {
            pipes.push(PollFd::new(&self.stdin, PollFlags::OUT));
        }
        let timeout = rustix::time::Timespec::try_from(left).unwrap_or_default();
        match poll(&mut pipes, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(self.protocol(format!("waiting failed: {error}"))),
        }
        self.listen();
        Ok(())
    }

    /// Takes what the child has written on stderr, and keeps the end of it.
    fn listen(&mut self) {
        let mut buffer = [0_u8; 4096];
        while self.stderr_open {
            match rustix::io::read(&self.stderr, &mut buffer) {
                Ok(0) => self.stderr_open = false,
                Ok(count) => {
                    self.said.extend(&buffer[..count]);
                    let excess = self.said.len().saturating_sub(MAX_STDERR_BYTES);
                    self.said.drain(..excess);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => self.stderr_open = false,
            }
        }
    }

    fn out_of_memory(&self) -> ChildError {
        match too_small(DECODER, &NEEDS, SystemLimit::now) {
            Some(limit) => ChildError::Limited(limit),
            None => error::out_of_memory(&self.subject, &self.asked),
        }
    }

    fn protocol(&self, reason: String) -> ChildError {
        ChildError::Protocol {
            subject: self.subject.clone(),
            reason,
        }
    }

    /// Why the child has closed its pipes.
    fn ended(&mut self) -> ChildError {
        // Closing the pipes and ending are two moments: give the second a little time.
        let deadline = Instant::now() + Duration::from_secs(2);
        let status = loop {
            match self.process.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Ok(None) | Err(_) => break None,
            }
        };
        self.listen();
        let said = String::from_utf8_lossy(self.said.make_contiguous()).into_owned();
        let killed = |now: GroupMemory| self.group.is_some_and(|then| now.kills > then.kills);
        if let Some(group) = GroupMemory::now().filter(|now| killed(*now)) {
            return ChildError::Memory {
                subject: self.subject.clone(),
                limit_mib: group.limit_bytes >> 20,
                set_by: ", which is all that its control group may hold".to_owned(),
            };
        }
        match short(&said) {
            Some(limit) => ChildError::Limited(limit),
            None => error::of_status(&self.subject, status, &self.asked, &said),
        }
    }
}

/// Which limit is to blame where a worker does not start, or ends after it `said` something.
fn short(said: &str) -> Option<TooSmall> {
    if let Some(limit) = too_small(DECODER, &NEEDS, SystemLimit::now) {
        return Some(limit);
    }
    if !said.contains(error::NO_THREAD) || error::memory_is_limited() {
        return None;
    }
    let granted = SystemLimit::Processes.now()?;
    Some(TooSmall {
        who: DECODER,
        limit: SystemLimit::Processes,
        needed: PROCESSES,
        granted,
    })
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
