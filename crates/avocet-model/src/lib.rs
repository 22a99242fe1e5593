//! Placeholder map of `avocet-model`.
