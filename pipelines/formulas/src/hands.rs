//! Formulas set by programs of other people, a batch at a time, and then worn as any picture.

use avocet_fetch::Sources;
use pipeline::say;
use presses::{Asked, Press, Renderer};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::FormulasError;
use crate::katex::KatexFaces;
use crate::lettering::Lettering;
use crate::paint::{LEAST_EM, LEAST_SCRIPT, Painted, Room};
use crate::plan::Planned;
use crate::split::seed;
use crate::typeset::{Typeset, Unrenderable, typeset};
use crate::worn::{Letters, Mask, picture};

/// Formulas of a batch: the inputs are cut into such by their numbers.
pub const BATCH: usize = 40;
/// The sizes that formulas are set in, in pixels per em.
const SIZES: (f32, f32) = (12.0, 48.0);

/// The programs that batches are set by, by turns.
#[derive(Debug)]
pub struct Hands {
    presses: Vec<Press>,
    katex: KatexFaces,
    seed: u64,
}

/// What set a batch.
#[derive(Debug, Clone)]
pub struct Printed {
    /// The typeface and the program.
    pub by: String,
    /// The licence of its typefaces.
    pub licence: &'static str,
}

/// A formula that a program is asked for.
struct Wanted {
    asked: Asked,
    smallest: f32,
}

impl Hands {
    /// Looks for one program, or for all that are here if none is named: what is missing is then said
    /// and left out.
    ///
    /// Errors if the one named is missing, or none is here, or a package cannot be had.
    pub fn open(
        named: Option<Renderer>,
        sources: &Sources,
        seed: u64,
    ) -> Result<Self, FormulasError> {
        let mut presses = Vec::new();
        let mut missing = None;
        for renderer in Renderer::ALL {
            if named.is_some_and(|named| named != renderer) {
                continue;
            }
            match Press::open(renderer, sources) {
                Ok(press) => presses.push(press),
                Err(error) if named.is_none() && error.is_missing_tool() => {
                    say(&format!("left out: {error}"));
                    missing = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        match missing {
            Some(error) if presses.is_empty() => Err(error.into()),
            _ => Ok(Self {
                presses,
                katex: KatexFaces::load()?,
                seed,
            }),
        }
    }

    /// What the bytes depend on.
    pub fn versions(&self) -> Vec<String> {
        self.presses.iter().map(Press::version).collect()
    }

    /// The pictures of some formulas of the batch of that number, in their order, and the typeface and
    /// program that set them.
    ///
    /// Errors if a program fails for good or a picture cannot be encoded.
    pub fn batch(
        &self,
        number: usize,
        planned: &mut [Planned],
        room: Room,
    ) -> Result<(Vec<Painted>, Printed), FormulasError> {
        let mut rng = ChaCha8Rng::from_seed(seed(self.seed, "batch", number as u64));
        let press = &self.presses[number % self.presses.len()];
        let typefaces = press.typefaces();
        let typeface = rng.random_range(0..typefaces.len());
        // One resolution for a whole document of TeX.
        let document = rng.random_range(15.0..f64::from(SIZES.1));
        let document = (press.renderer == Renderer::Tex).then_some(document);
        let wanted: Vec<_> = planned
            .iter_mut()
            .map(|planned| self.wanted(planned, document))
            .collect();
        let asked = wanted.iter().flatten().map(|one| one.asked.clone());
        let asked: Vec<Asked> = asked.collect();
        let drawn = match asked.is_empty() {
            true => Vec::new(),
            false => press.set(&asked, typeface)?,
        };
        let mut drawn = drawn.into_iter();
        let mut painted = Vec::with_capacity(planned.len());
        for (planned, wanted) in planned.iter_mut().zip(wanted) {
            let wanted = match wanted {
                Ok(wanted) => wanted,
                Err(why) => {
                    painted.push(Err(why));
                    continue;
                }
            };
            let found = drawn.next().unwrap_or(Err("the program does not set it"));
            let mask = found.and_then(|found| Mask::of(&found).trimmed().ok_or("an empty picture"));
            let letters = Letters {
                em: wanted.asked.size as f32,
                smallest: wanted.smallest,
                turned: false,
            };
            painted.push(match mask {
                Ok(mask) => picture(mask, letters, room, &mut planned.rng)?,
                Err(reason) => Err(Unrenderable {
                    reason,
                    detail: format!("{}: {}", press.renderer.name(), planned.latex),
                }),
            });
        }
        let printed = Printed {
            by: format!("{} by {}", typefaces[typeface], press.renderer.name()),
            licence: press.renderer.licence(),
        };
        Ok((painted, printed))
    }

    /// What is asked for, if our own layout knows the formula as well.
    fn wanted(&self, planned: &mut Planned, document: Option<f64>) -> Result<Wanted, Unrenderable> {
        if presses::is_program(&planned.latex) {
            return Err(Unrenderable {
                reason: "a command that no formula needs",
                detail: planned.latex.clone(),
            });
        }
        let set: Typeset = typeset(
            &planned.latex,
            planned.inline,
            &self.katex,
            &Lettering::Katex,
        )?;
        let least = LEAST_EM.max(LEAST_SCRIPT / set.smallest);
        let drawn = SIZES.0 + (SIZES.1 - SIZES.0) * planned.rng.random::<f32>().powf(1.4);
        let size = document.unwrap_or(f64::from(drawn.max(least)));
        Ok(Wanted {
            asked: Asked {
                latex: planned.latex.clone(),
                size,
                inline: planned.inline,
            },
            smallest: set.smallest,
        })
    }
}
