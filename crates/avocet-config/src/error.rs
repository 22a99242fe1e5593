//! Why a model's configuration was refused.

/// Why a model's configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text is no TOML of the expected form; the message names the field and the line.
    #[error("model configuration: {0}")]
    Toml(#[from] toml::de::Error),
    /// A field holds a value that cannot work.
    #[error("model configuration, {field}: {reason}")]
    Field {
        /// Path of the field, such as `decoder.moe.top_k`.
        field: &'static str,
        /// What is wrong with it, with both numbers when two disagree.
        reason: String,
    },
    /// No preset has this name.
    #[error("no preset is called {name:?}; there are {known}")]
    UnknownPreset {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// No family has this name.
    #[error("no family is called {name:?}; there are {known}")]
    UnknownFamily {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
}
