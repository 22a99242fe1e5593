//! What comes from elsewhere: fetched under rules, checked, and kept.
//!
//! [`Hub`] gets models into the cache that other tools share;
//! [`Sources`] gets the archives that training data is made from, and keeps them in [`cache`];
//! [`web`] gets what a user or a page names, from the public internet only.

mod agent;
pub mod cache;
mod hub;
pub mod sources;
pub mod web;

pub use cache::{CacheError, cache_folder};
pub use hub::{CachedModel, Hub, HubError, HubId, HubSettings, Progress, gguf_parts};
pub use sources::{Revision, Source, SourceError, SourceKind, Sources};
