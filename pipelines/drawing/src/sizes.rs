//! Sizes in pixels, and which of them training leaves to the test.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Whether no training picture shows a thing at this size: of every 16 the last four.
pub fn is_for_tests(size: u32) -> bool {
    size % 16 >= 12
}

/// A size of training from `low..=high`, as often between 20 and 40 as between 200 and 400.
///
/// Training must have a size in that range.
pub fn any_size(low: u32, high: u32, rng: &mut ChaCha8Rng) -> u32 {
    let (least, most) = ((low as f32).ln(), (high as f32 + 1.0).ln());
    loop {
        let size = rng.random_range(least..most).exp() as u32;
        if (low..=high).contains(&size) && !is_for_tests(size) {
            return size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn sizes_of_the_test_are_never_drawn_and_small_ones_as_often_as_large() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let sizes: Vec<u32> = (0..4000).map(|_| any_size(20, 400, &mut rng)).collect();
        assert!(
            sizes
                .iter()
                .all(|size| (20..=400).contains(size) && size % 16 < 12)
        );
        let small = sizes.iter().filter(|size| **size < 40).count();
        let large = sizes.iter().filter(|size| **size >= 200).count();
        assert!(small.abs_diff(large) < 400, "{small}, {large}");
    }
}
