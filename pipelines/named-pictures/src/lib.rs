//! Placeholder map of `named-pictures`.
