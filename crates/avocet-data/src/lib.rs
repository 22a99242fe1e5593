//! Placeholder map of `avocet-data`.
