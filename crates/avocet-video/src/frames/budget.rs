//! How much of a video may be looked at: frames, pixels of each, tokens of all.

use std::fmt::{self, Display};

/// What the chosen frames may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The most frames.
    pub max_frames: usize,
    /// The most pixels of a frame; larger ones are scaled down.
    pub max_pixels: usize,
    /// The most tokens of all frames together, as the model counts what it sees.
    pub max_tokens: usize,
    /// What one frame costs of them.
    pub tokens_per_frame: usize,
}

impl Budget {
    /// Frames that fit into the frames and the tokens allowed.
    pub fn frames(&self) -> usize {
        let by_tokens = self.max_tokens.checked_div(self.tokens_per_frame);
        self.max_frames.min(by_tokens.unwrap_or(usize::MAX))
    }

    /// The size of a `width` x `height` frame within the budget: the same shape, never larger.
    pub fn fit(&self, width: usize, height: usize) -> (usize, usize) {
        let pixels = width.saturating_mul(height);
        if pixels <= self.max_pixels || pixels == 0 {
            return (width, height);
        }
        let scale = (self.max_pixels as f64 / pixels as f64).sqrt();
        let side = |side: usize| ((side as f64 * scale).floor() as usize).max(1);
        // A line thinner than a pixel cannot get thinner: its length has to give.
        let (width, height) = (side(width), side(height));
        let most = self.max_pixels.max(1);
        (
            width.min((most / height).max(1)),
            height.min((most / width).max(1)),
        )
    }

    /// The longer side of a `width` x `height` frame within the budget.
    pub(crate) fn longer_side(&self, width: usize, height: usize) -> usize {
        let (width, height) = self.fit(width, height);
        width.max(height)
    }
}

impl Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "at most {} frames of {} pixels and {} tokens, {} each",
            self.max_frames, self.max_pixels, self.max_tokens, self.tokens_per_frame
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget {
        max_frames: 100,
        max_pixels: 76_800,
        max_tokens: 1_000,
        tokens_per_frame: 64,
    };

    #[test]
    fn tokens_and_frames_both_limit_the_frames() {
        assert_eq!(BUDGET.frames(), 15);
        let free = Budget {
            tokens_per_frame: 0,
            ..BUDGET
        };
        assert_eq!(free.frames(), 100);
    }

    #[test]
    fn frames_are_scaled_down_to_the_pixels_and_keep_their_shape() {
        assert_eq!(BUDGET.fit(320, 240), (320, 240));
        assert_eq!(BUDGET.fit(1920, 1080), (369, 207));
        assert_eq!(BUDGET.longer_side(1080, 1920), 369);
        for (width, height) in [(1_000_000, 1), (1, 1_000_000), (7, 90_001), (8192, 8192)] {
            let (width, height) = BUDGET.fit(width, height);
            assert!(
                (1..=76_800).contains(&(width * height)),
                "{width} x {height}"
            );
        }
    }
}
