//! Placeholder map of `avocet-train`.
