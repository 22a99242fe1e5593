//! What a page may have: every request of the browser comes here, and this answers it or does not.
//!
//! The browser has no network and opens no file; a reply of the policy is all it ever gets.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use avocet_fetch::web::{Answer, Fetcher, Url, WebError};
use avocet_media::named::find;

use crate::fonts::Fonts;

/// The host that pages without one of their own are shown under; the name can have no address.
pub const LOCAL_HOST: &str = "page.invalid";
/// A file of a page that is longer is not read.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// Where a page's parts may come from.
#[derive(Debug)]
pub enum RequestPolicy {
    /// The public internet. `first` is the page itself, already fetched.
    Web {
        /// Fetches the rest.
        fetcher: Arc<Fetcher>,
        /// What the user wrote.
        asked: Url,
        /// The page.
        first: Box<Answer>,
    },
    /// One page and nothing beside it.
    Page {
        /// The page.
        html: Vec<u8>,
        /// Its media type.
        media_type: &'static str,
        /// Typefaces that a page of our own making may load.
        fonts: Arc<Fonts>,
        /// We made it, so that it may share a browser's context with others that we made.
        ours: bool,
    },
    /// A folder's files, and nothing outside it.
    Folder {
        /// The folder, without symbolic links in its path.
        root: PathBuf,
        /// The page, as a path below the folder.
        page: PathBuf,
    },
}

/// What the browser is given for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// HTTP headers.
    pub headers: Vec<(String, String)>,
    /// Contents.
    pub body: Vec<u8>,
}

/// What the web answered to a request of the browser.
#[derive(Debug)]
pub struct Fetched {
    /// The session of the request.
    pub session: String,
    /// The browser's name for it.
    pub request: String,
    /// The answer.
    pub outcome: Result<Reply, WebError>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Verdict {
    /// It is answered at once.
    Reply(Reply),
    /// The web is asked, under the rules of the fetcher.
    Ask(Url),
    /// It fails.
    Refuse,
}

impl RequestPolicy {
    /// A file that is the whole page.
    pub fn file(path: &Path) -> Result<Self, &'static str> {
        let (html, media_type) = (read(path, None)?, media_type(path));
        Ok(Self::Page {
            html,
            media_type,
            fonts: Arc::default(),
            ours: false,
        })
    }

    /// Whether the page needs no browser context of its own.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::Page { ours: true, .. })
    }

    /// The URL under which the browser is told to open the page.
    pub fn url(&self) -> String {
        match self {
            Self::Web { first, .. } => first.url.as_str().to_owned(),
            Self::Page { .. } => format!("http://{LOCAL_HOST}/"),
            Self::Folder { page, .. } => {
                let mut url = Url::parse(&format!("http://{LOCAL_HOST}/")).expect("it is a URL");
                let parts = page.iter().map(|part| part.to_string_lossy());
                if page.to_str().is_none() {
                    url.set_path(&percent_encoded(page));
                } else if let Ok(mut segments) = url.path_segments_mut() {
                    segments.clear().extend(parts);
                }
                url.into()
            }
        }
    }

    /// Decides about a request for `url` by `method`, of the browser's resource type `kind`.
    pub fn judge(&self, url: &str, method: &str, kind: &str) -> Verdict {
        const UNWANTED: &[&str] = &[
            "WebSocket",
            "EventSource",
            "Media",
            "Ping",
            "Prefetch",
            "Manifest",
            "CSPViolationReport",
            "SignedExchange",
            "Preflight",
        ];
        let Ok(mut url) = Url::parse(url) else {
            return Verdict::Refuse;
        };
        if method != "GET" || UNWANTED.contains(&kind) {
            return Verdict::Refuse;
        }
        url.set_fragment(None);
        match self {
            Self::Web { first, .. } if first.url == url => Verdict::Reply(Reply {
                status: first.status,
                headers: first.headers.clone(),
                body: first.body.clone(),
            }),
            Self::Web { .. } if matches!(url.scheme(), "http" | "https") => Verdict::Ask(url),
            Self::Page {
                html, media_type, ..
            } if is_local(&url) && url.path() == "/" => {
                Verdict::Reply(whole(html.clone(), media_type))
            }
            Self::Page { fonts, .. } if is_local(&url) => match fonts.at(url.path()) {
                Some(font) => Verdict::Reply(whole(font.to_vec(), "font/ttf")),
                None => Verdict::Refuse,
            },
            Self::Folder { root, .. } if is_local(&url) => match from_folder(root, &url) {
                Ok((body, media_type)) => Verdict::Reply(whole(body, media_type)),
                Err(_) => Verdict::Refuse,
            },
            _ => Verdict::Refuse,
        }
    }

    /// Asks the web; what [`Verdict::Ask`] is for.
    ///
    /// Errors as the fetcher does, and for pages that may not ask.
    pub fn ask(&self, url: &Url, accept: &str) -> Result<Reply, WebError> {
        let Self::Web { fetcher, asked, .. } = self else {
            let (url, scheme) = (url.to_string(), "the web for a local page".to_owned());
            return Err(WebError::Scheme { url, scheme });
        };
        let answer = fetcher.once(url, asked, accept)?;
        Ok(Reply {
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
        })
    }
}

fn is_local(url: &Url) -> bool {
    url.scheme() == "http" && url.host_str() == Some(LOCAL_HOST) && url.port().is_none()
}

fn whole(body: Vec<u8>, media_type: &str) -> Reply {
    let header = ("Content-Type".to_owned(), media_type.to_owned());
    Reply {
        status: 200,
        headers: vec![header],
        body,
    }
}

/// A file below `root`, as the path of `url` names it.
fn from_folder(root: &Path, url: &Url) -> Result<(Vec<u8>, &'static str), &'static str> {
    let mut path = root.to_owned();
    for segment in url.path().split('/').filter(|segment| !segment.is_empty()) {
        let plain = percent_decoded(segment).ok_or("no file has such a name")?;
        let mut parts = Path::new(&plain).components();
        match (parts.next(), parts.next()) {
            (Some(Component::Normal(part)), None) => path.push(part),
            _ => return Err("no file has such a name"),
        }
    }
    // The name may be spelled with other letters of the same look.
    let path = find(&path).canonicalize().map_err(|_| "no such file")?;
    if !path.starts_with(root) {
        return Err("outside the folder");
    }
    Ok((read(&path, Some(root))?, media_type(&path)))
}

/// A path whose names are no text, byte by byte.
fn percent_encoded(path: &Path) -> String {
    let byte = |byte: &u8| match byte {
        b'/' | b'.' | b'-' | b'_' => char::from(*byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    path.as_os_str().as_bytes().iter().map(byte).collect()
}

/// The name that the segment of a URL stands for, which need not be text.
fn percent_decoded(text: &str) -> Option<OsString> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' && after.len() >= 2 {
            let digits = std::str::from_utf8(&after[..2]).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    (!bytes.contains(&0)).then(|| OsString::from_vec(bytes))
}

/// Reads a file; the reason is for the ledger. With `root`, what was opened must lie below it,
/// whatever has been renamed in the meantime.
pub fn read(path: &Path, root: Option<&Path>) -> Result<Vec<u8>, &'static str> {
    let unread = |_| "cannot be read";
    if !fs::metadata(path).map_err(unread)?.is_file() {
        return Err("not a file");
    }
    let file = File::open(path).map_err(unread)?;
    let metadata = file.metadata().map_err(unread)?;
    if let Some(root) = root {
        let opened = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        if !opened.is_ok_and(|opened| opened.starts_with(root)) {
            return Err("outside the folder");
        }
    }
    if !metadata.is_file() {
        return Err("not a file");
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unread)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err("larger than 16 MiB");
    }
    Ok(bytes)
}

/// Whether a file's name is that of a page.
pub fn is_page(path: &Path) -> bool {
    media_type(path).contains("html")
}

fn media_type(path: &Path) -> &'static str {
    let ending = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    match ending.as_str() {
        "html" | "htm" => "text/html",
        "xhtml" => "application/xhtml+xml",
        "css" => "text/css",
        "js" | "mjs" => "text/javascript",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "txt" => "text/plain",
        "xml" => "text/xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_folder_are_had_by_names_that_are_no_text_and_by_other_spellings() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let latin = PathBuf::from(OsString::from_vec(b"a b/caf\xe9.html".to_vec()));
        let composed = PathBuf::from("M\u{fc}ller?.html");
        fs::create_dir(root.join("a b")).unwrap();
        fs::write(root.join("Mu\u{308}ller?.html"), "two").unwrap();
        fs::write(root.join(&latin), "one").unwrap();
        for (page, text) in [(latin, "one"), (composed, "two")] {
            let policy = RequestPolicy::Folder {
                root: root.clone(),
                page,
            };
            let url = Url::parse(&policy.url()).unwrap();
            assert_eq!(
                from_folder(&root, &url),
                Ok((text.into(), "text/html")),
                "{url}"
            );
        }
        let missing = Url::parse("http://page.invalid/none.html").unwrap();
        assert_eq!(from_folder(&root, &missing), Err("no such file"));
    }
}
