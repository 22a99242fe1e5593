//! Names to addresses, once, with every address checked before anything is connected.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The longest that a name server is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What turns a host's name into its addresses.
pub trait Resolve: Debug + Send + Sync + 'static {
    /// The addresses of `host`, which is a name and not an address.
    ///
    /// Errors if there are none.
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok((host, 0)
            .to_socket_addrs()?
            .map(|found| found.ip())
            .collect())
    }
}

/// Tells for an address whether it may be connected to.
pub(super) type Admits = fn(IpAddr) -> bool;

/// A host whose address may not be connected to, on its way through the HTTP client's errors.
#[derive(Debug, thiserror::Error)]
#[error("{host} has the address {address}")]
pub(super) struct RefusedAddress {
    pub(super) host: String,
    pub(super) address: IpAddr,
}

/// The resolver that the HTTP client is given: all that it can ever connect to comes from here.
#[derive(Debug)]
pub(super) struct CheckedResolver {
    pub(super) names: Arc<dyn Resolve>,
    pub(super) admits: Admits,
}

impl Resolver for CheckedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let default = if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        let port = uri.port_u16().unwrap_or(default);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = match bare.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.looked_up(bare, *timeout.after)?,
        };
        let mut checked = self.empty();
        for &address in &addresses {
            // One address inside among public ones is a trap, not a choice.
            if !(self.admits)(address) {
                let host = host.to_owned();
                return Err(ureq::Error::Other(Box::new(RefusedAddress {
                    host,
                    address,
                })));
            }
        }
        for address in addresses.into_iter().take(8) {
            checked.push(SocketAddr::new(address, port));
        }
        if checked.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        Ok(checked)
    }
}

impl CheckedResolver {
    /// Asks on a thread of its own, since the system's resolver cannot be told when to give up.
    fn looked_up(&self, host: &str, patience: Duration) -> Result<Vec<IpAddr>, ureq::Error> {
        let (tell, told) = mpsc::channel();
        let (names, name) = (Arc::clone(&self.names), host.to_owned());
        thread::spawn(move || {
            // Nobody listens any more once the time is over.
            let _ = tell.send(names.resolve(&name));
        });
        match told.recv_timeout(patience.min(PATIENCE)) {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(_)) => Err(ureq::Error::HostNotFound),
            Err(_) => Err(ureq::Error::Timeout(ureq::Timeout::Resolve)),
        }
    }
}
