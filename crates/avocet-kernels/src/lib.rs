//! Placeholder map of `avocet-kernels`.
