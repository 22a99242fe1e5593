//! One page from what it may have to a screenshot and what is seen on it.
//!
//! A fresh browser context (no cookies, storage or cache of another page) -> one tab whose every
//! request is paused and judged by the [`RequestPolicy`] -> load -> a fixed time of the page's own clock
//! -> what is seen, and the picture -> the context is thrown away.

use std::sync::Arc;
use std::time::Instant;

use avocet_media::{Limits, Picture, decode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::chromium::{Browser, BrowserError};
use crate::error::RenderError;
use crate::limits::RenderLimits;
use crate::request_policy::RequestPolicy;
use crate::snapshot::PageSnapshot;
use crate::view::{Extent, View};
use crate::visit::{PREPARE, Visit};

const OBSERVE: &str = include_str!("observe.js");

/// A page as a picture, and what is seen on it.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The screenshot.
    pub picture: Picture,
    /// What is seen, in its pixels.
    pub seen: PageSnapshot,
}

/// Shows one page in `browser`.
///
/// Errors if the page cannot be opened or takes too much. After [`RenderError::TooSlow`],
/// [`RenderError::Crashed`] and errors of the browser itself the browser must not be used again.
pub fn render(
    browser: &mut Browser,
    policy: &Arc<RequestPolicy>,
    (view, extent): (View, Extent),
    limits: &RenderLimits,
) -> Result<Rendered, RenderError> {
    browser.limit(limits.page);
    let mut visit = Visit::open(browser, policy, limits)?;
    let rendered = match visit.shown(view, extent) {
        Err(RenderError::Browser(BrowserError::TooSlow(_))) => Err(visit.too_slow()),
        other => other,
    };
    let closed = visit.close();
    browser.rest();
    let rendered = rendered?;
    closed?;
    Ok(rendered)
}

impl Visit<'_> {
    fn shown(&mut self, view: View, extent: Extent) -> Result<Rendered, RenderError> {
        self.awaited = "its answer";
        self.prepare(view)?;
        let opened = self.command("Page.navigate", json!({"url": self.policy.url()}))?;
        self.load()?;
        if let Some(reason) = opened["errorText"].as_str() {
            return Err(RenderError::NotOpened(reason.to_owned()));
        }
        self.settle()?;
        let mut height = None;
        match extent {
            Extent::Screen => {}
            Extent::Whole => {
                self.walk()?;
                height = self.whole_height(view)?;
            }
            Extent::Fitted => {
                let height = self.fitted_height(view)?;
                if height != view.height {
                    self.window(View { height, ..view })?;
                    self.settle()?;
                }
            }
        }
        self.awaited = "its text";
        let seen = self.look(height)?;
        // A page that is wider than a telephone is shown smaller there.
        let zoom = f64::from(view.width) / seen.width;
        let seen = seen.scaled(view.scale * zoom);
        self.awaited = "its picture";
        let picture = self.picture(&seen, view.scale, zoom, height.is_some())?;
        let stopped = self.scripts.interrupted() > 0 || !self.loaded;
        if stopped && seen.lines.is_empty() && seen.elements.is_empty() && seen.frames == 0 {
            // Nothing is there because what would have shown it was ended.
            return Err(self.too_slow());
        }
        Ok(Rendered { picture, seen })
    }

    /// Waits for the page to load; what has not loaded in time is shown as it is.
    fn load(&mut self) -> Result<(), RenderError> {
        self.awaited = "its parts to load";
        let start = Instant::now();
        while !self.loaded && start.elapsed() < self.limits.load {
            self.hear()?;
            // A part that is neither here nor failed, such as a frame that cannot be, is not
            // waited for once nothing else happens.
            self.loaded |= self.interactive && self.is_quiet();
        }
        if !self.loaded {
            self.command("Page.stopLoading", json!({}))?;
        }
        Ok(())
    }

    /// What is said of a page that took too long.
    fn too_slow(&self) -> RenderError {
        let awaited = match self.scripts.interrupted() {
            0 => self.waits_for(),
            _ => "a script of it that does not end".into(),
        };
        RenderError::TooSlow {
            seconds: self.limits.page.as_secs(),
            awaited,
        }
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
            // Whether the browser has the machine's attention is chance.
            (
                "Emulation.setFocusEmulationEnabled",
                json!({"enabled": true}),
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
            self.answer(id, method)?;
        }
        Ok(())
    }

    fn window(&mut self, view: View) -> Result<(), RenderError> {
        self.command("Emulation.setDeviceMetricsOverride", metrics(view))
            .map(drop)
    }

    /// How many rows the page has, at most so many as we show; none if the window shows them all.
    fn whole_height(&mut self, view: View) -> Result<Option<u32>, RenderError> {
        let sizes = self.command("Page.getLayoutMetrics", json!({}))?;
        let size = |of: &str, side: &str| sizes[of][side].as_f64().unwrap_or(0.0);
        let window = size("cssLayoutViewport", "clientHeight").ceil() as u32;
        let width = size("cssLayoutViewport", "clientWidth").max(f64::from(view.width));
        let by_pixels = self.limits.pixels / (width * view.scale * view.scale);
        let most = self.limits.height.min(by_pixels as u32).max(window);
        let height = (size("cssContentSize", "height").ceil() as u32).min(most);
        Ok((height > window).then_some(height))
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

    /// What is seen in the window, or in so many rows from the page's top, by a script in a world
    /// of its own.
    fn look(&mut self, height: Option<u32>) -> Result<PageSnapshot, RenderError> {
        let frame = self.target.clone();
        let world = self.command(
            "Page.createIsolatedWorld",
            json!({"frameId": frame, "worldName": "avocet"}),
        )?;
        let limits = json!({
            "elements": self.limits.elements, "lines": 5_000, "characters": 200_000, "height": height,
        });
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
            PageSnapshot(PageSnapshot),
        }
        let json = found["result"]["value"].as_str().unwrap_or_default();
        match serde_json::from_str(json) {
            Ok(Found::PageSnapshot(seen)) => Ok(seen),
            Ok(Found::TooLarge { .. }) => Err(RenderError::TooLarge(self.limits.elements)),
            Err(error) => {
                let thrown = &found["exceptionDetails"]["exception"]["description"];
                let reason = thrown.as_str().map_or(error.to_string(), str::to_owned);
                Err(RenderError::NotOpened(reason))
            }
        }
    }

    /// The area that `seen` tells of. Where that is `beyond` the window, the window keeps its size
    /// all the same: what is as tall as it, or fixed in it, stays as it is.
    fn picture(
        &mut self,
        seen: &PageSnapshot,
        scale: f64,
        zoom: f64,
        beyond: bool,
    ) -> Result<Picture, RenderError> {
        let (width, height) = (seen.width / scale / zoom, seen.height / scale / zoom);
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": zoom});
        let shot = json!({"format": "png", "clip": clip, "optimizeForSpeed": true, "captureBeyondViewport": beyond});
        let taken = self.command("Page.captureScreenshot", shot)?;
        let data = taken["data"].as_str().unwrap_or_default();
        let bytes = BASE64_STANDARD.decode(data).unwrap_or_default();
        Ok(decode(&bytes, &Limits::default())?)
    }
}

fn metrics(view: View) -> Value {
    json!({
        "width": view.width, "height": view.height, "deviceScaleFactor": view.scale,
        "mobile": view.mobile,
    })
}
