//! The fetcher against servers on this machine, which only these tests admit.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::*;

/// Answers every connection with the bytes registered for its path, and counts connections.
struct Server {
    port: u16,
    seen: Arc<AtomicUsize>,
}

impl Server {
    fn start(pages: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(AtomicUsize::new(0));
        let (counter, port_text) = (Arc::clone(&seen), port.to_string());
        let pages: BTreeMap<String, String> = pages
            .iter()
            .map(|(path, answer)| ((*path).to_owned(), answer.replace("PORT", &port_text)))
            .collect();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                let mut start = [0; 2048];
                let read = stream.read(&mut start).unwrap_or(0);
                let text = String::from_utf8_lossy(&start[..read]).into_owned();
                let path = text.split(' ').nth(1).unwrap_or("/");
                let none = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n".to_owned();
                let answer = pages.get(path).unwrap_or(&none);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, seen }
    }

    fn url(&self, path: &str) -> String {
        format!("http://allowed.test:{}{path}", self.port)
    }
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn to(location: &str) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

/// `allowed.test` is this machine, by an address that only the rule below admits.
#[derive(Debug, Default)]
struct Names {
    /// How often the trick name was asked for.
    asked: Mutex<usize>,
}

const ALLOWED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));

impl Resolve for Names {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        match host {
            "allowed.test" => Ok(vec![ALLOWED]),
            "mixed.test" => Ok(vec![ALLOWED, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))]),
            // The first answer is fine, later ones lead inside.
            "rebinding.test" => {
                let mut asked = self.asked.lock().unwrap();
                *asked += 1;
                let inside = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
                Ok(vec![if *asked == 1 { ALLOWED } else { inside }])
            }
            "slow.test" => {
                thread::sleep(Duration::from_secs(5));
                Ok(vec![ALLOWED])
            }
            _ => Err(io::Error::other("unknown")),
        }
    }
}

fn admits(address: IpAddr) -> bool {
    address == ALLOWED || is_public(address)
}

const LIMITS: WebLimits = WebLimits {
    max_bytes: 1000,
    max_redirects: 3,
    timeout: Duration::from_secs(2),
};

fn fetcher() -> Fetcher {
    Fetcher::with_resolver(LIMITS, Arc::new(Names::default()), admits)
}

#[test]
fn an_allowed_server_is_read_and_its_cookies_are_not() {
    let server = Server::start(&[
        (
            "/",
            "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nX-Y: z\r\nContent-Length: 5\r\n\r\nhello",
        ),
        ("/on", &to("/next")),
        ("/next", &to("http://allowed.test:PORT/")),
    ]);
    for path in ["/", "/on"] {
        let answer = fetcher().get(&server.url(path)).unwrap();
        assert_eq!(answer.body, b"hello");
        assert_eq!(answer.url.path(), "/");
        assert_eq!(
            (answer.header("set-cookie"), answer.header("x-y")),
            (None, Some("z"))
        );
    }
}

#[test]
fn every_spelling_of_an_inner_address_is_refused_before_a_connection() {
    let server = Server::start(&[]);
    let port = server.port;
    let hosts = [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[2001::7f00:1]",
        "127.0.0.1.",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "3232235777",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
    ];
    for host in hosts {
        let url = format!("http://{host}:{port}/");
        let strict = Fetcher::new(LIMITS);
        let error = strict.get(&url).unwrap_err();
        assert!(
            matches!(error, WebError::Address { .. } | WebError::NotAUrl { .. }),
            "{url}: {error}"
        );
    }
    assert_eq!(server.seen.load(Ordering::SeqCst), 0);
}

#[test]
fn redirects_to_the_inside_are_refused_one_by_one() {
    let canary = Server::start(&[("/", &ok("secret"))]);
    let inside = canary.port;
    let targets = [
        format!("http://127.0.0.2:{inside}/"),
        "http://127.0.0.2/".to_owned(),
        format!("http://localhost:{inside}/"),
        "http://2130706434/".to_owned(),
        "http://[::1]/".to_owned(),
        "//169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "ftp://allowed.test/".to_owned(),
        "gopher://127.0.0.1/".to_owned(),
        format!("http://allowed.test:{inside}/"),
        "http://allowed.test:22/".to_owned(),
        "http://user:pass@allowed.test/".to_owned(),
    ];
    for target in targets {
        let server = Server::start(&[("/", &to(&target))]);
        let error = fetcher().get(&server.url("/")).unwrap_err();
        assert!(
            matches!(
                error,
                WebError::Address { .. }
                    | WebError::Scheme { .. }
                    | WebError::Port { .. }
                    | WebError::Credentials { .. }
                    | WebError::NoHost { .. }
            ),
            "{target}: {error}"
        );
        assert_eq!(server.seen.load(Ordering::SeqCst), 1);
    }
    assert_eq!(canary.seen.load(Ordering::SeqCst), 0);
}

#[test]
fn a_name_is_resolved_once_and_each_of_its_addresses_must_be_admitted() {
    let server = Server::start(&[("/", &ok("first"))]);
    let fetcher = fetcher();
    let url = format!("http://rebinding.test:{}/", server.port);
    assert_eq!(fetcher.get(&url).unwrap().body, b"first");
    let error = fetcher.get(&url).unwrap_err();
    assert!(matches!(error, WebError::Address { .. }), "{error}");
    let error = fetcher
        .get(&format!("http://mixed.test:{}/", server.port))
        .unwrap_err();
    assert!(matches!(error, WebError::Address { .. }), "{error}");
    assert_eq!(server.seen.load(Ordering::SeqCst), 1);
}

#[test]
fn bytes_redirects_and_time_are_bounded() {
    let long = ok(&"x".repeat(2000));
    let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()
        + &format!("{:x}\r\n{}\r\n", 600, "y".repeat(600)).repeat(3)
        + "0\r\n\r\n";
    let server = Server::start(&[
        ("/long", &long),
        ("/endless", &endless),
        ("/loop", &to("/loop")),
        ("/gone", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
        ("/noise", "this is no HTTP\r\n\r\n"),
    ]);
    let fails = |path: &str| fetcher().get(&server.url(path)).unwrap_err();
    assert!(matches!(
        fails("/long"),
        WebError::TooLong { limit: 1000, .. }
    ));
    assert!(matches!(fails("/endless"), WebError::TooLong { .. }));
    assert!(matches!(
        fails("/loop"),
        WebError::Redirects { limit: 3, .. }
    ));
    assert!(matches!(
        fails("/gone"),
        WebError::Status { status: 404, .. }
    ));
    assert!(
        matches!(fails("/noise"), WebError::Broken { .. }),
        "{}",
        fails("/noise")
    );
    let error = fetcher()
        .get(&format!("http://slow.test:{}/", server.port))
        .unwrap_err();
    assert!(matches!(error, WebError::Timeout { .. }), "{error}");
    let error = fetcher().get("http://nowhere.test/").unwrap_err();
    assert!(matches!(error, WebError::NoHost { .. }), "{error}");
}

#[test]
fn what_is_no_web_url_is_refused_in_words() {
    for (text, word) in [
        ("file:///etc/passwd", "file"),
        ("ftp://a.test/", "ftp"),
        ("http://", "not a URL"),
        ("http://a b/", "not a URL"),
        ("http://me:secret@a.test/", "password"),
        ("data:text/html,x", "data"),
    ] {
        let error = web_url(text).unwrap_err().to_string();
        assert!(error.contains(word) && !error.contains("secret"), "{error}");
    }
}
