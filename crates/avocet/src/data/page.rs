//! A dataset as one HTML page: its pictures and what is said about them, nothing loaded from
//! elsewhere.

use anyhow::Result;
use avocet_data::shard::Reader;
use avocet_data::{Content, Sample};
use avocet_text::Role;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{examples, report};

const STYLE: &str = "body{font:15px/1.4 system-ui,sans-serif;margin:2rem;color:#222;background:#fff}\
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem}\
figure{margin:0;padding:.6rem;border:1px solid #ddd;border-radius:6px;background:#fafafa}\
img{max-width:100%;max-height:12rem;display:block;margin-bottom:.4rem}\
figcaption{overflow-wrap:anywhere}b{font-weight:600}code{color:#888;font-size:.75rem}\
td{padding:.1rem 1.2rem .1rem 0}";

/// A page with `most` samples of every kind.
pub fn page(reader: &Reader, most: usize) -> Result<String> {
    let report = report(reader);
    let title = escaped(&reader.folder().display().to_string());
    let rows: String = report
        .kinds
        .iter()
        .map(|(kind, n)| format!("<tr><td>{}</td><td>{n}</td></tr>", escaped(kind)))
        .collect();
    let mut figures = String::new();
    for index in examples(reader, most) {
        figures.push_str(&figure(&reader.get(index)?));
    }
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1>\
         <p>{} samples, {} bytes</p><table>{rows}</table><main>{figures}</main></body></html>\n",
        report.samples, report.bytes
    ))
}

fn figure(sample: &Sample) -> String {
    let pictures: String = sample
        .images
        .iter()
        .map(|image| {
            let (kind, data) = (media_type(image), STANDARD.encode(image));
            format!("<img alt=\"\" src=\"data:{kind};base64,{data}\">")
        })
        .collect();
    let said = match &sample.content {
        Content::Document(text) => escaped(text),
        Content::Turns(turns) => turns
            .iter()
            .map(|turn| match turn.role {
                Role::Assistant => format!("<b>{}</b><br>", escaped(&turn.text)),
                Role::User | Role::System => format!("{}<br>", escaped(&turn.text)),
            })
            .collect(),
    };
    format!(
        "<figure>{pictures}<figcaption>{said}<code>{} {}</code></figcaption></figure>\n",
        escaped(&sample.kind),
        escaped(&sample.id)
    )
}

fn media_type(image: &[u8]) -> &'static str {
    match image {
        [0xff, 0xd8, ..] => "image/jpeg",
        [b'G', b'I', b'F', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', ..] => "image/webp",
        [b'B', b'M', ..] => "image/bmp",
        _ => "image/png",
    }
}

/// Text that a page shows as it is: datasets may hold anything.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sample_says_cannot_become_markup() {
        assert_eq!(
            escaped("<img src=\"x\">&"),
            "&lt;img src=&quot;x&quot;&gt;&amp;"
        );
        let from = ("vqa<", "made-up", "CC0-1.0");
        let sample = Sample::document(from, "<script>alert(1)</script>").expect("a text");
        assert!(!figure(&sample).contains("<script>"));
    }
}
