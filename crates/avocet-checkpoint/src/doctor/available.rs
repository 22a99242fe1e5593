//! How much memory this process may still take.

use std::path::Path;

/// Bytes that this process may still take without the system swapping or ending it: what the
/// kernel calls available, less where a control group allows less. `None` where the kernel does
/// not say.
pub fn available_bytes() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let machine = mem_available(&meminfo)?;
    Some(group_room().map_or(machine, |room| room.min(machine)))
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn mem_available(meminfo: &str) -> Option<u64> {
    let line = |line: &str| {
        let kib = line.strip_prefix("MemAvailable:")?.trim();
        kib.strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    meminfo.lines().find_map(line)?.checked_mul(1024)
}

/// The least that this process's control group (version 2) and those around it leave; `None` if
/// none of them has a limit.
fn group_room() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let root = Path::new("/sys/fs/cgroup");
    let folder = root.join(own.trim_start_matches('/'));
    let around = folder.ancestors().take_while(|at| at.starts_with(root));
    let room = |folder: &Path| {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let stat = read("memory.stat").unwrap_or_default();
        room(&read("memory.max")?, &read("memory.current")?, &stat)
    };
    around.filter_map(room).min()
}

/// What a group's limit leaves. Pages of files count as used, but the kernel drops them when
/// memory is wanted: mapped weights among them, which is why a second run does not find less.
fn room(max: &str, current: &str, stat: &str) -> Option<u64> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (max, current) = (number(max)?, number(current)?);
    let pages = |name: &str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(number).unwrap_or(0)
    };
    let files = pages("inactive_file ").saturating_add(pages("active_file "));
    Some(max.saturating_sub(current.saturating_sub(files)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_calls_available_is_read_in_bytes() {
        let text = "MemTotal:  100 kB\nMemFree:  7 kB\nMemAvailable:   23 kB\nSwapFree: 0 kB\n";
        assert_eq!(mem_available(text), Some(23 * 1024));
        for other in ["", "MemAvailable: kB", "MemAvailable: 12", "MemFree: 3 kB"] {
            assert_eq!(mem_available(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_group_leaves_its_limit_less_what_the_kernel_cannot_drop() {
        let stat = "anon 600\nfile 400\ninactive_file 100\nactive_file 50\n";
        assert_eq!(room("1000\n", "700\n", stat), Some(450));
        assert_eq!(room("1000\n", "700\n", ""), Some(300));
        assert_eq!(room("1000\n", "1200\n", ""), Some(0), "over the limit");
        assert_eq!(room("max\n", "700\n", stat), None, "no limit");
    }
}
