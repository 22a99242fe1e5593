//! The text of a sample as rows: what is read, what follows, and what of it is learned.

use avocet_text::{ChatTokenizer, Prompt, TokenizerError};

use crate::{Content, Sample, SampleError};

/// A text as rows, of which each predicts the next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows {
    pub ids: Vec<u32>,
    pub targets: Vec<u32>,
    pub weights: Vec<f32>,
    pub visible_images: Vec<(u32, u32)>,
}

impl Rows {
    /// The texts of a sample, each of at most `max` rows.
    pub fn of(
        sample: &Sample,
        language: &ChatTokenizer,
        max: usize,
    ) -> Result<Vec<Self>, SampleError> {
        let max = max.max(1);
        let unsaid = |error: TokenizerError| SampleError::Unsaid(error.to_string());
        Ok(match &sample.content {
            Content::Document(parts) => {
                let prompt = language.document(parts).map_err(unsaid)?;
                let seen = language.visible_images(&prompt.ids);
                let rows = prompt.ids.len().saturating_sub(1);
                (0..rows)
                    .step_by(max)
                    .map(|at| Self::cut(&prompt, &seen, at, max))
                    .collect()
            }
            Content::Turns(turns) => {
                let prompts = language.conversation(turns).map_err(unsaid)?;
                let cut = |prompt: &Prompt| {
                    let seen = language.visible_images(&prompt.ids);
                    Self::cut(prompt, &seen, 0, max)
                };
                prompts.iter().map(cut).collect()
            }
        })
    }

    /// Shifts a prompt by one, from row `from` for at most `max` rows.
    fn cut(prompt: &Prompt, visible_images: &[(u32, u32)], from: usize, max: usize) -> Self {
        let end = prompt.ids.len().saturating_sub(1).min(from + max);
        let rows = from..end.max(from);
        let next = from + 1..end.max(from) + 1;
        Self {
            ids: prompt.ids[rows.clone()].to_vec(),
            targets: prompt.ids[next.clone()].to_vec(),
            weights: prompt.answer[next]
                .iter()
                .map(|&learned| f32::from(learned))
                .collect(),
            visible_images: visible_images[rows].to_vec(),
        }
    }
}
