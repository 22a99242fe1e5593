//! The process holds itself to its limits, before it has read a byte of any file.

use std::io::{self, Stdin};

use avocet_media::child::ChildLimits;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sets address space and processor time as asked, and allows no core dump and no written file.
/// Where the system grants less than is asked for, it stays at that.
///
/// Errors if the system refuses.
pub(crate) fn hold_to(limits: &ChildLimits) -> io::Result<()> {
    let space = limits.address_space_bytes;
    set(Resource::As, space, space)?;
    set(Resource::Core, 0, 0)?;
    // Pipes have no size, so replies still pass.
    set(Resource::Fsize, 0, 0)?;
    if let Some(cpu_s) = limits.cpu_s {
        set(Resource::Cpu, cpu_s, cpu_s.saturating_add(1))?;
    }
    Ok(())
}

/// Sets the limit that is felt and the one that it may be raised to.
fn set(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let granted = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let maximum = maximum.min(granted);
    let mut current = current.min(maximum);
    if resource == Resource::Cpu && current == maximum {
        // At the maximum a process is killed without a word, below it with a signal of its own.
        current = current.saturating_sub(1).max(1);
    }
    let limit = Rlimit {
        current: Some(current),
        maximum: Some(maximum),
    };
    Ok(setrlimit(resource, limit)?)
}

/// Ends the process when the parent's end of stdin closes, whatever the main thread is doing.
///
/// The kernel's own signal for a parent's death comes when the *thread* dies that started the
/// child, and a child may outlive the thread that started it.
pub(crate) fn end_with_parent(stdin: Stdin) -> io::Result<()> {
    std::thread::Builder::new()
        .name("parent".to_owned())
        .stack_size(64 << 10)
        .spawn(move || {
            loop {
                let mut pipe = [PollFd::new(&stdin, PollFlags::empty())];
                let closed = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
                if poll(&mut pipe, None).is_ok() && pipe[0].revents().intersects(closed) {
                    // Not `exit`: other threads may hold whatever its clean-up waits for.
                    rustix::process::kill_process(
                        rustix::process::getpid(),
                        rustix::process::Signal::KILL,
                    )
                    .unwrap_or_else(|_| std::process::abort());
                }
            }
        })?;
    Ok(())
}
