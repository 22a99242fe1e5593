//! Turns and mirrors pixels as a file's display matrix says.

/// One of the eight ways to lay a picture down: transposed or not, then mirrored or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Turn {
    transpose: bool,
    mirror_x: bool,
    mirror_y: bool,
}

impl Turn {
    /// The nearest turn to a display matrix: nine native-endian i32, of which the four that
    /// rotate stand at 0, 1, 3 and 4.
    pub(crate) fn of_matrix(bytes: &[u8]) -> Self {
        let entry = |index: usize| {
            let four = bytes.get(4 * index..4 * index + 4)?;
            Some(i64::from(i32::from_ne_bytes(four.try_into().ok()?)))
        };
        let (Some(a), Some(b), Some(c), Some(d)) = (entry(0), entry(1), entry(3), entry(4)) else {
            return Self::default();
        };
        if a.abs() + d.abs() >= b.abs() + c.abs() {
            Self {
                transpose: false,
                mirror_x: a < 0,
                mirror_y: d < 0,
            }
        } else {
            Self {
                transpose: true,
                mirror_x: c < 0,
                mirror_y: b < 0,
            }
        }
    }

    /// Clockwise degrees, mirroring left out.
    pub(crate) fn degrees(self) -> u32 {
        match (self.transpose, self.mirror_x, self.mirror_y) {
            (false, true, true) => 180,
            (false, _, _) => 0,
            (true, _, false) => 90,
            (true, _, true) => 270,
        }
    }

    /// Size after the turn.
    pub(crate) fn size(self, width: usize, height: usize) -> (usize, usize) {
        match self.transpose {
            true => (height, width),
            false => (width, height),
        }
    }

    /// Turns RGB pixels of `width` x `height` into `turned`; false if they are right as they are.
    pub(crate) fn apply(
        self,
        rgb: &[u8],
        width: usize,
        height: usize,
        turned: &mut Vec<u8>,
    ) -> bool {
        if self == Self::default() {
            return false;
        }
        let (new_width, new_height) = self.size(width, height);
        turned.clear();
        turned.reserve(rgb.len());
        for y in 0..new_height {
            for x in 0..new_width {
                let (from_x, from_y) = match self.transpose {
                    true => (
                        flip(y, width, self.mirror_y),
                        flip(x, height, self.mirror_x),
                    ),
                    false => (
                        flip(x, width, self.mirror_x),
                        flip(y, height, self.mirror_y),
                    ),
                };
                let at = 3 * (from_y * width + from_x);
                turned.extend_from_slice(&rgb[at..at + 3]);
            }
        }
        true
    }
}

fn flip(at: usize, length: usize, mirrored: bool) -> usize {
    match mirrored {
        true => length - 1 - at,
        false => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(a: i32, b: i32, c: i32, d: i32) -> Vec<u8> {
        let one = 1 << 16;
        let entries = [a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30];
        entries.iter().flat_map(|e: &i32| e.to_ne_bytes()).collect()
    }

    /// A picture of three pixels across and two down, told apart by their red.
    fn picture() -> Vec<u8> {
        (1..=6).flat_map(|red| [red, 0, 0]).collect()
    }

    fn reds(turn: Turn) -> Vec<u8> {
        let mut turned = Vec::new();
        match turn.apply(&picture(), 3, 2, &mut turned) {
            true => turned.iter().step_by(3).copied().collect(),
            false => (1..=6).collect(),
        }
    }

    #[test]
    fn the_matrix_of_a_phone_held_upright_turns_clockwise() {
        let turn = Turn::of_matrix(&matrix(0, 1, -1, 0));
        assert_eq!(turn.degrees(), 90);
        assert_eq!(turn.size(3, 2), (2, 3));
        // 1 2 3      4 1
        // 4 5 6  ->  5 2
        //            6 3
        assert_eq!(reds(turn), [4, 1, 5, 2, 6, 3]);
    }

    #[test]
    fn the_other_turns_and_mirrors_follow_their_matrix() {
        assert_eq!(
            reds(Turn::of_matrix(&matrix(1, 0, 0, 1))),
            [1, 2, 3, 4, 5, 6]
        );
        assert_eq!(
            reds(Turn::of_matrix(&matrix(-1, 0, 0, -1))),
            [6, 5, 4, 3, 2, 1]
        );
        assert_eq!(
            reds(Turn::of_matrix(&matrix(-1, 0, 0, 1))),
            [3, 2, 1, 6, 5, 4]
        );
        let left = Turn::of_matrix(&matrix(0, -1, 1, 0));
        assert_eq!((left.degrees(), reds(left)), (270, vec![3, 6, 2, 5, 1, 4]));
    }

    #[test]
    fn a_matrix_cut_short_turns_nothing() {
        assert_eq!(Turn::of_matrix(&[0; 11]), Turn::default());
    }
}
