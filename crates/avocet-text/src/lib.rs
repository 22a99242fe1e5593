//! Placeholder map of `avocet-text`.
