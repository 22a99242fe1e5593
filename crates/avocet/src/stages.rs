//! Long work in stages: a bar for each on a terminal, with the time left.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Steps of a bar; what is counted may be seconds, which are no whole numbers.
const STEPS: u64 = 1000;

/// One stage and how far it has come; nothing is shown where nobody watches.
pub struct Stage {
    bar: Option<ProgressBar>,
    all: f64,
}

impl Stage {
    /// Begins a stage of `all` things; 0 where nobody knows how many.
    pub fn begin(name: &str, all: f64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = match all > 0.0 {
                true => "{prefix:15} {bar:30} {percent:>3} %  {eta} left",
                false => "{prefix:15} {spinner} {elapsed}",
            };
            let style = ProgressStyle::with_template(template);
            let bar = ProgressBar::new(STEPS)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, all }
    }

    /// So many of the things are done.
    pub fn at(&self, done: f64) {
        if let Some(bar) = &self.bar
            && self.all > 0.0
        {
            let share = (done / self.all).clamp(0.0, 1.0);
            bar.set_position((share * STEPS as f64) as u64);
        }
    }

    /// Ends the stage and clears its bar.
    pub fn end(self) {}
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
