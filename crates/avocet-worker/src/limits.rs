//! The process holds itself to its limits, before it has read a byte of any file.

use std::io::{self, Stdin};

use avocet_media::child::ChildLimits;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, setrlimit};

/// Sets address space and processor time as asked, and allows no core dump and no written file.
///
/// Errors if the system refuses.
pub(crate) fn hold_to(limits: &ChildLimits) -> io::Result<()> {
    set(Resource::As, limits.address_space_bytes)?;
    set(Resource::Core, 0)?;
    // Pipes have no size, so replies still pass.
    set(Resource::Fsize, 0)?;
    if let Some(cpu_s) = limits.cpu_s {
        set(Resource::Cpu, cpu_s)?;
    }
    Ok(())
}

fn set(resource: Resource, most: u64) -> io::Result<()> {
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
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
