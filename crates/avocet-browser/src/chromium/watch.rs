//! Ends a browser that takes too long or too much, from a thread of its own: a browser that no
//! longer reads its pipe would otherwise hold us for ever.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often the clock is looked at, and how many of these pass between two looks at memory.
const TICK: Duration = Duration::from_millis(50);
const TICKS_A_MEASURE: u32 = 5;

/// Why a browser was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    TooSlow,
    TooLarge,
}

#[derive(Debug, Default)]
struct State {
    deadline: Option<Instant>,
    ended: Option<Ended>,
    over: bool,
}

/// The limits of one browser.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    state: Arc<Mutex<State>>,
    group: i32,
}

impl Watch {
    /// Watches the process group of a browser.
    pub(super) fn over(group: i32, memory_bytes: u64) -> Self {
        let watch = Self {
            state: Arc::default(),
            group,
        };
        let watcher = watch.clone();
        thread::spawn(move || {
            for tick in 1u32.. {
                thread::sleep(TICK);
                let bytes = tick.is_multiple_of(TICKS_A_MEASURE).then(|| memory(group));
                if !watcher.look(bytes, memory_bytes) {
                    return;
                }
            }
        });
        watch
    }

    /// Looks once; whether there is more to watch.
    fn look(&self, bytes: Option<u64>, limit: u64) -> bool {
        let mut state = self.state();
        if state.over {
            return false;
        }
        let late = state
            .deadline
            .is_some_and(|deadline| Instant::now() > deadline);
        let ended = match bytes {
            _ if late => Ended::TooSlow,
            Some(bytes) if bytes > limit => Ended::TooLarge,
            _ => return true,
        };
        state.ended = Some(ended);
        kill_group(self.group);
        state.over = true;
        false
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From when on the browser is ended, if at all.
    pub(super) fn set_deadline(&self, deadline: Option<Instant>) {
        self.state().deadline = deadline;
    }

    /// Why the browser was ended by this watch.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.state().ended
    }

    /// Stops watching: from now on the process number may belong to somebody else.
    pub(super) fn stop(&self) {
        self.state().over = true;
    }
}

/// Ends every process of a group at once.
pub(super) fn kill_group(group: i32) {
    // SAFETY: sends a signal; the group is that of our own child, which has not been waited for.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}

/// Memory that the processes of a group hold for themselves alone, in bytes.
pub(super) fn memory(group: i32) -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let own = processes(group).filter_map(|(folder, _)| {
        let statm = fs::read_to_string(folder.join("statm")).ok()?;
        let mut pages = statm
            .split(' ')
            .map(|word| word.parse::<u64>().unwrap_or(0));
        let resident = pages.nth(1)?;
        let shared = pages.next()?;
        Some(resident.saturating_sub(shared) * PAGE_BYTES)
    });
    own.sum()
}

/// Processor time that the processes of a group have used.
pub(super) fn processor_time(group: i32) -> Duration {
    // SAFETY: asks for a number.
    let ticks_per_s = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as f64;
    // User and system time, counted from the state as field 0.
    let ticks = processes(group).filter_map(|(_, fields)| {
        let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(ticks(11)? + ticks(12)?)
    });
    Duration::from_secs_f64(ticks.sum::<u64>() as f64 / ticks_per_s)
}

/// The processes of a group: their folders, and what their `stat` says from the state on.
fn processes(group: i32) -> impl Iterator<Item = (PathBuf, Vec<String>)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(move |entry| {
        let folder = entry.path();
        entry.file_name().to_str()?.parse::<u32>().ok()?;
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        // The name in brackets may hold anything; state, parent and group follow it.
        let after = stat.rsplit_once(')')?.1;
        let fields: Vec<String> = after.split_whitespace().map(str::to_owned).collect();
        let found: i32 = fields.get(2)?.parse().ok()?;
        (found == group).then_some((folder, fields))
    })
}
