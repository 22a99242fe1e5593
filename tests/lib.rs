//! Nothing to import: the workspace-wide tests live in `main.rs` of this folder.
