//! What is in a dataset, for people: counts, and a page that shows samples.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io::{self, Write};

use avocet_text::Role;
use serde::Serialize;

use crate::shard::Reader;
use crate::{Content, DataError, Sample, Truth};

/// Counts of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Folder of the dataset.
    pub dataset: String,
    /// Pipeline that made it.
    pub pipeline: String,
    /// Samples.
    pub samples: u64,
    /// Pictures.
    pub images: u64,
    /// Shards.
    pub shards: u64,
    /// Bytes of all shards.
    pub bytes: u64,
    /// Inputs seen by the pipeline.
    pub inputs: u64,
    /// Inputs kept.
    pub kept: u64,
    /// Inputs rejected, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Samples of each task.
    pub kinds: BTreeMap<String, u64>,
    /// Samples of each source.
    pub sources: BTreeMap<String, u64>,
    /// Samples under each licence.
    pub licences: BTreeMap<String, u64>,
}

impl Summary {
    /// Counts what the index of a dataset says.
    pub fn of(reader: &Reader) -> Self {
        let count = |word: &dyn Fn(usize) -> String| {
            let mut counts = BTreeMap::new();
            (0..reader.len()).for_each(|i| *counts.entry(word(i)).or_default() += 1);
            counts
        };
        let mut summary = Self {
            dataset: reader.folder().display().to_string(),
            pipeline: String::new(),
            samples: reader.len() as u64,
            images: 0,
            shards: 0,
            bytes: 0,
            inputs: 0,
            kept: 0,
            rejected: BTreeMap::new(),
            kinds: count(&|i| reader.kind(i).to_string()),
            sources: count(&|i| reader.source(i).to_string()),
            licences: count(&|i| reader.licence(i).to_string()),
        };
        for manifest in reader.manifests() {
            summary.pipeline.clone_from(&manifest.recipe.pipeline);
            summary.images += manifest.images;
            summary.shards += manifest.shards.len() as u64;
            summary.bytes += manifest.shards.iter().map(|shard| shard.bytes).sum::<u64>();
            summary.inputs += manifest.inputs;
            summary.kept += manifest.kept;
            for (reason, count) in &manifest.rejected {
                *summary.rejected.entry(reason.clone()).or_default() += count;
            }
        }
        summary
    }
}

/// Most lines of one kind of count for people; JSON has them all.
const MOST_LINES: usize = 10;

impl Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (made by {})", self.dataset, self.pipeline)?;
        writeln!(
            f,
            "{} samples with {} images in {} shards, {} bytes",
            self.samples, self.images, self.shards, self.bytes
        )?;
        writeln!(f, "{} inputs, {} kept", self.inputs, self.kept)?;
        for (title, counts) in [
            ("rejected", &self.rejected),
            ("kind", &self.kinds),
            ("source", &self.sources),
            ("licence", &self.licences),
        ] {
            let mut most: Vec<_> = counts.iter().collect();
            most.sort_by_key(|&(name, &count)| (std::cmp::Reverse(count), name));
            let (shown, rest) = most.split_at(most.len().min(MOST_LINES));
            for (name, count) in shown {
                writeln!(f, "{title:>10}  {count:>9}  {name}")?;
            }
            if !rest.is_empty() {
                let sum: u64 = rest.iter().map(|(_, count)| **count).sum();
                writeln!(f, "{title:>10}  {sum:>9}  {} others", rest.len())?;
            }
        }
        Ok(())
    }
}

/// Writes a page without links or scripts that shows `count` samples spread over the dataset.
///
/// Errors if a sample is damaged or `out` refuses.
pub fn contact_sheet(reader: &Reader, count: usize, out: &mut impl Write) -> Result<(), DataError> {
    let io = |cause| DataError::Io {
        path: "contact sheet".into(),
        cause,
    };
    let summary = Summary::of(reader);
    write!(
        out,
        "{PAGE_START}<title>{0}</title><h1>{0}</h1>",
        escape(&summary.dataset)
    )
    .map_err(io)?;
    write!(out, "<pre>{}</pre><main>", escape(&summary.to_string())).map_err(io)?;
    let shown = count.min(reader.len());
    for number in 0..shown {
        let index = number * reader.len() / shown;
        let sample = reader.get(index)?;
        write_sample(&sample, index, out).map_err(io)?;
    }
    out.write_all(b"</main>\n").map_err(io)
}

const PAGE_START: &str = "<!doctype html><meta charset=utf-8>\
<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; img-src data:; \
style-src 'unsafe-inline'\"><style>body{font:14px sans-serif;margin:2em}\
pre{color:#555}main{display:grid;grid-template-columns:repeat(auto-fill,minmax(260px,1fr));gap:1em}\
article{border:1px solid #ccc;padding:.6em;overflow-wrap:anywhere}\
img{max-width:100%;min-width:64px;image-rendering:pixelated;background:#eee}\
p{margin:.3em 0;white-space:pre-wrap}.a{color:#064}.n{color:#777;font-size:12px}</style>\n";

fn write_sample(sample: &Sample, index: usize, out: &mut impl Write) -> io::Result<()> {
    write!(out, "<article>")?;
    for (image, truth) in sample.images.iter().zip(&sample.truths) {
        write!(
            out,
            "<img alt=\"\" src=\"data:{};base64,",
            media_type(image)
        )?;
        out.write_all(&base64(image))?;
        write!(out, "\">")?;
        match truth {
            Some(Truth::Text(text)) => write!(out, "<p class=n>reads: {}</p>", escape(text))?,
            Some(Truth::Name(name)) => write!(out, "<p class=n>shows: {}</p>", escape(name))?,
            None => {}
        }
    }
    match &sample.content {
        Content::Document(text) => write!(out, "<p class=a>{}</p>", escape(text))?,
        Content::Turns(turns) => {
            for turn in turns {
                let class = if turn.role == Role::Assistant {
                    "a"
                } else {
                    "q"
                };
                write!(out, "<p class={class}>{}</p>", escape(&turn.text))?;
            }
        }
    }
    writeln!(
        out,
        "<p class=n>{index} {} {} {} {}</p></article>",
        escape(&sample.id),
        escape(&sample.kind),
        escape(&sample.source),
        escape(&sample.licence)
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

fn media_type(image: &[u8]) -> &'static str {
    match image {
        [0xff, 0xd8, ..] => "image/jpeg",
        [b'R', b'I', b'F', b'F', ..] => "image/webp",
        [b'G', b'I', b'F', ..] => "image/gif",
        [b'B', b'M', ..] => "image/bmp",
        [b'I', b'I', ..] | [b'M', b'M', ..] => "image/tiff",
        _ => "image/png",
    }
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= chunk.len() { digit } else { b'=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::{Recipe, Writer};
    use avocet_text::Turn;

    #[test]
    fn base64_matches_its_standard() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded.as_bytes());
        }
    }

    #[test]
    fn people_are_shown_the_most_frequent_sources_and_the_sum_of_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let recipe = Recipe::new("test", "train", 1, serde_json::json!(null));
        let mut writer = Writer::open(dir.path(), recipe).unwrap();
        for n in 0..14u8 {
            let source = format!("source-{:02}", n.min(11));
            let from = ("line", source.as_str(), "CC0-1.0");
            let sample = Sample::document(from, &format!("text {n}")).unwrap();
            writer.keep(&n.to_string(), &[sample]).unwrap();
        }
        writer.finish().unwrap();
        let text = Summary::of(&Reader::open(dir.path()).unwrap()).to_string();
        assert!(
            text.contains("    source          3  source-11\n"),
            "{text}"
        );
        assert!(text.contains("    source          2  2 others\n"), "{text}");
        assert_eq!(text.matches("source-").count(), 10);
    }

    #[test]
    fn the_page_shows_samples_and_lets_none_of_them_write_markup() {
        let dir = tempfile::tempdir().unwrap();
        let recipe = Recipe::new("test", "train", 1, serde_json::json!(null));
        let mut writer = Writer::open(dir.path(), recipe).unwrap();
        for n in 0..10 {
            let answer = Turn::assistant(format!("<script>alert({n})</script>"));
            let truth = Some(Truth::Text("\"><b>".into()));
            let from = ("line", "made-up", "CC0-1.0");
            let sample = Sample::question(from, vec![n], truth, "a & b?", answer).unwrap();
            writer.keep(&n.to_string(), &[sample]).unwrap();
        }
        writer.reject("last", "no <reason>").unwrap();
        writer.finish().unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        let mut page = Vec::new();
        contact_sheet(&reader, 5, &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert_eq!(page.matches("<article>").count(), 5);
        assert!(page.contains("&lt;script&gt;alert(8)"));
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("<reason>"));

        let summary = Summary::of(&reader);
        assert_eq!(
            (summary.samples, summary.inputs, summary.kept),
            (10, 11, 10)
        );
        assert_eq!(summary.kinds["line"], 10);
        assert!(
            summary
                .to_string()
                .contains("10 samples with 10 images in 1 shards")
        );
    }
}
