//! Scripts that do not end: the page is asked again and again whether it still listens, and what
//! keeps it from listening is interrupted.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How often a page is asked.
const BETWEEN: Duration = Duration::from_secs(1);
/// A script may run for this part of the page's time, and one after an interruption for that.
const FIRST_PART: u32 = 4;
const LATER_PART: u32 = 13;
/// A script that is interrupted has used this much of the processor.
const WORK: Duration = Duration::from_millis(700);
/// After so many interruptions no script of the page runs any more.
const MOST: u32 = 3;

/// A command to the page with its parameters.
type Command = (&'static str, Value);

/// What is known of a page's scripts.
#[derive(Debug)]
pub(crate) struct Scripts {
    page: Duration,
    /// The question that waits for its answer.
    question: Option<u64>,
    /// When it was asked, or what held it up was last interrupted.
    since: Instant,
    /// Processor time that the browser had used then.
    used: Duration,
    interrupted: u32,
}

impl Scripts {
    /// The scripts of a page that may take `page` in all.
    pub(crate) fn new(page: Duration) -> Self {
        Self {
            page,
            question: None,
            since: Instant::now(),
            used: Duration::ZERO,
            interrupted: 0,
        }
    }

    /// What is to be sent to the page now; `used` is the processor time of its browser so far.
    pub(crate) fn due(&mut self, used: impl Fn() -> Duration) -> Vec<Command> {
        let parts = match self.interrupted {
            0 => FIRST_PART,
            _ => LATER_PART,
        };
        let waited = self.since.elapsed();
        if self.question.is_none() && waited > BETWEEN {
            self.used = used();
            return vec![(ASK, json!({"expression": "0"}))];
        }
        if self.question.is_none() || waited < self.page / parts {
            return Vec::new();
        }
        // Where the machine has no time for the browser the script is not to blame.
        let now = used();
        if now.saturating_sub(self.used) < WORK {
            return Vec::new();
        }
        (self.since, self.used) = (Instant::now(), now);
        self.interrupted += 1;
        let mut commands = vec![("Runtime.terminateExecution", json!({}))];
        if self.interrupted >= MOST {
            let never = json!({"value": true});
            commands.push(("Emulation.setScriptExecutionDisabled", never));
        }
        commands
    }

    /// A command of [`Scripts::due`] has been sent and has this number.
    pub(crate) fn sent(&mut self, method: &str, id: u64) {
        if method == ASK {
            (self.question, self.since) = (Some(id), Instant::now());
        }
    }

    /// Whether a message with this number is the answer to the question.
    pub(crate) fn answered(&mut self, id: &Value) -> bool {
        let ours = self.question.is_some() && id.as_u64() == self.question;
        if ours {
            (self.question, self.since) = (None, Instant::now());
        }
        ours
    }

    /// How often a script was interrupted.
    pub(crate) fn interrupted(&self) -> u32 {
        self.interrupted
    }

    /// Whether the page does not listen.
    pub(crate) fn is_stuck(&self) -> bool {
        self.question.is_some() && self.since.elapsed() > BETWEEN
    }
}

/// Answered at once by a page that listens.
const ASK: &str = "Runtime.evaluate";

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    #[test]
    fn a_page_that_does_not_listen_is_interrupted_and_at_last_silenced() {
        let mut scripts = Scripts::new(Duration::from_millis(40));
        let (idle, busy) = (|| Duration::ZERO, |times: u32| move || 2 * times * WORK);
        assert!(scripts.due(idle).is_empty());
        sleep(BETWEEN);
        assert_eq!(scripts.due(idle)[0].0, ASK);
        scripts.sent(ASK, 7);
        assert!(!scripts.answered(&json!(6)) && !scripts.is_stuck());
        let mut silenced = 0;
        for interrupted in 1..=MOST {
            sleep(Duration::from_millis(15));
            assert!(
                scripts.due(busy(interrupted - 1)).is_empty(),
                "it has not run"
            );
            let commands = scripts.due(busy(interrupted));
            assert_eq!(commands[0].0, "Runtime.terminateExecution");
            assert_eq!(scripts.interrupted(), interrupted);
            silenced += commands.len() - 1;
        }
        assert_eq!(silenced, 1);
        assert!(scripts.answered(&json!(7)) && scripts.due(idle).is_empty());
    }
}
