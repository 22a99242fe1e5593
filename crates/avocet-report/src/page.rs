//! The frame of every page: head, style, and a policy that allows nothing but what is on it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};
use serde::Serialize;
use sha2::{Digest, Sha256};

const FRAME: &str = include_str!("../templates/frame.html");
const MACROS: &str = include_str!("../templates/macros.html");
const STYLE: &str = include_str!("../templates/style.css");

/// A page, but for its body.
#[derive(Debug, Clone, Default)]
pub struct Page<'a> {
    /// What its window is called.
    pub title: &'a str,
    /// The language of its text, such as `de`; English where none is given.
    pub language: Option<&'a str>,
    /// Rules of style beside those that all pages have.
    pub style: &'a str,
    /// Its script, where it has one.
    pub script: Option<&'static str>,
    /// Whether it may play a file beside it.
    pub plays_media: bool,
}

impl Page<'_> {
    /// The page whose body is `template` filled with `values`.
    ///
    /// The template may use what templates/macros.html defines. Whatever it writes is escaped, and
    /// it cannot have styles at its elements: the policy allows one style and one script, known
    /// by their hashes.
    pub fn render(&self, template: &'static str, values: &impl Serialize) -> String {
        let style = format!("{STYLE}{}", self.style);
        let media = if self.plays_media {
            "media-src 'self' file:; "
        } else {
            ""
        };
        let script = self.script.map_or(String::new(), |script| {
            format!("script-src '{}'; ", digest(script))
        });
        let policy = format!(
            "default-src 'none'; img-src data:; {media}{script}style-src '{}'; base-uri 'none'; \
             form-action 'none'",
            digest(&style)
        );
        let body = filled(&format!("{MACROS}{template}"), Serde(values));
        let frame = context! {
            policy, style, body,
            title => self.title,
            language => self.language.unwrap_or("en"),
            script => self.script,
        };
        filled(FRAME, frame)
    }
}

/// The name makes it HTML, in which what is written is escaped.
fn filled(template: &str, values: impl Into<Value>) -> String {
    let mut environment = Environment::new();
    environment
        .add_template("page.html", template)
        .and_then(|()| environment.get_template("page.html")?.render(values))
        .expect("the template is well formed and asks for nothing that the page lacks")
}

/// How a policy names a script or a style.
fn digest(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'</style>";

    #[test]
    fn nothing_that_is_written_becomes_markup() {
        let page = Page {
            title: EVIL,
            language: Some(EVIL),
            ..Page::default()
        };
        let template = "<p title=\"{{ text }}\">{{ text }}</p>";
        let html = page.render(template, &context! { text => EVIL });
        assert!(
            !html.contains("<script") && !html.contains("<img"),
            "{html}"
        );
        assert_eq!(html.matches("</style>").count(), 1);
        assert_eq!(html.matches('"').count() % 2, 0);
    }

    #[test]
    fn the_policy_names_the_script_and_the_style_that_are_there() {
        let page = Page {
            style: "p { color: red }",
            script: Some("'use strict';"),
            ..Page::default()
        };
        let html = page.render("", &());
        // The template engine writes a slash as an entity, which browsers read as a slash.
        let policy = html.replace("&#x2f;", "/");
        for tag in ["script", "style"] {
            let start = html.find(&format!("<{tag}>")).expect("there is one") + tag.len() + 2;
            let end = html.find(&format!("</{tag}>")).expect("it ends");
            let hash = digest(&html[start..end]);
            assert!(policy.contains(&format!("{tag}-src &#x27;{hash}&#x27;")));
        }
        assert!(!html.contains("unsafe-inline") && !html.contains("media-src"));
        assert!(!html.contains("http://") && !html.contains("https://"));
    }
}
