//! The shape of a Whisper network, and every tensor that a network of that shape has.

use super::error::WhisperModelError;
use std::path::Path;

/// Frames of the spectrum before the encoder's second convolution halves them; the products of
/// all sizes fit easily with each below this.
const MAX_SIZE: u32 = 1 << 20;
/// Encoder depths that Whisper was trained in; its runtime knows no others.
const DEPTHS: [u32; 5] = [4, 6, 12, 24, 32];
/// Rows of the token embedding of the English models; the others have a row more for each
/// language.
pub(super) const ENGLISH_VOCAB: u32 = 51864;
const MAX_VOCAB: u32 = 51_900;

/// What the header of a model file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dimensions {
    pub vocab: u32,
    pub audio_context: u32,
    pub width: u32,
    pub audio_heads: u32,
    pub audio_layers: u32,
    pub text_context: u32,
    pub text_width: u32,
    pub text_heads: u32,
    pub text_layers: u32,
    pub mels: u32,
}

/// How a tensor's numbers may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// In the format of the whole model.
    Matrix,
    /// In 16 bits, or 32 where the whole model is.
    Convolution,
    /// Always in 32 bits.
    Small,
}

/// A tensor that a model must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub name: String,
    /// Slowest axis first.
    pub shape: Vec<u32>,
    pub role: Role,
}

impl Dimensions {
    /// Whether the model knows more than English.
    pub fn is_multilingual(&self) -> bool {
        self.vocab > ENGLISH_VOCAB
    }

    /// Errors, naming the field, if it is none that Whisper can have.
    pub fn validate(&self, path: &Path) -> Result<(), WhisperModelError> {
        let wrong = |field: &'static str, reason: String| WhisperModelError::Model {
            path: path.to_owned(),
            part: field.to_owned(),
            reason,
        };
        let sizes = [
            ("n_audio_ctx", self.audio_context),
            ("n_audio_state", self.width),
            ("n_audio_head", self.audio_heads),
            ("n_audio_layer", self.audio_layers),
            ("n_text_ctx", self.text_context),
            ("n_text_head", self.text_heads),
            ("n_text_layer", self.text_layers),
        ];
        for (field, value) in sizes {
            if value == 0 || value > MAX_SIZE {
                return Err(wrong(field, format!("is {value}")));
            }
        }
        if !(ENGLISH_VOCAB..=MAX_VOCAB).contains(&self.vocab) {
            let reason = format!(
                "is {}, but must be {ENGLISH_VOCAB} or a little more",
                self.vocab
            );
            return Err(wrong("n_vocab", reason));
        }
        if !DEPTHS.contains(&self.audio_layers) {
            let reason = format!("is {}, but must be one of {DEPTHS:?}", self.audio_layers);
            return Err(wrong("n_audio_layer", reason));
        }
        if self.text_layers > 32 {
            let reason = format!("is {}, but may be at most 32", self.text_layers);
            return Err(wrong("n_text_layer", reason));
        }
        if self.width > 4096 {
            return Err(wrong(
                "n_audio_state",
                format!("is {}, but may be at most 4096", self.width),
            ));
        }
        if self.text_width != self.width {
            let reason = format!(
                "is {}, but n_audio_state is {}",
                self.text_width, self.width
            );
            return Err(wrong("n_text_state", reason));
        }
        for (field, heads) in [
            ("n_audio_head", self.audio_heads),
            ("n_text_head", self.text_heads),
        ] {
            if !self.width.is_multiple_of(heads) {
                let reason = format!("is {heads}, which does not divide {}", self.width);
                return Err(wrong(field, reason));
            }
        }
        if self.audio_context != 1500 || self.text_context > 4096 {
            let reason = format!("{} and {}", self.audio_context, self.text_context);
            return Err(wrong("n_audio_ctx and n_text_ctx", reason));
        }
        if self.mels != 80 && self.mels != 128 {
            return Err(wrong(
                "n_mels",
                format!("is {}, but must be 80 or 128", self.mels),
            ));
        }
        Ok(())
    }

    /// Every tensor, in the order they are written in.
    pub fn tensors(&self) -> Vec<Expected> {
        let width = self.width;
        let mut list = List(Vec::new());
        list.add(
            "encoder.positional_embedding",
            &[self.audio_context, width],
            Role::Small,
        );
        list.add(
            "encoder.conv1.weight",
            &[width, self.mels, 3],
            Role::Convolution,
        );
        list.add("encoder.conv1.bias", &[width, 1], Role::Small);
        list.add(
            "encoder.conv2.weight",
            &[width, width, 3],
            Role::Convolution,
        );
        list.add("encoder.conv2.bias", &[width, 1], Role::Small);
        for layer in 0..self.audio_layers {
            let block = format!("encoder.blocks.{layer}");
            list.attention(&format!("{block}.attn"), width);
            list.feed_forward(&block, width);
        }
        list.pair("encoder.ln_post", &[width], width);
        list.add(
            "decoder.positional_embedding",
            &[self.text_context, width],
            Role::Small,
        );
        list.add(
            "decoder.token_embedding.weight",
            &[self.vocab, width],
            Role::Matrix,
        );
        for layer in 0..self.text_layers {
            let block = format!("decoder.blocks.{layer}");
            list.attention(&format!("{block}.attn"), width);
            list.attention(&format!("{block}.cross_attn"), width);
            list.feed_forward(&block, width);
        }
        list.pair("decoder.ln", &[width], width);
        list.0
    }
}

struct List(Vec<Expected>);

impl List {
    fn add(&mut self, name: &str, shape: &[u32], role: Role) {
        self.0.push(Expected {
            name: name.to_owned(),
            shape: shape.to_vec(),
            role,
        });
    }

    /// A weight and its bias.
    fn pair(&mut self, name: &str, weight: &[u32], bias: u32) {
        let role = if weight.len() == 1 {
            Role::Small
        } else {
            Role::Matrix
        };
        self.add(&format!("{name}.weight"), weight, role);
        self.add(&format!("{name}.bias"), &[bias], Role::Small);
    }

    fn attention(&mut self, name: &str, width: u32) {
        self.pair(&format!("{name}.query"), &[width, width], width);
        // Keys have no bias: it would shift all scores of a query alike.
        self.add(&format!("{name}.key.weight"), &[width, width], Role::Matrix);
        self.pair(&format!("{name}.value"), &[width, width], width);
        self.pair(&format!("{name}.out"), &[width, width], width);
        self.pair(&format!("{name}_ln"), &[width], width);
    }

    fn feed_forward(&mut self, block: &str, width: u32) {
        self.pair(&format!("{block}.mlp.0"), &[4 * width, width], 4 * width);
        self.pair(&format!("{block}.mlp.2"), &[width, 4 * width], width);
        self.pair(&format!("{block}.mlp_ln"), &[width], width);
    }
}
