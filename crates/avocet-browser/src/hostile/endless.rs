//! Pages that do not end, or never come to rest, and pages that are measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{VIEW, page};
use crate::error::RenderError;
use crate::limits::RenderLimits;
use crate::render::Rendered;
use crate::renderer::Renderer;
use crate::view::Extent;

const TITLE: &str = "<!doctype html><meta charset=utf-8><body style='margin:0'><h1>Harbour 27</h1>";

fn renderer() -> Renderer {
    let limits = RenderLimits {
        load: Duration::from_secs(10),
        page: Duration::from_secs(20),
        ..RenderLimits::default()
    };
    Renderer::new(limits).unwrap()
}

fn whole(renderer: &mut Renderer, html: &str) -> Result<Rendered, RenderError> {
    renderer.render(&Arc::new(page(html)), VIEW, Extent::Whole)
}

#[test]
fn a_script_that_does_not_end_is_interrupted_and_the_page_shown() {
    let mut renderer = renderer();
    for script in [
        "while (1);",
        "while (1) alert('again');",
        "while (!confirm('really'));",
        "setTimeout(() => { for (;;); }, 200)",
        "setInterval(() => { for (;;); }, 10)",
        "(function f() { Promise.resolve().then(f) })()",
        "/^(a+)+$/.test('a'.repeat(60) + 'b')",
    ] {
        let start = Instant::now();
        let shown = whole(&mut renderer, &format!("{TITLE}<script>{script}</script>"));
        let (text, took) = (shown.unwrap().seen.text(), start.elapsed());
        assert_eq!(text, "Harbour 27", "{script}");
        assert!(took < Duration::from_secs(20), "{script}: {took:?}");
    }
    assert_eq!(renderer.restarts(), 0, "no browser had to be ended");
    // Where the script alone would have shown something, it is said what was waited for.
    let error = whole(&mut renderer, "<script>while (1);</script>").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a script of it that does not end"),
        "{error}"
    );
}

#[test]
fn what_never_rests_comes_to_the_same_end_each_time() {
    let html = format!(
        "{TITLE}<p id=a></p><p id=b></p><p id=c></p><p id=d></p><p id=e></p><p id=f></p><p id=g></p>\
         <marquee>goes</marquee><svg width=90 height=20><rect width=9 height=9><animate attributeName=x to=80 dur=7s repeatCount=indefinite /></rect></svg>\
         <script>let [n, m, k, j] = [0, 0, 0, 0];\
         (function frame() {{ a.textContent = ++n + ' frames'; requestAnimationFrame(frame) }})();\
         setInterval(() => b.textContent = ++m + ' ticks ' + Date.now() + ' ' + new Intl.DateTimeFormat('en', {{timeStyle: 'medium'}}).format(), 7);\
         setTimeout(() => c.textContent = 'late', 3000);\
         const {{port1, port2}} = new MessageChannel(); port1.onmessage = () => {{ d.textContent = ++k + ' messages'; port2.postMessage(0) }}; port2.postMessage(0);\
         new ResizeObserver(() => {{ if (++j < 30) e.style.height = j + 'px'; e.textContent = j + ' sizes' }}).observe(e);\
         new IntersectionObserver((seen) => f.textContent = 'seen ' + seen[0].isIntersecting).observe(f);\
         g.textContent = crypto.randomUUID() + document.lastModified;\
         a.animate([{{marginLeft: 0}}, {{marginLeft: '90px'}}], {{duration: 900, iterations: Infinity}})</script>"
    );
    let (mut renderer, policy) = (renderer(), Arc::new(page(html)));
    let mut shown = || renderer.render(&policy, VIEW, Extent::Screen).unwrap();
    let first = shown();
    let text = first.seen.text();
    for said in [
        "313 frames",
        "714 ticks",
        "late",
        "messages",
        "30 sizes",
        "seen true",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    for _ in 0..3 {
        let again = shown();
        assert_eq!(again.seen.text(), text);
        assert!(again.picture == first.picture);
    }
}

#[test]
fn a_whole_page_keeps_the_window_it_is_made_for() {
    let paragraphs: String = (0..20).map(|n| format!("<p>Paragraph {n}</p>")).collect();
    let html = format!(
        "<!doctype html><style>html, body {{ height: 100%; margin: 0 }} h1 {{ margin: 0 }} p {{ margin: 0; height: 60px }}\
         .tall {{ height: 100vh; background: rgb(255, 0, 0) }} .half {{ height: 50%; background: rgb(0, 0, 255) }}\
         .top {{ position: fixed; top: 0; height: 20px; width: 100%; background: rgb(0, 255, 0) }}\
         .foot {{ position: sticky; bottom: 0; height: 30px; background: rgb(255, 255, 0) }}\
         .lazy {{ content-visibility: auto; contain-intrinsic-size: 60px; height: 60px }}\
         @media (min-height: 400px) {{ .tall {{ background: black }} }}</style>\
         <div class=top>Fixed</div><div class=tall><h1>Hero</h1></div><div class=half>Half</div>{paragraphs}\
         <div class=foot>Foot</div><div class=lazy>Lazy</div><p id=size></p>\
         <script>const say = () => size.textContent = 'sized ' + innerHeight + ' ' + resized; let resized = 0;\
         addEventListener('resize', () => {{ resized += 1; say() }}); say()</script>"
    );
    let shown = whole(&mut renderer(), &html).unwrap();
    let (picture, seen) = (&shown.picture, &shown.seen);
    assert_eq!(
        (picture.width, picture.height),
        (400, 300 + 150 + 20 * 60 + 30 + 60 + 60)
    );
    assert_eq!(seen.height, picture.height as f64);
    let colour = |x: usize, y: usize| {
        let start = 3 * (y * picture.width + x);
        [
            picture.rgb[start],
            picture.rgb[start + 1],
            picture.rgb[start + 2],
        ]
    };
    assert_eq!(colour(390, 10), [0, 255, 0], "fixed at the top");
    assert_eq!(
        (colour(390, 100), colour(390, 260)),
        ([255, 0, 0], [255, 0, 0]),
        "as tall as the window"
    );
    assert_eq!(
        colour(390, 285),
        [255, 255, 0],
        "stuck to the window's lower edge"
    );
    assert_eq!(
        (colour(390, 310), colour(390, 440)),
        ([0, 0, 255], [0, 0, 255]),
        "half the window"
    );
    let lines: Vec<(&str, f64)> = seen
        .lines
        .iter()
        .map(|line| (line.text.as_str(), line.place[1]))
        .collect();
    let at = |text: &str| {
        lines
            .iter()
            .find(|line| line.0 == text)
            .map(|line| line.1.round())
    };
    assert_eq!((at("Fixed"), at("Half")), (Some(0.0), Some(300.0)));
    assert_eq!(
        (at("Paragraph 0"), at("Paragraph 19")),
        (Some(450.0), Some(1590.0))
    );
    assert_eq!((at("Foot"), at("Lazy")), (Some(270.0), Some(1680.0)));
    assert_eq!(at("sized 300 0"), Some(1740.0), "{lines:?}");
}

#[test]
fn what_comes_only_when_somebody_comes_near_is_on_a_whole_page() {
    let html = "<!doctype html><style>body { margin: 0 }</style><div style='height:5000px'>Far</div>\
        <img loading=lazy style='display:block' src='data:image/svg+xml,<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"50\"><rect width=\"40\" height=\"50\" fill=\"red\"/></svg>'>\
        <p id=last style='height:40px;margin:0'>Not yet</p>\
        <script>new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) last.textContent = 'Here' }).observe(last)</script>";
    let shown = whole(&mut renderer(), html).unwrap();
    assert_eq!(shown.picture.height, 5090);
    assert_eq!(shown.seen.text(), "Far\nHere");
    let middle = 3 * (5025 * shown.picture.width + 20);
    assert_eq!(shown.picture.rgb[middle..middle + 3], [255, 0, 0]);
}
