//! Programs of others as children: without a shell, in a process group of their own, and for no
//! longer than a deadline.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::PressError;

/// How long a program may take for one formula or line.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Most bytes that are read of what a program writes.
const MAX_OUTPUT: u64 = 64 << 20;
/// Between two looks at whether a program has ended.
const LOOK: Duration = Duration::from_millis(2);

/// What is left of a program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// It says that all went well.
    pub success: bool,
    /// What it wrote.
    pub stdout: Vec<u8>,
}

/// What a program makes of a few bytes, fewer than a pipe holds; none if it has not ended within
/// `patience`, when it is killed with whatever it started.
///
/// Errors if it cannot be started.
pub(crate) fn run(
    command: &mut Command,
    bytes: &[u8],
    patience: Duration,
) -> Result<Option<Ended>, PressError> {
    let program = PathBuf::from(command.get_program());
    let failed = |cause| PressError::io(&program)(cause);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    let deadline = Instant::now() + patience;
    let mut child = command.spawn().map_err(failed)?;
    let (sender, written) = sync_channel(1);
    if let Some(output) = child.stdout.take() {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before a failure is judged by what reads the picture.
            let _ = output.take(MAX_OUTPUT).read_to_end(&mut bytes);
            // Nobody is left to tell when the deadline has passed.
            let _ = sender.send(bytes);
        });
    }
    if let Some(mut input) = child.stdin.take() {
        // A program that ends before it has read all says why by its status.
        let _ = input.write_all(bytes);
    }
    let stdout = match written.recv_timeout(patience) {
        Ok(stdout) => stdout,
        Err(RecvTimeoutError::Disconnected) => Vec::new(),
        Err(RecvTimeoutError::Timeout) => {
            kill(&mut child);
            return Ok(None);
        }
    };
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            let success = status.success();
            return Ok(Some(Ended { success, stdout }));
        }
        if Instant::now() >= deadline {
            kill(&mut child);
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// What a program prints; none if it is not there, fails or does not end.
pub(crate) fn said(command: &mut Command) -> Option<String> {
    let ended = run(command, b"", PATIENCE).ok()??;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    ended.success.then_some(said)
}

/// Ends a child that was not waited for, so that its number is still its own, and its group.
fn kill(child: &mut Child) {
    // Whoever has ended by itself in the meantime need not be killed.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_says_nothing() {
        let mut missing = Command::new("avocet-has-no-such-program");
        assert_eq!(said(missing.arg("-version")), None);
    }

    #[test]
    fn a_program_is_given_what_it_asks_for() {
        let ended = run(&mut Command::new("cat"), b"a line", PATIENCE).unwrap();
        let ended = ended.unwrap();
        assert!(ended.success);
        assert_eq!(ended.stdout, b"a line");
    }

    #[test]
    fn a_program_that_does_not_end_is_killed_with_what_it_started() {
        let patience = Duration::from_millis(200);
        // The second closes its output at once and stays; the others hold it.
        for script in ["sleep 60", "exec >&- ; sleep 60", "sleep 60 & exit 0"] {
            let began = Instant::now();
            let mut shell = Command::new("sh");
            let ended = run(shell.args(["-c", script]), b"", patience).unwrap();
            assert!(ended.is_none(), "{script}");
            assert!(began.elapsed() < Duration::from_secs(30), "{script}");
        }
        // What it started would leave a mark in the end.
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.current_dir(folder.path());
        let script = "(sleep 1; echo > mark) & wait";
        let ended = run(shell.args(["-c", script]), b"", patience).unwrap();
        thread::sleep(Duration::from_millis(1500));
        assert!(ended.is_none() && !folder.path().join("mark").exists());
    }
}
