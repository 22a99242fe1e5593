//! What a run shows while it works: a bar on a terminal, a line every few seconds elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Time between lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The display of one stage, on standard error.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    stage: String,
    total: u64,
    started: Instant,
    started_at: u64,
    last_line: Option<Instant>,
}

impl Progress {
    /// A display that stands at `done` of `total` steps.
    pub fn new(stage: &str, done: u64, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = "{prefix} {bar:30} {pos}/{len} {elapsed} done, {eta} left  {msg}";
            let style = ProgressStyle::with_template(style);
            let bar = ProgressBar::new(total).with_position(done);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(stage.to_string());
            bar.reset_eta();
            bar
        });
        Self {
            bar,
            stage: stage.to_string(),
            total,
            started: Instant::now(),
            started_at: done,
            last_line: None,
        }
    }

    /// Shows that `done` steps are done.
    pub fn step(&mut self, done: u64, message: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(message());
            return;
        }
        let due = self
            .last_line
            .is_none_or(|last| last.elapsed() >= LINE_EVERY);
        if due || done == self.total {
            self.last_line = Some(Instant::now());
            let taken = done.saturating_sub(self.started_at).max(1) as f64;
            let per_step = self.started.elapsed().as_secs_f64() / taken;
            let left = per_step * self.total.saturating_sub(done) as f64;
            let (stage, total) = (&self.stage, self.total);
            line(&format!(
                "{stage} {done}/{total}, {} left  {}",
                duration(left),
                message()
            ));
        }
    }

    /// Says something that stays on the screen.
    pub fn say(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.println(message),
            None => line(message),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

/// A line on standard error, or an event where those are told; nobody reading it is no reason to
/// stop training.
pub(crate) fn line(message: &str) {
    if tracing::enabled!(tracing::Level::INFO) {
        tracing::info!("{message}");
    } else {
        let _ = writeln!(std::io::stderr(), "{message}");
    }
}

/// Seconds as `3 h 05 min`, `4 min 10 s` or `12 s`.
fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_given_in_their_two_largest_units() {
        assert_eq!(duration(12.4), "12 s");
        assert_eq!(duration(250.0), "4 min 10 s");
        assert_eq!(duration(11_100.0), "3 h 05 min");
    }
}
