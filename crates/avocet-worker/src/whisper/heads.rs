//! Which attention heads of a model follow the sound, so that words find their place in it.
//!
//! A few heads of the decoder look where the present word is spoken; whisper.cpp lists them for
//! the published models. Models of other shapes have all heads of their last layers looked at.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use whisper_rs::{DtwMode, DtwModelPreset, DtwParameters};

/// Numbers at the start of a ggml file, the magic one left out.
const FIELDS: usize = 10;
/// Tokens that a pass can have, with those before and behind the text.
const MAX_TOKENS: usize = 256;
/// Positions of the encoder that a token can look at.
const POSITIONS: usize = 1500;
/// Width of a head in all published models.
const HEAD_WIDTH: i32 = 64;
/// No decoder has more heads or layers; Whisper refuses what says so.
const MOST: i32 = 128;
/// The most heads that are looked at where none are known.
const MAX_HEADS: usize = 24;

/// How words of the model in this ggml file are placed; not at all if it does not read.
pub(super) fn alignment(path: &Path) -> DtwParameters<'static> {
    let (mode, heads) = shape(path).map_or((DtwMode::None, 0), |shape| shape.alignment());
    DtwParameters {
        mode,
        // Four copies of what the heads look at, and tables of one head's size.
        dtw_mem_size: (4 * heads + 16) * MAX_TOKENS * POSITIONS * size_of::<f32>(),
    }
}

/// What tells published models apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    is_multilingual: bool,
    width: i32,
    encoder_layers: i32,
    decoder_heads: i32,
    decoder_layers: i32,
    mels: i32,
}

fn shape(path: &Path) -> Option<Shape> {
    let mut header = [0u8; 4 * (FIELDS + 1)];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    let field = |index: usize| {
        let bytes = header[4 * index + 4..].first_chunk::<4>();
        bytes.map_or(0, |bytes| i32::from_le_bytes(*bytes))
    };
    // Vocabulary; encoder: positions, width, heads, layers; decoder: the same; mels.
    Some(Shape {
        is_multilingual: field(0) >= 51_865,
        width: field(6),
        encoder_layers: field(4),
        decoder_heads: field(7),
        decoder_layers: field(8),
        mels: field(9),
    })
}

impl Shape {
    /// The heads, and how many they are.
    fn alignment(self) -> (DtwMode<'static>, usize) {
        use DtwModelPreset as Preset;
        let size = (self.width, self.encoder_layers, self.decoder_layers);
        let (model_preset, heads) = match (size, self.is_multilingual) {
            // A header that lies about its heads must not have others looked at than there are.
            _ if self.decoder_heads != self.width / HEAD_WIDTH => return self.last_layers(),
            ((384, 4, 4), false) => (Preset::TinyEn, 8),
            ((384, 4, 4), true) => (Preset::Tiny, 6),
            ((512, 6, 6), false) => (Preset::BaseEn, 5),
            ((512, 6, 6), true) => (Preset::Base, 8),
            ((768, 12, 12), false) => (Preset::SmallEn, 19),
            ((768, 12, 12), true) => (Preset::Small, 10),
            ((1024, 24, 24), false) => (Preset::MediumEn, 18),
            ((1024, 24, 24), true) => (Preset::Medium, 6),
            ((1280, 32, 4), true) => (Preset::LargeV3Turbo, 6),
            ((1280, 32, 32), true) if self.mels == 128 => (Preset::LargeV3, 10),
            ((1280, 32, 32), true) => (Preset::LargeV2, 23),
            _ => return self.last_layers(),
        };
        (DtwMode::ModelPreset { model_preset }, heads)
    }

    fn last_layers(self) -> (DtwMode<'static>, usize) {
        let heads = self.decoder_heads.clamp(1, MOST);
        let layers = self.decoder_layers.clamp(1, MOST);
        let n_top = (MAX_HEADS as i32 / heads).clamp(1, (layers + 1) / 2);
        (DtwMode::TopMost { n_top }, (n_top * heads) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(fields: [i32; FIELDS]) -> Vec<u8> {
        let magic = 0x6767_6d6c_i32;
        let all = [magic].into_iter().chain(fields);
        all.flat_map(i32::to_le_bytes).collect()
    }

    fn read(fields: [i32; FIELDS]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), header(fields)).unwrap();
        let parameters = alignment(file.path());
        assert!(parameters.dtw_mem_size < 256 << 20, "{parameters:?}");
        format!("{:?}", parameters.mode)
    }

    #[test]
    fn published_models_are_told_apart_and_others_have_their_last_layers_looked_at() {
        let tiny_en = [51_864, 1500, 384, 6, 4, 448, 384, 6, 4, 80];
        assert!(read(tiny_en).contains("TinyEn"));
        let base = [51_865, 1500, 512, 8, 6, 448, 512, 8, 6, 80];
        assert!(read(base).contains("Base"));
        let large = [51_866, 1500, 1280, 20, 32, 448, 1280, 20, 32, 128];
        assert!(read(large).contains("LargeV3"));
        let distilled = [51_865, 1500, 1280, 20, 32, 448, 1280, 20, 2, 80];
        assert!(read(distilled).contains("n_top: 1"), "{}", read(distilled));
        let lying = [51_864, 1500, 384, 6, 4, 448, 384, 1, 4, 80];
        assert!(read(lying).contains("n_top"), "{}", read(lying));
        let none = alignment(Path::new("/no/such/model"));
        assert!(matches!(none.mode, DtwMode::None));
    }
}
