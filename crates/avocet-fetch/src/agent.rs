//! How hubs and registries are asked.

use std::time::Duration;

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

/// Who asks.
const USER_AGENT: &str = concat!("avocet/", env!("CARGO_PKG_VERSION"));

/// The certificates that the system trusts, so that a company's own and SSL_CERT_FILE count.
pub(crate) fn trusted() -> TlsConfig {
    let trusted = RootCerts::PlatformVerifier;
    TlsConfig::builder().root_certs(trusted).build()
}

/// Asks the server at `address`, and gives up when nothing comes for `stall`.
pub(crate) fn patient(address: &str, stall: Duration) -> ConfigBuilder<AgentScope> {
    let config = Agent::config_builder()
        .tls_config(trusted())
        .timeout_resolve(Some(stall))
        .timeout_connect(Some(stall))
        .timeout_recv_response(Some(stall))
        .timeout_per_read(Some(stall))
        .timeout_per_write(Some(stall))
        .user_agent(USER_AGENT);
    if is_own_machine(address) {
        config.proxy(None)
    } else {
        config
    }
}

/// Whether the server at this address runs on this machine, where a proxy cannot reach it.
fn is_own_machine(address: &str) -> bool {
    let uri: Option<Uri> = address.parse().ok();
    let host = uri.as_ref().and_then(|uri| uri.host());
    host.is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]")
}
