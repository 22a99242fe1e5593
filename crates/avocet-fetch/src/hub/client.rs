//! Questions to the hub over HTTP, and what its answers must look like.

use std::io::ErrorKind;
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use ureq::http::{HeaderMap, Method, Request, Response, Uri};
use ureq::{Agent, Body};

use super::id::{is_lower_hex, is_safe_file};
use super::{HubError, HubId, HubSettings};
use crate::agent;

/// Longest answer that lists a repository.
const MAX_LISTING_BYTES: u64 = 32 << 20;

/// Most files that a repository may have.
const MAX_FILES: usize = 100_000;

/// Most servers that a request may be sent on to.
const MAX_REDIRECTS: usize = 10;

/// Asks one hub.
pub(super) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
    stall_timeout: Duration,
    pub(super) retries: u32,
    pause: Duration,
}

/// A repository at one commit.
pub(super) struct Listing {
    pub(super) commit: String,
    pub(super) files: Vec<String>,
}

/// What the hub says of a file before it is fetched.
pub(super) struct Promise {
    /// SHA-256 of the contents (64 digits), or the SHA-1 that git gives them (40 digits).
    pub(super) etag: String,
    pub(super) bytes: u64,
}

#[derive(Deserialize)]
struct Repository {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Client {
    pub(super) fn new(settings: &HubSettings) -> Self {
        let config = agent::patient(&settings.endpoint, settings.stall_timeout)
            .http_status_as_error(false)
            // Redirects are followed here, since the first answer carries the checksum and the
            // token must not follow.
            .max_redirects(0)
            .max_redirects_will_error(false);
        Self {
            agent: config.build().new_agent(),
            endpoint: settings.endpoint.trim_end_matches('/').into(),
            token: settings.token.clone(),
            stall_timeout: settings.stall_timeout,
            retries: settings.retries,
            pause: settings.pause,
        }
    }

    /// Address of a file at a commit.
    pub(super) fn file_url(&self, id: &HubId, commit: &str, file: &str) -> String {
        let file: Vec<String> = file.split('/').map(percent).collect();
        format!(
            "{}/{}/resolve/{commit}/{}",
            self.endpoint,
            id.repository(),
            file.join("/")
        )
    }

    /// Asks which files the repository has, at which commit the revision is; again after a failure
    /// as often as `retries` says.
    pub(super) fn list(&self, id: &HubId, retries: u32) -> Result<Listing, HubError> {
        let url = format!(
            "{}/api/models/{}/revision/{}",
            self.endpoint,
            id.repository(),
            percent(&id.revision)
        );
        let answer = |reason: String| HubError::Answer {
            url: url.clone(),
            reason,
        };
        let text = self.patiently(retries, || {
            let (response, last) = self.follow(Method::GET, &url, None)?;
            check_status(&response, id, &last)?;
            let body = response.into_body().into_with_config();
            let read = body.limit(MAX_LISTING_BYTES).read_to_vec();
            read.map_err(|error| match error {
                ureq::Error::BodyExceedsLimit(limit) => {
                    answer(format!("the list of files is longer than {limit} bytes"))
                }
                error => self.broken(&last, error),
            })
        })?;
        let found: Repository = serde_json::from_slice(&text)
            .map_err(|error| answer(format!("no list of files: {error}")))?;
        if !HubId::is_commit(&found.sha) {
            return Err(answer(format!("sha {:?} is not a commit", found.sha)));
        }
        if HubId::is_commit(&id.revision) && found.sha != id.revision {
            return Err(answer(format!("sha {} is another commit", found.sha)));
        }
        if found.siblings.len() > MAX_FILES {
            let count = found.siblings.len();
            return Err(answer(format!(
                "{count} files; at most {MAX_FILES} are read"
            )));
        }
        let files: Vec<String> = found.siblings.into_iter().map(|s| s.rfilename).collect();
        match files.iter().find(|file| !is_safe_file(file)) {
            Some(file) => Err(answer(format!("the file name {file:?} is not safe"))),
            None => Ok(Listing {
                commit: found.sha,
                files,
            }),
        }
    }

    /// Asks for a file's checksum and length.
    pub(super) fn promise(&self, id: &HubId, url: &str) -> Result<Promise, HubError> {
        self.patiently(self.retries, || {
            let mut url = url.to_owned();
            for _ in 0..=MAX_REDIRECTS {
                let response = self.send(Method::HEAD, &url, None)?;
                let headers = response.headers();
                if response.status().is_redirection() && !headers.contains_key("x-linked-etag") {
                    url = location(&url, headers)?;
                    continue;
                }
                if !response.status().is_redirection() {
                    check_status(&response, id, &url)?;
                }
                return promise(headers).map_err(|reason| HubError::Answer { url, reason });
            }
            Err(too_many(url))
        })
    }

    /// Asks for a file's contents from byte `start` on, wherever they are; also gives the address
    /// that answered.
    pub(super) fn contents(
        &self,
        url: &str,
        start: u64,
    ) -> Result<(Response<Body>, String), HubError> {
        let range = (start > 0).then(|| format!("bytes={start}-"));
        self.follow(Method::GET, url, range.as_deref())
    }

    /// Tries again, after a while, what may succeed then.
    fn patiently<T>(
        &self,
        retries: u32,
        ask: impl Fn() -> Result<T, HubError>,
    ) -> Result<T, HubError> {
        let mut failures = 0;
        loop {
            match ask() {
                Err(error) if error.is_transient() && failures < retries => {
                    failures += 1;
                    self.rest(failures);
                }
                answer => return answer,
            }
        }
    }

    /// Waits before the retry after so many failures in a row.
    pub(super) fn rest(&self, failures: u32) {
        thread::sleep(self.pause * 2u32.pow(failures.saturating_sub(1).min(6)));
    }

    fn follow(
        &self,
        method: Method,
        url: &str,
        range: Option<&str>,
    ) -> Result<(Response<Body>, String), HubError> {
        let mut url = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(method.clone(), &url, range)?;
            if !response.status().is_redirection() {
                return Ok((response, url));
            }
            url = location(&url, response.headers())?;
        }
        Err(too_many(url))
    }

    fn send(
        &self,
        method: Method,
        url: &str,
        range: Option<&str>,
    ) -> Result<Response<Body>, HubError> {
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            // A compressed answer would have neither the promised length nor ranges.
            .header("accept-encoding", "identity");
        let is_hub = origin(url).is_some() && origin(url) == origin(&self.endpoint);
        if let Some(token) = self.token.as_ref().filter(|_| is_hub) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let request = request.body(()).map_err(|error| HubError::Answer {
            url: url.into(),
            reason: error.to_string(),
        })?;
        self.agent
            .run(request)
            .map_err(|error| self.broken(url, error))
    }

    /// What a failed transfer means.
    pub(super) fn broken(&self, url: &str, error: ureq::Error) -> HubError {
        let url = url.to_owned();
        match error {
            ureq::Error::Timeout(_) => HubError::Stalled {
                url,
                seconds: self.stall_timeout.as_secs_f64(),
            },
            // What will be no better a second later: no address, or no trust.
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::Rustls(_) => {
                HubError::Answer {
                    url,
                    reason: error.to_string(),
                }
            }
            ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData => HubError::Answer {
                url,
                reason: error.to_string(),
            },
            error => HubError::Network {
                url,
                reason: error.to_string(),
            },
        }
    }
}

fn too_many(url: String) -> HubError {
    let reason = format!("more than {MAX_REDIRECTS} redirects");
    HubError::Answer { url, reason }
}

/// Turns a status that is no success into an error.
pub(super) fn check_status(
    response: &Response<Body>,
    id: &HubId,
    url: &str,
) -> Result<(), HubError> {
    let (id, url) = (id.to_string(), url.to_owned());
    match response.status().as_u16() {
        200..=299 => Ok(()),
        status @ (401 | 403) => Err(HubError::Denied {
            id,
            status,
            advice: if status == 401 {
                "it does not exist, or set HF_TOKEN to a token that may read it"
            } else {
                "accept its terms on the hub with the account of HF_TOKEN"
            },
        }),
        404 => Err(HubError::NotFound { id, url }),
        status => Err(HubError::Status { url, status }),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Reads checksum and length; those of a large file come under names of their own, since the
/// others may be those of the redirect.
fn promise(headers: &HeaderMap) -> Result<Promise, String> {
    let large = header(headers, "x-linked-etag");
    let etag = large
        .or_else(|| header(headers, "etag"))
        .ok_or("no checksum: neither x-linked-etag nor etag")?;
    let etag = etag.trim_start_matches("W/").trim_matches('"');
    if !((etag.len() == 64 || etag.len() == 40) && is_lower_hex(etag)) {
        return Err(format!("etag {etag:?} is no checksum"));
    }
    let bytes = header(headers, "x-linked-size")
        .or_else(|| header(headers, "content-length").filter(|_| large.is_none()))
        .and_then(|bytes| bytes.parse().ok())
        .ok_or("no length")?;
    let etag = etag.to_owned();
    Ok(Promise { etag, bytes })
}

/// Where a redirect leads.
fn location(url: &str, headers: &HeaderMap) -> Result<String, HubError> {
    let wrong = |reason: String| HubError::Answer {
        url: url.to_owned(),
        reason,
    };
    let to = header(headers, "location").ok_or_else(|| wrong("redirect to nowhere".into()))?;
    let (scheme, host) = origin(url).ok_or_else(|| wrong("not an address".into()))?;
    if to.starts_with('/') && !to.starts_with("//") {
        return Ok(format!("{scheme}://{host}{to}"));
    }
    match origin(to) {
        Some((to_scheme, _)) if to_scheme == "https" || to_scheme == scheme => Ok(to.into()),
        _ => Err(wrong(format!("redirect to {to:?}"))),
    }
}

/// Scheme and host with port: who is asked.
fn origin(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let host = uri.authority()?.as_str().to_ascii_lowercase();
    (scheme == "https" || scheme == "http").then_some((scheme, host))
}

/// Percent-encodes one part of a path.
fn percent(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
