//! Placeholder map of `avocet-infer`.
