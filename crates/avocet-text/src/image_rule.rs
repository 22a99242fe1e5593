//! Which images each token of a row sees.

/// A family's rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageRule {
    /// The latest image at or before it: Flamingo (arXiv:2204.14198) and our own models.
    Latest,
    /// The latest image, and nothing from the token after this end of text until the next image:
    /// IDEFICS.
    LatestUntil(u32),
    /// The latest image and those right before it, without a token between: Mllama's
    /// `get_cross_attention_token_mask`.
    AdjacentRuns,
}

impl ImageRule {
    /// For each of `ids` the images `first..end` that it sees; `first == end` means none.
    pub fn seen(self, ids: &[u32], image_token: Option<u32>) -> Vec<(u32, u32)> {
        let Some(image_token) = image_token else {
            return vec![(0, 0); ids.len()];
        };
        let (mut first, mut end, mut ended, mut after_image) = (0, 0, false, false);
        let step = |&id: &u32| {
            let is_image = id == image_token;
            if is_image {
                let joined = after_image && self == Self::AdjacentRuns;
                first = if joined { first } else { end };
                end += 1;
                ended = false;
            }
            after_image = is_image;
            let seen = if ended { (end, end) } else { (first, end) };
            if self == Self::LatestUntil(id) && !is_image {
                ended = true;
            }
            seen
        };
        ids.iter().map(step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: Option<u32> = Some(9);

    #[test]
    fn a_token_sees_the_latest_image() {
        let seen = ImageRule::Latest.seen(&[1, 9, 2, 9, 9, 3], IMAGE);
        assert_eq!(seen, [(0, 0), (0, 1), (0, 1), (1, 2), (2, 3), (2, 3)]);
        assert_eq!(ImageRule::Latest.seen(&[1, 9], None), [(0, 0), (0, 0)]);
    }

    #[test]
    fn an_end_of_text_hides_the_image_from_what_follows() {
        let seen = ImageRule::LatestUntil(2).seen(&[9, 1, 2, 1, 9, 2, 9], IMAGE);
        let none = (1, 1);
        assert_eq!(seen, [(0, 1), (0, 1), (0, 1), none, (1, 2), (1, 2), (2, 3)]);
    }

    #[test]
    fn adjacent_images_are_seen_together() {
        let seen = ImageRule::AdjacentRuns.seen(&[1, 9, 9, 2, 9, 3], IMAGE);
        assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (0, 2), (2, 3), (2, 3)]);
    }
}
