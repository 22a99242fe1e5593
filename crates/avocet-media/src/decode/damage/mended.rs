//! What mending a file gives.

/// A file that was made whole.
pub(super) struct Mended {
    pub file: Vec<u8>,
    /// The share of the picture that is made up.
    pub missing: f64,
    /// A checksum says that some of it is wrong.
    pub doubtful: bool,
}
