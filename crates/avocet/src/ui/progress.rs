//! How far work has come: bars on a terminal, lines elsewhere.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::output;

/// Steps of a bar; what is counted may be seconds, which are no whole numbers.
const STEPS: u64 = 1000;
/// Time between lines where there is no terminal.
pub const LINE_EVERY: Duration = Duration::from_secs(5);

/// One stage and how far it has come: a bar on a terminal, otherwise a line every few seconds.
pub struct Stage {
    name: &'static str,
    bar: Option<ProgressBar>,
    last_line: Cell<Instant>,
}

impl Stage {
    /// Begins a stage.
    pub fn begin(name: &'static str) -> Self {
        let bar = bar("{prefix:15} {spinner} {elapsed}").map(|bar| bar.with_prefix(name));
        if let Some(bar) = &bar {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self {
            name,
            bar,
            last_line: Cell::new(Instant::now()),
        }
    }

    /// So many of `all` are done; `all` is 0 where nobody knows how many there are.
    pub fn at(&self, done: f64, all: f64) {
        let share = if all > 0.0 {
            (done / all).clamp(0.0, 1.0)
        } else {
            0.0
        };
        match &self.bar {
            Some(bar) => {
                if all > 0.0 && bar.length() != Some(STEPS) {
                    bar.set_length(STEPS);
                    bar.set_style(style("{prefix:15} {bar:30} {percent:>3} %, {eta} left"));
                }
                bar.set_position((share * STEPS as f64) as u64);
            }
            None if self.last_line.get().elapsed() >= LINE_EVERY => {
                self.last_line.set(Instant::now());
                output::note(&format!("{}: {:.0} %\n", self.name, share * 100.0));
            }
            None => {}
        }
    }

    /// Ends the stage and clears its bar.
    pub fn end(self) {}
}

/// A bar on stderr, if that is a terminal.
pub fn bar(template: &str) -> Option<ProgressBar> {
    let at_terminal = std::io::stderr().is_terminal();
    at_terminal.then(|| ProgressBar::new(0).with_style(style(template)))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A count that grows, of things called `what`.
pub fn counted(what: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = style(&format!("{{spinner}} {{pos}} {what}, {{per_sec}}"));
    ProgressBar::new_spinner().with_style(style)
}
