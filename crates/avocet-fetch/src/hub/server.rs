//! A hub on this machine for the tests: lists, serves, and misbehaves as told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{Hub, HubSettings};

/// The commit that the test repository is at.
pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What happens to the next transfers of a file's contents, one each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection ends after so many bytes.
    Cut(usize),
    /// So many bytes come, then nothing, while the connection stays.
    Stall(usize),
    /// The last byte is another.
    Wrong,
    /// All bytes come, whatever was asked for.
    NoRange,
    /// Status 503.
    Busy,
}

/// A file of the repository.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) bytes: Vec<u8>,
    /// Served by redirect from the other server, with a SHA-256.
    pub(super) large: bool,
    pub(super) faults: Vec<Fault>,
}

/// Everything that tests change or look at.
#[derive(Default)]
pub(super) struct State {
    pub(super) files: BTreeMap<String, Stored>,
    /// Overrides the listing.
    pub(super) listing: Option<String>,
    /// Status of every answer, where not the usual.
    pub(super) status: Option<u16>,
    /// Overrides the etag of every file.
    pub(super) etag: Option<String>,
    /// Overrides the length that is promised of every small file.
    pub(super) length: Option<u64>,
    /// Where every request for a file is sent on to.
    pub(super) redirect: Option<String>,
    /// Wanted of requests to the hub itself.
    pub(super) token: Option<String>,
    /// Method, path, range and authorization of each request, at the hub and at the other server.
    pub(super) requests: Vec<String>,
}

/// Two servers, the hub and the one that has its large files.
pub(super) struct Server {
    pub(super) endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// A repository of a small model: configuration, tokenizer and two shards with their index.
    pub(super) fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let large = listen(state.clone(), None);
        let endpoint = listen(state.clone(), Some(large));
        let server = Self { endpoint, state };
        server.put("config.json", b"{\"model_type\": \"idefics\"}", false);
        server.put("tokenizer.json", b"{}", false);
        server.put("README.md", b"# no part of the model", false);
        let index = br#"{"weight_map": {"a": "model-00001-of-00002.safetensors",
                                        "b": "model-00002-of-00002.safetensors"}}"#;
        server.put("model.safetensors.index.json", index, false);
        for shard in [
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
        ] {
            let bytes: Vec<u8> = shard.bytes().cycle().take(1_000_003).collect();
            server.put(shard, &bytes, true);
        }
        server
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn put(&self, name: &str, bytes: &[u8], large: bool) {
        let (bytes, faults) = (bytes.to_vec(), Vec::new());
        let stored = Stored {
            bytes,
            large,
            faults,
        };
        self.state().files.insert(name.into(), stored);
    }

    pub(super) fn fail(&self, name: &str, faults: &[Fault]) {
        self.state().files.get_mut(name).unwrap().faults = faults.to_vec();
    }

    /// Requests so far that contain all of `words`.
    pub(super) fn count(&self, words: &[&str]) -> usize {
        let has_all = |request: &&String| words.iter().all(|word| request.contains(word));
        self.state().requests.iter().filter(has_all).count()
    }

    /// Settings with little patience, and a cache folder.
    pub(super) fn settings(&self, cache: &Path) -> HubSettings {
        HubSettings {
            stall_timeout: Duration::from_millis(900),
            retries: 2,
            pause: Duration::from_millis(1),
            ..HubSettings::new(&self.endpoint, cache.to_owned())
        }
    }

    pub(super) fn hub(&self, cache: &Path) -> Hub {
        Hub::new(self.settings(cache))
    }
}

/// The name that git gives to contents.
pub(super) fn git_sha1(bytes: &[u8]) -> String {
    let start = format!("blob {}\0", bytes.len());
    let hasher = Sha1::new_with_prefix(start).chain_update(bytes);
    format!("{:x}", hasher.finalize())
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Serves on a free port until the test ends; `large` is the address of the other server.
fn listen(state: Arc<Mutex<State>>, large: Option<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (state, large) = (state.clone(), large.clone());
            thread::spawn(move || answer(stream, &state, large.as_deref()));
        }
    });
    address
}

fn answer(stream: TcpStream, state: &Mutex<State>, large: Option<&str>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let first = lines.next()?.ok()?;
    let (mut range, mut authorization) = (0, String::new());
    for line in lines {
        let line = line.ok()?;
        let (name, value) = line.split_once(": ").unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                range = value
                    .strip_prefix("bytes=")?
                    .strip_suffix('-')?
                    .parse()
                    .ok()?
            }
            "authorization" => authorization = value.to_owned(),
            _ => {}
        }
        if line.is_empty() {
            break;
        }
    }
    let mut words = first.split(' ');
    let (method, path) = (words.next()?, words.next()?.to_owned());
    let place = if large.is_some() { "hub" } else { "store" };
    let mut state = state.lock().ok()?;
    state.requests.push(format!(
        "{place} {method} {path} range={range} {authorization}"
    ));
    let denied = state
        .token
        .as_ref()
        .is_some_and(|token| large.is_some() && authorization != format!("Bearer {token}"));
    if let Some(status) = state.status.or(denied.then_some(401)) {
        return write(&stream, status, &[], b"", None);
    }
    if path.starts_with("/api/models/") {
        let names: Vec<String> = state
            .files
            .keys()
            .map(|name| format!("{{\"rfilename\": \"{name}\", \"size\": 1}}"))
            .collect();
        let listing = format!(
            "{{\"sha\": \"{COMMIT}\", \"siblings\": [{}]}}",
            names.join(",")
        );
        let listing = state.listing.clone().unwrap_or(listing);
        return write(&stream, 200, &[], listing.as_bytes(), None);
    }
    let name = path.split_once(&format!("{COMMIT}/"))?.1.to_owned();
    let (etag, redirect) = (state.etag.clone(), state.redirect.clone());
    let length = state.length;
    let Some(stored) = state.files.get_mut(&name) else {
        return write(&stream, 404, &[], b"", None);
    };
    if let (Some(to), true) = (redirect, large.is_some()) {
        return write(&stream, 302, &[("Location", to)], b"", None);
    }
    if let (true, Some(large)) = (stored.large, large) {
        let headers = [
            (
                "X-Linked-Etag",
                format!("\"{}\"", etag.unwrap_or_else(|| sha256(&stored.bytes))),
            ),
            ("X-Linked-Size", stored.bytes.len().to_string()),
            ("Location", format!("{large}/store/{COMMIT}/{name}")),
        ];
        return write(&stream, 302, &headers, b"", None);
    }
    let etag = (
        "ETag",
        format!("\"{}\"", etag.unwrap_or_else(|| git_sha1(&stored.bytes))),
    );
    if method == "HEAD" {
        let length = length.unwrap_or(stored.bytes.len() as u64);
        let length = ("Content-Length", length.to_string());
        return write(&stream, 200, &[etag, length], b"", None);
    }
    let fault = (!stored.faults.is_empty()).then(|| stored.faults.remove(0));
    let mut bytes = stored.bytes.clone();
    drop(state);
    if fault == Some(Fault::Wrong) {
        *bytes.last_mut()? ^= 1;
    }
    if fault == Some(Fault::Busy) {
        return write(&stream, 503, &[], b"", None);
    }
    if range == 0 || fault == Some(Fault::NoRange) {
        return write(&stream, 200, &[etag], &bytes, fault);
    }
    let shown = format!("bytes {range}-{}/{}", bytes.len() - 1, bytes.len());
    write(
        &stream,
        206,
        &[("Content-Range", shown)],
        &bytes[range..],
        fault,
    )
}

fn write(
    mut stream: &TcpStream,
    status: u16,
    headers: &[(&str, String)],
    body: &[u8],
    fault: Option<Fault>,
) -> Option<()> {
    let mut head = format!("HTTP/1.1 {status} Test\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !head.contains("Content-Length") {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    let sent = match fault {
        Some(Fault::Cut(bytes) | Fault::Stall(bytes)) => &body[..bytes.min(body.len())],
        _ => body,
    };
    stream.write_all(sent).ok()?;
    if let Some(Fault::Stall(_)) = fault {
        // Until the client gives up and closes.
        let _ = stream.read(&mut [0]);
    }
    Some(())
}
