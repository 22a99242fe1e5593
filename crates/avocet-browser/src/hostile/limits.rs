//! Pages that take too much, and browsers that die.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{VIEW, page};
use crate::chromium::BrowserError;
use crate::error::RenderError;
use crate::limits::RenderLimits;
use crate::renderer::Renderer;
use crate::view::Extent;

const PLAIN: &str = "<h1>Plain</h1>";

fn text(renderer: &mut Renderer, html: &str) -> Result<String, RenderError> {
    let rendered = renderer.render(&Arc::new(page(html)), VIEW, Extent::Screen)?;
    Ok(rendered.seen.text())
}

fn strict() -> RenderLimits {
    RenderLimits {
        // A busy machine needs seconds to fill the memory that one of these pages asks for.
        load: Duration::from_secs(10),
        page: Duration::from_secs(20),
        elements: 5_000,
        memory_bytes: 900 << 20,
        ..RenderLimits::default()
    }
}

#[test]
fn a_page_that_takes_too_much_fails_alone() {
    let mut renderer = Renderer::new(strict()).unwrap();
    let endless = "<script>for (;;) {}</script>";
    let error = text(&mut renderer, endless).unwrap_err();
    assert_eq!(error.reason(), "took too long", "{error}");
    assert_eq!(text(&mut renderer, PLAIN).unwrap(), "Plain");
    let swelling = "<script>const all = []; setInterval(() => { for (let i = 0; i < 20; i++) all.push(new Uint8Array(8 << 20).fill(1)); }, 1)</script>";
    let error = text(&mut renderer, swelling).unwrap_err();
    assert!(
        matches!(
            error,
            RenderError::Browser(BrowserError::TooLarge(900)) | RenderError::Crashed
        ),
        "{error}"
    );
    assert_eq!(text(&mut renderer, PLAIN).unwrap(), "Plain");
    let crowded = "<script>for (let i = 0; i < 9000; i++) document.write('<b>x</b>')</script>";
    let error = text(&mut renderer, crowded).unwrap_err();
    assert!(matches!(error, RenderError::TooLarge(5_000)), "{error}");
    // Asks, timers and dialogs do not hold a page up.
    let nagging = "<h1>Plain</h1><script>alert(1); confirm(2); prompt(3); print(); onbeforeunload = () => 1; setInterval(() => {}, 1)</script>";
    assert_eq!(text(&mut renderer, nagging).unwrap(), "Plain");
}

#[test]
fn a_browser_killed_at_work_is_replaced_and_no_page_is_lost() {
    let mut renderer = Renderer::new(RenderLimits::default()).unwrap();
    renderer.start().unwrap();
    let process = renderer.browser().unwrap().process_id();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(150));
        // SAFETY: ends a process that this test has started.
        unsafe { libc::kill(process as i32, libc::SIGKILL) };
    });
    for _ in 0..3 {
        assert_eq!(text(&mut renderer, PLAIN).unwrap(), "Plain");
    }
    assert_eq!(renderer.restarts(), 1);
    let process = renderer.browser().unwrap().process_id();
    drop(renderer);
    assert!(
        !fs::exists(format!("/proc/{process}")).unwrap(),
        "the browser is still there, or was not waited for"
    );
}

#[test]
fn two_renderings_are_the_same_whatever_clock_and_chance_say() {
    let html = "<style>@keyframes k { to { margin-left: 90px } } h1 { animation: k 3s infinite; transition: all 2s }</style>\
        <h1>x</h1><p id=o></p><input autofocus><script>let n = 0; setInterval(() => { n += 1; document.title = n; o.textContent = n + ' ' + Date.now() + ' ' + Math.random() + ' ' + new Date() }, 50)</script>";
    let mut renderer = Renderer::new(RenderLimits::default()).unwrap();
    let policy = Arc::new(page(html));
    let mut once = || renderer.render(&policy, VIEW, Extent::Whole).unwrap();
    let first = once();
    assert!(first.seen.text().contains("2024"), "{}", first.seen.text());
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(37));
        let again = once();
        assert!(again.picture == first.picture && again.seen.text() == first.seen.text());
    }
}

#[test]
fn a_browser_ends_soon() {
    let mut renderer = Renderer::new(RenderLimits::default()).unwrap();
    renderer.start().unwrap();
    let start = Instant::now();
    drop(renderer);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}
