//! The training file: a run folder, a seed, and a list of stages.

mod fields;
mod stage;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};
pub use fields::{
    AugmentConfig, AuxiliaryConfig, InitFrom, LoraConfig, LossWeights, MeanOver, ModelSource,
    Precision, ShapeChange, SourceConfig, StageKind,
};
pub use stage::StageConfig;

/// A whole training file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Folder that checkpoints, metrics and the report go to.
    pub run: PathBuf,
    /// Seed of the first values and of the order of the data.
    pub seed: u64,
    /// How to make a tokenizer, for a run that starts without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerRecipe>,
    /// The stages, one after another.
    #[serde(rename = "stage")]
    pub stages: Vec<StageConfig>,
}

/// A tokenizer trained on the texts of datasets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenizerRecipe {
    /// Tokens it has, special ones included.
    pub vocab_size: usize,
    /// Dataset folders whose texts it is trained on.
    pub data: Vec<PathBuf>,
    /// Most samples taken from each folder.
    #[serde(default = "fifty_thousand")]
    pub samples: usize,
}

fn fifty_thousand() -> usize {
    50_000
}

impl TrainConfig {
    /// Reads and validates a training file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(TrainError::io(path))?;
        let config: Self = toml::from_str(&text).map_err(|error| TrainError::Parse {
            path: path.to_path_buf(),
            message: error.to_string(),
        })?;
        config.validate()?;
        Ok(config)
    }

    /// The JSON schema of a training file, by which editors complete and check one.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).into()
    }

    /// As it is written in a file.
    ///
    /// Errors if a path in it is not Unicode.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| TrainError::config("settings", error.to_string()))
    }

    /// Errors if a field is out of range, naming it.
    pub fn validate(&self) -> Result<()> {
        self.validate_over(false)
    }

    /// As [`TrainConfig::validate`]; a model to start `over` stands for the first stage's.
    pub(crate) fn validate_over(&self, over: bool) -> Result<()> {
        if self.stages.is_empty() {
            return Err(TrainError::config("stage", "the file lists no [[stage]]"));
        }
        for (index, stage) in self.stages.iter().enumerate() {
            if index == 0 && !over && stage.model.is_none() && stage.init.is_empty() {
                let field = format!("stage {:?}: model", stage.name);
                return Err(TrainError::config(field, "the first stage names no model"));
            }
            stage.validate()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::BatchRamp;
    use avocet_config::ModelConfig;

    const MINIMAL: &str = r#"
        run = "runs/x"
        seed = 1
        [[stage]]
        name = "all"
        kind = "joint"
        model = "tiny"
        steps = 10
        samples = 4
        learning_rate = 1e-3
        data = [{ path = "datasets/x" }]
    "#;

    fn refused(change: impl FnOnce(&mut StageConfig)) -> String {
        let mut config: TrainConfig = toml::from_str(MINIMAL).expect("valid");
        change(&mut config.stages[0]);
        config.validate().expect_err("out of range").to_string()
    }

    #[test]
    fn a_minimal_file_is_valid_and_survives_writing() {
        let config: TrainConfig = toml::from_str(MINIMAL).expect("valid");
        config.validate().expect("valid");
        let text = toml::to_string(&config).expect("writes");
        assert_eq!(toml::from_str::<TrainConfig>(&text).expect("reads"), config);
    }

    #[test]
    fn a_field_out_of_range_is_named() {
        assert!(refused(|s| s.samples = 0).contains("samples"));
        assert!(refused(|s| s.epochs = Some(1.0)).contains("epochs"));
        assert!(refused(|s| s.learning_rate = f64::NAN).contains("learning_rate"));
        assert!(refused(|s| s.micro_batches = 5).contains("5 parts of 4"));
        assert!(refused(|s| s.kind = StageKind::Vision).contains("ctc, names or contrast"));
        assert!(refused(|s| s.data.clear()).contains("data"));
    }

    #[test]
    fn every_recipe_of_the_embedded_model_is_valid_and_continues_the_one_before() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/recipes/mini");
        let entries = std::fs::read_dir(folder).expect("the recipes");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
        paths.sort_by_key(|path| {
            let name = path.file_name().expect("a name").to_string_lossy();
            let number = name.split('-').next().expect("a number first");
            number.parse::<u32>().expect("a number first")
        });
        let recipes = paths
            .iter()
            .map(|path| TrainConfig::read(path).expect("valid"));
        let recipes: Vec<TrainConfig> = recipes.collect();
        assert!(recipes.len() >= 2);
        for pair in recipes.windows(2) {
            assert_eq!(pair[1].stages[0].init[0].from, pair[0].run);
        }
    }

    #[test]
    fn a_stage_changes_the_shape_of_its_model_within_what_is_valid() {
        let change = ShapeChange {
            max_context: Some(2048),
            rope_theta: Some(50_000.0),
            max_patches: Some(99),
        };
        let tiny = avocet_config::preset("tiny").expect("a preset");
        let changed = change.applied(tiny.clone()).expect("valid");
        assert_eq!(changed.decoder.max_context, 2048);
        assert_eq!(changed.decoder.rope_theta, 50_000.0);
        assert_eq!(changed.vision.expect("eyes").max_patches, 99);
        assert_eq!(
            ShapeChange::default().applied(tiny.clone()).expect("valid"),
            tiny
        );

        let none = ShapeChange {
            max_context: Some(0),
            ..ShapeChange::default()
        };
        let error = none
            .applied(tiny.clone())
            .expect_err("no context")
            .to_string();
        assert!(error.contains("max_context"), "{error}");
        let blind = ModelConfig {
            vision: None,
            cross_attention: None,
            resampler: None,
            ..tiny
        };
        let error = change.applied(blind).expect_err("no eyes").to_string();
        assert!(error.contains("max_patches"), "{error}");
    }

    #[test]
    fn a_stage_without_steps_lasts_as_the_epochs_of_its_sources() {
        let mut config: TrainConfig = toml::from_str(MINIMAL).expect("valid");
        let stage = &mut config.stages[0];
        stage.steps = None;
        assert!(stage.validate().is_err());
        let source = |epochs| SourceConfig {
            epochs: Some(epochs),
            ..stage.data[0].clone()
        };
        stage.data = vec![source(2), source(4)];
        stage.validate().expect("valid");
        assert_eq!(stage.passes(&stage.data[1]), 4);
        assert_eq!(stage.total_steps(2.0 * 100.0 + 4.0 * 50.0), 100);
        stage.steps = Some(3);
        assert_eq!(stage.passes(&stage.data[1]), 1);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let text = MINIMAL.replace("samples", "sampels");
        assert!(toml::from_str::<TrainConfig>(&text).is_err());
    }

    #[test]
    fn epochs_count_the_smaller_batches_of_a_ramp() {
        let mut config: TrainConfig = toml::from_str(MINIMAL).expect("valid");
        let stage = &mut config.stages[0];
        (stage.steps, stage.epochs) = (None, Some(2.0));
        assert_eq!(stage.total_steps(50.0), 25);
        stage.batch_ramp = Some(BatchRamp {
            from: 2,
            steps: 10,
            increment: 2,
        });
        assert_eq!(stage.total_steps(50.0), 30); // 10 steps of 2, then 80 / 4
    }
}
