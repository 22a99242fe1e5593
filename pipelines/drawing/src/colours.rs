//! Colours, and which of them letters can be read in.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Red, green and blue, 0 to 255.
pub type Rgb = [u8; 3];

/// How bright a colour looks, 0 to 255 (Rec. 601 weights).
pub fn luminance(colour: Rgb) -> f32 {
    let [r, g, b] = colour.map(f32::from);
    0.299 * r + 0.587 * g + 0.114 * b
}

/// The colour `t` of the way from `a` to `b`.
pub fn between(a: Rgb, b: Rgb, t: f32) -> Rgb {
    let one = |i: usize| (f32::from(a[i]) + (f32::from(b[i]) - f32::from(a[i])) * t + 0.5) as u8;
    [one(0), one(1), one(2)]
}

/// Two colours for a field behind a thing: at times alike, at times not, never so
/// white or black that a white or black edge is lost in them.
pub fn field_colours(rng: &mut ChaCha8Rng) -> (Rgb, Rgb) {
    let mut colour = || -> Rgb { std::array::from_fn(|_| rng.random_range(24..=232)) };
    let a = colour();
    let b = colour();
    if rng.random_bool(0.6) {
        (a, between(a, b, 0.35))
    } else {
        (a, b)
    }
}

/// Letters' colour and two of the field, at least `contrast` apart in brightness where
/// black or white can be.
pub fn ink_and_field(contrast: f32, rng: &mut ChaCha8Rng) -> (Rgb, Rgb, Rgb) {
    let mut within =
        |low: u8, high: u8| -> Rgb { std::array::from_fn(|_| rng.random_range(low..=high)) };
    let (field, other) = (within(0, 255), within(0, 255));
    let (light, dark) = (within(222, 255), within(0, 50));
    let ink = within(0, 255);
    let (field, ink) = match rng.random_range(0..20) {
        0..7 => (light, if rng.random_bool(0.5) { dark } else { ink }),
        7..9 => ([255; 3], [0; 3]),
        9..12 => (dark, if rng.random_bool(0.5) { light } else { ink }),
        _ => (field, ink),
    };
    let second = between(field, other, rng.random_range(0.05..0.35));
    let apart = |a: Rgb| {
        (luminance(a) - luminance(field))
            .abs()
            .min((luminance(a) - luminance(second)).abs())
    };
    let extreme = if apart([0; 3]) > apart([255; 3]) {
        [0; 3]
    } else {
        [255; 3]
    };
    // Moves a colour too near towards black or white until it can be read.
    let mut inked = ink;
    for step in 1..=10 {
        let between_fields =
            (luminance(inked) - luminance(field)) * (luminance(inked) - luminance(second)) < 0.0;
        if apart(inked) >= contrast && !between_fields {
            break;
        }
        inked = between(ink, extreme, step as f32 / 10.0);
    }
    (inked, field, second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn letters_stand_out_from_both_colours_of_their_field() {
        let mut rng = ChaCha8Rng::seed_from_u64(10);
        for _ in 0..5000 {
            let (ink, a, b) = ink_and_field(85.0, &mut rng);
            for field in [a, b] {
                let apart = (luminance(ink) - luminance(field)).abs();
                assert!(apart >= 75.0, "{ink:?} on {field:?}: {apart}");
            }
        }
    }
}
