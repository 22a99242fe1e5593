//! Conversations and documents as the network sees them.
//!
//! `<|user|><|image|>What is this?<|assistant|>a red bicycle<|end|>`: only the
//! answer and its `<|end|>` are learned. A document is `text<|end|>`, all learned; one with
//! pictures is `<|image|>text<|image|>text<|end|>`, all learned but the images' places.

use crate::special::Special;
use crate::tokenizer::Tokenizer;
pub use crate::turn::IMAGE_MARKER;
use crate::turn::{Part, Role, Turn, stretches};

/// One row of ids and what of it is learned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Tokens, special ones included.
    pub ids: Vec<u32>,
    /// For each token whether it is a loss target: answers and their `<|end|>`.
    pub answer: Vec<bool>,
    /// How many `<|image|>` tokens there are.
    pub images: usize,
}

impl Prompt {
    fn push(&mut self, id: u32, answer: bool) {
        self.ids.push(id);
        self.answer.push(answer);
    }

    pub(crate) fn extend(&mut self, ids: Vec<u32>, answer: bool) {
        self.answer.resize(self.answer.len() + ids.len(), answer);
        self.ids.extend(ids);
    }

    /// Appends what is said, with an image token, never a target, in the place of each picture.
    fn extend_parts(
        &mut self,
        tokenizer: &Tokenizer,
        parts: &[Part],
        encode: impl Fn(&str) -> Vec<u32>,
        answer: bool,
    ) {
        for (index, text) in stretches(parts).iter().enumerate() {
            if index > 0 {
                self.push(tokenizer.special(Special::Image), false);
                self.images += 1;
            }
            self.extend(encode(text), answer);
        }
    }
}

/// Encodes a finished conversation, as for training or scoring.
pub fn encode(tokenizer: &Tokenizer, turns: &[Turn]) -> Prompt {
    let mut prompt = Prompt::default();
    for turn in turns {
        encode_turn(tokenizer, turn, &mut prompt);
    }
    prompt
}

/// Encodes a conversation and opens the model's turn, as for generation.
pub(crate) fn encode_question(tokenizer: &Tokenizer, turns: &[Turn]) -> Prompt {
    let mut prompt = encode(tokenizer, turns);
    prompt.push(tokenizer.special(Special::Assistant), false);
    prompt
}

/// Encodes a document: its text is a target, the places of its pictures are not.
pub fn document(tokenizer: &Tokenizer, parts: &[Part]) -> Prompt {
    let mut prompt = Prompt::default();
    prompt.extend_parts(tokenizer, parts, |text| tokenizer.encode(text), true);
    prompt.push(tokenizer.special(Special::End), true);
    prompt
}

fn encode_turn(tokenizer: &Tokenizer, turn: &Turn, prompt: &mut Prompt) {
    let text_ids = |text: &str| match turn.spelled {
        true => tokenizer.spell(text),
        false => tokenizer.encode(text),
    };
    match turn.role {
        Role::System => {
            prompt.push(tokenizer.special(Special::System), false);
            prompt.extend(text_ids(&turn.text()), false);
        }
        Role::User => {
            prompt.push(tokenizer.special(Special::User), false);
            prompt.extend_parts(tokenizer, &turn.parts, text_ids, false);
        }
        Role::Assistant => {
            prompt.push(tokenizer.special(Special::Assistant), false);
            prompt.extend(text_ids(&turn.text()), true);
            prompt.push(tokenizer.special(Special::End), true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::tokenizer;
    use crate::turn::marked;

    fn shown(tokenizer: &Tokenizer, prompt: &Prompt) -> String {
        let name = |&id: &u32| match Special::ALL.iter().find(|&&s| tokenizer.special(s) == id) {
            Some(special) => special.name().to_owned(),
            None => tokenizer.decode(&[id]),
        };
        prompt.ids.iter().map(name).collect()
    }

    #[test]
    fn a_conversation_has_the_documented_form() {
        let tokenizer = tokenizer();
        let turns = [
            Turn::system("be brief"),
            Turn::about(1, "what is this?"),
            Turn::assistant("a red bicycle"),
            Turn::marked("and <image>?"),
            Turn::transcription("flag"),
        ];
        let prompt = encode(&tokenizer, &turns);
        assert_eq!(
            shown(&tokenizer, &prompt),
            "<|system|>be brief<|user|><|image|>what is this?<|assistant|>a red bicycle<|end|>\
             <|user|>and <|image|>?<|assistant|>flag<|end|>"
        );
        assert_eq!(prompt.images, 2);
        assert_eq!(turns.iter().map(Turn::num_images).sum::<usize>(), 2);
        assert_eq!(prompt.answer.len(), prompt.ids.len());
        let targets = prompt
            .ids
            .iter()
            .zip(&prompt.answer)
            .filter(|(_, answer)| **answer);
        let learned = Prompt {
            ids: targets.map(|(&id, _)| id).collect(),
            ..Prompt::default()
        };
        assert_eq!(
            shown(&tokenizer, &learned),
            "a red bicycle<|end|>flag<|end|>"
        );
        assert_eq!(prompt.ids[prompt.ids.len() - 5..].len(), "flag".len() + 1);
    }

    #[test]
    fn a_question_opens_the_models_turn_and_has_no_target() {
        let tokenizer = tokenizer();
        let prompt = encode_question(&tokenizer, &[Turn::user("what is this?")]);
        assert_eq!(
            shown(&tokenizer, &prompt),
            "<|user|>what is this?<|assistant|>"
        );
        assert!(!prompt.answer.contains(&true));
    }

    #[test]
    fn a_document_is_learned_to_its_end() {
        let tokenizer = tokenizer();
        let prompt = document(&tokenizer, &[Part::Text("the <image> picture".into())]);
        assert_eq!(shown(&tokenizer, &prompt), "the <image> picture<|end|>");
        assert_eq!(prompt.images, 0);
        assert!(!prompt.answer.contains(&false));
    }

    #[test]
    fn an_interleaved_document_is_learned_but_for_its_images() {
        let tokenizer = tokenizer();
        let prompt = document(&tokenizer, &marked("<image>the cat<image><image> picture"));
        assert_eq!(
            shown(&tokenizer, &prompt),
            "<|image|>the cat<|image|><|image|> picture<|end|>"
        );
        assert_eq!(prompt.images, 3);
        let image = tokenizer.special(Special::Image);
        for (id, learned) in prompt.ids.iter().zip(&prompt.answer) {
            assert_eq!(*learned, *id != image);
        }
    }

    #[test]
    fn a_typed_marker_is_text() {
        let tokenizer = tokenizer();
        for turn in [
            Turn::user("<image>"),
            Turn::about(1, "an <image> tag"),
            Turn::assistant("<image>"),
            Turn::system("<image>"),
        ] {
            let prompt = encode(&tokenizer, std::slice::from_ref(&turn));
            assert_eq!(prompt.images, turn.num_images());
            let text = tokenizer.decode(&prompt.ids);
            assert_eq!(text, turn.text());
        }
    }
}
