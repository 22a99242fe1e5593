//! How Chromium is started: with no way to a network, nothing that runs by itself, and
//! everything that makes one rendering differ from the next switched off.

use std::path::Path;

/// No network: a proxy for everything (loopback included) that has no address, since no name has
/// one. Every request is answered over the pipe instead, or fails here.
const CUT_OFF: &[&str] = &[
    "--proxy-server=http://none.invalid:1",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--disable-sync",
    "--disable-breakpad",
    "--no-pings",
    "--metrics-recording-only",
];

/// Nothing that leaves the page, asks a person or starts by itself.
const QUIET: &[&str] = &[
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-component-extensions-with-background-pages",
    "--block-new-web-contents",
    "--deny-permission-prompts",
    "--disable-notifications",
    "--disable-print-preview",
    "--disable-speech-api",
    "--disable-file-system",
    "--disable-3d-apis",
    "--mute-audio",
    "--autoplay-policy=user-gesture-required",
    "--password-store=basic",
    "--disable-search-engine-choice-screen",
    "--disk-cache-size=1",
    "--js-flags=--max-old-space-size=512",
    "--disable-dev-shm-usage",
    "--disable-site-isolation-trials",
    concat!(
        "--disable-features=IsolateOrigins,site-per-process,IsolateSandboxedIframes,Translate,",
        "OptimizationHints,MediaRouter,DialMediaRouteProvider,Prerender2,BackForwardCache,",
        "PaintHolding,HttpsUpgrades,HttpsFirstBalancedMode,AutofillServerCommunication,",
        "NetworkTimeServiceQuerying,CertificateTransparencyComponentUpdater,WebOTP,WebBluetooth"
    ),
];

/// One rendering like the next.
const STEADY: &[&str] = &[
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--disable-skia-runtime-opts",
    "--disable-partial-raster",
    "--force-color-profile=srgb",
    "--force-device-scale-factor=1",
    "--disable-lcd-text",
    "--disable-font-subpixel-positioning",
    "--font-render-hinting=none",
    "--hide-scrollbars",
    "--disable-smooth-scrolling",
    "--blink-settings=imageAnimationPolicy=2",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--lang=en-US",
];

/// All flags, with the folder of this browser. Chromium refuses to run as root inside its own
/// sandbox.
pub(super) fn flags(profile: &Path, root: bool) -> Vec<String> {
    let all = [CUT_OFF, QUIET, STEADY].concat();
    let mut flags: Vec<String> = all.into_iter().map(str::to_owned).collect();
    if root {
        flags.push("--no-sandbox".into());
    }
    flags.push(format!("--user-data-dir={}", profile.display()));
    flags.push("about:blank".into());
    flags
}
