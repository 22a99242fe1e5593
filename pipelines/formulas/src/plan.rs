//! Which formula a sample shows, before anything sets it.

use avocet_data::Sample;
use avocet_text::Turn;
use drawing::wording::ask;
use pipeline::Split;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::error::FormulasError;
use crate::generator::{Drawn, FormulaGenerator, beginning};
use crate::katex;
use crate::kinds::Kind;
use crate::lettering::Lettering;
use crate::normal::normalise;
use crate::split::is_held_out;
use crate::typeset::{MOST_BYTES, Unrenderable, shown, typeset};
use crate::vary::varied;
use crate::{grammar, outlined, paint, wording};

/// Draws from the grammar until one belongs to the split.
const MOST_DRAWS: usize = 2000;
/// How many variations of a manual's formula are tried, some of which cannot be drawn.
const MOST_VARIATIONS: usize = 12;
/// How often a manual's formula is shown as it stands there.
const AS_WRITTEN: f64 = 0.3;

/// A formula that is to be shown.
#[derive(Debug, Clone)]
pub struct Planned {
    kind: Kind,
    source: String,
    licence: String,
    /// What is set.
    pub latex: String,
    form: String,
    /// As in a line of text.
    pub inline: bool,
    /// The state after all that was drawn for it.
    pub rng: ChaCha8Rng,
}

impl Planned {
    /// Says in an error which formula it is about.
    pub fn about(&self, error: Unrenderable) -> Unrenderable {
        Unrenderable {
            detail: format!("{}: {}", beginning(&self.latex), error.detail),
            ..error
        }
    }

    /// The sample with its picture, which letters of `face` are shown in.
    ///
    /// Errors if its parts do not agree.
    pub fn sample(
        mut self,
        image: Vec<u8>,
        face: &str,
        licence: &str,
    ) -> Result<Sample, FormulasError> {
        let question = ask(&wording::FORMULA, &mut self.rng);
        let source = format!("{} ({face})", self.source);
        let licence = format!("{} AND {licence}", self.licence);
        let from = (self.kind.name(), source.as_str(), licence.as_str());
        let answer = Turn::transcription(self.form);
        Ok(Sample::question(from, image, None, &question, answer)?)
    }
}

impl FormulaGenerator {
    /// The picture of a formula by ourselves, with its question and answer.
    ///
    /// Errors if the picture cannot be encoded.
    pub fn drawn(&self, mut planned: Planned) -> Result<Drawn, FormulasError> {
        let rng = &mut planned.rng;
        let lettering = self.lettering(rng);
        let set = match typeset(&planned.latex, planned.inline, &self.katex, &lettering) {
            Ok(set) => set,
            Err(error) => return Ok(Err(planned.about(error))),
        };
        // Held-out pictures stay as they were, so that the figures of models can be compared.
        let painted = match self.split {
            Split::Test => paint::formula(&set, self.room, rng)?,
            Split::Train => outlined::worn_formula(&set, self.room, rng)?,
        };
        let image = match painted {
            Ok(image) => image,
            Err(error) => return Ok(Err(planned.about(error))),
        };
        let (face, licence) = match lettering {
            Lettering::Katex => ("KaTeX".to_owned(), katex::LICENCE.to_owned()),
            Lettering::Face { upright, .. } => (
                upright.family.clone(),
                format!("{} AND {}", katex::LICENCE, upright.licence),
            ),
        };
        planned.sample(image, &face, &licence).map(Ok)
    }

    /// A formula of the grammar, or why there is none.
    pub fn formula(&self, index: u64) -> Result<Planned, Unrenderable> {
        let mut rng = self.rng(Kind::Formula.name(), index);
        let held_out = self.split == Split::Test;
        for _ in 0..MOST_DRAWS {
            let latex = grammar::formula(self.difficulty, &mut rng);
            let form = normalise(&latex);
            if is_held_out(&form) == held_out {
                let inline = rng.random_bool(0.15);
                let from = (Kind::Formula, "grammar", "CC0-1.0");
                return planned(from, (latex, form, inline), rng);
            }
        }
        Err(Unrenderable {
            reason: "the grammar gave no formula of the split",
            detail: format!("after {MOST_DRAWS} draws"),
        })
    }

    /// A formula of a manual as it stands there or varied, or why there is none.
    pub fn of_manual(&self, index: u64) -> Result<Planned, Unrenderable> {
        let mut rng = self.rng(Kind::FormulaManual.name(), index);
        let none = |detail: &str| Unrenderable {
            reason: "no variation belongs to the split and can be drawn",
            detail: beginning(detail),
        };
        let manuals = self.manuals.as_ref().ok_or_else(|| none("no manual"))?;
        let count = manuals.written.len().max(1);
        let written = manuals.written.get(index as usize % count);
        let written = written.ok_or_else(|| none("no manual"))?;
        let is_of_split = |form: &str| is_held_out(form) == (self.split == Split::Test);
        for round in 0..MOST_VARIATIONS {
            let latex = if round == 0 && rng.random_bool(AS_WRITTEN) {
                written.latex.clone()
            } else {
                varied(&written.latex, &mut rng)
            };
            let form = normalise(&latex);
            let is_same = || {
                let drawn = shown(&latex, written.inline).ok()?;
                Some(!drawn.is_empty() && shown(&form, written.inline).ok()? == drawn)
            };
            if !form.is_empty()
                && is_of_split(&form)
                && !manuals.keeps_out(&form)
                && is_same() == Some(true)
            {
                // What stands in a line there is shown on a line of its own as often.
                let inline = written.inline && rng.random_bool(0.5);
                let licence = manuals.licence(written.manual);
                let from = (Kind::FormulaManual, written.manual, licence);
                return planned(from, (latex, form, inline), rng);
            }
        }
        Err(none(&written.latex))
    }

    /// A formula found in a file, spelled out, or why there is none.
    pub fn found(
        &self,
        input: &str,
        source: &str,
        latex: &str,
        inline: bool,
    ) -> Result<Planned, Unrenderable> {
        if latex.len() > MOST_BYTES {
            return Err(Unrenderable {
                reason: "the source is too long",
                detail: format!("{}: {} bytes", beginning(latex), latex.len()),
            });
        }
        let form = normalise(latex);
        if is_held_out(&form) != (self.split == Split::Test) {
            return Err(Unrenderable {
                reason: "belongs to the other split",
                detail: form,
            });
        }
        if let (Ok(drawn), Ok(answered)) = (shown(latex, inline), shown(&form, inline))
            && drawn != answered
        {
            return Err(Unrenderable {
                reason: "the answer does not show what the picture does",
                detail: format!("{}: {}", beginning(latex), beginning(&form)),
            });
        }
        let rng = self.rng(input, 0);
        let from = (Kind::FormulaFile, source, self.licence.as_str());
        planned(from, (latex.to_owned(), form, inline), rng)
    }
}

fn planned(
    (kind, source, licence): (Kind, &str, &str),
    (latex, form, inline): (String, String, bool),
    rng: ChaCha8Rng,
) -> Result<Planned, Unrenderable> {
    let planned = Planned {
        kind,
        source: source.to_owned(),
        licence: licence.to_owned(),
        latex,
        form,
        inline,
        rng,
    };
    if planned.form.is_empty() {
        return Err(planned.about(Unrenderable {
            reason: "an empty picture",
            detail: "nothing in it shows".into(),
        }));
    }
    Ok(planned)
}
