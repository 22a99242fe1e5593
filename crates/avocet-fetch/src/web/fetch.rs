//! The fetcher: one GET at a time, checked, bounded, without memory of the last.

use std::io::Read;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use ureq::Agent;
use ureq::http::{HeaderMap, Request, Uri};
use ureq::unversioned::transport::DefaultConnector;
use url::Url;

use super::address::is_public;
use super::error::WebError;
use super::resolve::{CheckedResolver, RefusedAddress, Resolve, SystemResolver};
use crate::agent::trusted;

/// How much the web may ask of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebLimits {
    /// Most bytes of one answer, decompressed.
    pub max_bytes: u64,
    /// Most redirects of one [`Fetcher::get`].
    pub max_redirects: usize,
    /// Longest time from asking to the last byte of one answer.
    pub timeout: Duration,
}

impl Default for WebLimits {
    fn default() -> Self {
        Self {
            max_bytes: 48 << 20,
            max_redirects: 10,
            timeout: Duration::from_secs(20),
        }
    }
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Where it came from, redirects followed.
    pub url: Url,
    /// The HTTP status.
    pub status: u16,
    /// Headers, those about the connection, its coding and cookies left out.
    pub headers: Vec<(String, String)>,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Where a redirect leads.
    pub fn redirect(&self) -> Option<&str> {
        match self.status {
            301 | 302 | 303 | 307 | 308 => self.header("location"),
            _ => None,
        }
    }

    /// The kind of contents the server claims, such as `text/html`, in small letters.
    pub fn media_type(&self) -> String {
        let whole = self.header("content-type").unwrap_or_default();
        let kind = whole.split(';').next().unwrap_or_default();
        kind.trim().to_ascii_lowercase()
    }
}

/// Fetches from the public internet and from nowhere else.
#[derive(Debug)]
pub struct Fetcher {
    agent: Agent,
    limits: WebLimits,
}

/// Headers that speak of the connection or of cookies; neither leaves the fetcher.
const DROPPED: &[&str] = &[
    "set-cookie",
    "set-cookie2",
    "content-encoding",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "alt-svc",
    "report-to",
    "nel",
    "reporting-endpoints",
    "refresh",
    "link",
    "clear-site-data",
];

impl Fetcher {
    /// A fetcher of public addresses, by the system's resolver.
    pub fn new(limits: WebLimits) -> Self {
        Self::with_resolver(limits, Arc::new(SystemResolver), is_public)
    }

    /// A fetcher with its own names and its own rule of which addresses are admitted, for tests
    /// whose servers are all on the machine itself. No flag or variable leads here.
    pub fn with_resolver(
        limits: WebLimits,
        names: Arc<dyn Resolve>,
        admits: fn(IpAddr) -> bool,
    ) -> Self {
        let config = Agent::config_builder()
            .tls_config(trusted())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A proxy would resolve names itself, unchecked.
            .proxy(None)
            .timeout_global(Some(limits.timeout))
            .accept_encoding("identity")
            .user_agent(concat!(
                "Mozilla/5.0 (compatible; avocet/",
                env!("CARGO_PKG_VERSION"),
                ")"
            ))
            .build();
        let resolver = CheckedResolver { names, admits };
        let agent = Agent::with_parts(config, DefaultConnector::default(), resolver);
        Self { agent, limits }
    }

    /// Fetches `url` and follows redirects; the answer is the last one.
    ///
    /// Errors if any hop is refused, or if the last is no success.
    pub fn get(&self, url: &str) -> Result<Answer, WebError> {
        let asked = web_url(url)?;
        let start = Instant::now();
        let mut next = asked.clone();
        for _ in 0..=self.limits.max_redirects {
            // One limit for all hops: a server that leads on and on gets no more time.
            let left = self.limits.timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(self.timed_out(&asked));
            }
            let answer = self.once_within(&next, &asked, "*/*", left)?;
            let Some(target) = answer.redirect() else {
                return match answer.status {
                    200..300 => Ok(answer),
                    status => Err(WebError::Status {
                        url: shown(&next),
                        status,
                    }),
                };
            };
            next = next.join(target).map_err(|error| WebError::NotAUrl {
                url: target.to_owned(),
                reason: error.to_string(),
            })?;
        }
        let limit = self.limits.max_redirects;
        Err(WebError::Redirects {
            url: shown(&next),
            limit,
        })
    }

    /// Fetches `url` alone: a redirect is an answer like others. `asked` is what the user wrote,
    /// whose host and port may be used beside ports 80 and 443.
    ///
    /// Errors if the URL or its address is refused, or no whole answer comes.
    pub fn once(&self, url: &Url, asked: &Url, accept: &str) -> Result<Answer, WebError> {
        self.once_within(url, asked, accept, self.limits.timeout)
    }

    fn once_within(
        &self,
        url: &Url,
        asked: &Url,
        accept: &str,
        timeout: Duration,
    ) -> Result<Answer, WebError> {
        check(url, asked)?;
        let mut bare = url.clone();
        bare.set_fragment(None);
        let broken = |reason: String| WebError::Broken {
            url: shown(url),
            reason,
        };
        let uri: Uri = bare
            .as_str()
            .parse()
            .map_err(|error| broken(format!("{error}")))?;
        let request = Request::get(uri)
            .header("Accept", accept)
            .header("Accept-Language", "en-US,en;q=0.9")
            .body(())
            .map_err(|error| broken(error.to_string()))?;
        let request = self
            .agent
            .configure_request(request)
            .timeout_global(Some(timeout))
            .build();
        let response = self
            .agent
            .run(request)
            .map_err(|error| self.failed(url, error))?;
        let status = response.status().as_u16();
        let coding = header(response.headers(), "content-encoding");
        let headers = kept(response.headers());
        let limit = self.limits.max_bytes;
        let body = response
            .into_body()
            .into_with_config()
            .limit(limit)
            .read_to_vec()
            .map_err(|error| self.failed(url, error))?;
        let body = decoded(body, &coding, limit).map_err(|reason| match reason {
            Some(reason) => broken(reason),
            None => WebError::TooLong {
                url: shown(url),
                limit,
            },
        })?;
        Ok(Answer {
            url: bare,
            status,
            headers,
            body,
        })
    }

    fn timed_out(&self, url: &Url) -> WebError {
        let limit = self.limits.timeout;
        WebError::Timeout {
            url: shown(url),
            limit,
        }
    }

    fn failed(&self, url: &Url, error: ureq::Error) -> WebError {
        let host = url.host_str().unwrap_or_default().to_owned();
        let no_host = |reason: String| WebError::NoHost {
            host: host.clone(),
            reason,
        };
        match error {
            ureq::Error::Timeout(_) => self.timed_out(url),
            ureq::Error::HostNotFound => no_host("its name is not known".into()),
            ureq::Error::BodyExceedsLimit(limit) => WebError::TooLong {
                url: shown(url),
                limit,
            },
            ureq::Error::Other(cause) => match cause.downcast_ref::<RefusedAddress>() {
                Some(refused) => WebError::Address {
                    host,
                    address: refused.address,
                },
                None => WebError::Broken {
                    url: shown(url),
                    reason: cause.to_string(),
                },
            },
            other => WebError::Broken {
                url: shown(url),
                reason: other.to_string(),
            },
        }
    }
}

/// Reads a URL that may be fetched, as browsers read it: every spelling of an address becomes
/// the plain one.
///
/// Errors if it is no URL, neither http nor https, or has a user name or password.
pub fn web_url(text: &str) -> Result<Url, WebError> {
    let url = Url::parse(text).map_err(|error| WebError::NotAUrl {
        url: text.to_owned(),
        reason: error.to_string(),
    })?;
    check(&url, &url)?;
    Ok(url)
}

fn check(url: &Url, asked: &Url) -> Result<(), WebError> {
    if !matches!(url.scheme(), "http" | "https") {
        let (url, scheme) = (shown(url), url.scheme().to_owned());
        return Err(WebError::Scheme { url, scheme });
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(WebError::Credentials { url: shown(url) });
    }
    let port = url.port_or_known_default().unwrap_or(0);
    let own =
        url.host() == asked.host() && url.port_or_known_default() == asked.port_or_known_default();
    if matches!(port, 80 | 443) || own {
        Ok(())
    } else {
        Err(WebError::Port {
            url: shown(url),
            port,
        })
    }
}

/// A URL as it is shown: without a password, and not longer than a line or two.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().chars().take(200).collect()
}

fn header(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().trim().to_ascii_lowercase()
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let pairs = headers
        .iter()
        .filter(|(name, _)| !DROPPED.contains(&name.as_str()));
    let text = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|&byte| char::from(byte))
            .collect::<String>()
    };
    pairs
        .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
        .collect()
}

/// Undoes a compression that was not asked for; no reason given means too long.
fn decoded(body: Vec<u8>, coding: &str, limit: u64) -> Result<Vec<u8>, Option<String>> {
    let mut plain = Vec::new();
    let read = match coding {
        "" | "identity" => return Ok(body),
        "gzip" | "x-gzip" => MultiGzDecoder::new(&body[..])
            .take(limit + 1)
            .read_to_end(&mut plain),
        "deflate" => ZlibDecoder::new(&body[..])
            .take(limit + 1)
            .read_to_end(&mut plain),
        other => return Err(Some(format!("the answer is compressed as {other:?}"))),
    };
    read.map_err(|error| Some(format!("the answer does not decompress: {error}")))?;
    if plain.len() as u64 > limit {
        Err(None)
    } else {
        Ok(plain)
    }
}
