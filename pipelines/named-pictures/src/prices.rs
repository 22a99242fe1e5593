//! Pictures of things and their prices, as shops set them: in two columns or each below its name,
//! at times with a heading, a sum and a button.
//!
//! A page of a shop is rendered in a third of a second and is soon learned by heart. These are
//! drawn in a millisecond, of words from a dictionary, so that none need be seen twice: what is
//! learned is to find a row and to read digits.

use ab_glyph::Point;
use ab_glyph_rasterizer::{Point as Dot, Rasterizer};
use drawing::wording::{self, ask, ask_about};
use drawing::{Background, Canvas, Face, Layout, Rgb, between, currency, ink_and_field, price};
use pipeline::Split;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::drawn::{Drawing, Drawn};
use crate::error::NamedPicturesError;
use crate::lines::Lines;
use crate::text::Texts;

/// A list too large for this many patches of 8 pixels a side is set smaller.
const MOST_PATCHES: usize = 640;
const PATCH: f32 = 8.0;
/// The sizes of letters, in pixels per em.
const SIZES: (f32, f32) = (10.0, 19.0);
/// The least difference in brightness of letters and field, for small letters.
const CONTRAST: f32 = 110.0;
/// The most characters in a name, a heading and a button.
const LENGTHS: (usize, usize, usize) = (22, 20, 15);
/// The most questions about one picture.
const QUESTIONS: usize = 3;

/// Draws a list in one face and asks about it; or says why the face cannot show it.
///
/// Errors if the picture cannot be written as PNG.
pub fn draw(
    texts: &Texts,
    split: Split,
    rng: &mut ChaCha8Rng,
) -> Result<Drawing, NamedPicturesError> {
    let list = List::draw(&texts.lines, split, rng);
    let face = texts.face(rng);
    for line in list.lines() {
        if let Some(missing) = face.missing(line) {
            let reason = format!("{line:?}: {} has no {missing:?}", face.name);
            return Ok(Drawing::Unfit(reason));
        }
    }
    let image = Set::new(&list, face, rng).paint(rng).to_png()?;
    let mut asked = list.questions(rng).into_iter();
    let (question, answer) = asked.next().expect("every list has a price");
    Ok(Drawing::Done(Drawn {
        image,
        question,
        answer,
        also_right: Vec::new(),
        more: asked.collect(),
        truth: None,
        source: format!("{}/{}", face.family, face.name),
        licence: face.licence.clone(),
    }))
}

/// What a list says.
struct List {
    heading: Option<String>,
    /// Names and prices, no two alike.
    rows: Vec<(String, String)>,
    /// What the sum is called, and the sum.
    sum: Option<(String, String)>,
    button: Option<String>,
}

impl List {
    fn draw(lines: &Lines, split: Split, rng: &mut ChaCha8Rng) -> Self {
        let money = currency(rng);
        let count = *[1, 1, 1, 2, 2, 2, 3, 3, 4, 5]
            .choose(rng)
            .expect("not empty");
        let (name, heading, label) = LENGTHS;
        let mut rows: Vec<(String, u32)> = Vec::new();
        while rows.len() < count {
            let row = (lines.name(split, name, rng), price(rng));
            // One name within another would make a question of two answers.
            let other = |(known, cents): &(String, u32)| {
                !known.contains(&row.0) && !row.0.contains(known) && *cents != row.1
            };
            if rows.iter().all(other) {
                rows.push(row);
            }
        }
        let sum = (count > 1 && rng.random_bool(0.4)).then(|| {
            let word = ["Total", "Sum", "To pay", "Total due"].choose(rng);
            let all = rows.iter().map(|(_, cents)| cents).sum();
            (word.expect("not empty").to_string(), money.write(all))
        });
        let written = |(name, cents): (String, u32)| (name, money.write(cents));
        Self {
            rows: rows.into_iter().map(written).collect(),
            sum,
            heading: rng
                .random_bool(0.35)
                .then(|| lines.name(split, heading, rng)),
            button: rng.random_bool(0.5).then(|| lines.name(split, label, rng)),
        }
    }

    /// Everything that is written.
    fn lines(&self) -> impl Iterator<Item = &str> {
        let pairs = self.rows.iter().chain(&self.sum);
        let pairs = pairs.flat_map(|(name, price)| [name.as_str(), price]);
        pairs
            .chain(self.heading.as_deref())
            .chain(self.button.as_deref())
    }

    /// Some of the questions it answers. No question says the answer of one before it.
    fn questions(&self, rng: &mut ChaCha8Rng) -> Vec<(String, String)> {
        let mut asked = Vec::new();
        let mut rows: Vec<&(String, String)> = self.rows.iter().collect();
        rows.shuffle(rng);
        match rows[..] {
            [(_, price)] => asked.push((ask(&wording::PRICE, rng), price.clone())),
            [ref priced @ .., (name, price)] => {
                for (name, price) in &priced[..priced.len().min(2)] {
                    asked.push((ask_about(&wording::PRICE_OF, name, rng), price.clone()));
                }
                asked.push((ask_about(&wording::PRICED, price, rng), name.clone()));
            }
            [] => {}
        }
        if let Some((_, sum)) = &self.sum {
            asked.push((ask(&wording::TOTAL, rng), sum.clone()));
        }
        if let Some(label) = &self.button {
            asked.push((ask(&wording::BUTTON, rng), label.clone()));
        }
        if let Some(heading) = &self.heading
            && rng.random_bool(0.4)
        {
            asked.push((ask(&wording::TITLE, rng), heading.clone()));
        }
        asked.shuffle(rng);
        asked.truncate(QUESTIONS);
        asked
    }
}

/// A list with a place for everything, in units of the size of its letters.
struct Set {
    lines: Vec<Line>,
    /// Left, top, right and bottom of the button.
    button: Option<[f32; 4]>,
    width: f32,
    height: f32,
}

/// A line of text: its left end on the baseline, and its size.
struct Line {
    layout: Layout,
    x: f32,
    y: f32,
    scale: f32,
    place: Place,
}

/// What a line belongs to, which decides its colour.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Name,
    Price,
    Button,
}

impl Line {
    fn right(&self) -> f32 {
        self.x + self.layout.advance * self.scale
    }
}

impl Set {
    fn new(list: &List, face: &Face, rng: &mut ChaCha8Rng) -> Self {
        let mut set = Self {
            lines: Vec::new(),
            button: None,
            width: 0.0,
            height: rng.random_range(0.4..2.0),
        };
        let (left, leading) = (rng.random_range(0.4..2.5), rng.random_range(1.3..2.2));
        let line = |text: &str, scale, place| Line {
            layout: Layout::new(face, text, 0.0),
            x: left,
            y: 0.0,
            scale,
            place,
        };
        if let Some(heading) = &list.heading {
            let scale = rng.random_range(1.1..1.8);
            set.below(line(heading, scale, Place::Name), scale);
            set.height += rng.random_range(0.3..1.2);
        }
        let table = match list.rows.len() {
            1 => rng.random_bool(0.25),
            _ => rng.random_bool(0.55),
        };
        if table {
            set.table(list, &line, leading, rng);
        } else {
            set.stack(list, &line, rng);
        }
        if let Some(label) = &list.button {
            set.height += rng.random_range(0.6..1.8);
            let (across, down) = (rng.random_range(0.6..1.6), rng.random_range(0.4..0.9));
            let mut label = line(label, rng.random_range(0.85..1.05), Place::Button);
            let natural = label.layout.advance * label.scale + 2.0 * across;
            let width = match rng.random_bool(0.3) {
                true => natural.max(set.width - left),
                false => natural,
            };
            label.x += (width - natural) / 2.0 + across;
            let top = set.height;
            set.height += down;
            set.below(label, 0.9);
            set.height += down + 0.2;
            set.width = set.width.max(left + width);
            set.button = Some([left, top, left + width, set.height]);
        }
        set.width += left;
        set.height += rng.random_range(0.5..2.0);
        set
    }

    /// Adds a line `leading` below the last.
    fn below(&mut self, mut line: Line, leading: f32) {
        self.height += leading;
        line.y = self.height;
        self.width = self.width.max(line.right());
        self.lines.push(line);
    }

    /// Names in one column and prices in another.
    fn table(
        &mut self,
        list: &List,
        line: &impl Fn(&str, f32, Place) -> Line,
        leading: f32,
        rng: &mut ChaCha8Rng,
    ) {
        let scale = rng.random_range(0.95..1.15);
        let rows: Vec<(Line, Line)> = (list.rows.iter().chain(&list.sum))
            .map(|(name, price)| {
                (
                    line(name, 1.0, Place::Name),
                    line(price, scale, Place::Price),
                )
            })
            .collect();
        let widest = |lines: Vec<&Line>| lines.iter().map(|line| line.right()).fold(0.0, f32::max);
        let column = widest(rows.iter().map(|row| &row.0).collect()) + rng.random_range(0.7..5.0);
        let left = rows[0].0.x;
        let end = column + widest(rows.iter().map(|row| &row.1).collect()) - left;
        let to_right = rng.random_bool(0.7);
        for (name, mut price) in rows {
            price.x = match to_right {
                true => end - price.layout.advance * price.scale,
                false => column,
            };
            self.below(name, leading);
            self.below(price, 0.0);
        }
    }

    /// Each price below its name, in one column or two.
    fn stack(
        &mut self,
        list: &List,
        line: &impl Fn(&str, f32, Place) -> Line,
        rng: &mut ChaCha8Rng,
    ) {
        let (large, larger) = (rng.random_range(0.95..1.4), rng.random_range(0.95..1.6));
        let gap = rng.random_range(0.5..1.4);
        let columns = match list.rows.len() {
            2.. if rng.random_bool(0.45) => 2,
            _ => 1,
        };
        let between_columns = rng.random_range(1.0..3.0);
        for some in list.rows.chunks(columns) {
            let top = self.height;
            let mut start = 0.0;
            for (name, price) in some {
                self.height = top;
                let lines = [(name, large, Place::Name), (price, larger, Place::Price)];
                let mut right = 0.0f32;
                for (text, scale, place) in lines {
                    let mut line = line(text, scale, place);
                    line.x += start;
                    right = right.max(line.right());
                    self.below(line, 1.25 * scale);
                }
                start = right + between_columns;
            }
            self.height += gap;
        }
        if let Some((name, price)) = &list.sum {
            self.below(line(name, 1.0, Place::Name), 1.2);
            let mut price = line(price, 1.0, Place::Price);
            price.x = self.lines[self.lines.len() - 1].right() + rng.random_range(0.5..3.0);
            self.below(price, 0.0);
        }
    }

    fn paint(&self, rng: &mut ChaCha8Rng) -> Canvas {
        let (smallest, largest) = SIZES;
        let mut size = smallest + (largest - smallest) * rng.random::<f32>().powf(1.3);
        let patches = |size: f32| {
            ((self.width * size / PATCH).ceil() * (self.height * size / PATCH).ceil()) as usize
        };
        while patches(size) > MOST_PATCHES && size > 0.85 * smallest {
            size *= 0.95;
        }
        let (width, height) = (
            (self.width * size).ceil() as usize,
            (self.height * size).ceil() as usize,
        );
        let (ink, field, other) = ink_and_field(CONTRAST, rng);
        let (label, button, _) = ink_and_field(CONTRAST, rng);
        let soft = match rng.random_bool(0.2) {
            true => between(ink, field, 0.2),
            false => ink,
        };
        let field = match rng.random_bool(0.85) {
            true => Canvas::filled(width, height, field),
            false => Background::Gradient.paint(width, height, field, other, rng),
        };
        let mut canvas = field;
        if let Some(sides) = self.button {
            let round = [0.0, 0.2, 0.4, 1.0].choose(rng).expect("not empty");
            let mut raster = Rasterizer::new(width, height);
            rounded(&mut raster, sides.map(|side| (side * size).round()), *round);
            canvas.fill(&raster, button);
        }
        for (place, colour) in [
            (Place::Name, soft),
            (Place::Price, ink),
            (Place::Button, label),
        ] {
            self.write(&mut canvas, place, size, colour);
        }
        if rng.random_bool(0.15) {
            canvas.soften(rng.random_range(0.05..0.3));
        }
        canvas
    }

    fn write(&self, canvas: &mut Canvas, place: Place, size: f32, colour: Rgb) {
        let mut raster = Rasterizer::new(canvas.width, canvas.height);
        for line in self.lines.iter().filter(|line| line.place == place) {
            // Browsers set baselines on whole pixels.
            let (left, baseline) = (line.x * size, (line.y * size).round());
            let scale = size * line.scale;
            line.layout.trace(&mut raster, |p| Point {
                x: left + p.x * scale,
                y: baseline + p.y * scale,
            });
        }
        canvas.fill(&raster, colour);
    }
}

/// Draws a box; `round` is the share of half its height that its corners take.
fn rounded(raster: &mut Rasterizer, [left, top, right, bottom]: [f32; 4], round: f32) {
    let r = round * (bottom - top) / 2.0;
    let corners = [
        ((right, top), (-1.0, 0.0), (0.0, 1.0)),
        ((right, bottom), (0.0, -1.0), (-1.0, 0.0)),
        ((left, bottom), (1.0, 0.0), (0.0, -1.0)),
        ((left, top), (0.0, 1.0), (1.0, 0.0)),
    ];
    let at = |x: f32, y: f32| Dot { x, y };
    let mut last = at(left + r, top);
    for ((x, y), (back_x, back_y), (on_x, on_y)) in corners {
        let (before, after) = (
            at(x + back_x * r, y + back_y * r),
            at(x + on_x * r, y + on_y * r),
        );
        raster.draw_line(last, before);
        raster.draw_quad(before, at(x, y), after);
        last = after;
    }
    raster.draw_line(last, at(left + r, top));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::words;
    use rand::SeedableRng;

    fn texts() -> Texts {
        let fixture = fixture::packages();
        let face = drawing::family(&fixture.package("fonts-comic-neue")).unwrap();
        let (list, wordnet) = (
            fixture.package("american-english"),
            fixture.package("wordnet"),
        );
        Texts {
            families: vec![face],
            lines: words::load(&list, &wordnet).unwrap(),
            max_chars: 24,
        }
    }

    #[test]
    fn a_question_has_one_answer_and_none_before_it_says_it() {
        let (texts, mut rng) = (texts(), ChaCha8Rng::seed_from_u64(1));
        let (mut sums, mut names, mut buttons) = (0, 0, 0);
        for _ in 0..400 {
            let list = List::draw(&texts.lines, Split::Train, &mut rng);
            let asked = list.questions(&mut rng);
            assert!((1..=QUESTIONS).contains(&asked.len()));
            for (number, (question, answer)) in asked.iter().enumerate() {
                let said = asked[..number]
                    .iter()
                    .any(|(before, _)| before.contains(answer));
                // "1" is within "What costs 10?" and still no answer to it.
                let is_price = list.rows.iter().any(|(_, price)| price == answer);
                assert!(!said || !is_price, "{asked:?}");
                // "a" is a name too, and stands in most questions.
                let within = |text: &str| match question.contains(text) {
                    true => text.len(),
                    false => 0,
                };
                let fit = |(name, price): &&(String, String)| within(name).max(within(price));
                let row = list.rows.iter().max_by_key(fit).filter(|row| fit(row) > 1);
                match row {
                    Some((name, price)) => assert!(answer == name || answer == price, "{asked:?}"),
                    None => assert!(list.lines().any(|line| line == answer), "{asked:?}"),
                }
                names += usize::from(row.is_some_and(|(name, _)| name == answer));
            }
            sums += usize::from(list.sum.is_some());
            buttons += usize::from(list.button.is_some());
        }
        assert!(
            sums > 40 && names > 80 && buttons > 120,
            "{sums} {names} {buttons}"
        );
    }

    #[test]
    fn everything_that_is_set_lies_within_the_picture() {
        let (texts, mut rng) = (texts(), ChaCha8Rng::seed_from_u64(2));
        for _ in 0..300 {
            let list = List::draw(&texts.lines, Split::Train, &mut rng);
            let set = Set::new(&list, texts.face(&mut rng), &mut rng);
            assert_eq!(set.lines.len(), list.lines().count());
            for line in &set.lines {
                assert!(line.x >= 0.0 && line.right() <= set.width, "{}", line.x);
                assert!(
                    line.y >= 0.7 * line.scale && line.y < set.height,
                    "{}",
                    line.y
                );
            }
            let canvas = set.paint(&mut rng);
            let patches = canvas.width.div_ceil(8) * canvas.height.div_ceil(8);
            assert!(patches <= 1024, "{patches}");
        }
    }
}
