//! Hostile pages against a canary: servers on this machine that must never be spoken to, and
//! files that must never be read.

mod canary;
mod endless;
mod limits;
mod tricks;

use std::sync::Arc;

use crate::chromium::Browser;
use crate::error::RenderError;
use crate::limits::RenderLimits;
use crate::render::{Rendered, render};
use crate::request_policy::RequestPolicy;
use crate::view::{Extent, View};

const VIEW: View = View {
    width: 400,
    height: 300,
    scale: 1.0,
    mobile: false,
};

/// Shows a page in a browser that shares this machine's network where `shared` says so: there
/// nothing but its flags and the policy keeps it off.
fn shown(policy: RequestPolicy, shared: bool) -> Result<Rendered, RenderError> {
    let limits = RenderLimits::default();
    let program = crate::chromium::chromium()?;
    let mut browser = match shared {
        true => Browser::start_in_shared_network(&program, limits.memory_bytes, limits.page)?,
        false => Browser::start(&program, limits.memory_bytes, limits.page)?,
    };
    assert!(
        !shared || !browser.has_own_network(),
        "the flags are to be tested alone"
    );
    render(
        &mut browser,
        &Arc::new(policy),
        (VIEW, Extent::Whole),
        &limits,
    )
}

fn page(html: impl Into<Vec<u8>>) -> RequestPolicy {
    RequestPolicy::Page {
        html: html.into(),
        media_type: "text/html",
        fonts: Arc::default(),
        ours: false,
    }
}
