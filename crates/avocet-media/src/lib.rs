//! Placeholder map of `avocet-media`.
