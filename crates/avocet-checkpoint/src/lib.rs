//! Placeholder map of `avocet-checkpoint`.
