//! A page's stay in the browser: its context and tab, what the browser says about it, and every
//! request it makes, judged by the [`RequestPolicy`].

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use avocet_fetch::web::Url;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::chromium::{Browser, BrowserError, Incoming};
use crate::error::RenderError;
use crate::limits::RenderLimits;
use crate::request_policy::{Fetched, Reply, RequestPolicy, Verdict};
use crate::scripts::Scripts;

/// Runs before any script of a page.
pub(crate) const PREPARE: &str = include_str!("prepare.js");
/// Runs before the script of a worker.
const WORKER: &str = include_str!("worker.js");
/// After so long without any news the browser is not waited for.
const QUIET: Duration = Duration::from_secs(3);
/// How often it is looked at what takes long.
const TICK: Duration = Duration::from_millis(100);
/// How many requests are asked of the web at once.
const AT_ONCE: usize = 6;
/// Navigations of the page itself, the first included.
const MAX_DOCUMENTS: usize = 10;

/// One page in a browser, from its opening to its end.
pub(crate) struct Visit<'a> {
    pub(crate) browser: &'a mut Browser,
    pub(crate) policy: &'a Arc<RequestPolicy>,
    pub(crate) limits: &'a RenderLimits,
    /// The context made for this page; none for a page of our own making.
    context: Option<String>,
    pub(crate) target: String,
    pub(crate) session: String,
    /// Sessions of targets that were stopped at their start, by target.
    attached: HashMap<String, String>,
    answers: HashMap<u64, Value>,
    waiting: VecDeque<(String, String, Url, &'static str)>,
    asking: usize,
    /// What the web has been asked for, by request.
    asked_for: HashMap<String, String>,
    /// What is under way, as the browser's network sees it.
    pub(crate) under_way: HashSet<String>,
    /// Requests of the web that would take the page elsewhere.
    leaving: HashSet<String>,
    requests: usize,
    pub(crate) documents: usize,
    bytes: u64,
    heard: Instant,
    pub(crate) interactive: bool,
    pub(crate) loaded: bool,
    crashed: bool,
    pub(crate) scripts: Scripts,
    /// What is being waited for, in words.
    pub(crate) awaited: &'static str,
    /// The page's own clock, in milliseconds.
    pub(crate) clock_ms: f64,
    /// When the page is shown as it is, so that there is time left to show it.
    pub(crate) end: Instant,
}

impl<'a> Visit<'a> {
    pub(crate) fn open(
        browser: &'a mut Browser,
        policy: &'a Arc<RequestPolicy>,
        limits: &'a RenderLimits,
    ) -> Result<Self, RenderError> {
        let mut visit = Self {
            browser,
            policy,
            limits,
            context: None,
            target: String::new(),
            session: String::new(),
            attached: HashMap::new(),
            answers: HashMap::new(),
            waiting: VecDeque::new(),
            asking: 0,
            asked_for: HashMap::new(),
            under_way: HashSet::new(),
            leaving: HashSet::new(),
            requests: 0,
            documents: 0,
            bytes: 0,
            heard: Instant::now(),
            interactive: false,
            loaded: false,
            crashed: false,
            scripts: Scripts::new(limits.page),
            awaited: "the browser",
            clock_ms: 0.0,
            end: Instant::now() + limits.page * 3 / 4,
        };
        let mut page = json!({"url": "about:blank"});
        // A context of its own costs a third of a small page's time.
        if !policy.is_ours() {
            let own = json!({"disposeOnDetach": true});
            let context = visit.call(None, "Target.createBrowserContext", own)?;
            page["browserContextId"] = context["browserContextId"].clone();
            visit.context = Some(text(&context["browserContextId"]));
        }
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

    /// Whether nothing is on its way and nothing has happened for a while.
    pub(crate) fn is_quiet(&self) -> bool {
        self.asking == 0 && self.waiting.is_empty() && self.heard.elapsed() > QUIET
    }

    pub(crate) fn close(self) -> Result<(), RenderError> {
        let (method, params) = match self.context {
            Some(context) => (
                "Target.disposeBrowserContext",
                json!({"browserContextId": context}),
            ),
            None => ("Target.closeTarget", json!({"targetId": self.target})),
        };
        self.browser.send(None, method, params)?;
        Ok(())
    }

    pub(crate) fn send(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<u64, BrowserError> {
        self.browser.send(session, method, params)
    }

    /// A command to the page.
    pub(crate) fn command(&mut self, method: &str, params: Value) -> Result<Value, RenderError> {
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
    pub(crate) fn answer(&mut self, id: u64, method: &str) -> Result<Value, RenderError> {
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

    /// As [`Visit::answer`]; nothing if it does not come within `patience`, or if a script was
    /// interrupted meanwhile, which may have been to give it, or if the page has left.
    pub(crate) fn answer_within(
        &mut self,
        id: u64,
        patience: Duration,
    ) -> Result<Option<Value>, RenderError> {
        const GRACE: Duration = Duration::from_millis(300);
        let (start, interrupted) = (Instant::now(), self.scripts.interrupted());
        let mut until = start + patience;
        self.answers.insert(id, Value::Null);
        while !self.answers[&id].is_object() && Instant::now() < until {
            self.hear()?;
            if self.scripts.interrupted() != interrupted {
                until = until.min(Instant::now() + GRACE);
            }
        }
        let mut answer = self.answers.remove(&id).unwrap_or_default();
        Ok(match answer["result"].take() {
            Value::Null => None,
            result => Some(result),
        })
    }

    /// Waits for the next thing to be heard, but not for long.
    pub(crate) fn hear(&mut self) -> Result<(), RenderError> {
        if let Some(heard) = self.browser.receive_within(TICK)? {
            self.handle(heard)?;
        }
        let browser = &*self.browser;
        for (method, params) in self.scripts.due(|| browser.processor_time()) {
            let session = self.session.clone();
            let id = self.send(Some(&session), method, params)?;
            self.scripts.sent(method, id);
        }
        Ok(())
    }

    /// What is waited for, in words.
    pub(crate) fn waits_for(&self) -> String {
        match self.asked_for.values().next() {
            _ if self.scripts.is_stuck() => "a script of it that does not end".into(),
            Some(url) => url.chars().take(200).collect(),
            None => self.awaited.into(),
        }
    }

    fn handle(&mut self, heard: Incoming) -> Result<(), RenderError> {
        if let Incoming::Message(message) = &heard
            && self.scripts.answered(&message["id"])
        {
            return Ok(());
        }
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
            "Network.requestWillBeSent" if ours => {
                self.under_way.insert(text(&params["requestId"]));
            }
            "Network.loadingFinished" | "Network.loadingFailed" if ours => {
                self.under_way
                    .remove(params["requestId"].as_str().unwrap_or_default());
            }
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
                let source = json!({"expression": WORKER});
                self.send(Some(&session), "Runtime.evaluate", source)?;
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
            self.policy.judge(&url, &method, &kind)
        } else {
            Verdict::Refuse
        };
        match verdict {
            Verdict::Reply(reply) => self.reply(&session, &request, reply),
            Verdict::Ask(url) => {
                if document && self.documents > 1 {
                    self.leaving.insert(request.clone());
                }
                self.asked_for.insert(request.clone(), url.to_string());
                self.waiting
                    .push_back((session, request, url, accept(&kind)));
                self.ask_more();
                Ok(())
            }
            Verdict::Refuse if document && self.documents > 1 => {
                // An answer that leads nowhere ends nothing that the network would tell of.
                self.under_way
                    .remove(params["networkId"].as_str().unwrap_or_default());
                self.stay(&session, &request)
            }
            Verdict::Refuse => self.refuse(&session, &request),
        }
    }

    fn ask_more(&mut self) {
        while self.asking < AT_ONCE {
            let Some((session, request, url, accept)) = self.waiting.pop_front() else {
                return;
            };
            self.asking += 1;
            let (policy, outbox) = (Arc::clone(self.policy), self.browser.outbox());
            thread::spawn(move || {
                let outcome = policy.ask(&url, accept);
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
        self.asked_for.remove(&fetched.request);
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
