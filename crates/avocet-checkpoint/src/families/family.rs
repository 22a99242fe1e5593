//! What a family makes of its files.

use crate::error::CheckpointError;
use crate::interface::Interface;
use crate::parameters::{Numbers, Recipe, Recipes, Section};
use crate::tensors::Store;
use avocet_config::ModelConfig;
use avocet_model::parameter_shapes;

/// A public model, read but not loaded.
pub(crate) struct Family {
    /// What people call it.
    pub name: &'static str,
    pub config: ModelConfig,
    pub store: Store,
    pub names: Vec<Section>,
    pub numbers: Numbers,
    pub interface: Interface,
}

impl Family {
    /// The recipes of all parameters; those that no table has a line for are left out.
    pub fn recipes(&self) -> Result<Recipes, CheckpointError> {
        let shapes = parameter_shapes(&self.config)?;
        let recipe = |name: &String| {
            let recipe = Recipe::find(name, &self.names, self.numbers, &self.store)?;
            Some((name.clone(), recipe))
        };
        Ok(shapes.keys().filter_map(recipe).collect())
    }
}
