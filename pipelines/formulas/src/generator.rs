//! Everything that is read once, and how one sample of each kind is drawn from its seed.

use avocet_data::{Sample, Truth};
use avocet_fetch::Sources;
use avocet_text::Turn;
use drawing::wording::ask;
use drawing::{FAMILIES, Face, Package, family};
use pipeline::Split;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::args::{Args, SetBy};
use crate::error::FormulasError;
use crate::katex::KatexFaces;
use crate::kinds::Kind;
use crate::lettering::Lettering;
use crate::manuals::Manuals;
use crate::normal::normalise;
use crate::page::{Alignment, Style, lay_out};
use crate::paint::{self, Painted, Room, Scene};
use crate::split::{is_held_out, seed};
use crate::texts::Texts;
use crate::typeset::{Unrenderable, typeset};
use crate::{compose, grammar, wording};

/// Room for a paragraph and for a document, in pixels.
const PARAGRAPH: Room = Room {
    width: 512,
    height: 256,
};
const DOCUMENT: Room = Room {
    width: 512,
    height: 640,
};
/// Characters of a rejected source that the ledger shows.
const MOST_SHOWN: usize = 2000;

/// Faces, texts and settings.
#[derive(Debug)]
pub struct FormulaGenerator {
    /// The formulas of manuals, if any are asked for.
    pub(crate) manuals: Option<Manuals>,
    pub(crate) katex: KatexFaces,
    families: Vec<Vec<Face>>,
    /// The families whose letters formulas can be drawn in.
    lettered: Vec<usize>,
    texts: Texts,
    /// Where faces and texts came from; none if they are the program's own.
    sources: Option<Sources>,
    pub(crate) split: Split,
    seed: u64,
    pub(crate) difficulty: usize,
    pub(crate) room: Room,
    pub(crate) licence: String,
}

/// The beginning of a source, as much as the ledger shows of it.
pub fn beginning(source: &str) -> String {
    match source.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}...", &source[..end]),
        None => source.to_owned(),
    }
}

/// A sample, or why there is none.
pub type Drawn = Result<Sample, Unrenderable>;

impl FormulaGenerator {
    /// Reads the faces, and texts and manuals if any kind asked for shows some.
    ///
    /// Errors if something cannot be fetched or read.
    pub fn load(
        args: &Args,
        (wants_text, wants_manuals): (bool, bool),
    ) -> Result<Self, FormulasError> {
        let katex = KatexFaces::load()?;
        let mut families = katex.families();
        let (mut texts, mut sources) = (Texts::default(), None);
        if wants_text {
            texts = Texts::bundled(args.split);
        }
        if !args.bundled {
            let sources = &*sources.insert(Sources::open(args.manifest.as_deref())?);
            // Other programs bring their own.
            let wanted = FAMILIES.iter().filter(|_| args.renderer == SetBy::Own);
            for name in wanted {
                families.push(family(&Package::open(sources, name)?)?);
            }
            if wants_text {
                texts.fetch(sources, args.split)?;
            }
        }
        let lettered = (0..families.len())
            .filter(|i| Lettering::of(&families[*i], &katex).is_some())
            .collect();
        let mut manuals = None;
        if wants_manuals {
            // What nothing is fetched for has no manuals either.
            let sources = sources.as_ref().ok_or(FormulasError::NoManuals)?;
            manuals = Some(Manuals::load(sources, args.run.seed)?);
        }
        Ok(Self {
            manuals,
            katex,
            families,
            lettered,
            texts,
            sources,
            split: args.split,
            seed: args.run.seed,
            difficulty: args.difficulty,
            room: Room {
                width: args.max_width,
                height: args.max_height,
            },
            licence: args.licence.clone(),
        })
    }

    /// Adds to a dataset's settings what was not to be had as the manifest names it.
    pub fn record(&self, settings: &mut serde_json::Value) {
        if let Some(sources) = &self.sources {
            sources.record(settings);
        }
    }

    /// Adds the text of a file to those that paragraphs are drawn from.
    pub fn add_text(&mut self, path: &std::path::Path, text: &str) {
        self.texts.add_file(path, &self.licence, text, self.split);
    }

    /// Where faces, texts and manuals come from.
    ///
    /// Errors if nothing is to be fetched.
    pub fn sources(&self) -> Result<&Sources, FormulasError> {
        self.sources.as_ref().ok_or(FormulasError::NoManuals)
    }

    /// Whether there is any text to draw from.
    pub fn has_text(&self) -> bool {
        !self.texts.is_empty()
    }

    pub(crate) fn rng(&self, kind: &str, index: u64) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(seed(self.seed, kind, index))
    }

    pub(crate) fn lettering(&self, rng: &mut ChaCha8Rng) -> Lettering<'_> {
        let other = rng.random_bool(0.5);
        let chosen = self.lettered.choose(rng);
        chosen
            .filter(|_| other)
            .and_then(|i| Lettering::of(&self.families[*i], &self.katex))
            .unwrap_or(Lettering::Katex)
    }

    /// A face for running text and a bold one, which have every letter of `text`.
    fn faces(&self, text: &str, rng: &mut ChaCha8Rng) -> Result<(&Face, &Face), Unrenderable> {
        let mut missing = String::new();
        for _ in 0..6 {
            let family = self.families.choose(rng).expect("KaTeX's are there");
            let regular: Vec<&Face> = family.iter().filter(|face| face.is_regular()).collect();
            let any = family.choose(rng).expect("no family is empty");
            let body = match rng.random_bool(0.8) {
                true => regular.choose(rng).copied().unwrap_or(any),
                false => any,
            };
            let heavy = |face: &&Face| face.name.contains("Bold") && !face.name.contains("Italic");
            let bold = family.iter().find(heavy).unwrap_or(body);
            let letters = || text.chars().filter(|c| *c != '\n');
            let lacks = |face: &Face| letters().find(|c| face.glyph(*c).is_none());
            match lacks(body).or_else(|| lacks(bold)) {
                None => return Ok((body, bold)),
                Some(letter) => missing = format!("{} has no {letter:?}", body.name),
            }
        }
        Err(Unrenderable {
            reason: "no typeface drawn has every letter of the text",
            detail: missing,
        })
    }

    /// Some sentences.
    ///
    /// Errors if the picture cannot be encoded.
    pub fn paragraph(&self, index: u64) -> Result<Drawn, FormulasError> {
        let mut rng = self.rng(Kind::Paragraph.name(), index);
        let passage = self.texts.draw(3, &mut rng);
        let text = compose::paragraph(passage.pieces, &mut rng);
        let (body, bold) = match self.faces(&text, &mut rng) {
            Ok(faces) => faces,
            Err(error) => return Ok(Err(error)),
        };
        let size = 12.0 + 12.0 * rng.random::<f32>().powf(1.8);
        let style = Style {
            body,
            bold,
            size,
            heading: 1.3,
            leading: rng.random_range(1.15..1.5),
            alignment: alignment(&mut rng),
            width: rng.random_range(220.0..470.0),
            columns: 1,
        };
        let blocks = [crate::page::Block::Paragraph(text)];
        let image = self.laid_out(&blocks, style, PARAGRAPH, &mut rng)?;
        let text = blocks[0].transcription();
        self.transcribed(
            Kind::Paragraph,
            &wording::TEXT,
            passage.source,
            (body, text),
            image,
            &mut rng,
        )
    }

    /// A small page.
    ///
    /// Errors if the picture cannot be encoded.
    pub fn document(&self, index: u64) -> Result<Drawn, FormulasError> {
        let mut rng = self.rng(Kind::Document.name(), index);
        let passage = self.texts.draw(8, &mut rng);
        let formula = self.display_formula(&mut rng);
        let blocks = compose::document(passage.pieces, formula, &mut rng);
        let texts: Vec<String> = blocks.iter().map(crate::page::Block::text).collect();
        let (body, bold) = match self.faces(&texts.concat(), &mut rng) {
            Ok(faces) => faces,
            Err(error) => return Ok(Err(error)),
        };
        let columns = if rng.random_bool(0.25) { 2 } else { 1 };
        let width = match columns {
            1 => rng.random_range(300.0..470.0),
            _ => rng.random_range(400.0..480.0),
        };
        let style = Style {
            body,
            bold,
            size: 11.5 + 4.0 * rng.random::<f32>().powf(1.5),
            heading: rng.random_range(1.15..1.7),
            leading: rng.random_range(1.2..1.5),
            alignment: alignment(&mut rng),
            width,
            columns,
        };
        let image = self.laid_out(&blocks, style, DOCUMENT, &mut rng)?;
        let parts: Vec<String> = blocks
            .iter()
            .map(crate::page::Block::transcription)
            .collect();
        let text = parts.join("\n");
        self.transcribed(
            Kind::Document,
            &wording::DOCUMENT,
            passage.source,
            (body, text),
            image,
            &mut rng,
        )
    }

    /// A formula of the split to stand in a page.
    fn display_formula(&self, rng: &mut ChaCha8Rng) -> Option<crate::page::Block> {
        let latex = grammar::formula(self.difficulty, rng);
        let form = normalise(&latex);
        if is_held_out(&form) != (self.split == Split::Test) && self.split == Split::Train {
            return None;
        }
        let set = typeset(&latex, false, &self.katex, &Lettering::Katex).ok()?;
        let small = set.width <= 16.0 && set.height + set.depth <= 5.0;
        small.then(|| crate::page::Block::Formula(Box::new(set), form))
    }

    fn laid_out(
        &self,
        blocks: &[crate::page::Block],
        mut style: Style<'_>,
        room: Room,
        rng: &mut ChaCha8Rng,
    ) -> Result<Painted, FormulasError> {
        loop {
            let shapes = lay_out(blocks, &style);
            let scene = Scene {
                shapes,
                em: style.size,
                most_turn: 1.2,
            };
            let painted = paint::scene(&scene, room, rng)?;
            let too_large = matches!(&painted, Err(error) if error.reason.starts_with("too large"));
            if !too_large || style.size <= 11.0 && style.width >= 480.0 {
                return Ok(painted);
            }
            // First wider, then smaller.
            style.width = (style.width * 1.15).min(485.0);
            style.size = (style.size * 0.93).max(11.0);
        }
    }

    fn transcribed(
        &self,
        kind: Kind,
        wordings: &[&str],
        source: &crate::texts::Source,
        (face, text): (&Face, String),
        image: Painted,
        rng: &mut ChaCha8Rng,
    ) -> Result<Drawn, FormulasError> {
        let image = match image {
            Ok(image) => image,
            Err(error) => {
                let start: String = text.chars().take(80).collect();
                let detail = format!("{start}: {}", error.detail);
                return Ok(Err(Unrenderable { detail, ..error }));
            }
        };
        let name = format!("{} ({}/{})", source.name, face.family, face.name);
        let licence = format!("{} AND {}", source.licence, face.licence);
        let from = (kind.name(), name.as_str(), licence.as_str());
        let truth: Option<Truth> = None;
        let answer = Turn::transcription(text);
        Ok(Ok(Sample::question(
            from,
            image,
            truth,
            &ask(wordings, rng),
            answer,
        )?))
    }
}

fn alignment(rng: &mut ChaCha8Rng) -> Alignment {
    match rng.random_range(0..10) {
        0..5 => Alignment::Left,
        5..9 => Alignment::Justified,
        _ => Alignment::Centred,
    }
}
