//! One page from its gate to a screenshot and what is seen on it.
//!
//! A fresh browser context (no cookies, storage or cache of another page) -> one tab whose every
//! request is paused and judged by the [`Gate`] -> load -> a fixed time of the page's own clock
//! -> what is seen, and the picture -> the context is thrown away.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use avocet_media::web::Url;
use avocet_media::{Limits, Picture, decode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::chromium::{Browser, BrowserError, Incoming};
use crate::error::RenderError;
use crate::gate::{Fetched, Gate, Reply, Verdict};
use crate::seen::Seen;
use crate::view::{Extent, View};

const PREPARE: &str = include_str!("prepare.js");
const OBSERVE: &str = include_str!("observe.js");
/// Time of the page's own clock between its loading and the screenshot.
const SETTLE_MS: u32 = 1_000;
/// The same after the window has grown to show the whole page.
const SETTLE_AGAIN_MS: u32 = 200;
/// After so long without any news the browser is not waited for.
const QUIET: Duration = Duration::from_secs(3);
/// How many requests are asked of the web at once.
const AT_ONCE: usize = 6;
/// Navigations of the page itself, the first included.
const MAX_DOCUMENTS: usize = 10;

/// How much one page may take.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderLimits {
    /// A page that has not loaded by then is shown as it is, or given up if nothing is there.
    pub load: Duration,
    /// The longest for everything; a browser that takes longer is ended.
    pub page: Duration,
    /// Most requests of a page.
    pub requests: usize,
    /// Most bytes of all answers together.
    pub bytes: u64,
    /// Most elements in the document.
    pub elements: u64,
    /// Most pixels of a screenshot.
    pub pixels: f64,
    /// Most rows of a whole page, in CSS pixels.
    pub height: u32,
    /// Most memory of the browser, all its processes together.
    pub memory_bytes: u64,
}

impl Default for RenderLimits {
    fn default() -> Self {
        Self {
            load: Duration::from_secs(20),
            page: Duration::from_secs(60),
            requests: 500,
            bytes: 96 << 20,
            elements: 100_000,
            pixels: 32e6,
            height: 12_000,
            memory_bytes: 2 << 30,
        }
    }
}

/// A page as a picture, and what is seen on it.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The screenshot.
    pub picture: Picture,
    /// What is seen, in its pixels.
    pub seen: Seen,
}

/// Shows one page in `browser`.
///
/// Errors if the page cannot be opened or takes too much. After [`RenderError::TooSlow`],
/// [`RenderError::Crashed`] and errors of the browser itself the browser must not be used again.
pub fn render(
    browser: &mut Browser,
    gate: &Arc<Gate>,
    (view, extent): (View, Extent),
    limits: &RenderLimits,
) -> Result<Rendered, RenderError> {
    browser.limit(limits.page);
    let mut visit = Visit::open(browser, gate, limits)?;
    let rendered = visit.shown(view, extent);
    let closed = visit.close();
    browser.rest();
    let rendered = rendered?;
    closed?;
    Ok(rendered)
}

struct Visit<'a> {
    browser: &'a mut Browser,
    gate: &'a Arc<Gate>,
    limits: &'a RenderLimits,
    context: String,
    target: String,
    session: String,
    /// Sessions of targets that were stopped at their start, by target.
    attached: HashMap<String, String>,
    answers: HashMap<u64, Value>,
    waiting: VecDeque<(String, String, Url, &'static str)>,
    asking: usize,
    /// Requests of the web that would take the page elsewhere.
    leaving: HashSet<String>,
    requests: usize,
    documents: usize,
    bytes: u64,
    heard: Instant,
    interactive: bool,
    loaded: bool,
    settled: bool,
    crashed: bool,
}

impl<'a> Visit<'a> {
    fn open(
        browser: &'a mut Browser,
        gate: &'a Arc<Gate>,
        limits: &'a RenderLimits,
    ) -> Result<Self, RenderError> {
        let mut visit = Self {
            browser,
            gate,
            limits,
            context: String::new(),
            target: String::new(),
            session: String::new(),
            attached: HashMap::new(),
            answers: HashMap::new(),
            waiting: VecDeque::new(),
            asking: 0,
            leaving: HashSet::new(),
            requests: 0,
            documents: 0,
            bytes: 0,
            heard: Instant::now(),
            interactive: false,
            loaded: false,
            settled: false,
            crashed: false,
        };
        let context = visit.call(
            None,
            "Target.createBrowserContext",
            json!({"disposeOnDetach": true}),
        )?;
        visit.context = text(&context["browserContextId"]);
        let page = json!({"url": "about:blank", "browserContextId": visit.context});
        let made = visit.send(None, "Target.createTarget", page)?;
        let made = visit.answer(made, "Target.createTarget")?;
        visit.target = text(&made["targetId"]);
        while !visit.attached.contains_key(&visit.target) {
            visit.hear()?;
        }
        visit.session = visit.attached[&visit.target].clone();
        // Whatever else was opened meanwhile is not ours.
        Ok(visit)
    }

    fn shown(&mut self, view: View, extent: Extent) -> Result<Rendered, RenderError> {
        self.prepare(view)?;
        let opened = self.command("Page.navigate", json!({"url": self.gate.url()}))?;
        let start = Instant::now();
        while !self.loaded && start.elapsed() < self.limits.load {
            self.hear_within(Duration::from_millis(100))?;
            // A part that is neither here nor failed, such as a frame that cannot be, is not
            // waited for once nothing else happens.
            self.loaded |= self.interactive && self.is_quiet();
        }
        if let Some(reason) = opened["errorText"].as_str() {
            return Err(RenderError::NotOpened(reason.to_owned()));
        }
        if !self.loaded {
            if !matches!(**self.gate, Gate::Web { .. }) {
                return Err(RenderError::TooSlow(self.limits.load.as_secs()));
            }
            self.command("Page.stopLoading", json!({}))?;
        }
        // The page's timers start together, at the first moment of the clock that is ours.
        self.command("Emulation.setVirtualTimePolicy", json!({"policy": "pause"}))?;
        let open = json!({"expression": "window[Symbol.for('avocet.open')]?.()", "timeout": 1_000});
        self.command("Runtime.evaluate", open)?;
        self.settle(SETTLE_MS)?;
        let mut height = view.height;
        match extent {
            Extent::Screen => {}
            Extent::Whole => height = self.whole_height(view)?,
            Extent::Fitted => height = self.fitted_height(view)?,
        }
        if height != view.height {
            self.window(View { height, ..view })?;
            self.settle(SETTLE_AGAIN_MS)?;
        }
        let seen = self.look()?.scaled(view.scale);
        let picture = self.picture(view.width, height)?;
        Ok(Rendered { picture, seen })
    }

    /// Everything that must stand before the page's first byte.
    fn prepare(&mut self, view: View) -> Result<(), RenderError> {
        let all = json!({"patterns": [{"urlPattern": "*", "requestStage": "Request"}]});
        let attach = json!({"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true});
        let media = json!({"features": [
            {"name": "prefers-reduced-motion", "value": "reduce"},
            {"name": "prefers-color-scheme", "value": "light"},
        ]});
        let commands = [
            ("Fetch.enable", all),
            ("Target.setAutoAttach", attach),
            ("Page.enable", json!({})),
            ("Network.enable", json!({})),
            ("Network.setBypassServiceWorker", json!({"bypass": true})),
            ("Network.setCacheDisabled", json!({"cacheDisabled": true})),
            ("Emulation.setDeviceMetricsOverride", metrics(view)),
            (
                "Emulation.setTimezoneOverride",
                json!({"timezoneId": "UTC"}),
            ),
            ("Emulation.setLocaleOverride", json!({"locale": "en-US"})),
            ("Emulation.setEmulatedMedia", media),
            (
                "Page.addScriptToEvaluateOnNewDocument",
                json!({"source": PREPARE, "runImmediately": true}),
            ),
            ("Runtime.runIfWaitingForDebugger", json!({})),
        ];
        let mut sent = Vec::new();
        for (method, params) in commands {
            let session = self.session.clone();
            sent.push((method, self.send(Some(&session), method, params)?));
        }
        for (method, id) in sent {
            // Network.enable makes events that nobody needs; it is on for its settings only.
            self.answer(id, method)?;
        }
        Ok(())
    }

    fn window(&mut self, view: View) -> Result<(), RenderError> {
        self.command("Emulation.setDeviceMetricsOverride", metrics(view))
            .map(drop)
    }

    /// Lets the page's own clock run for a fixed time, faster than ours where it only waits.
    fn settle(&mut self, budget_ms: u32) -> Result<(), RenderError> {
        self.settled = false;
        let policy = json!({
            "policy": "pauseIfNetworkFetchesPending", "budget": budget_ms,
            "maxVirtualTimeTaskStarvationCount": 10_000,
        });
        self.command("Emulation.setVirtualTimePolicy", policy)?;
        let start = Instant::now();
        let mut pushed = false;
        while !self.settled {
            self.hear_within(Duration::from_millis(100))?;
            if !pushed && start.elapsed() > QUIET && self.is_quiet() {
                pushed = true;
                let policy = json!({"policy": "advance", "budget": budget_ms});
                self.command("Emulation.setVirtualTimePolicy", policy)?;
            }
            if start.elapsed() > self.limits.load {
                if matches!(**self.gate, Gate::Web { .. }) {
                    return Ok(());
                }
                return Err(RenderError::TooSlow(self.limits.load.as_secs()));
            }
        }
        Ok(())
    }

    /// Whether nothing is on its way and nothing has happened for a while.
    fn is_quiet(&self) -> bool {
        self.asking == 0 && self.waiting.is_empty() && self.heard.elapsed() > QUIET
    }

    fn whole_height(&mut self, view: View) -> Result<u32, RenderError> {
        let sizes = self.command("Page.getLayoutMetrics", json!({}))?;
        let height = sizes["cssContentSize"]["height"]
            .as_f64()
            .unwrap_or(0.0)
            .ceil() as u32;
        let by_pixels = self.limits.pixels / (f64::from(view.width) * view.scale * view.scale);
        let most = self.limits.height.min(by_pixels as u32).max(view.height);
        Ok(height.clamp(view.height, most))
    }

    /// The height of the contents, in whole patches of 16 pixels.
    fn fitted_height(&mut self, view: View) -> Result<u32, RenderError> {
        const SMALLEST: u32 = 96;
        let look = json!({
            "expression": "document.body ? document.body.getBoundingClientRect().bottom : 0",
            "returnByValue": true,
        });
        let found = self.command("Runtime.evaluate", look)?;
        let height = found["result"]["value"].as_f64().unwrap_or(0.0).ceil() as u32;
        Ok(height
            .next_multiple_of(16)
            .clamp(SMALLEST.min(view.height), view.height))
    }

    /// What is seen, by a script in a world of its own.
    fn look(&mut self) -> Result<Seen, RenderError> {
        let frame = self.target.clone();
        let world = self.command(
            "Page.createIsolatedWorld",
            json!({"frameId": frame, "worldName": "avocet"}),
        )?;
        let limits =
            json!({"elements": self.limits.elements, "lines": 5_000, "characters": 200_000});
        let look = json!({
            "expression": format!("({OBSERVE})({limits})"),
            "contextId": world["executionContextId"],
            "returnByValue": true,
            "timeout": self.limits.load.as_millis() as u64,
        });
        let found = self.command("Runtime.evaluate", look)?;
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Found {
            TooLarge {
                #[serde(rename = "too_large")]
                _elements: u64,
            },
            Seen(Seen),
        }
        let json = found["result"]["value"].as_str().unwrap_or_default();
        match serde_json::from_str(json) {
            Ok(Found::Seen(seen)) => Ok(seen),
            Ok(Found::TooLarge { .. }) => Err(RenderError::TooLarge(self.limits.elements)),
            Err(error) => {
                let thrown = &found["exceptionDetails"]["exception"]["description"];
                let reason = thrown.as_str().map_or(error.to_string(), str::to_owned);
                Err(RenderError::NotOpened(reason))
            }
        }
    }

    fn picture(&mut self, width: u32, height: u32) -> Result<Picture, RenderError> {
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let shot = json!({"format": "png", "clip": clip, "optimizeForSpeed": true, "captureBeyondViewport": false});
        let taken = self.command("Page.captureScreenshot", shot)?;
        let data = taken["data"].as_str().unwrap_or_default();
        let bytes = BASE64_STANDARD.decode(data).unwrap_or_default();
        Ok(decode(&bytes, &Limits::default())?)
    }

    fn close(self) -> Result<(), RenderError> {
        let context = json!({"browserContextId": self.context});
        self.browser
            .send(None, "Target.disposeBrowserContext", context)?;
        Ok(())
    }

    fn send(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<u64, BrowserError> {
        self.browser.send(session, method, params)
    }

    /// A command to the page.
    fn command(&mut self, method: &str, params: Value) -> Result<Value, RenderError> {
        let session = self.session.clone();
        self.call(Some(&session), method, params)
    }

    fn call(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, RenderError> {
        let id = self.send(session, method, params)?;
        self.answer(id, method)
    }

    /// Waits for the answer to a command; meanwhile requests and the rest are dealt with.
    fn answer(&mut self, id: u64, method: &str) -> Result<Value, RenderError> {
        self.answers.insert(id, Value::Null);
        loop {
            if self.answers[&id].is_object() {
                let mut answer = self.answers.remove(&id).unwrap_or_default();
                if let Some(reason) = answer["error"]["message"].as_str() {
                    let (method, reason) = (method.to_owned(), reason.to_owned());
                    return Err(BrowserError::Refused { method, reason }.into());
                }
                return Ok(answer["result"].take());
            }
            self.hear()?;
        }
    }

    fn hear(&mut self) -> Result<(), RenderError> {
        let heard = self.browser.receive()?;
        self.handle(heard)
    }

    fn hear_within(&mut self, patience: Duration) -> Result<(), RenderError> {
        match self.browser.receive_within(patience)? {
            Some(heard) => self.handle(heard),
            None => Ok(()),
        }
    }

    fn handle(&mut self, heard: Incoming) -> Result<(), RenderError> {
        self.heard = Instant::now();
        match heard {
            Incoming::Message(message) => self.handle_message(message)?,
            Incoming::Fetched(fetched) => self.handle_fetched(fetched)?,
            Incoming::Closed => {}
        }
        if self.crashed {
            Err(RenderError::Crashed)
        } else {
            Ok(())
        }
    }

    fn handle_message(&mut self, message: Value) -> Result<(), RenderError> {
        if let Some(id) = message["id"].as_u64() {
            if let Some(slot) = self.answers.get_mut(&id) {
                *slot = message;
            }
            return Ok(());
        }
        let session = text(&message["sessionId"]);
        let params = &message["params"];
        let ours = session == self.session;
        match message["method"].as_str().unwrap_or_default() {
            "Fetch.requestPaused" => self.judge(session, params)?,
            "Page.loadEventFired" if ours => self.loaded = true,
            "Page.domContentEventFired" if ours => self.interactive = true,
            // A page that wanted to go elsewhere, and may not, stops without that event.
            "Page.frameStoppedLoading"
                if ours && self.documents > 1 && params["frameId"] == self.target.as_str() =>
            {
                self.loaded = true;
            }
            "Emulation.virtualTimeBudgetExpired" if ours => self.settled = true,
            "Page.javascriptDialogOpening" => {
                self.send(
                    Some(&session),
                    "Page.handleJavaScriptDialog",
                    json!({"accept": false}),
                )?;
            }
            "Inspector.targetCrashed" if ours => self.crashed = true,
            "Target.targetCrashed" if params["targetId"] == self.target.as_str() => {
                self.crashed = true
            }
            "Target.attachedToTarget" => self.meet(params)?,
            _ => {}
        }
        Ok(())
    }

    /// A target has been stopped at its start: a frame is judged like the page, a worker goes on
    /// without a network, and whatever else there is (another window, a service worker) is closed.
    fn meet(&mut self, params: &Value) -> Result<(), RenderError> {
        let (session, info) = (text(&params["sessionId"]), &params["targetInfo"]);
        let target = text(&info["targetId"]);
        match info["type"].as_str().unwrap_or_default() {
            "page" if self.target.is_empty() || target == self.target => {
                self.attached.insert(target, session);
            }
            "iframe" => {
                let all = json!({"patterns": [{"urlPattern": "*", "requestStage": "Request"}]});
                let source = json!({"source": PREPARE, "runImmediately": true});
                self.send(Some(&session), "Fetch.enable", all)?;
                self.send(Some(&session), "Page.enable", json!({}))?;
                self.send(
                    Some(&session),
                    "Page.addScriptToEvaluateOnNewDocument",
                    source,
                )?;
                self.send(Some(&session), "Runtime.runIfWaitingForDebugger", json!({}))?;
            }
            "worker" => {
                self.send(Some(&session), "Runtime.runIfWaitingForDebugger", json!({}))?;
            }
            _ => {
                self.send(None, "Target.closeTarget", json!({"targetId": target}))?;
            }
        }
        Ok(())
    }

    fn judge(&mut self, session: String, params: &Value) -> Result<(), RenderError> {
        let request = text(&params["requestId"]);
        let (asked, kind) = (&params["request"], text(&params["resourceType"]));
        let (url, method) = (text(&asked["url"]), text(&asked["method"]));
        let document = kind == "Document" && params["frameId"] == self.target.as_str();
        self.requests += 1;
        self.documents += usize::from(document);
        if url.starts_with("data:") || url.starts_with("blob:") || url.starts_with("about:") {
            // Made of the page itself; nothing is read for it.
            let params = json!({"requestId": request});
            self.send(Some(&session), "Fetch.continueRequest", params)?;
            return Ok(());
        }
        let allowed = self.requests <= self.limits.requests
            && self.documents <= MAX_DOCUMENTS
            && self.bytes <= self.limits.bytes;
        let verdict = if allowed {
            self.gate.judge(&url, &method, &kind)
        } else {
            Verdict::Refuse
        };
        match verdict {
            Verdict::Reply(reply) => self.reply(&session, &request, reply),
            Verdict::Ask(url) => {
                if document && self.documents > 1 {
                    self.leaving.insert(request.clone());
                }
                self.waiting
                    .push_back((session, request, url, accept(&kind)));
                self.ask_more();
                Ok(())
            }
            Verdict::Refuse if document && self.documents > 1 => self.stay(&session, &request),
            Verdict::Refuse => self.refuse(&session, &request),
        }
    }

    fn ask_more(&mut self) {
        while self.asking < AT_ONCE {
            let Some((session, request, url, accept)) = self.waiting.pop_front() else {
                return;
            };
            self.asking += 1;
            let (gate, outbox) = (Arc::clone(self.gate), self.browser.outbox());
            thread::spawn(move || {
                let outcome = gate.ask(&url, accept);
                // The page may be over by now.
                let _ = outbox.send(Incoming::Fetched(Fetched {
                    session,
                    request,
                    outcome,
                }));
            });
        }
    }

    fn handle_fetched(&mut self, fetched: Fetched) -> Result<(), RenderError> {
        // An answer to a page before this one comes to nobody.
        self.asking = self.asking.saturating_sub(1);
        self.ask_more();
        match fetched.outcome {
            Ok(reply) => self.reply(&fetched.session, &fetched.request, reply),
            Err(_) if self.leaving.contains(&fetched.request) => {
                self.stay(&fetched.session, &fetched.request)
            }
            Err(_) => self.refuse(&fetched.session, &fetched.request),
        }
    }

    fn reply(&mut self, session: &str, request: &str, reply: Reply) -> Result<(), RenderError> {
        self.bytes += reply.body.len() as u64;
        let headers: Vec<Value> = reply
            .headers
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        let params = json!({
            "requestId": request, "responseCode": reply.status, "responseHeaders": headers,
            "body": BASE64_STANDARD.encode(&reply.body),
        });
        self.send(Some(session), "Fetch.fulfillRequest", params)?;
        Ok(())
    }

    /// The page stays where it is: an answer without contents leads nowhere.
    fn stay(&mut self, session: &str, request: &str) -> Result<(), RenderError> {
        let (headers, body) = (Vec::new(), Vec::new());
        self.reply(
            session,
            request,
            Reply {
                status: 204,
                headers,
                body,
            },
        )
    }

    fn refuse(&mut self, session: &str, request: &str) -> Result<(), RenderError> {
        let params = json!({"requestId": request, "errorReason": "BlockedByClient"});
        self.send(Some(session), "Fetch.failRequest", params)?;
        Ok(())
    }
}

fn metrics(view: View) -> Value {
    json!({
        "width": view.width, "height": view.height, "deviceScaleFactor": view.scale,
        "mobile": view.mobile,
    })
}

fn accept(kind: &str) -> &'static str {
    match kind {
        "Document" => "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
        "Stylesheet" => "text/css,*/*;q=0.1",
        "Image" => "image/webp,image/png,image/svg+xml,image/*,*/*;q=0.8",
        _ => "*/*",
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
