//! Opens one media file for FFmpeg, and nothing else.
//!
//! FFmpeg never sees a path or a URL: this module opens the file and hands over its bytes, and no
//! protocol is allowed, so a playlist, an edit list or a header that names another file or an
//! address leads nowhere. Containers that are lists of other files are refused by name.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::path::Path;
use std::ptr;

use avocet_media::child::Refusal;
use ffmpeg_next::format::context::{Input, StreamIo};
use ffmpeg_next::{Dictionary, Error, ffi, media};

/// The most pixels a stored frame may have: twice those of 8K UHD.
pub(crate) const MAX_PIXELS: u64 = 1 << 26;

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Containers whose contents are other files, addresses or drawing commands.
const REFUSED: &[&str] = &[
    "hls",
    "applehttp",
    "concat",
    "dash",
    "imf",
    "sdp",
    "rtsp",
    "image2",
    "lavfi",
    "svg_pipe",
    "tty",
    "vobsub",
    "webm_dash_manifest",
];

/// Turns FFmpeg's error into ours; `doing` says what failed, in words that follow a file's name.
pub(crate) fn refusal(doing: &str, error: Error) -> Refusal {
    use ffmpeg_next::error::{EAGAIN, ENOMEM};
    match error {
        // A thread that finds no room for its stack says "again".
        Error::Other {
            errno: ENOMEM | EAGAIN,
        } => Refusal::Memory,
        error => Refusal::file(format!("{doing}: {error}")),
    }
}

/// Opens the file and finds out what its streams are.
///
/// Errors if it cannot be read, is not media, is a list of other files, or has frames of more
/// than [`MAX_PIXELS`].
pub(crate) fn open(path: &Path) -> Result<Input, Refusal> {
    let unreadable = |error: std::io::Error| Refusal::file(format!("cannot be read: {error}"));
    // Looked at before it is opened: opening a pipe waits for its writer.
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(Refusal::file("is not a regular file"));
    }
    if about.len() == 0 {
        return Err(Refusal::file("is empty (0 bytes)"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let bytes = StreamIo::from_read_seek_with_capacity(file, BUFFER_BYTES)
        .map_err(|error| refusal("cannot be read", error))?;
    open_bytes(bytes, &hint(path))
}

/// A name for the sake of formats known only by their extension; it leads to no file.
fn hint(path: &Path) -> CString {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    let plain = extension.len() <= 8 && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    let name = match plain && !extension.is_empty() {
        true => format!("media.{}", extension.to_ascii_lowercase()),
        false => "media".to_owned(),
    };
    CString::new(name).unwrap_or_default()
}

fn open_bytes(mut bytes: StreamIo, name: &CStr) -> Result<Input, Refusal> {
    let mut format: *const ffi::AVInputFormat = ptr::null();
    // SAFETY: the stream lives through the call, and the name ends in a zero.
    let score = unsafe {
        ffi::av_probe_input_buffer2(
            bytes.as_mut_ptr(),
            &mut format,
            name.as_ptr(),
            ptr::null_mut(),
            0,
            0,
        )
    };
    if score < 0 || format.is_null() {
        return Err(Refusal::file("is not a media file that FFmpeg knows"));
    }
    // SAFETY: a registered format has a name, which lives as long as the library.
    let format_name = unsafe { CStr::from_ptr((*format).name) }.to_string_lossy();
    if format_name.split(',').any(|name| REFUSED.contains(&name)) {
        return Err(Refusal::file(format!(
            "is a list of other files or of drawing commands ({format_name}); only media files \
             themselves are read"
        )));
    }
    let mut options = Dictionary::new();
    options.set("protocol_whitelist", "none");
    // SAFETY: the context is either handed to `Input`, with the stream it reads from, or freed by
    // FFmpeg's own functions; the dictionary is taken back after the call that may change it.
    unsafe {
        let mut context = ffi::avformat_alloc_context();
        if context.is_null() {
            return Err(Refusal::Memory);
        }
        (*context).pb = bytes.as_mut_ptr();
        (*context).flags |= ffi::AVFMT_FLAG_CUSTOM_IO;
        let mut options = options.disown();
        let opened = ffi::avformat_open_input(&mut context, name.as_ptr(), format, &mut options);
        drop(Dictionary::own(options));
        if opened < 0 {
            let doing = format!("is broken or cut short ({format_name})");
            return Err(refusal(&doing, Error::from(opened)));
        }
        let mut input = Input::wrap_with_custom_io(context, bytes);
        check_sizes(&input)?;
        find_streams(&mut input)?;
        check_sizes(&input)?;
        Ok(input)
    }
}

/// Lets FFmpeg read ahead for what the header does not say, under the limit on frames.
fn find_streams(input: &mut Input) -> Result<(), Refusal> {
    let limit = CString::new(MAX_PIXELS.to_string()).unwrap_or_default();
    let mut options = vec![ptr::null_mut(); input.streams().count()];
    // SAFETY: one dictionary for each stream there is, all freed below.
    let found = unsafe {
        for entry in &mut options {
            ffi::av_dict_set(entry, c"max_pixels".as_ptr(), limit.as_ptr(), 0);
        }
        let found = ffi::avformat_find_stream_info(input.as_mut_ptr(), options.as_mut_ptr());
        for entry in &mut options {
            ffi::av_dict_free(entry);
        }
        found
    };
    match found < 0 {
        true => Err(refusal("has no readable stream", Error::from(found))),
        false => Ok(()),
    }
}

fn check_sizes(input: &Input) -> Result<(), Refusal> {
    for stream in input.streams() {
        let parameters = stream.parameters();
        if parameters.medium() != media::Type::Video {
            continue;
        }
        // SAFETY: the parameters belong to a stream of the open input.
        let (width, height) = unsafe {
            let p = parameters.as_ptr();
            ((*p).width, (*p).height)
        };
        let pixels = u64::try_from(width).unwrap_or(0) * u64::try_from(height).unwrap_or(0);
        if pixels > MAX_PIXELS {
            return Err(Refusal::file(format!(
                "{width} x {height} frames have {pixels} pixels; the limit is {MAX_PIXELS}"
            )));
        }
    }
    Ok(())
}

/// The stream of a kind that FFmpeg calls best; cover pictures do not count.
pub(crate) fn best_stream(input: &Input, kind: media::Type) -> Option<usize> {
    use ffmpeg_next::format::stream::Disposition;
    let best = input.streams().best(kind)?;
    let cover = best.disposition().contains(Disposition::ATTACHED_PIC);
    (!cover).then(|| best.index())
}

/// Has the demuxer skip all streams but one.
pub(crate) fn read_only(input: &mut Input, index: usize) {
    for mut stream in input.streams_mut() {
        let discard = match stream.index() == index {
            true => ffi::AVDiscard::AVDISCARD_DEFAULT,
            false => ffi::AVDiscard::AVDISCARD_ALL,
        };
        // SAFETY: the stream belongs to the open input, which is borrowed here.
        unsafe { (*stream.as_mut_ptr()).discard = discard };
    }
}

/// How far before zero a container may begin for the sake of an audio codec's priming, in seconds.
const MAX_PRIMING_S: f64 = 0.5;

/// The moment that counts as zero, in seconds of the container's own clock: when the earliest of
/// its streams begins, or its own zero if that is only a codec's priming earlier.
pub(crate) fn origin_s(input: &Input) -> f64 {
    // SAFETY: the input is open.
    let start = unsafe { (*input.as_ptr()).start_time };
    if start == ffi::AV_NOPTS_VALUE {
        return 0.0;
    }
    let start_s = start as f64 / f64::from(ffi::AV_TIME_BASE);
    match (-MAX_PRIMING_S..0.0).contains(&start_s) {
        true => 0.0,
        false => start_s,
    }
}

/// Decoding threads: one more than there are cores, as one of them waits now and then, up to where
/// more only cost memory.
pub(crate) fn num_threads() -> usize {
    std::thread::available_parallelism()
        .map_or(1, |cores| usize::from(cores) + 1)
        .min(16)
}
