//! The presets of `assets/configs` and the shapes of the public families, carried in the program.

use crate::error::ConfigError;
use crate::model::ModelConfig;

const PRESETS: [(&str, &str); 3] = [
    ("mini", include_str!("../../../assets/configs/mini.toml")),
    ("gpt4", include_str!("../../../assets/configs/gpt4.toml")),
    ("tiny", include_str!("../../../assets/configs/tiny.toml")),
];

/// Names of the presets.
pub(crate) fn preset_names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// The preset called `name`.
///
/// Errors if there is none; the error lists those there are.
pub fn preset(name: &str) -> Result<ModelConfig, ConfigError> {
    let found = PRESETS.iter().find(|(known, _)| *known == name);
    let (_, text) = found.ok_or_else(|| ConfigError::UnknownPreset {
        name: name.to_owned(),
        known: preset_names().collect::<Vec<_>>().join(", "),
    })?;
    ModelConfig::from_toml(text)
}

/// Shapes of a few hundred million parameters, one for each public family, to be measured by.
const FAMILIES: [(&str, &str); 12] = [
    (
        "idefics",
        include_str!("../../../assets/configs/families/idefics.toml"),
    ),
    (
        "mllama",
        include_str!("../../../assets/configs/families/mllama.toml"),
    ),
    (
        "flamingo",
        include_str!("../../../assets/configs/families/flamingo.toml"),
    ),
    (
        "llama",
        include_str!("../../../assets/configs/families/llama.toml"),
    ),
    (
        "mixtral",
        include_str!("../../../assets/configs/families/mixtral.toml"),
    ),
    (
        "phimoe",
        include_str!("../../../assets/configs/families/phimoe.toml"),
    ),
    (
        "olmoe",
        include_str!("../../../assets/configs/families/olmoe.toml"),
    ),
    (
        "granitemoe",
        include_str!("../../../assets/configs/families/granitemoe.toml"),
    ),
    (
        "qwen2_moe",
        include_str!("../../../assets/configs/families/qwen2_moe.toml"),
    ),
    (
        "qwen3_moe",
        include_str!("../../../assets/configs/families/qwen3_moe.toml"),
    ),
    (
        "mpt",
        include_str!("../../../assets/configs/families/mpt.toml"),
    ),
    (
        "gpt_neox",
        include_str!("../../../assets/configs/families/gpt_neox.toml"),
    ),
];

/// Names of the public families that there is a shape to measure by for.
pub fn family_names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().map(|(name, _)| *name)
}

/// A shape of the public family called `name`, true to its structure and scaled down to a few
/// hundred million parameters.
///
/// Errors if there is none; the error lists those there are.
pub fn family(name: &str) -> Result<ModelConfig, ConfigError> {
    let found = FAMILIES.iter().find(|(known, _)| *known == name);
    let (_, text) = found.ok_or_else(|| ConfigError::UnknownFamily {
        name: name.to_owned(),
        known: family_names().collect::<Vec<_>>().join(", "),
    })?;
    ModelConfig::from_toml(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_a_valid_shape() {
        for name in family_names() {
            let config = family(name).unwrap();
            assert_eq!(config.name, name);
            assert_eq!(ModelConfig::from_toml(&config.to_toml()).unwrap(), config);
        }
        assert!(family("clip").unwrap_err().to_string().contains("gpt_neox"));
    }

    fn refused(change: impl FnOnce(&mut ModelConfig)) -> String {
        let mut config = preset("tiny").unwrap();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn every_preset_is_valid_and_survives_writing() {
        for name in preset_names() {
            let config = preset(name).unwrap();
            assert_eq!(config.name, name);
            assert_eq!(ModelConfig::from_toml(&config.to_toml()).unwrap(), config);
        }
    }

    #[test]
    fn an_unknown_preset_is_answered_with_the_known_ones() {
        let message = preset("maxi").unwrap_err().to_string();
        assert_eq!(
            message,
            "no preset is called \"maxi\"; there are mini, gpt4, tiny"
        );
    }

    #[test]
    fn a_refused_field_is_named_with_both_numbers() {
        let cases: [(String, &str); 11] = [
            (
                refused(|c| c.decoder.moe = None),
                "decoder: has neither ff_dim nor [decoder.moe]",
            ),
            (
                refused(|c| c.decoder.ff_dim = Some(8)),
                "decoder.ff_dim: stands beside decoder.moe",
            ),
            (
                refused(|c| c.decoder.moe.as_mut().unwrap().top_k = 5),
                "decoder.moe.top_k: 5 experts a token, but there are 4",
            ),
            (
                refused(|c| c.decoder.num_kv_heads = 3),
                "decoder.num_kv_heads: is 3, does not divide num_heads, which is 4",
            ),
            (
                refused(|c| c.decoder.num_layers = 0),
                "decoder.num_layers: is 0",
            ),
            (
                refused(|c| c.decoder.rope_theta = f64::NAN),
                "decoder.rope_theta: is NaN",
            ),
            (
                refused(|c| c.decoder.head_dim = 7),
                "decoder.head_dim: is 7, must be a multiple of 2",
            ),
            (
                refused(|c| c.vision = None),
                "cross_attention: needs a [vision] tower",
            ),
            (
                refused(|c| c.vision.as_mut().unwrap().patch_size = 8),
                "vision.stem.conv.channels: 2 convolutions of stride 2 do not make one row of a patch 8 pixels wide",
            ),
            (
                refused(|c| c.vision.as_mut().unwrap().num_heads = 4),
                "vision.num_heads: makes heads 6 wide",
            ),
            (
                refused(|c| c.cross_attention.as_mut().unwrap().every = Some(3)),
                "cross_attention.every: is 3, does not divide decoder.num_layers, which is 2",
            ),
        ];
        for (message, expected) in cases {
            assert!(
                message.contains(expected),
                "{message}\nshould hold: {expected}"
            );
        }
    }

    #[test]
    fn a_tower_of_a_million_layers_is_refused_before_any_is_made() {
        let message = refused(|c| c.decoder.num_layers = 1_000_000);
        assert!(
            message.contains("decoder.num_layers: is 1000000, must be 1 to 4096"),
            "{message}"
        );
    }

    #[test]
    fn an_unknown_or_missing_field_is_named() {
        let text = preset("mini").unwrap().to_toml();
        let extra = text.replace("vocab_size", "vocabulary = 7\nvocab_size");
        assert!(
            ModelConfig::from_toml(&extra)
                .unwrap_err()
                .to_string()
                .contains("`vocabulary`")
        );
        let missing = text.replace("vocab_size = 2048\n", "");
        assert!(
            ModelConfig::from_toml(&missing)
                .unwrap_err()
                .to_string()
                .contains("`vocab_size`")
        );
    }
}
