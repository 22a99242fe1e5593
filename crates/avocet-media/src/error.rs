//! What can be wrong with an image file, in words for its owner.

/// Why a picture was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Nothing to decode.
    #[error("the image is empty (0 bytes)")]
    Empty,
    /// The bytes are of none of the formats read here.
    #[error(
        "not an image this program reads (PNG, JPEG, WebP, GIF, BMP, TIFF, HEIC, AVIF, SVG); it begins \
         with {start}"
    )]
    NotAnImage {
        /// The first bytes, escaped.
        start: String,
    },
    /// A kind of picture that people have and that is not read.
    #[error("{kind} files are not read; {way}")]
    KindNotRead {
        /// What it is.
        kind: &'static str,
        /// What makes a picture of it that is read.
        way: &'static str,
    },
    /// A known format whose contents do not decode.
    #[error("broken {format} image: {reason}")]
    Broken {
        /// Name of the format.
        format: &'static str,
        /// The decoder's own words.
        reason: String,
    },
    /// More pixels than any picture may have.
    #[error("{width} x {height} image has too many pixels; the limit is {limit}")]
    TooManyPixels {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// `Limits::max_pixels`.
        limit: u64,
    },
    /// Decoding would need more memory than allowed.
    #[error("{width} x {height} image needs {needed} bytes to decode; the limit is {limit} bytes")]
    TooLarge {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// Bytes that decoding would take.
        needed: u64,
        /// `Limits::max_alloc`.
        limit: u64,
    },
    /// A tiny file that claims a huge picture.
    #[error(
        "{width} x {height} image expands {file_bytes} bytes to {needed}, more than the limit of \
         {limit} times"
    )]
    Bomb {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// Size of the file.
        file_bytes: u64,
        /// Bytes that decoding would take.
        needed: u64,
        /// `Limits::max_expansion`.
        limit: u64,
    },
    /// More bytes than a file may have.
    #[error("the file has {found} bytes; the limit is {limit} bytes")]
    FileTooLong {
        /// Bytes found.
        found: u64,
        /// `Limits::max_file_bytes`.
        limit: u64,
    },
    /// Pixels that do not match the stated size.
    #[error("{width} x {height} picture needs {expected} bytes of RGB but {found} were given")]
    WrongLength {
        /// Pixels across.
        width: usize,
        /// Pixels down.
        height: usize,
        /// 3 * width * height.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
}

impl ImageError {
    /// A picture of a known format that does not decode, and why.
    pub(crate) fn broken(format: &'static str, reason: impl ToString) -> Self {
        let reason = reason.to_string().replace(['\n', '\r'], " ");
        Self::Broken { format, reason }
    }
}

/// Why an image file could not be read; names the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read at all.
    #[error("{source_name}: {cause}")]
    Io {
        /// The path as given.
        source_name: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file was read but is no acceptable picture.
    #[error("{source_name}: {cause}")]
    Image {
        /// The path as given.
        source_name: String,
        /// What is wrong with it.
        cause: ImageError,
    },
}
