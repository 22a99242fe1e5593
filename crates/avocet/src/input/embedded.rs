//! The model that is part of the binary.

use avocet_checkpoint::{CheckpointError, ModelFiles, PartSource};

/// The name it is asked for by.
pub const NAME: &str = "mini";

static CONFIG: &str = include_str!("../../../../assets/mini/config.toml");
/// Its weights. A constant of bytes would be copied into each unit of code that names it.
pub static WEIGHTS: &[u8] = include_bytes!("../../../../assets/mini/model.safetensors");
/// Its tokenizer.
pub static TOKENIZER: &[u8] = include_bytes!("../../../../assets/mini/tokenizer.json");
/// What the classes that it recognises are called.
static CONCEPTS: &[u8] = include_bytes!("../../../../assets/mini/concepts.tsv");

/// Its files; nothing is copied.
pub fn files() -> Result<ModelFiles, CheckpointError> {
    ModelFiles::embedded(CONFIG, WEIGHTS, TOKENIZER, Some(CONCEPTS))
}

/// Its files, to become a part of another model.
pub fn part() -> PartSource<'static> {
    PartSource::Carried {
        config: CONFIG,
        weights: WEIGHTS,
        tokenizer: TOKENIZER,
        concepts: Some(CONCEPTS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_stands_in_the_program_once() {
        let program = std::env::current_exe().expect("a running test has a path");
        let program = std::fs::read(program).expect("it can be read");
        for part in [WEIGHTS, TOKENIZER] {
            let middle = &part[part.len() / 2..][..64];
            let places = program.windows(middle.len());
            let found = places.filter(|place| place[0] == middle[0] && *place == middle);
            assert_eq!(found.count(), 1);
        }
    }
}
