//! What people see: results on stdout; progress, warnings and errors on stderr.

pub mod failure;
pub mod output;
pub mod progress;
