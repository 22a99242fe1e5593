//! The text of a page: what a reader of its main part would read, block by block.
//!
//! Made for the regular pages of documentation generators; any input gives some text.

use std::ops::Range;

use crate::block::Block;

/// Elements whose content nobody reads.
const UNREAD: [&str; 6] = ["script", "style", "head", "nav", "svg", "footer"];
/// Elements that stand in a line of text; all others begin a block.
const INLINE: [&str; 22] = [
    "a", "abbr", "b", "bdi", "cite", "code", "del", "em", "i", "img", "ins", "kbd", "mark", "q",
    "s", "samp", "small", "span", "strong", "sub", "sup", "var",
];
/// Class of the link that stands behind each heading.
const HEADING_LINK: &str = "headerlink";
/// What marks the element with the page's own text.
const MAIN: &str = "role=\"main\"";

/// The blocks of text of the main part of `page`, or of all of it if none is marked.
pub fn blocks(page: &str) -> Vec<String> {
    let texts = placed_blocks(page).into_iter().map(|block| block.text);
    texts.collect()
}

/// As [`blocks`], each with its place in `page`.
pub fn placed_blocks(page: &str) -> Vec<Block> {
    let mut reader = Reader::default();
    let main = page.find(MAIN).and_then(|at| page[..at].rfind('<'));
    let mut rest = &page[main.unwrap_or(0)..];
    let mut depth = 0usize;
    while let Some(at) = rest.find('<') {
        // What is left is always the end of the page.
        reader.text_at(&rest[..at], page.len() - rest.len());
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let Some(tag) = Tag::parse(rest) else {
            reader.text_at("<", page.len() - rest.len());
            rest = &rest[1..];
            continue;
        };
        rest = &rest[tag.length..];
        if !tag.closes && UNREAD.contains(&tag.name.as_str()) {
            rest = after_element(rest, &tag.name);
            continue;
        }
        if !tag.closes && tag.name == "a" && tag.attributes.contains(HEADING_LINK) {
            rest = after_element(rest, &tag.name);
            continue;
        }
        if main.is_some() && tag.name == "div" {
            depth = if tag.closes {
                depth.saturating_sub(1)
            } else {
                depth + 1
            };
            if depth == 0 {
                rest = "";
            }
        }
        reader.tag(&tag);
    }
    reader.text_at(rest, page.len() - rest.len());
    reader.finish()
}

struct Tag {
    name: String,
    closes: bool,
    attributes: String,
    length: usize,
}

impl Tag {
    /// Reads the tag that `text` begins with, if it is one.
    fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('<')?;
        let closes = inner.starts_with('/');
        let named = inner.strip_prefix('/').unwrap_or(inner);
        if !named.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!' || c == '?') {
            return None;
        }
        let mut quote = None;
        let end = named
            .char_indices()
            .find(|&(_, letter)| match (quote, letter) {
                (None, '>') => true,
                (None, '"' | '\'') => {
                    quote = Some(letter);
                    false
                }
                (Some(open), letter) if open == letter => {
                    quote = None;
                    false
                }
                _ => false,
            });
        let (end, _) = end?;
        let content = &named[..end];
        let split = content
            .find(|c: char| c.is_whitespace() || c == '/')
            .unwrap_or(end);
        let (name, attributes) = content.split_at(split);
        Some(Self {
            name: name.to_ascii_lowercase(),
            closes,
            attributes: attributes.to_owned(),
            length: text.len() - named.len() + end + 1,
        })
    }
}

/// What follows the end of the element `name` that was just opened.
fn after_element<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at..];
        match Tag::parse(rest) {
            Some(tag) if tag.name == name => return &rest[tag.length..],
            _ => rest = &rest[2..],
        }
    }
    ""
}

#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    block: String,
    /// Where the block stands in the page, once some of it was read.
    bytes: Option<Range<usize>>,
    /// Whether line breaks are the author's.
    preformatted: bool,
}

impl Reader {
    /// Text that stands at byte `at` of the page.
    fn text_at(&mut self, raw: &str, at: usize) {
        let seen = raw.trim();
        if !seen.is_empty() {
            let start = at + raw.len() - raw.trim_start().len();
            let first = self.bytes.as_ref().map_or(start, |bytes| bytes.start);
            self.bytes = Some(first..start + seen.len());
        }
        self.text(raw);
    }

    fn text(&mut self, raw: &str) {
        for letter in unescape(raw).chars() {
            match letter {
                _ if self.preformatted => self.block.push(letter),
                _ if letter.is_whitespace() => {
                    if !self.block.ends_with(' ') {
                        self.block.push(' ');
                    }
                }
                _ => self.block.push(letter),
            }
        }
    }

    fn tag(&mut self, tag: &Tag) {
        match tag.name.as_str() {
            "td" | "th" => self.text(" "),
            name if INLINE.contains(&name) => {}
            name => {
                self.end_block();
                if name == "pre" {
                    self.preformatted = !tag.closes;
                }
            }
        }
    }

    fn end_block(&mut self) {
        let block = std::mem::take(&mut self.block);
        let bytes = self.bytes.take().unwrap_or_default();
        let lines: Vec<&str> = block.lines().map(str::trim_end).collect();
        let text = lines.join("\n");
        let text = if self.preformatted {
            text.trim_matches('\n')
        } else {
            text.trim()
        };
        if !text.trim().is_empty() {
            let text = text.to_owned();
            self.blocks.push(Block { text, bytes });
        }
    }

    fn finish(mut self) -> Vec<Block> {
        self.end_block();
        self.blocks
    }
}

/// Longest character reference looked for.
const MAX_REFERENCE: usize = 10;

/// `text` with its character references replaced; what is none stays as it is.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest
            .bytes()
            .take(MAX_REFERENCE)
            .position(|byte| byte == b';');
        match end.and_then(|end| Some((referenced(&rest[..end])?, end))) {
            Some((letter, end)) => {
                out.push(letter);
                rest = &rest[end + 1..];
            }
            None => out.push('&'),
        }
    }
    out.push_str(rest);
    out
}

fn referenced(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
            None => number.parse(),
        };
        return char::from_u32(code.ok()?).filter(|&letter| letter != '\0');
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "copy" => '©',
        "mdash" | "ndash" => '-',
        "lsquo" | "rsquo" => '\'',
        "ldquo" | "rdquo" => '"',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r##"<html><head><title>no</title></head><body><div class="nav">no</div>
        <div class="body" role="main"><section id="x"><h1>Title<a class="headerlink" href="#x">¶</a></h1>
        <p>Some <em>plain</em>
        text &amp; <code class="a > b"><span>x &lt; y</span></code>.</p><!-- <p>no</p> -->
        <div class="highlight"><pre><span>&gt;&gt;&gt; </span>if a:
    b
</pre></div><ul><li><p>one</p></li><li>two</li></ul><script>if (a < b) no()</script></section></div>
        <div class="sidebar">no</div></body></html>"##;

    #[test]
    fn a_page_gives_the_blocks_of_its_main_part() {
        let found = blocks(PAGE);
        let wanted = [
            "Title",
            "Some plain text & x < y.",
            ">>> if a:\n    b",
            "one",
            "two",
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_block_knows_where_in_the_page_it_stands() {
        let placed = placed_blocks(PAGE);
        let wanted = ["Title", "Some <em>plain", ">>> </span>", "one", "two"];
        assert_eq!(placed.len(), wanted.len());
        for (block, beginning) in placed.iter().zip(wanted) {
            let raw = &PAGE[block.bytes.clone()];
            let beginning = beginning.replace(">>>", "&gt;&gt;&gt;");
            assert!(raw.starts_with(&beginning), "{raw:?}");
        }
        assert!(PAGE[placed[1].bytes.clone()].ends_with("&lt; y</span></code>."));
    }

    #[test]
    fn text_without_markup_is_itself() {
        assert_eq!(
            blocks("a < b && c &unknown; &#x41;&#66;"),
            ["a < b && c &unknown; AB"]
        );
    }

    #[test]
    fn a_page_cut_anywhere_gives_some_text() {
        for end in (0..PAGE.len()).filter(|&end| PAGE.is_char_boundary(end)) {
            blocks(&PAGE[..end]);
            blocks(&PAGE[end..]);
        }
    }
}
