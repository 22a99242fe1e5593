//! Fetches what a user or a page names on the web, and never anything nearer than the web.
//!
//! A name is resolved once; every address it has must be a public one; the connection goes to
//! exactly those addresses, so that a second answer of the name server changes nothing. Redirects
//! are followed one at a time under the same rules. Only GET of http and https, only ports 80
//! and 443 and the one the user wrote, no cookies, no proxy, bounded bytes and time.

mod address;
mod error;
mod fetch;
mod resolve;
#[cfg(test)]
mod tests;

pub use address::is_public;
pub use error::WebError;
pub use fetch::{Answer, Fetcher, WebLimits, web_url};
pub use resolve::{Resolve, SystemResolver};
pub use url::Url;
