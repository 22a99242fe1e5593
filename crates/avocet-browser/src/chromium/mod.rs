//! Chromium as a child process without a network, spoken to over a pipe.
//!
//! The DevTools protocol is JSON; `--remote-debugging-pipe` carries it over two file descriptors.
//! So no port listens on this machine, Chromium ends when we do, and it can live in a network
//! namespace that holds nothing, where a WebSocket to a loopback port could not reach it.
//!
//! - [`Browser`]: started, watched (time and memory), ended without a trace.
//! - `flags`: how it is started; `profile`: its folder; `watch`: its limits; `wire`: the pipe.

mod browser;
mod error;
mod find;
mod flags;
mod profile;
mod watch;
mod wire;

pub use browser::Browser;
pub use error::BrowserError;
pub use find::chromium;
pub use wire::Incoming;
