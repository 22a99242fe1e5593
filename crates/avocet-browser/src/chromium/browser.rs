//! One browser process: started in an empty network, told what to do, and ended.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use avocet_media::system_limits::{SystemLimit, too_small};
use serde_json::{Value, json};
use tracing::info;

use super::error::BrowserError;
use super::profile::Profile;
use super::watch::{Ended, Watch, kill_group, memory, processor_time};
use super::wire::Incoming;
use super::{flags, wire};

/// How long a browser that was asked to end is waited for.
const FAREWELL: Duration = Duration::from_secs(2);
/// Messages that may wait to be read.
const WAITING: usize = 256;

/// What Chromium takes to show a page at all: its script engine sets addresses aside that it never
/// uses, and its processes hand each other pictures as files.
const NEEDS: [(SystemLimit, u64); 4] = [
    (SystemLimit::AddressSpace, 84 << 30),
    (SystemLimit::Data, 2 << 30),
    (SystemLimit::OpenFiles, 192),
    (SystemLimit::FileSize, 64 << 20),
];

/// Processes and threads of a browser, without which it ends by itself.
const PROCESSES: [(SystemLimit, u64); 1] = [(SystemLimit::Processes, 100)];

/// Open files of a browser on a page of many parts.
const MAX_FILES: libc::rlim_t = 4096;

/// Which network a browser lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    /// One with nothing in it, where the kernel allows that.
    Own,
    /// This machine's, as where the kernel does not.
    #[cfg(test)]
    Shared,
}

/// A running Chromium. It belongs to the thread that started it, and ends with it.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    pipe: File,
    inbox: Receiver<Incoming>,
    outbox: SyncSender<Incoming>,
    watch: Watch,
    memory_bytes: u64,
    patience: Duration,
    next_id: u64,
    _profile: Profile,
}

impl Browser {
    /// Starts `program` with at most `memory_bytes` for all its processes together.
    ///
    /// Errors if it does not run, does not answer within `patience`, or may have too little.
    pub fn start(
        program: &Path,
        memory_bytes: u64,
        patience: Duration,
    ) -> Result<Self, BrowserError> {
        Self::start_in(Network::Own, program, memory_bytes, patience)
    }

    fn start_in(
        network: Network,
        program: &Path,
        memory_bytes: u64,
        patience: Duration,
    ) -> Result<Self, BrowserError> {
        // Below a limit it does not end: its processes die one after another and are started again.
        if let Some(limit) = too_small("the browser", &NEEDS, SystemLimit::most) {
            return Err(BrowserError::Limited(limit));
        }
        let profile = Profile::new().map_err(BrowserError::Profile)?;
        let failed = |cause| BrowserError::Start {
            path: program.to_owned(),
            cause,
        };
        let (commands, pipe) = io::pipe().map_err(failed)?;
        let (answers, said) = io::pipe().map_err(failed)?;
        let log = File::create(profile.path().join("stderr")).map_err(failed)?;
        // SAFETY: asks for a number.
        let root = unsafe { libc::geteuid() } == 0;
        let mut command = Command::new(program);
        command
            .args(flags::flags(profile.path(), root))
            .env_clear()
            .env("HOME", profile.path())
            .env("TMPDIR", profile.path())
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0);
        cut_off(
            &mut command,
            root,
            network,
            [commands.as_raw_fd(), said.as_raw_fd()],
        );
        let began = Instant::now();
        let child = command.spawn().map_err(failed)?;
        drop((commands, said));
        let (outbox, inbox) = sync_channel(WAITING);
        let reader = outbox.clone();
        let answers = File::from(OwnedFd::from(answers));
        thread::spawn(move || wire::read_all(answers, &reader));
        let watch = Watch::over(child.id() as i32, memory_bytes);
        watch.set_deadline(Some(Instant::now() + patience));
        let mut browser = Self {
            child,
            pipe: File::from(OwnedFd::from(pipe)),
            inbox,
            outbox,
            watch,
            memory_bytes,
            patience,
            next_id: 0,
            _profile: profile,
        };
        browser.greet()?;
        let seconds = began.elapsed().as_secs_f64();
        info!(program = %program.display(), seconds, "browser started");
        Ok(browser)
    }

    /// Waits for the first answer, and has every new target stopped before it runs anything.
    fn greet(&mut self) -> Result<(), BrowserError> {
        let attach = json!({"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true});
        for (method, params) in [
            ("Browser.getVersion", json!({})),
            ("Browser.setDownloadBehavior", json!({"behavior": "deny"})),
            ("Target.setAutoAttach", attach),
        ] {
            let id = self.send(None, method, params)?;
            loop {
                match self.receive()? {
                    Incoming::Message(message) if message["id"] == id => break,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Sends a command, to the page of a session or to the browser; its number.
    ///
    /// Errors if the browser is gone.
    pub fn send(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<u64, BrowserError> {
        self.next_id += 1;
        let mut message = json!({"id": self.next_id, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        match wire::write(&mut self.pipe, &message) {
            Ok(()) => Ok(self.next_id),
            Err(_) => Err(self.gone()),
        }
    }

    /// The next thing heard.
    ///
    /// Errors if the browser is gone, or was ended because of its limits.
    pub fn receive(&mut self) -> Result<Incoming, BrowserError> {
        match self.inbox.recv() {
            Ok(Incoming::Closed) | Err(_) => Err(self.gone()),
            Ok(heard) => Ok(heard),
        }
    }

    /// As [`Browser::receive`]; nothing if `patience` is over first.
    ///
    /// Errors as it does.
    pub fn receive_within(&mut self, patience: Duration) -> Result<Option<Incoming>, BrowserError> {
        use std::sync::mpsc::RecvTimeoutError;
        match self.inbox.recv_timeout(patience) {
            Ok(Incoming::Closed) | Err(RecvTimeoutError::Disconnected) => Err(self.gone()),
            Ok(heard) => Ok(Some(heard)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
        }
    }

    /// Where the answers of the web are sent to be heard by [`Browser::receive`].
    pub fn outbox(&self) -> SyncSender<Incoming> {
        self.outbox.clone()
    }

    /// Ends the browser if it is still at the same work after `patience`.
    pub fn limit(&mut self, patience: Duration) {
        self.patience = patience;
        self.watch.set_deadline(Some(Instant::now() + patience));
    }

    /// Takes the limit of time away.
    pub fn rest(&mut self) {
        self.watch.set_deadline(None);
    }

    /// Memory that its processes hold now, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        memory(self.child.id() as i32)
    }

    /// Processor time that its processes have used so far.
    pub fn processor_time(&self) -> Duration {
        processor_time(self.child.id() as i32)
    }

    fn gone(&self) -> BrowserError {
        match self.watch.ended() {
            Some(Ended::TooSlow) => BrowserError::TooSlow(self.patience.as_secs()),
            Some(Ended::TooLarge) => BrowserError::TooLarge(self.memory_bytes >> 20),
            None => {
                if let Some(limit) = too_small("the browser", &PROCESSES, SystemLimit::most) {
                    return BrowserError::Limited(limit);
                }
                let log = std::fs::read(self._profile.path().join("stderr")).unwrap_or_default();
                let log = String::from_utf8_lossy(&log).into_owned();
                let last = log.lines().rfind(|line| !line.trim().is_empty());
                let said =
                    last.map(|line| format!(": {}", line.chars().take(200).collect::<String>()));
                BrowserError::Died {
                    said: said.unwrap_or_default(),
                }
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.watch.set_deadline(None);
        // Asked to end, it waits for its own children, so that none is left for others to reap.
        if self.watch.ended().is_none() && self.send(None, "Browser.close", json!({})).is_ok() {
            let start = Instant::now();
            while start.elapsed() < FAREWELL && matches!(self.child.try_wait(), Ok(None)) {
                // Read on: it may be waiting for us to take what it says.
                let _ = self.inbox.recv_timeout(Duration::from_millis(10));
            }
        }
        self.watch.stop();
        kill_group(self.child.id() as i32);
        let _ = self.child.wait();
    }
}

/// What tests of hostile pages ask of it.
#[cfg(test)]
impl Browser {
    /// As [`Browser::start`] where the kernel gives no network of its own.
    pub(crate) fn start_in_shared_network(
        program: &Path,
        memory_bytes: u64,
        patience: Duration,
    ) -> Result<Self, BrowserError> {
        Self::start_in(Network::Shared, program, memory_bytes, patience)
    }

    /// The number of its process.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the kernel gave it a network of its own, with nothing in it.
    pub(crate) fn has_own_network(&self) -> bool {
        let network = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/net")).ok();
        let its = network(&self.child.id().to_string());
        its.is_some() && its != network("self")
    }
}

/// Has the child die with the thread that started it, gives it the two ends of the pipe as
/// descriptors 3 and 4, and takes the network away where the kernel allows it.
fn cut_off(command: &mut Command, root: bool, network: Network, pipe: [RawFd; 2]) {
    // SAFETY: asks for numbers.
    let (parent, user, group) = unsafe { (libc::getpid(), libc::geteuid(), libc::getegid()) };
    let (users, groups) = (format!("{user} {user} 1"), format!("{group} {group} 1"));
    let prepare = move || {
        // SAFETY: only calls that are safe between fork and exec; no memory is allocated.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            // First out of the way of 3 and 4, then there.
            let [commands, said] = pipe.map(|end| libc::fcntl(end, libc::F_DUPFD, 10));
            if commands < 0 || said < 0 || libc::dup2(commands, 3) < 0 || libc::dup2(said, 4) < 0 {
                return Err(io::Error::last_os_error());
            }
            libc::close(commands);
            libc::close(said);
            raise(libc::RLIMIT_AS, libc::RLIM_INFINITY);
            raise(libc::RLIMIT_DATA, libc::RLIM_INFINITY);
            raise(libc::RLIMIT_NOFILE, MAX_FILES);
            // Where this is not allowed, the flags alone keep the browser off the network.
            if network != Network::Own {
                return Ok(());
            }
            if root {
                libc::unshare(libc::CLONE_NEWNET);
            } else if libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) == 0 {
                put(c"/proc/self/setgroups", b"deny");
                put(c"/proc/self/uid_map", users.as_bytes());
                put(c"/proc/self/gid_map", groups.as_bytes());
            }
        }
        Ok(())
    };
    // SAFETY: `prepare` does only what is allowed between fork and exec.
    unsafe { command.pre_exec(prepare) };
}

/// Raises a limit to what is wanted, or as far as the system grants.
///
/// # Safety
/// None is needed by callers; it is for use between fork and exec.
unsafe fn raise(resource: libc::__rlimit_resource_t, wanted: libc::rlim_t) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls get a limit that lives as long as they run.
    unsafe {
        if libc::getrlimit(resource, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_cur.max(wanted.min(limit.rlim_max));
            libc::setrlimit(resource, &limit);
        }
    }
}

/// Writes a small file of the kernel's.
///
/// # Safety
/// None is needed by callers; it is for use between fork and exec.
unsafe fn put(path: &std::ffi::CStr, text: &[u8]) {
    // SAFETY: the path ends in zero and the text is as long as said.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file >= 0 {
            libc::write(file, text.as_ptr().cast(), text.len());
            libc::close(file);
        }
    }
}
