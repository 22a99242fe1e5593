//! What the system grants this program: where it is too little, one line says so.
//!
//! Left alone, a program that may have no more memory, files, threads or processor time dies of a
//! signal or in the words of whatever call failed first.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::OnceLock;

use anyhow::Error;
use avocet_media::system_limits::{SystemLimit, TooSmall, too_small};
use mimalloc::MiMalloc;

/// What the program takes before it has read any file.
const NEEDS: [(SystemLimit, u64); 4] = [
    (SystemLimit::AddressSpace, 256 << 20),
    (SystemLimit::Data, 128 << 20),
    (SystemLimit::OpenFiles, 16),
    // The last second is for saying that it is the last.
    (SystemLimit::CpuTime, 2),
];

/// Said when an allocation fails under a limit of so many bytes.
static MEMORY: OnceLock<(u64, String)> = OnceLock::new();
/// Said when the processor time is used up.
static CPU_TIME: OnceLock<String> = OnceLock::new();

/// Has the limits of the system end in a line; from now on a file that grows too large is an error
/// of the one who writes it.
///
/// Errors if a limit is too small for any work.
pub fn heed() -> Result<(), TooSmall> {
    if let Some(limit) = too_small("avocet", &NEEDS, SystemLimit::now) {
        return Err(limit);
    }
    let memory = [SystemLimit::AddressSpace, SystemLimit::Data];
    let memory = memory
        .into_iter()
        .filter_map(|limit| Some((limit.now()?, limit)));
    if let Some((most, limit)) = memory.min_by_key(|(most, _)| *most) {
        let line = format!(
            "error: this takes more memory than there is: {}\n",
            limit.granted(most)
        );
        MEMORY.get_or_init(|| (most, line));
    }
    // SAFETY: the handler does nothing that a signal may not do, and the limit outlives the call.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        if let Some(most) = SystemLimit::CpuTime.most() {
            let granted = SystemLimit::CpuTime.granted(most);
            CPU_TIME.get_or_init(|| format!("error: the processor time is used up: {granted}\n"));
            libc::signal(
                libc::SIGXCPU,
                out_of_time as *const () as libc::sighandler_t,
            );
            // At the limit itself a process is killed; a second before it, it is told.
            let limit = libc::rlimit {
                rlim_cur: most - 1,
                rlim_max: most,
            };
            libc::setrlimit(libc::RLIMIT_CPU, &limit);
        }
    }
    Ok(())
}

extern "C" fn out_of_time(_signal: libc::c_int) {
    end(CPU_TIME.get().map_or("", |line| line));
}

/// Writes a line and ends; allocates nothing, so that it may be called anywhere.
fn end(line: &str) -> ! {
    // SAFETY: the line is as long as said, and ending needs nothing.
    unsafe {
        libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len());
        libc::_exit(1)
    }
}

/// Which limit the system refused something for, if it did.
pub fn behind(error: &Error) -> Option<String> {
    let mut numbers = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>()?.raw_os_error());
    numbers.find_map(|number| {
        let limits: &[SystemLimit] = match number {
            libc::ENOMEM => &[SystemLimit::AddressSpace, SystemLimit::Data],
            // A thread's stack is memory, too.
            libc::EAGAIN => &[
                SystemLimit::AddressSpace,
                SystemLimit::Data,
                SystemLimit::Processes,
            ],
            libc::EMFILE => &[SystemLimit::OpenFiles],
            libc::EFBIG => &[SystemLimit::FileSize],
            _ => &[],
        };
        let mut granted = limits
            .iter()
            .filter_map(|limit| Some((limit, limit.now()?)));
        granted.next().map(|(limit, most)| limit.granted(most))
    })
}

/// mimalloc, which ends the program in one line where a limit of the system leaves no memory.
pub struct Allocator;

impl Allocator {
    /// `null` stays where the request itself makes no sense, or nothing is limited.
    fn given(start: *mut u8, size: usize) -> *mut u8 {
        if start.is_null()
            && let Some((most, line)) = MEMORY.get()
            && (size as u64) < *most
        {
            end(line);
        }
        start
    }
}

/// Keeps freed memory for the next training step instead of handing it back after a second: a step
/// of `mini` took 438 ms instead of 484 ms, because fresh pages are zeroed by the kernel.
pub fn keep_freed_memory() {
    /// `mi_option_purge_delay`; -1 stands for never.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: the option exists in both versions of the library that can be linked.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
}

// SAFETY: every call is mimalloc's own.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        Self::given(unsafe { MiMalloc.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        Self::given(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { MiMalloc.dealloc(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's.
        Self::given(unsafe { MiMalloc.realloc(start, layout, size) }, size)
    }
}
