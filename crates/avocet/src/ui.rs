//! What people see: results on stdout; progress, warnings, errors and the log on stderr.

pub mod failure;
pub mod log;
pub mod output;
pub mod progress;
