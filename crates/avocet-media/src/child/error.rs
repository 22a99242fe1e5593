//! Why a child gave no answer, in words for the owner of the file.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use super::ChildLimits;

/// Why a request to the worker failed.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The worker's binary is not where it should be.
    #[error(
        "the decoder avocet-worker is missing: it is looked for beside {}, which `cargo build -p \
         avocet` puts there, and AVOCET_WORKER can name it elsewhere",
        .beside.display()
    )]
    Missing {
        /// The running executable.
        beside: PathBuf,
    },
    /// The worker's binary did not start.
    #[error("the decoder {} did not start: {source}", .path.display())]
    Start {
        /// The binary.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The worker looked at the file and said no.
    #[error("{}: {reason}", .subject.display())]
    Refused {
        /// The file.
        subject: PathBuf,
        /// The worker's words.
        reason: String,
    },
    /// A signal ended the worker.
    #[error("{}: the decoder crashed: {signal}{}", .subject.display(), aside(.said))]
    Crashed {
        /// The file.
        subject: PathBuf,
        /// The signal's name.
        signal: String,
        /// The last line on the worker's stderr.
        said: String,
    },
    /// The worker ended before it had answered.
    #[error("{}: the decoder ended early: {status}{}", .subject.display(), aside(.said))]
    Exited {
        /// The file.
        subject: PathBuf,
        /// How it ended.
        status: String,
        /// The last line on the worker's stderr.
        said: String,
    },
    /// The address space was used up.
    #[error("{}: needs more than {limit_mib} MiB to decode", .subject.display())]
    Memory {
        /// The file.
        subject: PathBuf,
        /// [`ChildLimits::address_space_bytes`].
        limit_mib: u64,
    },
    /// The processor time was used up.
    #[error("{}: took more than {limit_s} s of processor time", .subject.display())]
    CpuTime {
        /// The file.
        subject: PathBuf,
        /// [`ChildLimits::cpu_s`].
        limit_s: u64,
    },
    /// Nothing was heard for too long.
    #[error("{}: took more than {seconds} s without an answer", .subject.display())]
    Stalled {
        /// The file.
        subject: PathBuf,
        /// [`ChildLimits::stall`].
        seconds: f64,
    },
    /// The worker said something that makes no sense.
    #[error("{}: the decoder was misunderstood: {reason}", .subject.display())]
    Protocol {
        /// The file.
        subject: PathBuf,
        /// What was wrong.
        reason: String,
    },
}

fn aside(said: &str) -> String {
    match said {
        "" => String::new(),
        said => format!(" ({said})"),
    }
}

/// The error for a worker that ended with `status` after saying `said` on stderr.
pub(super) fn of_status(
    subject: &Path,
    status: Option<ExitStatus>,
    limits: &ChildLimits,
    said: &str,
) -> ChildError {
    let subject = subject.to_path_buf();
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    let last: String = last.unwrap_or_default().trim().chars().take(300).collect();
    // Rust's words when an allocation fails, just before it aborts.
    if said.contains("memory allocation of") {
        return ChildError::Memory {
            subject,
            limit_mib: limits.address_space_bytes >> 20,
        };
    }
    match (status.and_then(|s| s.signal()), limits.cpu_s) {
        (Some(signal), Some(limit_s)) if signal == rustix::process::Signal::XCPU.as_raw() => {
            ChildError::CpuTime { subject, limit_s }
        }
        (Some(signal), _) => ChildError::Crashed {
            subject,
            signal: signal_name(signal),
            said: last,
        },
        (None, _) => ChildError::Exited {
            subject,
            status: status.map_or_else(|| "its pipes closed".to_owned(), |s| s.to_string()),
            said: last,
        },
    }
}

fn signal_name(signal: i32) -> String {
    use rustix::process::Signal;
    let known = [
        (Signal::SEGV, "SIGSEGV"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::ILL, "SIGILL"),
        (Signal::KILL, "SIGKILL"),
        (Signal::TERM, "SIGTERM"),
        (Signal::SYS, "SIGSYS"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::XCPU, "SIGXCPU"),
    ];
    known
        .iter()
        .find(|(known, _)| known.as_raw() == signal)
        .map_or_else(
            || format!("signal {signal}"),
            |(_, name)| (*name).to_owned(),
        )
}
