//! The tricks: every way we know for a page to make its browser speak to a server or read a file.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use avocet_fetch::web::{Fetcher, WebLimits};

use super::canary::{Allowed, Canary, Names, admits};
use super::{page, shown};
use crate::error::RenderError;
use crate::one::{address_by, web_policy};
use crate::request_policy::RequestPolicy;

/// In place of the canary's `http://HOST:PORT/N`.
const MARK: &str = "URL";

/// Spellings of loopback and of what lies near it; the port follows.
const HOSTS: &[&str] = &[
    "127.0.0.2",
    "localhost",
    "localhost.",
    "a.localhost",
    "2130706434",
    "0x7f000002",
    "0x7f.2",
    "017700000002",
    "0177.0.0.2",
    "127.2",
    "127.0.2",
    "0",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.2]",
    "[::ffff:7f00:2]",
    "[0:0:0:0:0:ffff:127.0.0.2]",
    "[64:ff9b::7f00:2]",
    "[2002:7f00:2::]",
    "127.0.0.2.",
    "①②⑦.⓪.⓪.②",
    "127。0。0。2",
    "%31%32%37.0.0.2",
    "inside.test",
    "rebinding.test",
    "user:pass@127.0.0.2",
    "169.254.169.254",
    "10.0.0.1",
    "[fe80::1]",
];

/// Elements and styles that load something by themselves.
const TAGS: &[&str] = &[
    "<img src='URL'>",
    "<img srcset='URL 1x'>",
    "<img loading=eager src='//BARE'>",
    "<img src='http:\\\\BARE'>",
    "<picture><source srcset='URL'><img></picture>",
    "<script src='URL'></script>",
    "<script type=module src='URL'></script>",
    "<script type=module>import 'URL';</script>",
    "<script type=importmap>{\"imports\": {\"x\": \"URL\"}}</script>",
    "<script type=speculationrules>{\"prefetch\": [{\"urls\": [\"URL\"]}], \"prerender\": [{\"urls\": [\"URL\"]}]}</script>",
    "<link rel=stylesheet href='URL'>",
    "<link rel=preload as=image href='URL'>",
    "<link rel=prefetch href='URL'>",
    "<link rel=prerender href='URL'>",
    "<link rel=dns-prefetch href='URL'>",
    "<link rel=preconnect href='URL'>",
    "<link rel=modulepreload href='URL'>",
    "<link rel=icon href='URL'>",
    "<link rel=manifest href='URL'>",
    "<link rel=search type='application/opensearchdescription+xml' href='URL'>",
    "<iframe src='URL'></iframe>",
    "<iframe srcdoc=\"<img src='URL'>\"></iframe>",
    "<iframe sandbox=allow-scripts srcdoc=\"<script src='URL'></script>\"></iframe>",
    "<iframe src=\"data:text/html,<img src='URL'>\"></iframe>",
    "<iframe src=\"data:text/html,<meta http-equiv=refresh content='0;url=URL'>\"></iframe>",
    "<iframe src=\"javascript:location='URL'\"></iframe>",
    "<object data='URL'></object>",
    "<embed src='URL'>",
    "<video src='URL' autoplay muted preload=auto></video>",
    "<video poster='URL'></video>",
    "<audio src='URL' preload=auto></audio>",
    "<video><source src='URL'><track default src='URL'></video>",
    "<input type=image src='URL'>",
    "<table background='URL'><tr><td background='URL'>x</table>",
    "<style>@import 'URL';</style>",
    "<style>@font-face { font-family: f; src: url('URL'); } p { font-family: f; }</style><p>text</p>",
    "<div style=\"background: url('URL')\">x</div>",
    "<div style=\"background: image-set('URL' 1x)\">x</div>",
    "<div style=\"border: 3px solid; border-image: url('URL') 3\">x</div>",
    "<div style=\"mask-image: url('URL#m')\">x</div>",
    "<div style=\"filter: url('URL#f')\">x</div>",
    "<div style=\"clip-path: url('URL#c')\">x</div>",
    "<div style=\"cursor: url('URL'), auto\">x</div>",
    "<ul style=\"list-style: url('URL')\"><li>x</ul>",
    "<div style=\"shape-outside: url('URL'); float: left\">x</div>",
    "<style>q::before { content: url('URL'); }</style><q>x</q>",
    "<svg><image href='URL' width=9 height=9 /></svg>",
    "<svg><use href='URL#x' /></svg>",
    "<svg><filter id=fi><feImage href='URL'/></filter><rect filter='url(#fi)' width=9 height=9 /></svg>",
    "<svg><script href='URL'></script></svg>",
];

/// Scripts. `say` writes what was learnt where the test would see it.
const SCRIPTS: &[&str] = &[
    "fetch('URL').then(r => r.text()).then(say)",
    "fetch('URL', {mode: 'no-cors'}).then(r => r.text()).then(say)",
    "fetch('URL', {method: 'POST', mode: 'no-cors', body: 'x'})",
    "fetch('URL', {keepalive: true, mode: 'no-cors'})",
    "const x = new XMLHttpRequest(); x.open('GET', 'URL'); x.onload = () => say(x.responseText); x.send()",
    "const x = new XMLHttpRequest(); x.open('POST', 'URL'); x.send('x')",
    "const x = new XMLHttpRequest(); x.open('GET', 'URL', false); x.send(); say(x.responseText)",
    "navigator.sendBeacon('URL', 'x')",
    "frame().navigator.sendBeacon('URL', 'x')",
    "new WebSocket('URL'.replace('http', 'ws'))",
    "new (frame().WebSocket)('URL'.replace('http', 'ws'))",
    "new EventSource('URL')",
    "new (frame().EventSource)('URL')",
    "new Image().src = 'URL'",
    "new Audio('URL').play()",
    "new FontFace('g', 'url(URL)').load()",
    "import('URL')",
    "new Worker('URL')",
    "new Worker(URL.createObjectURL(new Blob([\"importScripts('CANARY')\"])))",
    "new Worker(URL.createObjectURL(new Blob([\"fetch('CANARY')\"])))",
    "new Worker(URL.createObjectURL(new Blob([\"new WebSocket('CANARY'.replace('http', 'ws'))\"])))",
    "new Worker(URL.createObjectURL(new Blob([\"const x = new XMLHttpRequest(); x.open('GET', 'CANARY', false); x.send()\"])))",
    "new (frame().SharedWorker)(URL.createObjectURL(new Blob([\"fetch('CANARY')\"])))",
    "navigator.serviceWorker.register('URL')",
    "frame().navigator.serviceWorker.register('/sw.js')",
    "caches.open('c').then(c => c.add('URL'))",
    "new AudioContext().audioWorklet.addModule('URL')",
    "CSS.paintWorklet.addModule('URL')",
    "const p = new (frame().RTCPeerConnection)({iceServers: [{urls: 'stun:127.0.0.2:PORT'}]}); p.createDataChannel('d'); p.createOffer().then(o => p.setLocalDescription(o))",
    "const p = new RTCPeerConnection({iceServers: [{urls: 'turn:127.0.0.2:PORT?transport=tcp', username: 'u', credential: 'c'}]}); p.createDataChannel('d'); p.createOffer().then(o => p.setLocalDescription(o))",
    "new WebTransport('URL'.replace('http', 'https'))",
    "window.open('URL')",
    "frame().open('URL', '_blank', 'noopener')",
    "const a = document.createElement('a'); a.href = 'URL'; a.target = '_blank'; a.click()",
    "const a = document.createElement('a'); a.href = '#'; a.ping = 'URL'; document.body.append(a); a.click()",
    "const f = document.createElement('form'); f.action = 'URL'; f.target = 'sink'; document.body.append(f); f.submit()",
    "const f = document.createElement('form'); f.action = 'URL'; f.method = 'post'; f.target = 'sink'; document.body.append(f); f.submit()",
    "frame().location = 'URL'",
    "const s = document.createElement('script'); s.src = 'URL'; document.head.append(s)",
    "document.body.insertAdjacentHTML('beforeend', \"<img src='URL'>\")",
    "frame().document.write(\"<script src='URL'></\" + 'script>')",
    "const i = document.createElement('iframe'); i.src = URL.createObjectURL(new Blob([\"<img src='CANARY'>\"], {type: 'text/html'})); document.body.append(i)",
    "const m = document.createElement('meta'); m.httpEquiv = 'Content-Security-Policy'; m.content = \"default-src * data: blob: 'unsafe-inline' 'unsafe-eval'; report-uri URL\"; document.head.append(m)",
    "fetch('/to/URL').then(r => r.text()).then(say)",
    "fetch('/to/URL', {mode: 'no-cors'})",
    "new Image().src = '/to/URL'",
    "const s = document.createElement('script'); s.src = '/to/URL'; document.head.append(s)",
    "frame().location = '/to/URL'",
    "const x = new XMLHttpRequest(); x.open('GET', '/to/URL', false); x.send(); say(x.responseText)",
];

/// What would take the page itself elsewhere, one after another: each refused one leaves it there.
const LEAVE: &[&str] = &[
    "const a = document.createElement('a'); a.href = 'URL'; a.download = 'x'; a.click()",
    "location = 'URL'",
    "location.replace('URL')",
    "location.href = '/to/URL'",
    "const f = document.createElement('form'); f.action = 'URL'; document.body.append(f); f.submit()",
    "const f = document.createElement('form'); f.action = 'URL'; f.method = 'post'; document.body.append(f); f.submit()",
    "const a = document.createElement('a'); a.href = 'URL'; a.click()",
    "const m = document.createElement('meta'); m.httpEquiv = 'refresh'; m.content = '0; url=URL'; document.head.append(m)",
    "location = 'FILE'",
    "location = 'view-source:FILE'",
    "location = 'chrome://version'",
];

/// Ways to a file; FILE is its URL.
const FILES: &[&str] = &[
    "fetch('FILE').then(r => r.text()).then(say)",
    "const x = new XMLHttpRequest(); x.open('GET', 'FILE'); x.onload = () => say(x.responseText); x.send()",
    "const x = new XMLHttpRequest(); x.open('GET', 'FILE', false); x.send(); say(x.responseText)",
    "const s = document.createElement('script'); s.src = 'FILE'; document.head.append(s)",
    "import('FILE').then(m => say(JSON.stringify(m)))",
    "new Worker('FILE')",
    "const i = document.createElement('iframe'); i.src = 'FILE'; document.body.append(i)",
    "const i = document.createElement('iframe'); i.src = 'view-source:FILE'; document.body.append(i)",
    "const i = document.createElement('object'); i.data = 'FILE'; document.body.append(i)",
    "document.head.insertAdjacentHTML('beforeend', \"<link rel=stylesheet href='FILE'>\")",
    "fetch('/secret.txt').then(r => r.text()).then(say)",
    "fetch('/../secret.txt').then(r => r.text()).then(say)",
    "fetch('/%2e%2e/secret.txt').then(r => r.text()).then(say)",
    "fetch('/..%2fsecret.txt').then(r => r.text()).then(say)",
    "fetch('/%2e%2e%5csecret.txt').then(r => r.text()).then(say)",
    "fetch('/link.txt').then(r => r.text()).then(say)",
    "fetch('/out/secret.txt').then(r => r.text()).then(say)",
    "fetch('//page.invalid/PATH').then(r => r.text()).then(say)",
    "fetch('http://page.invalid/etc/passwd').then(r => r.text()).then(say)",
    "window.open('FILE')",
];

/// All of it on one page; how many tricks there are.
fn everything(canary: u16, allowed: u16, file: &str) -> (String, usize) {
    let mut number = 0;
    let mut next = |trick: &str, host: &str| {
        number += 1;
        let bare = format!("{host}:{canary}/{number}");
        let url = format!("http://{bare}");
        trick
            .replace("URL.createObjectURL", "\u{1}")
            .replace("CANARY", &url)
            .replace("BARE", &bare)
            .replace(MARK, &url)
            .replace('\u{1}', "URL.createObjectURL")
            .replace("PORT", &canary.to_string())
            .replace("FILE", &format!("file://{file}"))
            .replace("PATH", file.trim_start_matches('/'))
    };
    let mut html = String::from(
        "<!DOCTYPE html><meta charset=utf-8><title>tricks</title><h1>Still here</h1><p id=out></p><iframe name=sink></iframe>\
         <script>const say = (text) => { document.getElementById('out').append(' said ' + text); };\
         const frame = () => { const f = document.createElement('iframe'); document.body.append(f); return f.contentWindow; };\
         const attempt = (trick) => { try { const p = trick(); if (p && p.catch) p.catch(() => 0); } catch (e) { /* refused */ } };</script>",
    );
    for host in HOSTS {
        html += &next("<img src='URL'>", host);
        html += &format!(
            "<script>attempt(() => {{ {} }});</script>",
            next("fetch('URL', {mode: 'no-cors'})", host)
        );
    }
    // Another port of the very server the page comes from.
    html += &next("<img src='URL'>", "allowed.test");
    for trick in TAGS {
        html += &next(trick, "127.0.0.2");
    }
    for trick in SCRIPTS.iter().chain(FILES) {
        html += &format!(
            "<script>attempt(() => {{ {} }});</script>",
            next(trick, "127.0.0.2")
        );
    }
    for (place, trick) in LEAVE.iter().enumerate() {
        let trick = next(trick, "127.0.0.2");
        html += &format!(
            "<script>setTimeout(() => attempt(() => {{ {trick} }}), {});</script>",
            40 * place + 20
        );
    }
    html += &format!(
        "<base href='http://127.0.0.2:{canary}/base/'><img src='relative.png'><p>The end</p><script>say('all of it')</script><!-- from port {allowed} -->"
    );
    (html, number + 1)
}

/// A file outside of everything, and a folder with links that lead there.
fn secret() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.txt");
    fs::write(&file, "SECRET-4711").unwrap();
    let site = folder.path().join("site");
    fs::create_dir(&site).unwrap();
    std::os::unix::fs::symlink(&file, site.join("link.txt")).unwrap();
    std::os::unix::fs::symlink(folder.path(), site.join("out")).unwrap();
    (folder, file.display().to_string())
}

fn check(rendered: crate::render::Rendered) {
    let text = rendered.seen.text();
    assert!(
        text.contains("Still here") && text.contains("said all of it"),
        "the page was left: {text}"
    );
    assert!(
        !text.contains("SECRET") && !text.contains("CANARY-HEARD"),
        "{text}"
    );
}

#[test]
fn a_page_from_the_web_reaches_nothing_inside_by_any_trick() {
    for shared in [true, false] {
        let canary = Canary::start();
        let (_folder, file) = secret();
        let server = Allowed::start(|port| everything(canary.port, port, &file).0);
        assert!(everything(1, 2, &file).1 >= 100);
        let fetcher = Arc::new(Fetcher::with_resolver(
            WebLimits::default(),
            Arc::new(Names::default()),
            admits,
        ));
        let url = format!("http://allowed.test:{}/", server.port);
        let answer = fetcher.get(&url).unwrap();
        let policy = web_policy(Arc::clone(&fetcher), &url, answer).unwrap();
        check(shown(policy, shared).unwrap());
        assert_eq!(canary.heard(), Vec::<String>::new());
        assert!(
            server.visits.load(Ordering::SeqCst) > 3,
            "the page could ask its own server"
        );
        // The canary does sing.
        drop(std::net::TcpStream::connect(("127.0.0.2", canary.port)).unwrap());
        assert_eq!(canary.heard().len(), 1);
    }
}

#[test]
fn a_local_page_reaches_neither_the_web_nor_another_file() {
    let canary = Canary::start();
    let (folder, file) = secret();
    let html = everything(canary.port, 1, &file).0;
    let path = folder.path().join("site/page.html");
    fs::write(&path, &html).unwrap();
    fs::write(folder.path().join("site/own.txt"), "own").unwrap();
    // Alone, it has nothing else; in its folder, the folder.
    check(shown(RequestPolicy::file(&path).unwrap(), true).unwrap());
    let root = folder.path().join("site").canonicalize().unwrap();
    check(
        shown(
            RequestPolicy::Folder {
                root: root.clone(),
                page: "page.html".into(),
            },
            true,
        )
        .unwrap(),
    );
    assert_eq!(canary.heard(), Vec::<String>::new());
    let own = "<p id=out></p><script>fetch('/own.txt').then(r => r.text()).then(t => { out.append(t + '!') })</script>";
    fs::write(&path, own).unwrap();
    let policy = RequestPolicy::Folder {
        root,
        page: "page.html".into(),
    };
    assert_eq!(shown(policy, false).unwrap().seen.text(), "own!");
}

#[test]
fn a_url_that_leads_inside_is_refused_before_any_browser_starts() {
    let canary = Canary::start();
    let server = Allowed::start(|_| String::new());
    let fetcher = || {
        Arc::new(Fetcher::with_resolver(
            WebLimits::default(),
            Arc::new(Names::default()),
            admits,
        ))
    };
    let inside = format!("http://127.0.0.2:{}/", canary.port);
    for url in [
        inside.clone(),
        format!("http://allowed.test:{}/to/{inside}", server.port),
    ] {
        let error = address_by(fetcher(), &url, super::VIEW).unwrap_err();
        assert!(matches!(error, RenderError::Web(_)), "{error}");
        assert!(error.to_string().contains("127.0.0.2"), "{error}");
    }
    assert_eq!(canary.heard(), Vec::<String>::new());
}

#[test]
fn nothing_is_kept_from_one_page_for_the_next() {
    let set = "<p id=o></p><script>document.cookie = 'a=b'; localStorage.a = 'b'; o.append('set')</script>";
    let look = "<p id=o></p><script>o.append('seen ' + (document.cookie || '-') + (localStorage.a || '-'))</script>";
    let limits = crate::limits::RenderLimits::default();
    let mut renderer = crate::renderer::Renderer::new(limits).unwrap();
    let mut text = |html: &str| {
        let rendered = renderer.render(
            &Arc::new(page(html)),
            super::VIEW,
            crate::view::Extent::Screen,
        );
        rendered.unwrap().seen.text()
    };
    assert_eq!(text(set), "set");
    assert_eq!(text(look), "seen --");
}
