//! Pictures: frames at given times, every frame in order, and what a file holds.

mod convert;
mod decode;
mod hdr;
mod seek;
mod still;
mod turn;

use avocet_media::child::{FramesRequest, Refusal, ScanRequest, Served};
use avocet_media::video::{FrameHeader, MAX_SIDE, VideoInfo};
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Rational, ffi, media};

use crate::replies::Replies;
use crate::source;
use convert::{Converter, pixel_aspect, square_size};
use decode::{Frames, Shown};
use hdr::Colours;
use seek::Seeker;
pub(crate) use still::stills;
use turn::Turn;

/// What the header says about the best video stream.
pub(crate) fn info(input: &Input) -> Option<VideoInfo> {
    let index = source::best_stream(input, media::Type::Video)?;
    let look = Look::of(input, index);
    let stream = input.stream(index)?;
    // SAFETY: the parameters belong to a stream of the open input.
    let (width, height) = unsafe {
        let parameters = stream.parameters();
        ((*parameters.as_ptr()).width, (*parameters.as_ptr()).height)
    };
    let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    let (width, height) = square_size(width, height, look.aspect, u32::MAX);
    let (width, height) = look.turn.size(width as usize, height as usize);
    Some(VideoInfo {
        codec: stream.parameters().id().name().to_owned(),
        width: width as u32,
        height: height as u32,
        rotation_degrees: look.turn.degrees(),
    })
}

/// How stored frames are to be shown.
struct Look {
    aspect: f64,
    turn: Turn,
    colours: Colours,
}

impl Look {
    fn of(input: &Input, index: usize) -> Self {
        use ffmpeg_next::codec::packet::side_data::Type;
        let Some(stream) = input.stream(index) else {
            return Self {
                aspect: 1.0,
                turn: Turn::default(),
                colours: Colours::UNKNOWN,
            };
        };
        // SAFETY: the stream belongs to the open input; FFmpeg only reads both.
        let aspect = unsafe {
            ffi::av_guess_sample_aspect_ratio(
                input.as_ptr().cast_mut(),
                stream.as_ptr().cast_mut(),
                std::ptr::null_mut(),
            )
        };
        let turn = stream
            .side_data()
            .find(|data| data.kind() == Type::DisplayMatrix)
            .map(|data| Turn::of_matrix(data.data()));
        Self {
            aspect: pixel_aspect(Rational::from(aspect)),
            turn: turn.unwrap_or_default(),
            colours: Colours::of_stream(&stream),
        }
    }
}

fn side(max_side: u32) -> Result<u32, Refusal> {
    match (1..=MAX_SIDE).contains(&max_side) {
        true => Ok(max_side),
        false => Err(Refusal::file(format!(
            "frames were asked for with sides of at most {max_side}, which is not in 1..={MAX_SIDE}"
        ))),
    }
}

fn send(shown: &Shown, converter: &mut Converter, replies: &mut Replies) -> Served {
    let mut rgb = replies.buffer();
    let (width, height) = converter.convert(&shown.frame, &mut rgb)?;
    let header = FrameHeader {
        time_s: shown.time_s,
        width,
        height,
    };
    replies.item_owned(header, rgb)
}

/// Gives every frame in the order it is shown.
pub(crate) fn scan(request: &ScanRequest, replies: &mut Replies) -> Served {
    let max_side = side(request.max_side)?;
    let mut frames = Frames::open(request.path.as_path())?;
    let look = Look::of(frames.input(), frames.index());
    let mut converter = Converter::new(max_side, look.aspect, look.turn, look.colours);
    while let Some(shown) = frames.next(replies)? {
        send(&shown, &mut converter, replies)?;
    }
    Ok(())
}

/// Gives the frame shown at each of the times, in their order.
pub(crate) fn frames(request: &FramesRequest, replies: &mut Replies) -> Served {
    let max_side = side(request.max_side)?;
    if let Some(time) = request.times_s.iter().find(|time| !time.is_finite()) {
        return Err(Refusal::file(format!("there is no frame at {time} s")));
    }
    let mut seeker = Seeker::open(request.path.as_path())?;
    let look = Look::of(seeker.input(), seeker.index());
    let mut converter = Converter::new(max_side, look.aspect, look.turn, look.colours);
    for &time_s in &request.times_s {
        send(seeker.frame_at(time_s, replies)?, &mut converter, replies)?;
    }
    Ok(())
}
