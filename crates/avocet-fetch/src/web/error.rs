//! Why something on the web was not fetched, in one line.

use std::net::IpAddr;
use std::time::Duration;

/// Why a URL gave nothing; every message names it or its host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// Not a URL at all.
    #[error("{url:?} is not a URL: {reason}")]
    NotAUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither http nor https.
    #[error("{url}: only http and https are fetched, not {scheme}")]
    Scheme {
        /// What was asked for.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// A user name or password in the URL.
    #[error("{url}: a URL with a user name or password in it is not fetched")]
    Credentials {
        /// The URL without them.
        url: String,
    },
    /// A port that only other services than the web have.
    #[error("{url}: port {port} is refused; only 80, 443 and the port in the URL given are used")]
    Port {
        /// What was asked for.
        url: String,
        /// Its port.
        port: u16,
    },
    /// An address that is not on the public internet.
    #[error("{host} is refused: its address {address} is not on the public internet")]
    Address {
        /// The host in the URL.
        host: String,
        /// What it stands for.
        address: IpAddr,
    },
    /// No such host.
    #[error("{host}: no such host: {reason}")]
    NoHost {
        /// The host in the URL.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Nobody answered, or too slowly.
    #[error("{url}: no answer within {} s", .limit.as_secs_f64())]
    Timeout {
        /// What was asked for.
        url: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// More bytes than are taken.
    #[error("{url}: the answer is longer than {limit} bytes")]
    TooLong {
        /// What was asked for.
        url: String,
        /// The most that are taken.
        limit: u64,
    },
    /// Sent on and on.
    #[error("{url}: more than {limit} redirects")]
    Redirects {
        /// The last URL.
        url: String,
        /// The most that are followed.
        limit: usize,
    },
    /// The server says it has nothing to give.
    #[error("{url}: {}", status_words(*.status))]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The exchange broke off, or is not HTTP.
    #[error("{url}: {reason}")]
    Broken {
        /// What was asked for.
        url: String,
        /// What went wrong.
        reason: String,
    },
}

fn status_words(status: u16) -> String {
    match status {
        404 | 410 => format!("not found (HTTP status {status})"),
        401 | 403 => format!("the server does not give it to everyone (HTTP status {status})"),
        _ => format!("the server answered with HTTP status {status}"),
    }
}
