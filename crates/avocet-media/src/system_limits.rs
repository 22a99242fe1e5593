//! What the system lets this process and its children use: the limits that `ulimit` shows, and the
//! memory of their control group.
//!
//! Nobody may have more than the hard limit, so whoever limits a child gives it the smaller of
//! the two; and what fails below a limit that is too small is told by that limit, not by the
//! system's words for the call that happened to fail.

use std::fmt::{self, Display};
use std::path::Path;

use rustix::process::{Resource, getrlimit};

/// Something of which the system may grant only so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemLimit {
    /// Bytes of code, stacks and everything allocated or mapped.
    AddressSpace,
    /// Bytes of everything allocated.
    Data,
    /// Files and pipes that are open at once.
    OpenFiles,
    /// Bytes of a file that is written.
    FileSize,
    /// Processes and threads of the user.
    Processes,
    /// Seconds of processor time.
    CpuTime,
}

impl SystemLimit {
    /// The most that this process may give itself or a child; `None` where there is no limit.
    pub fn most(self) -> Option<u64> {
        getrlimit(self.resource()).maximum
    }

    /// What this process has now; it may give itself up to [`SystemLimit::most`].
    pub fn now(self) -> Option<u64> {
        getrlimit(self.resource()).current
    }

    /// In words: the limit, and that it is `most`.
    pub fn granted(self, most: u64) -> String {
        format!("the limit ({}) is {}", self.ulimit(), self.amount(most))
    }

    fn resource(self) -> Resource {
        match self {
            Self::AddressSpace => Resource::As,
            Self::Data => Resource::Data,
            Self::OpenFiles => Resource::Nofile,
            Self::FileSize => Resource::Fsize,
            Self::Processes => Resource::Nproc,
            Self::CpuTime => Resource::Cpu,
        }
    }

    /// The shell's way to show it.
    fn ulimit(self) -> &'static str {
        match self {
            Self::AddressSpace => "ulimit -v",
            Self::Data => "ulimit -d",
            Self::OpenFiles => "ulimit -n",
            Self::FileSize => "ulimit -f",
            Self::Processes => "ulimit -u",
            Self::CpuTime => "ulimit -t",
        }
    }

    fn amount(self, count: u64) -> String {
        match self {
            Self::AddressSpace | Self::Data | Self::FileSize => bytes(count),
            Self::CpuTime => format!("{count} s"),
            Self::OpenFiles | Self::Processes => count.to_string(),
        }
    }

    fn needed(self, count: u64) -> String {
        let amount = self.amount(count);
        match self {
            Self::AddressSpace => format!("{amount} of address space"),
            Self::Data => format!("{amount} of data"),
            Self::OpenFiles => format!("{amount} open files"),
            Self::FileSize => format!("files of {amount}"),
            // They are counted together with all that the user runs already.
            Self::Processes => format!("{amount} more processes and threads"),
            Self::CpuTime => format!("{amount} of processor time"),
        }
    }
}

/// Whole units, rounded down.
fn bytes(count: u64) -> String {
    match count {
        0..1_048_576 => format!("{} KiB", count >> 10),
        1_048_576..10_737_418_240 => format!("{} MiB", count >> 20),
        _ => format!("{} GiB", count >> 30),
    }
}

/// A limit that is too small for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct TooSmall {
    /// Who needs more.
    pub who: &'static str,
    /// What of.
    pub limit: SystemLimit,
    /// How much is needed.
    pub needed: u64,
    /// How much there is.
    pub granted: u64,
}

impl Display for TooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            who,
            limit,
            needed,
            granted,
        } = *self;
        let (needed, granted) = (limit.needed(needed), limit.granted(granted));
        write!(f, "{who} needs {needed}, but {granted}")
    }
}

/// The first of `needs` of which less is granted: [`SystemLimit::now`] for who takes what there
/// is, [`SystemLimit::most`] for who raises limits.
pub fn too_small(
    who: &'static str,
    needs: &[(SystemLimit, u64)],
    granted: fn(SystemLimit) -> Option<u64>,
) -> Option<TooSmall> {
    needs.iter().find_map(|&(limit, needed)| {
        let granted = granted(limit).filter(|granted| *granted < needed)?;
        Some(TooSmall {
            who,
            limit,
            needed,
            granted,
        })
    })
}

/// The memory that the control group of this process may hold, and how often a process was ended
/// because it wanted more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupMemory {
    /// The least limit of the group and those around it.
    pub limit_bytes: u64,
    /// Processes ended so far.
    pub kills: u64,
}

impl GroupMemory {
    /// Of this process; `None` where nothing limits it.
    pub fn now() -> Option<Self> {
        let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        Self::of(&groups, Path::new("/sys/fs/cgroup"))
    }

    /// As the kernel's lines name the groups, below `root`: the second version has one tree, the
    /// first a tree for memory.
    fn of(groups: &str, root: &Path) -> Option<Self> {
        let path = |controllers: &str| {
            groups.lines().find_map(|line| {
                let (_, rest) = line.split_once(':')?;
                let (names, path) = rest.split_once(':')?;
                let is_it = names.split(',').any(|name| name == controllers);
                is_it.then_some(path.trim_start_matches('/'))
            })
        };
        let second = path("").map(|path| (root.to_owned(), path, "memory.max", "memory.events"));
        let first = path("memory").map(|path| {
            let (limit, events) = ("memory.limit_in_bytes", "memory.oom_control");
            (root.join("memory"), path, limit, events)
        });
        [second, first]
            .into_iter()
            .flatten()
            .find_map(|(top, path, limit, events)| {
                let own = top.join(path);
                let around = own
                    .ancestors()
                    .take_while(|folder| folder.starts_with(&top));
                let limits = around.filter_map(|folder| {
                    let text = std::fs::read_to_string(folder.join(limit)).ok()?;
                    // The first version says that there is none by a number of its own.
                    text.trim().parse().ok().filter(|bytes| *bytes < 1 << 60)
                });
                let events = std::fs::read_to_string(own.join(events)).unwrap_or_default();
                let kills = events
                    .lines()
                    .find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
                Some(Self {
                    limit_bytes: limits.min()?,
                    kills: kills.unwrap_or(0),
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_too_small_says_what_it_is_and_what_is_needed() {
        let files = SystemLimit::OpenFiles.most().unwrap_or(u64::MAX - 1);
        let needs = [(SystemLimit::OpenFiles, files)];
        assert_eq!(too_small("the browser", &needs, SystemLimit::most), None);
        let little = too_small("the browser", &needs, |_| Some(3)).unwrap();
        assert_eq!((little.needed, little.granted), (files, 3));
        let short = TooSmall {
            who: "the decoder",
            limit: SystemLimit::AddressSpace,
            needed: 600 << 20,
            granted: 300 << 20,
        };
        assert_eq!(
            short.to_string(),
            "the decoder needs 600 MiB of address space, but the limit (ulimit -v) is 300 MiB"
        );
    }

    #[test]
    fn the_memory_of_a_control_group_is_the_least_of_those_around_it() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let of = |groups: &str| GroupMemory::of(groups, root.path());
        assert_eq!(of("0::/"), None);
        write("jobs/one/memory.max", "max\n");
        write("jobs/one/memory.events", "oom 3\noom_kill 2\n");
        assert_eq!(of("0::/jobs/one\n"), None);
        write("jobs/memory.max", "268435456\n");
        let expected = GroupMemory {
            limit_bytes: 256 << 20,
            kills: 2,
        };
        assert_eq!(of("12:cpu:/x\n0::/jobs/one\n"), Some(expected));

        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/task/memory.limit_in_bytes", "1048576\n");
        let expected = GroupMemory {
            limit_bytes: 1 << 20,
            kills: 0,
        };
        let groups = "5:devices:/\n4:cpu,memory:/task\n0::/\n";
        assert_eq!(of(groups), Some(expected));
    }
}
