//! Servers that count who comes: one that must stay alone, and one that is allowed.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use avocet_fetch::web::Resolve;

/// Listens on one port of several loopback addresses, over TCP and UDP.
pub(super) struct Canary {
    pub(super) port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Canary {
    pub(super) fn start() -> Self {
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let first = TcpListener::bind("127.0.0.2:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let mut listeners = vec![first];
        // 127.0.0.1 too, and IPv6 where this machine has it.
        for host in ["127.0.0.1", "::1"] {
            listeners.extend(TcpListener::bind((host, port)).ok());
        }
        for listener in listeners {
            let heard = Arc::clone(&heard);
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let mut stream = stream.unwrap();
                    let mut start = [0; 300];
                    stream
                        .set_read_timeout(Some(Duration::from_millis(200)))
                        .unwrap();
                    let read = stream.read(&mut start).unwrap_or(0);
                    let line = String::from_utf8_lossy(&start[..read])
                        .lines()
                        .next()
                        .unwrap_or("")
                        .to_owned();
                    heard.lock().unwrap().push(line);
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nCANARY-HEARD");
                }
            });
        }
        let udp = UdpSocket::bind(("127.0.0.2", port)).unwrap();
        let listener = Arc::clone(&heard);
        thread::spawn(move || {
            let mut bytes = [0; 64];
            while udp.recv_from(&mut bytes).is_ok() {
                listener.lock().unwrap().push("UDP".into());
            }
        });
        Self { port, heard }
    }

    /// What came, a moment after the last that could.
    pub(super) fn heard(&self) -> Vec<String> {
        thread::sleep(Duration::from_millis(300));
        self.heard.lock().unwrap().clone()
    }
}

/// The server that pages of these tests come from, at 127.0.0.1.
pub(super) struct Allowed {
    pub(super) port: u16,
    pub(super) visits: Arc<AtomicUsize>,
}

impl Allowed {
    /// Serves `page` at /, and sends /to/URL on to that URL.
    pub(super) fn start(page: impl Fn(u16) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (page, visits) = (page(port), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&visits);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, page) = (stream.unwrap(), page.clone());
                counter.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    let mut start = [0; 4096];
                    let read = stream.read(&mut start).unwrap_or(0);
                    let text = String::from_utf8_lossy(&start[..read]).into_owned();
                    let path = text.split(' ').nth(1).unwrap_or("/");
                    let answer = match path.strip_prefix("/to/") {
                        Some(target) => format!(
                            "HTTP/1.1 302 Found\r\nAccess-Control-Allow-Origin: *\r\nLocation: {target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        ),
                        None if path == "/" => format!(
                            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nRefresh: 0; url=http://127.0.0.2/\r\nLink: <http://127.0.0.2/>; rel=preload; as=image\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                            page.len()
                        ),
                        None => "HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                            .to_owned(),
                    };
                    let _ = stream.write_all(answer.as_bytes());
                });
            }
        });
        Self { port, visits }
    }
}

/// `allowed.test` is the allowed server; `rebinding.test` is so the first time only, and then
/// the canary.
#[derive(Debug, Default)]
pub(super) struct Names(AtomicUsize);

impl Resolve for Names {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let allowed = IpAddr::V4(Ipv4Addr::LOCALHOST);
        match host {
            "allowed.test" => Ok(vec![allowed]),
            "rebinding.test" if self.0.fetch_add(1, Ordering::SeqCst) == 0 => Ok(vec![allowed]),
            "rebinding.test" | "inside.test" => Ok(vec![IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))]),
            _ => Err(io::Error::other("unknown")),
        }
    }
}

/// Admits the allowed server's address beside public ones.
pub(super) fn admits(address: IpAddr) -> bool {
    address == IpAddr::V4(Ipv4Addr::LOCALHOST) || avocet_fetch::web::is_public(address)
}
