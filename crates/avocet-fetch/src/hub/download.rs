//! One blob's way into the cache: locked, continued where it was cut, checked, then named.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest, Sha256};
use ureq::Body;
use ureq::http::Response;

use super::cache::{Cached, create_parent};
use super::client::{Client, Promise, check_status};
use super::error::io;
use super::{HubError, HubId};

/// Bytes read from the connection or the disk at once.
const CHUNK: usize = 256 << 10;

/// The checksum that a promise is about.
enum Checksum {
    /// Of the contents: large files.
    Sha256(Sha256),
    /// Of a git object, which is its length and the contents: small files.
    Git(Sha1),
}

impl Checksum {
    fn new(promise: &Promise) -> Self {
        if promise.etag.len() == 64 {
            return Self::Sha256(Sha256::new());
        }
        Self::Git(Sha1::new_with_prefix(format!("blob {}\0", promise.bytes)))
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Git(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Sha256(hasher) => format!("{:x}", hasher.finalize()),
            Self::Git(hasher) => format!("{:x}", hasher.finalize()),
        }
    }
}

/// Puts the promised contents into the cache, unless they are there; gives their path.
///
/// `progress` is told bytes so far and bytes in all.
pub(super) fn blob(
    client: &Client,
    cache: &Cached,
    id: &HubId,
    url: &str,
    promise: &Promise,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<PathBuf, HubError> {
    let path = cache.blob(&promise.etag);
    create_parent(&path)?;
    let lock_path = cache.lock(&promise.etag);
    create_parent(&lock_path)?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(io(&lock_path))?;
    // Whoever else makes this blob is waited for; the system unlocks when this file is closed,
    // even by a crash.
    lock.lock().map_err(io(&lock_path))?;
    if path.is_file() {
        return Ok(path);
    }
    let mut name = promise.etag.clone();
    name.push_str(".incomplete");
    let part = path.with_file_name(name);
    let mut failures = 0;
    loop {
        let before = length(&part);
        let error = match pull(client, id, url, promise, &part, progress) {
            Ok(()) => break,
            Err(error) => error,
        };
        match error {
            // A part left from before may have been wrong; it has been deleted.
            HubError::Checksum { .. } if before > 0 && failures < client.retries => failures += 1,
            error if error.is_transient() => {
                if length(&part) > before {
                    failures = 0;
                }
                if failures == client.retries {
                    return Err(error);
                }
                failures += 1;
                client.rest(failures);
            }
            error => return Err(error),
        }
    }
    fs::rename(&part, &path).map_err(io(&path))?;
    Ok(path)
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Continues `part` to its end and checks it; deletes it if it is wrong.
fn pull(
    client: &Client,
    id: &HubId,
    url: &str,
    promise: &Promise,
    part: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), HubError> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(part)
        .map_err(io(part))?;
    let mut checksum = Checksum::new(promise);
    let mut done = 0;
    if length(part) <= promise.bytes {
        done = read_again(&mut file, &mut checksum).map_err(io(part))?;
    }
    if done == 0 {
        restart(&mut file).map_err(io(part))?;
    }
    progress(done, promise.bytes);
    if done < promise.bytes {
        let (response, url) = client.contents(url, done)?;
        if done > 0 && !continues(&response, done) {
            restart(&mut file).map_err(io(part))?;
            (checksum, done) = (Checksum::new(promise), 0);
            if response.status() == 206 || response.status() == 416 {
                let reason = format!("status {} for another range", response.status().as_u16());
                return Err(HubError::Network { url, reason });
            }
        }
        check_status(&response, id, &url)?;
        let mut body = response.into_body().into_reader();
        let mut chunk = vec![0; CHUNK];
        while done < promise.bytes {
            let room = usize::try_from(promise.bytes - done).map_or(CHUNK, |left| left.min(CHUNK));
            let read = body
                .read(&mut chunk[..room])
                .map_err(|error| client.broken(&url, error.into()))?;
            if read == 0 {
                let reason = format!("ended after {done} of {} bytes", promise.bytes);
                return Err(HubError::Network { url, reason });
            }
            file.write_all(&chunk[..read]).map_err(io(part))?;
            checksum.update(&chunk[..read]);
            done += read as u64;
            progress(done, promise.bytes);
        }
    }
    // On the disk before it gets its name, so that a crash leaves no blob with holes.
    file.sync_all().map_err(io(part))?;
    let found = checksum.finish();
    if found == promise.etag {
        return Ok(());
    }
    fs::remove_file(part).map_err(io(part))?;
    Err(HubError::Checksum {
        url: url.into(),
        expected: promise.etag.clone(),
        found,
    })
}

/// Whether the answer begins at byte `start`.
fn continues(response: &Response<Body>, start: u64) -> bool {
    let range = response.headers().get("content-range");
    let range = range.and_then(|range| range.to_str().ok());
    response.status() == 206
        && range.is_some_and(|range| range.starts_with(&format!("bytes {start}-")))
}

/// Adds what the file has to `checksum`; gives its length, and leaves the file at its end.
fn read_again(file: &mut File, checksum: &mut Checksum) -> std::io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut done = 0;
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(done),
            read => {
                checksum.update(&chunk[..read]);
                done += read as u64;
            }
        }
    }
}

fn restart(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(())
}
