//! What is seen on a page: lines of text in reading order, headings, links, buttons and fields,
//! with their boxes in pixels of the screenshot.

use serde::{Deserialize, Serialize};

/// Left, top, right and bottom, in pixels of the screenshot.
pub type Box = [f64; 4];

/// What a page shows.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct PageSnapshot {
    /// The document's title, as a browser's tab shows it.
    pub title: String,
    /// Width of the area shown.
    pub width: f64,
    /// Height of the area shown.
    pub height: f64,
    /// Frames and canvases in it, whose text is not known.
    pub frames: u32,
    /// Lines of text, in reading order.
    pub lines: Vec<Line>,
    /// Headings, links, buttons and fields, in the order of the document.
    pub elements: Vec<Element>,
    /// Parts that a page of our own making wants to know about.
    pub facts: Vec<Fact>,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Line {
    /// What it says.
    pub text: String,
    /// Where it stands.
    #[serde(rename = "box")]
    pub place: Box,
    /// The paragraph, cell or other block it belongs to.
    pub block: u32,
    /// Its line ends are part of the text.
    pub pre: bool,
    /// All of it is in view.
    pub whole: bool,
}

/// What an [`Element`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementKind {
    /// A heading.
    Heading,
    /// A link.
    Link,
    /// A button.
    Button,
    /// Something to fill in or choose from.
    Field,
}

/// A heading, link, button or field.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Element {
    /// Which of them.
    pub kind: ElementKind,
    /// Of a heading its level, 1 to 6; otherwise 0.
    pub level: u32,
    /// What can be read on it.
    pub text: String,
    /// Of a field its label.
    pub label: String,
    /// Of a link its target, as written.
    pub href: String,
    /// Where it stands.
    #[serde(rename = "box")]
    pub place: Box,
    /// All of it is in view and nothing lies over it.
    pub whole: bool,
}

/// A part that a page of our own making has marked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Fact {
    /// The mark.
    pub name: String,
    /// What can be read there.
    pub text: String,
    /// Where.
    #[serde(rename = "box")]
    pub place: Box,
    /// All of it is in view and nothing lies over it.
    pub whole: bool,
}

impl PageSnapshot {
    /// Turns CSS pixels into those of a screenshot that has `scale` of them for each.
    pub fn scaled(mut self, scale: f64) -> Self {
        let places = (self.lines.iter_mut().map(|line| &mut line.place))
            .chain(self.elements.iter_mut().map(|element| &mut element.place))
            .chain(self.facts.iter_mut().map(|fact| &mut fact.place));
        for side in places.flatten() {
            *side *= scale;
        }
        (self.width, self.height) = (self.width * scale, self.height * scale);
        self
    }

    /// What is seen inside `cut`, as a picture of its own.
    pub fn part(&self, cut: Box) -> Self {
        let [left, top, right, bottom] = cut;
        // Half a pixel of a box may round over the edge.
        let within = |place: &Box| {
            place[0] >= left - 0.6
                && place[1] >= top - 0.6
                && place[2] <= right + 0.6
                && place[3] <= bottom + 0.6
        };
        let cut = |place: &Box| {
            [
                place[0].max(left) - left,
                place[1].max(top) - top,
                place[2].min(right) - left,
                place[3].min(bottom) - top,
            ]
        };
        let touches = |place: &Box| {
            place[2] > left + 0.6
                && place[0] < right - 0.6
                && place[3] > top + 0.6
                && place[1] < bottom - 0.6
        };
        let mut part = Self {
            title: self.title.clone(),
            width: right - left,
            height: bottom - top,
            frames: self.frames,
            ..Self::default()
        };
        for line in self.lines.iter().filter(|line| touches(&line.place)) {
            let whole = line.whole && within(&line.place);
            part.lines.push(Line {
                place: cut(&line.place),
                whole,
                ..line.clone()
            });
        }
        for element in self
            .elements
            .iter()
            .filter(|element| touches(&element.place))
        {
            let whole = element.whole && within(&element.place);
            part.elements.push(Element {
                place: cut(&element.place),
                whole,
                ..element.clone()
            });
        }
        for fact in self.facts.iter().filter(|fact| touches(&fact.place)) {
            let whole = fact.whole && within(&fact.place);
            part.facts.push(Fact {
                place: cut(&fact.place),
                whole,
                ..fact.clone()
            });
        }
        part
    }

    /// The text that is wholly in view, in reading order: a line for each block, and for each
    /// line where the text's own line ends count.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut last: Option<&Line> = None;
        for line in self.lines.iter().filter(|line| line.whole) {
            match last {
                Some(before) if before.block == line.block && !line.pre => text.push(' '),
                Some(_) => text.push('\n'),
                None => {}
            }
            text.push_str(&line.text);
            last = Some(line);
        }
        text
    }

    /// Where to cut a tall picture into pieces of at most `height`: between lines of text where
    /// it can be done without making a piece shorter than two thirds.
    pub fn cuts(&self, height: f64) -> Vec<f64> {
        let mut cuts = vec![0.0];
        let mut top = 0.0;
        while self.height - top > height {
            let crosses = |at: f64| {
                self.lines
                    .iter()
                    .find(|line| line.place[1] < at && line.place[3] > at)
            };
            let mut at = top + height;
            while let Some(line) = crosses(at) {
                at = line.place[1].floor();
                if at < top + height * 2.0 / 3.0 {
                    at = top + height;
                    break;
                }
            }
            cuts.push(at);
            top = at;
        }
        cuts.push(self.height);
        cuts
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A page of lines at these rows.
    pub(crate) fn page(rows: &[(f64, f64)]) -> PageSnapshot {
        let line = |(index, &(top, bottom)): (usize, &(f64, f64))| Line {
            text: format!("line {index}"),
            place: [10.0, top, 90.0, bottom],
            block: index as u32 / 2,
            pre: false,
            whole: true,
        };
        let lines: Vec<Line> = rows.iter().enumerate().map(line).collect();
        let height = rows.last().map_or(0.0, |row| row.1 + 10.0);
        PageSnapshot {
            width: 100.0,
            height,
            lines,
            ..PageSnapshot::default()
        }
    }

    #[test]
    fn cuts_go_between_lines_and_lose_none() {
        let rows: Vec<(f64, f64)> = (0..20)
            .map(|row| (f64::from(row) * 23.0, f64::from(row) * 23.0 + 18.0))
            .collect();
        let seen = page(&rows);
        let cuts = seen.cuts(100.0);
        assert!(
            cuts.windows(2).all(|pair| pair[1] - pair[0] <= 100.0),
            "{cuts:?}"
        );
        let parts: Vec<PageSnapshot> = cuts
            .windows(2)
            .map(|pair| seen.part([0.0, pair[0], seen.width, pair[1]]))
            .collect();
        let lines: usize = parts.iter().map(|part| part.lines.len()).sum();
        assert_eq!(lines, 20);
        assert!(parts.iter().all(|part| {
            part.lines
                .iter()
                .all(|line| line.whole && line.place[3] <= part.height + 0.6)
        }));
    }

    #[test]
    fn a_line_that_is_too_tall_is_cut_and_known_to_be() {
        let seen = page(&[(0.0, 250.0)]);
        let cuts = seen.cuts(100.0);
        assert_eq!(cuts, [0.0, 100.0, 200.0, 260.0]);
        assert!(seen.part([0.0, 0.0, 100.0, 100.0]).text().is_empty());
    }

    #[test]
    fn a_line_cut_at_its_side_is_known_to_be() {
        let seen = page(&[(0.0, 10.0), (20.0, 30.0)]);
        let part = seen.part([50.0, 15.0, 100.0, 40.0]);
        assert_eq!((part.width, part.height), (50.0, 25.0));
        assert_eq!(part.lines.len(), 1);
        assert_eq!(part.lines[0].place, [0.0, 5.0, 40.0, 15.0]);
        assert!(!part.lines[0].whole && part.text().is_empty());
    }

    #[test]
    fn lines_of_a_block_are_one_line_of_text() {
        let seen = page(&[(0.0, 10.0), (12.0, 22.0), (24.0, 34.0)]);
        assert_eq!(seen.text(), "line 0 line 1\nline 2");
        let scaled = seen.scaled(2.0);
        assert_eq!((scaled.height, scaled.lines[1].place[3]), (88.0, 44.0));
    }
}
