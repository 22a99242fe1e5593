//! Chance changes of pictures while a model learns, drawn by what is drawn: the same place of the same
//! run changes in the same way, however often the run was stopped.

use avocet_media::Variation;

use crate::digest::sha256;

/// What pictures may become while a model learns from them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Augment {
    /// What they are.
    #[default]
    None,
    /// A little turned, nearer and farther, in another light: what is written stays to be read.
    Letters,
    /// Mirrored as well, and with more of the edges cut off: what is shown stays what it is.
    Things,
}

/// Most of a change, for [`Augment::Letters`] and [`Augment::Things`].
struct Most {
    degrees: f32,
    /// As a power of e.
    scale: f32,
    shift: f32,
}

const LETTERS: Most = Most {
    degrees: 4.0,
    scale: 0.06,
    shift: 0.02,
};
const THINGS: Most = Most {
    degrees: 12.0,
    scale: 0.25,
    shift: 0.08,
};
/// Most of a change of light, and of each colour's, as powers of e; and of contrast.
const LIGHT: f32 = 0.2;
const COLOUR: f32 = 0.06;
const CONTRAST: f32 = 0.2;
/// So many of five are shown as they are.
const UNCHANGED: u8 = 51;

impl Augment {
    /// The change of what is drawn so: by the seed, its place among the data and how often it was
    /// drawn before. None in one of five cases.
    pub fn variation(self, drawn: &[u64]) -> Option<Variation> {
        let most = match self {
            Self::None => return None,
            Self::Letters => LETTERS,
            Self::Things => THINGS,
        };
        let mut seed = b"augment".to_vec();
        seed.extend(drawn.iter().flat_map(|number| number.to_le_bytes()));
        let lot = sha256(&seed);
        if lot[0] < UNCHANGED {
            return None;
        }
        // Numbers of -1 to 1.
        let mut numbers = lot[2..].chunks_exact(2).map(|pair| {
            let number = u16::from_le_bytes([pair[0], pair[1]]);
            f32::from(number) / 32_767.5 - 1.0
        });
        let mut draw = || numbers.next().unwrap_or_default();
        let (degrees, scale) = (most.degrees * draw(), (most.scale * draw()).exp());
        let shift = [most.shift * draw(), most.shift * draw()];
        let light = LIGHT * draw();
        Some(Variation {
            mirrored: self == Self::Things && lot[1] < 128,
            degrees,
            scale,
            shift,
            light: std::array::from_fn(|_| (light + COLOUR * draw()).exp()),
            contrast: (CONTRAST * draw()).exp(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_draw_changes_in_the_same_way_and_another_in_another() {
        let all: Vec<_> = (0..200)
            .map(|n| Augment::Things.variation(&[7, 0, n, 0]))
            .collect();
        let again: Vec<_> = (0..200)
            .map(|n| Augment::Things.variation(&[7, 0, n, 0]))
            .collect();
        assert_eq!(all, again);
        let changed: Vec<&Variation> = all.iter().flatten().collect();
        assert!((140..180).contains(&changed.len()), "{}", changed.len());
        let mirrored = changed.iter().filter(|change| change.mirrored).count();
        assert!((50..110).contains(&mirrored), "{mirrored}");
        let turns = changed.iter().map(|change| change.degrees.abs());
        let widest = turns.fold(0.0, f32::max);
        assert!((10.0..=12.0).contains(&widest), "{widest}");
        assert_ne!(
            Augment::Things.variation(&[7, 0, 5, 1]),
            Augment::Things.variation(&[7, 0, 5, 2])
        );
    }

    #[test]
    fn letters_are_never_mirrored_and_lose_nothing_at_the_edge() {
        for n in 0..500 {
            let Some(change) = Augment::Letters.variation(&[n]) else {
                continue;
            };
            assert!(!change.mirrored && change.degrees.abs() <= 4.0);
            assert!((0.94..1.07).contains(&change.scale), "{}", change.scale);
            assert!(change.shift.iter().all(|shift| shift.abs() <= 0.02));
        }
        assert_eq!(Augment::None.variation(&[1]), None);
    }
}
