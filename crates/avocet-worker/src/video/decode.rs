//! Decodes one video stream in order and gives each frame its time.
//!
//! A frame's time is its presentation time stamp; where a container keeps none, the decoding time
//! stamp of the packet that brought it out; where there is neither, the end of the frame before.
//! A frame that would be shown no later than the one before it is not shown at all. None of this
//! looks at anything but the frame and its predecessor, so that decoding from the start and
//! decoding from a keyframe agree.

use std::path::{Path, PathBuf};

use avocet_media::child::Refusal;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Dictionary, Error, Packet, codec, decoder, ffi, frame, media};

use crate::replies::Replies;
use crate::source::{self, refusal};

/// Packets in a row that may be unreadable before the rest is given up.
const MAX_UNREADABLE: usize = 1000;

/// What has to be free after a fault, for each pixel: two frames of the usual formats.
const BYTES_PER_PIXEL: usize = 4;

/// A frame and the moment from which it is shown.
pub(super) struct Shown {
    pub(super) frame: frame::Video,
    /// In the stream's time base.
    pub(super) stamp: i64,
    /// From the start of the file.
    pub(super) time_s: f64,
}

/// Where to begin.
pub(super) struct Keyframe {
    /// Presentation time stamp of the keyframe's packet, or its decoding time stamp.
    pub(super) stamp: i64,
}

/// A stream being decoded.
pub(super) struct Frames {
    path: PathBuf,
    input: Input,
    index: usize,
    decoder: decoder::Video,
    origin_s: f64,
    seconds_per_tick: f64,
    /// Ticks that a frame lasts which does not say so.
    usual_ticks: i64,
    /// Ends of the last frame: its stamp, and when the next would follow.
    last: Option<(i64, i64)>,
    draining: bool,
    ended: bool,
    /// Whether anything was wrong with the stream since the start or the last seek.
    faulty: bool,
    /// Whether a file without any frame would be noticed: no jump, and no frame so far.
    bare: bool,
    /// The packet that a seek stopped at.
    pending: Option<Packet>,
}

impl Frames {
    /// Opens the best video stream, at its start.
    pub(super) fn open(path: &Path) -> Result<Self, Refusal> {
        let mut input = source::open(path)?;
        let index = source::best_stream(&input, media::Type::Video)
            .ok_or_else(|| Refusal::file("has no video stream"))?;
        source::read_only(&mut input, index);
        let origin_s = source::origin_s(&input);
        let stream = input.stream(index).expect("the best stream is there");
        let time_base = stream.time_base();
        if time_base.numerator() <= 0 || time_base.denominator() <= 0 {
            return Err(Refusal::file("has a video stream without a clock"));
        }
        let seconds_per_tick = f64::from(time_base);
        // SAFETY: the stream belongs to the open input, which is only read.
        let rate = unsafe {
            ffi::av_guess_frame_rate(
                input.as_ptr().cast_mut(),
                stream.as_ptr().cast_mut(),
                std::ptr::null_mut(),
            )
        };
        let usual_s = match rate.num > 0 && rate.den > 0 {
            true => f64::from(rate.den) / f64::from(rate.num),
            false => 0.04,
        };
        let name = stream.parameters().id().name();
        let codec = decoder::find(stream.parameters().id()).ok_or_else(|| {
            Refusal::file(format!("has {name} video, for which there is no decoder"))
        })?;
        let open = |threads: usize| {
            let mut context = codec::Context::from_parameters(stream.parameters())?;
            context.set_time_base(time_base);
            let mut context = context.decoder();
            context.set_packet_time_base(time_base);
            let mut options = Dictionary::new();
            options.set("threads", &threads.to_string());
            options.set("max_pixels", &source::MAX_PIXELS.to_string());
            context.open_as_with(codec, options)?.video()
        };
        let doing = format!("has {name} video that cannot be decoded");
        let decoder = open(source::num_threads())
            // Where the system allows no more threads, one is enough.
            .or_else(|error| match error {
                Error::Other { errno } if errno == ffmpeg_next::error::EAGAIN => open(1),
                error => Err(error),
            })
            .map_err(|error| refusal(&doing, error))?;
        Ok(Self {
            path: path.to_path_buf(),
            input,
            index,
            decoder,
            origin_s,
            seconds_per_tick,
            usual_ticks: ((usual_s / seconds_per_tick).round() as i64).max(1),
            last: None,
            draining: false,
            ended: false,
            faulty: false,
            bare: true,
            pending: None,
        })
    }

    pub(super) fn input(&self) -> &Input {
        &self.input
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Whether anything was wrong with the stream since the start or the last seek.
    pub(super) fn faulty(&self) -> bool {
        self.faulty
    }

    /// From a time of the file to the stream's own clock.
    pub(super) fn stamp_at(&self, time_s: f64) -> i64 {
        ((time_s + self.origin_s) / self.seconds_per_tick).floor() as i64
    }

    fn time_of(&self, stamp: i64) -> f64 {
        let time_s = stamp as f64 * self.seconds_per_tick - self.origin_s;
        // The origin is rounded to microseconds, which must not put a first frame below zero.
        match time_s.abs() < 1e-6 {
            true => 0.0,
            false => time_s,
        }
    }

    /// Starts over, from the first packet of the file.
    pub(super) fn rewind(&mut self) -> Result<(), Refusal> {
        *self = Self::open(&self.path.clone())?;
        Ok(())
    }

    /// Jumps to the last keyframe that the container knows at or before `stamp`; the frames that
    /// follow begin there. `None` if it cannot, or if the next keyframe has no time.
    pub(super) fn jump(
        &mut self,
        stamp: i64,
        replies: &mut Replies,
    ) -> Result<Option<Keyframe>, Refusal> {
        // SAFETY: the input is open and the stream is one of its own.
        let sought = unsafe {
            ffi::avformat_seek_file(
                self.input.as_mut_ptr(),
                self.index as i32,
                i64::MIN,
                stamp,
                stamp,
                0,
            )
        };
        self.decoder.flush();
        self.last = None;
        self.draining = false;
        self.ended = false;
        self.faulty = false;
        self.bare = false;
        self.pending = None;
        if sought < 0 {
            return Ok(None);
        }
        while let Some(packet) = self.read_packet(replies)? {
            if packet.is_key() {
                let stamp = packet.pts().or(packet.dts());
                self.pending = Some(packet);
                return Ok(stamp.map(|stamp| Keyframe { stamp }));
            }
        }
        Ok(None)
    }

    /// The next frame that is shown; `None` after the last.
    ///
    /// Errors if no frame of the whole file can be decoded, or memory runs out.
    pub(super) fn next(&mut self, replies: &mut Replies) -> Result<Option<Shown>, Refusal> {
        let mut decoded = frame::Video::empty();
        while !self.ended {
            match self.decoder.receive_frame(&mut decoded) {
                Ok(()) => {
                    if let Some(shown) = self.show(decoded) {
                        self.bare = false;
                        return Ok(Some(shown));
                    }
                    decoded = frame::Video::empty();
                }
                Err(Error::Eof) => self.ended = true,
                Err(Error::Other { errno }) if errno == ffmpeg_next::error::EAGAIN => {
                    self.feed(replies)?;
                }
                Err(error) => self.note(error)?,
            }
        }
        match self.bare {
            false => Ok(None),
            true => Err(Refusal::file(
                "has a video stream of which no frame can be decoded",
            )),
        }
    }

    fn show(&mut self, frame: frame::Video) -> Option<Shown> {
        if frame.is_corrupt() || frame.has_decode_errors() {
            self.faulty = true;
        }
        let packet = frame.packet();
        let dts = (packet.dts != ffi::AV_NOPTS_VALUE).then_some(packet.dts);
        let follows = self.last.map(|(_, end)| end);
        let stamp = frame.pts().or(dts).or(follows).unwrap_or(0);
        if self.last.is_some_and(|(last, _)| stamp <= last) {
            return None;
        }
        let ticks = match packet.duration > 0 {
            true => packet.duration,
            false => self.usual_ticks,
        };
        self.last = Some((stamp, stamp.saturating_add(ticks)));
        Some(Shown {
            frame,
            stamp,
            time_s: self.time_of(stamp),
        })
    }

    /// Gives the decoder its next packet.
    fn feed(&mut self, replies: &mut Replies) -> Result<(), Refusal> {
        if self.draining {
            // A decoder that wants more after the end has nothing left to say.
            self.ended = true;
            return Ok(());
        }
        let packet = match self.pending.take() {
            Some(packet) => Some(packet),
            None => self.read_packet(replies)?,
        };
        let sent = match packet {
            Some(packet) => self.decoder.send_packet(&packet),
            None => {
                self.draining = true;
                self.decoder.send_eof()
            }
        };
        sent.or_else(|error| self.note(error))
    }

    /// The next packet of the stream; `None` at the end, or where the rest is unreadable.
    fn read_packet(&mut self, replies: &mut Replies) -> Result<Option<Packet>, Refusal> {
        let mut unreadable = 0;
        loop {
            replies.alive()?;
            let mut packet = Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) if packet.stream() == self.index => return Ok(Some(packet)),
                Ok(()) => {}
                Err(Error::Eof) => return Ok(None),
                Err(error) => {
                    unreadable += 1;
                    self.note(error)?;
                    if error != Error::InvalidData || unreadable >= MAX_UNREADABLE {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// A damaged place is passed over, as players do; only memory ends the work. Decoders that
    /// run out of it in the middle of a frame call it damage, so there is a look at what is left.
    fn note(&mut self, error: Error) -> Result<(), Refusal> {
        self.faulty = true;
        let pixels = self.decoder.width() as usize * self.decoder.height() as usize;
        let room = Vec::<u8>::new().try_reserve_exact(BYTES_PER_PIXEL * pixels);
        match error {
            Error::Other { errno } if errno == ffmpeg_next::error::ENOMEM => Err(Refusal::Memory),
            _ => room.map_err(|_| Refusal::Memory),
        }
    }
}
