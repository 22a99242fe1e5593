//! How a command ends badly: one line on stderr and exit code 1, whatever happened.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;

use avocet_media::named::brief;

use super::output;
use crate::granted;

/// Where and why the last panic happened; it is printed only if nobody caught it before us.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Runs a command and turns its end into an exit code.
///
/// A reader that went away (`avocet ... | head`) is no failure. A panic is a bug of ours, and the
/// user still gets one line instead of a backtrace.
pub fn report(command: impl FnOnce() -> anyhow::Result<()>) -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        if let Ok(mut last) = LAST_PANIC.lock() {
            *last = info.to_string();
        }
    }));
    let error = match catch_unwind(AssertUnwindSafe(command)) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(error)) if is_broken_pipe(&error) => return ExitCode::SUCCESS,
        Ok(Err(error)) => {
            let behind = granted::behind(&error).map(|limit| format!(" ({limit})"));
            one_line(&(chain(&error) + &behind.unwrap_or_default()))
        }
        Err(_) => {
            let last = LAST_PANIC
                .lock()
                .map(|last| last.clone())
                .unwrap_or_default();
            format!("internal error, please report it: {}", one_line(&last))
        }
    };
    output::note(&format!("error: {error}\n"));
    ExitCode::FAILURE
}

/// Whether whoever reads our output went away.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == ErrorKind::BrokenPipe)
}

/// The error and its causes, joined; a cause whose words its parent repeats is said once.
fn chain(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain() {
        let words = cause.to_string();
        if message.contains(&words) {
            continue;
        }
        if !message.is_empty() {
            message.push_str(": ");
        }
        message.push_str(&words);
    }
    message
}

/// One line of a message, which repeats no data.
fn one_line(text: &str) -> String {
    brief(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn causes_are_joined_on_one_line_and_said_once() {
        let error = anyhow!("the end\nis here")
            .context("b: the end\nis here")
            .context("a");
        assert_eq!(one_line(&chain(&error)), "a: b: the end is here");
    }

    #[test]
    fn a_reader_that_left_is_found_in_any_depth() {
        let gone = std::io::Error::from(ErrorKind::BrokenPipe);
        let error = Err::<(), _>(gone)
            .context("writing")
            .context("asking")
            .expect_err("it is an error");
        assert!(is_broken_pipe(&error));
        assert!(!is_broken_pipe(&anyhow!("Broken pipe")));
    }
}
