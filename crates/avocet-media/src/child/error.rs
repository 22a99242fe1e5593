//! Why a child gave no answer, in words for the owner of the file.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use super::limits::ChildLimits;
use crate::system_limits::{SystemLimit, TooSmall};

/// Why a request to the worker failed.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The worker's binary is not where it should be.
    #[error(
        "the decoder avocet-worker is missing: it is looked for beside {}, which `cargo build -p \
         avocet` puts there unless its feature `video` is off, and AVOCET_WORKER can name it \
         elsewhere",
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
    /// A limit that the system sets is too small for any worker.
    #[error(transparent)]
    Limited(TooSmall),
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
    /// The address space was used up, or what the system grants of it.
    #[error("{}: needs more than {limit_mib} MiB to decode{set_by}", .subject.display())]
    Memory {
        /// The file.
        subject: PathBuf,
        /// The limit that was met.
        limit_mib: u64,
        /// Who set it, and what would do, if it was not us.
        set_by: String,
    },
    /// The processor time was used up.
    #[error("{}: took more than {limit_s} s of processor time{set_by}", .subject.display())]
    CpuTime {
        /// The file.
        subject: PathBuf,
        /// The limit that was met.
        limit_s: u64,
        /// Who set it, if it was not us.
        set_by: &'static str,
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

/// The system's words for a thread or a process too many, or one whose stack finds no room.
pub(super) const NO_THREAD: &str = "Resource temporarily unavailable";
/// Words for memory that is not there: Rust's, just before it aborts, also where none is left to
/// unwind with, C++'s and the loader's.
const NO_MEMORY: [&str; 4] = [
    "memory allocation of",
    "failed to initiate panic",
    "std::bad_alloc",
    "failed to map segment",
];

/// Whether the system grants less memory than there is.
pub(super) fn memory_is_limited() -> bool {
    let limits = [SystemLimit::AddressSpace, SystemLimit::Data];
    limits.into_iter().any(|limit| limit.most().is_some())
}

fn aside(said: &str) -> String {
    match said {
        "" => String::new(),
        said => format!(" ({said})"),
    }
}

/// The error for a worker whose allocations fail under the limits that were `asked` for.
pub(super) fn out_of_memory(subject: &Path, asked: &ChildLimits) -> ChildError {
    let space = asked.granted().address_space_bytes;
    let data = SystemLimit::Data.most().filter(|data| *data < space);
    let ulimit = match data {
        Some(_) => Some("ulimit -d"),
        None => (space < asked.address_space_bytes).then_some("ulimit -v"),
    };
    let enough_mib = asked.address_space_bytes >> 20;
    ChildError::Memory {
        subject: subject.to_path_buf(),
        limit_mib: data.unwrap_or(space) >> 20,
        set_by: ulimit.map_or_else(String::new, |ulimit| {
            format!(", which is all that {ulimit} allows; {enough_mib} MiB are enough")
        }),
    }
}

/// The error for a worker that ended with `status` after saying `said` on stderr, under the limits
/// that were `asked` for.
pub(super) fn of_status(
    subject: &Path,
    status: Option<ExitStatus>,
    asked: &ChildLimits,
    said: &str,
) -> ChildError {
    let subject = subject.to_path_buf();
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    let last: String = last.unwrap_or_default().trim().chars().take(300).collect();
    let signal = status.and_then(|status| status.signal());
    // Libraries that find no memory give up in words of their own.
    let gave_up = signal == Some(rustix::process::Signal::ABORT.as_raw());
    let limited = memory_is_limited() && (gave_up || said.contains(NO_THREAD));
    if limited || NO_MEMORY.iter().any(|words| said.contains(words)) {
        return out_of_memory(&subject, asked);
    }
    match (signal, asked.granted().cpu_s) {
        (Some(signal), Some(limit_s)) if signal == rustix::process::Signal::XCPU.as_raw() => {
            ChildError::CpuTime {
                subject,
                limit_s,
                set_by: match asked.cpu_s == Some(limit_s) {
                    true => "",
                    false => ", which is all that ulimit -t allows",
                },
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_decoder_is_named_with_the_feature_that_makes_it() {
        let beside = PathBuf::from("/opt/bin/avocet");
        let said = ChildError::Missing { beside }.to_string();
        assert!(
            said.contains("/opt/bin/avocet") && said.contains("`video`"),
            "{said}"
        );
        assert!(!said.contains('\n') && !said.contains("  "), "{said}");
    }
}
