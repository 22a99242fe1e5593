//! A formula of our own layout as coverage, for the wear that pictures of it then get.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::error::FormulasError;
use crate::paint::{LEAST_EM, LEAST_SCRIPT, Painted, Placing, Room, formula, raster, scaled};
use crate::typeset::{Typeset, Unrenderable};
use crate::worn::{self, Letters, Mask};

/// The longest side of what is drawn before it is made smaller.
const MASK: usize = 8192;
/// The widest sizes that formulas are drawn in.
const WORN_SIZES: (f32, f32) = (11.0, 48.0);

/// As [`formula`], in more sizes and as pictures are after many hands; colours that the source asks
/// for are kept, and then it is drawn as there.
///
/// Errors if the picture cannot be encoded.
pub fn worn_formula(
    set: &Typeset,
    room: Room,
    rng: &mut ChaCha8Rng,
) -> Result<Painted, FormulasError> {
    if set.shapes.iter().any(|shape| shape.colour.is_some()) {
        return formula(set, room, rng);
    }
    let least = LEAST_EM.max(LEAST_SCRIPT / set.smallest);
    let spread = WORN_SIZES.1 - WORN_SIZES.0;
    let em = (WORN_SIZES.0 + spread * rng.random::<f32>().powf(1.5)).max(least);
    let mut placing = Placing::draw(3.0, rng);
    placing.margins = [1.0; 4];
    let shapes = scaled(&set.shapes, em, 0.0, 0.0);
    let most = Room {
        width: MASK,
        height: MASK,
    };
    let Some(fitted) = placing.fit(&shapes, most) else {
        return Ok(Err(Unrenderable {
            reason: "too large for the picture at a size that can be read",
            detail: format!("{:.0} ems wide", set.width),
        }));
    };
    let mut mask = Mask::empty(fitted.width, fitted.height);
    for shape in &shapes {
        raster(shape, &fitted, |x, y, coverage| {
            let inside = x < mask.width && y < mask.height;
            if inside {
                let part = &mut mask.cover[y * mask.width + x];
                *part = part.max(coverage);
            }
        });
    }
    let letters = Letters {
        em,
        smallest: set.smallest,
        turned: placing.angle != 0.0,
    };
    worn::picture(mask, letters, room, rng)
}
