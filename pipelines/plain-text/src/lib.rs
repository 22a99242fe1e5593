//! Placeholder map of `plain-text`.
