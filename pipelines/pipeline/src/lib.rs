//! The frame of every pipeline: what a run is asked for, which inputs are its own, and how what
//! they give gets into shards in their order.
//!
//! [`RunArgs`] -> [`RunArgs::share`] of the inputs -> [`RunArgs::open`] -> those that an earlier
//! run left ([`rest`]) -> an [`Outcome`] each -> [`account`], or [`in_order`] for many at a time.
//!
//! - [`Split`], [`is_held_out`]: what is for the test, decided for good by names and texts.
//! - [`progress`]: a bar for people; [`say`]: a line for them.

mod args;
mod run;
mod split;

pub use args::{RankError, RunArgs};
pub use run::{Outcome, account, in_order, progress, rest, say};
pub use split::{Split, fnv1a, is_held_out};
