//! What a recogniser made of a picture, as plain numbers: whoever runs one hands it on so.

/// What a recogniser made of a picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recognition {
    /// Features pooled over windows of the picture, one window after another, the whole last.
    pub features: Vec<f32>,
    /// Natural logarithms of the classes' probabilities.
    pub log_probs: Vec<f32>,
}

impl Recognition {
    /// Of features and the logits of the classes, which may be of any scale.
    pub fn of_logits(features: Vec<f32>, logits: &[f32]) -> Self {
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits
            .iter()
            .map(|logit| f64::from(logit - highest).exp())
            .sum();
        let least = highest + sum.ln() as f32;
        Self {
            features,
            log_probs: logits.iter().map(|logit| logit - least).collect(),
        }
    }

    /// Bytes that its numbers take.
    pub fn num_bytes(&self) -> usize {
        (self.features.len() + self.log_probs.len()) * size_of::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_add_up_to_one_however_large_the_logits_are() {
        for shift in [-900.0, 0.0, 900.0] {
            let seen = Recognition::of_logits(Vec::new(), &[shift, shift + 1.0, shift - 3.0]);
            let sum: f32 = seen.log_probs.iter().map(|log| log.exp()).sum();
            assert!((sum - 1.0).abs() < 1e-4, "{shift}: {sum}");
            assert!(seen.log_probs[1] > seen.log_probs[0]);
        }
    }
}
