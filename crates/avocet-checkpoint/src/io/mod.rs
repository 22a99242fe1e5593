//! Files and folders: read under a limit or mapped, written so that a crash leaves whole files.

mod bytes;
mod folder;
mod read;
mod write;

pub(crate) use bytes::Bytes;
pub(crate) use folder::{Staged, copy_settings};
pub(crate) use read::read;
pub(crate) use write::{sync_parent, temporary, write, write_all};
