//! What a family makes of its files.

use crate::error::Result;
use crate::interface::Interface;
use crate::parameters::{Numbers, Section, WeightMapping, WeightMappings};
use crate::tensors::Store;
use avocet_config::{DecoderConfig, ModelConfig};
use avocet_model::parameter_shapes;

/// A public model, read but not loaded.
pub(crate) struct Family {
    /// What people call it.
    pub name: &'static str,
    pub config: ModelConfig,
    pub store: Store,
    pub names: Vec<Section>,
    pub interface: Interface,
}

impl Family {
    /// The mappings of all parameters; those that no table has a line for are left out.
    pub fn mappings(&self) -> Result<WeightMappings> {
        let shapes = parameter_shapes(&self.config)?;
        let decoder = &self.config.decoder;
        let numbers = Numbers {
            heads: decoder.num_heads,
            experts: decoder.moe.as_ref().map_or(0, |moe| moe.num_experts),
        };
        let mapping = |name: &String| {
            let mapping = WeightMapping::find(name, &self.names, numbers, &self.store)?;
            Some((name.clone(), mapping))
        };
        Ok(shapes.keys().filter_map(mapping).collect())
    }
}

/// The shape of a model that is a decoder alone.
pub(super) fn decoder_alone(name: String, decoder: DecoderConfig) -> ModelConfig {
    ModelConfig {
        name,
        decoder,
        cross_attention: None,
        vision: None,
        clip: None,
        tiled_vision: None,
        efficient_net: None,
        concepts: None,
        resampler: None,
        confidence: None,
    }
}
