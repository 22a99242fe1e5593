//! Files and folders: read under a limit or mapped, and what a new folder takes from another.

mod bytes;
mod folder;
mod read;

pub(crate) use bytes::Bytes;
pub(crate) use folder::{copy_settings, new_folder};
pub(crate) use read::read;
