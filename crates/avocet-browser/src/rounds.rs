//! A page's own time: its clock stands still but for rounds, and rounds follow one another until
//! nothing changes any more, so that a page ends in the same state on any machine at any speed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::RenderError;
use crate::visit::Visit;

/// How far the page's clock goes in one round, at the least and at the most, in milliseconds.
const ROUND_MS: f64 = 250.0;
const LEAST_MS: f64 = 1_000.0;
const MOST_MS: f64 = 5_000.0;
/// Most rounds, and of those the most in which the clock stands still.
const MOST_ROUNDS: usize = 120;
const MOST_STANDING: usize = 80;
/// Rounds without a change after which a page with timers is quiet.
const QUIET_ROUNDS: usize = 2;
/// The longest that a part of a round is waited for.
const ROUND: Duration = Duration::from_secs(8);
const NETWORK: Duration = Duration::from_secs(3);
const FRAMES: Duration = Duration::from_secs(4);
/// One screen after another: so much of the page's time for each.
const SCROLLED_MS: f64 = 50.0;
const MOST_SCREENS: usize = 40;

/// What a round came to.
#[derive(Debug, Clone, Copy)]
struct Round {
    /// Observers were told something.
    told: bool,
    /// Something is asked for and not yet there.
    asked: bool,
    /// When the next task comes, and the next that comes only once.
    next_ms: f64,
    next_once_ms: f64,
}

impl Visit<'_> {
    /// Lets rounds of the page's time pass until it is quiet, and goes to its top.
    pub(crate) fn settle(&mut self) -> Result<(), RenderError> {
        self.awaited = "its timers";
        let start = Instant::now();
        let (mut quiet, mut standing) = (0, 0);
        let began_ms = self.clock_ms;
        for _ in 0..MOST_ROUNDS {
            let before = self.changes()?;
            self.arrived()?;
            let shown = self.frames()?;
            let round = self.round(start.elapsed() < NETWORK)?;
            let busy = round.told || round.asked;
            quiet = match busy || !shown || self.changes()? != before {
                true => 0,
                false => quiet + 1,
            };
            if Instant::now() > self.end {
                break;
            }
            let waits = round.told || round.asked && start.elapsed() < NETWORK;
            if waits && standing < MOST_STANDING {
                standing += 1;
                continue;
            }
            let (passed_ms, end_ms) = (self.clock_ms - began_ms, began_ms + MOST_MS);
            let nothing_comes = quiet > 0 && round.next_ms > end_ms;
            let is_quiet =
                quiet >= QUIET_ROUNDS && passed_ms >= LEAST_MS && round.next_once_ms > end_ms;
            if passed_ms >= MOST_MS || nothing_comes || is_quiet {
                break;
            }
            self.clock_ms += ROUND_MS;
        }
        self.scroll(0)
    }

    /// Goes down the page screen by screen, so that what is loaded or shown only when somebody comes
    /// near is there, and up again.
    pub(crate) fn walk(&mut self) -> Result<(), RenderError> {
        const ASK: &str = "(() => {
            for (const part of document.querySelectorAll('*')) {
              if (getComputedStyle(part).contentVisibility === 'auto') part.style.setProperty('content-visibility', 'visible', 'important');
            }
            const late = document.scripts.length || document.querySelector('[loading=lazy]');
            return late ? [innerHeight, document.documentElement.scrollHeight] : [1, 0];
        })()";
        let found = self.in_world(ASK, FRAMES)?.unwrap_or_default();
        let side = |index: usize| found[index].as_u64().unwrap_or(0);
        let (screen, all) = (side(0).max(1), side(1).min(u64::from(self.limits.height)));
        for top in (0..all).step_by(screen as usize).take(MOST_SCREENS).skip(1) {
            self.scroll(top)?;
            self.frames()?;
            self.arrived()?;
            self.clock_ms += SCROLLED_MS;
            self.round(true)?;
            if Instant::now() > self.end {
                break;
            }
        }
        if all > screen {
            self.scroll(0)?;
            self.settle()?;
        }
        Ok(())
    }

    fn scroll(&mut self, top: u64) -> Result<(), RenderError> {
        let to = format!("scrollTo({{ left: 0, top: {top}, behavior: 'instant' }})");
        self.in_world(&to, FRAMES).map(drop)
    }

    /// Waits until nothing is under way, but not for ever.
    fn arrived(&mut self) -> Result<(), RenderError> {
        let start = Instant::now();
        while !self.under_way.is_empty() && start.elapsed() < NETWORK {
            self.hear()?;
        }
        // What did not come by now is not waited for again.
        self.under_way.clear();
        Ok(())
    }

    /// Waits for the page's typefaces and two frames of it, so that what is seen has been seen; whether
    /// they came.
    fn frames(&mut self) -> Result<bool, RenderError> {
        const ASK: &str = "document.fonts.ready.then(() => new Promise((done) => \
            requestAnimationFrame(() => requestAnimationFrame(() => done(0)))))";
        Ok(self.in_world(ASK, FRAMES)?.is_some())
    }

    /// The number of the document and of the changes in it so far.
    fn changes(&mut self) -> Result<(usize, u64), RenderError> {
        const ASK: &str = "(() => {
            if (globalThis.changes === undefined) {
              globalThis.changes = 0;
              const all = { subtree: true, childList: true, attributes: true, characterData: true };
              new MutationObserver((list) => { globalThis.changes += list.length; }).observe(document, all);
            }
            return globalThis.changes;
        })()";
        let found = self.in_world(ASK, FRAMES)?;
        let changes = found.and_then(|found| found.as_u64()).unwrap_or(0);
        Ok((self.documents, changes))
    }

    /// Lets the page's clock run to where we want it, or where something is asked for and `patient`
    /// says that the clock waits for that.
    fn round(&mut self, patient: bool) -> Result<Round, RenderError> {
        let until = self.clock_ms;
        let expression = format!("window[Symbol.for('avocet.round')]?.({until}, {patient})");
        let ask = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let session = self.session.clone();
        let id = self.send(Some(&session), "Runtime.evaluate", ask)?;
        let found = self.answer_within(id, ROUND)?.unwrap_or_default();
        // The page could say anything here; what is no number says that nothing will come.
        let told = found["result"]["value"].as_array().cloned();
        let number = |index: usize, otherwise: f64| {
            let found = told.as_ref().and_then(|told| told.get(index)?.as_f64());
            found.unwrap_or(otherwise)
        };
        Ok(Round {
            told: number(0, 0.0) > 0.0,
            asked: number(1, 0.0) > 0.0,
            next_ms: number(2, f64::INFINITY),
            next_once_ms: number(3, f64::INFINITY),
        })
    }

    /// What an expression comes to in a world of our own, where the page's scripts have changed
    /// nothing; nothing if the page leaves meanwhile, or if it takes longer than `patience`.
    pub(crate) fn in_world(
        &mut self,
        expression: &str,
        patience: Duration,
    ) -> Result<Option<Value>, RenderError> {
        let world = json!({"frameId": self.target, "worldName": "avocet"});
        let session = self.session.clone();
        let id = self.send(Some(&session), "Page.createIsolatedWorld", world)?;
        // Made by the page's own thread, which may be at work.
        let Some(world) = self.answer_within(id, ROUND)? else {
            return Ok(None);
        };
        let ask = json!({
            "expression": expression, "contextId": world["executionContextId"],
            "returnByValue": true, "awaitPromise": true,
        });
        let id = self.send(Some(&session), "Runtime.evaluate", ask)?;
        let found = self.answer_within(id, patience)?;
        Ok(found.map(|mut found| found["result"]["value"].take()))
    }
}
