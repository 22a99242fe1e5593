//! Servers on this very machine.

use ureq::http::Uri;

/// Whether the server at this address runs on this machine, where a proxy cannot reach it.
pub(crate) fn is_own_machine(address: &str) -> bool {
    let uri: Option<Uri> = address.parse().ok();
    let host = uri.as_ref().and_then(|uri| uri.host());
    host.is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]")
}
