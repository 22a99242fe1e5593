//! Which parameters a stage trains.

use avocet_model::{RECOGNISER, Role};

use crate::pattern::matches_any;

/// Where the auxiliary heads' names begin; the rest belongs to the model.
pub(crate) const AUXILIARY: &str = "auxiliary";

/// Whether the parameter of this name is one of the auxiliary heads'.
pub(crate) fn is_auxiliary(name: &str) -> bool {
    name.starts_with(AUXILIARY)
}

/// Which parameters a stage trains.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Patterns of the names that train.
    pub trains: Vec<String>,
    /// Patterns of the names that stay as they are, although `trains` has them.
    pub freezes: Vec<String>,
}

impl Selection {
    /// Everything trains.
    pub fn all() -> Self {
        Self {
            trains: vec!["*".into()],
            freezes: Vec::new(),
        }
    }

    /// Whether the parameter trains: by the patterns, or as part of the auxiliary heads, which
    /// learn wherever they are used. What no gradient trains is left out, and the recogniser, which
    /// is run over the pictures before the network is.
    pub fn trains(&self, name: &str, role: Role) -> bool {
        if is_auxiliary(name) {
            return true;
        }
        let is_recogniser = name.starts_with(RECOGNISER);
        let trainable = role.has_gradient() && !is_recogniser;
        trainable && matches_any(&self.trains, name) && !matches_any(&self.freezes, name)
    }
}
