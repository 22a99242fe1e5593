//! Sound: one stream decoded in order, as 16 kHz mono, with its times kept.

mod mix;
mod resample;
mod timeline;

use avocet_media::audio::BlockHeader;
use avocet_media::child::{AudioRequest, Refusal, Served};
use avocet_media::video::AudioInfo;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Error, Packet, codec, decoder, ffi, frame, media};

use crate::replies::Replies;
use crate::source::{self, refusal};
use mix::Mixer;
use timeline::Timeline;

/// Packets in a row that may be unreadable before the rest is given up.
const MAX_UNREADABLE: usize = 1000;

/// What the header says about the sound track that is heard unless another is asked for.
pub(crate) fn info(input: &Input) -> Option<AudioInfo> {
    let index = chosen(input, None)?;
    let track = indexes(input).position(|other| other == index)?;
    track_info(input, track, index)
}

/// What the header says about every sound track.
pub(crate) fn tracks(input: &Input) -> Vec<AudioInfo> {
    let tracks = indexes(input).enumerate();
    tracks
        .filter_map(|(track, index)| track_info(input, track, index))
        .collect()
}

fn track_info(input: &Input, track: usize, index: usize) -> Option<AudioInfo> {
    let stream = input.stream(index)?;
    let parameters = stream.parameters();
    // SAFETY: the parameters belong to a stream of the open input.
    let (rate, channels) = unsafe {
        let parameters = parameters.as_ptr();
        (
            (*parameters).sample_rate,
            (*parameters).ch_layout.nb_channels,
        )
    };
    let said = |key: &str| {
        let metadata = stream.metadata();
        let text = metadata.get(key).map(|text| text.trim().to_owned());
        text.filter(|text| !text.is_empty())
    };
    Some(AudioInfo {
        track: u32::try_from(track + 1).ok()?,
        codec: parameters.id().name().to_owned(),
        sample_rate_hz: u32::try_from(rate).unwrap_or(0),
        channels: u32::try_from(channels).unwrap_or(0),
        // MP4 has no way to say nothing.
        language: said("language").filter(|tag| tag != "und"),
        title: said("title"),
    })
}

/// The streams that are sound tracks.
fn indexes(input: &Input) -> impl Iterator<Item = usize> {
    let sounds =
        |stream: &ffmpeg_next::Stream<'_>| stream.parameters().medium() == media::Type::Audio;
    let indexes = input.streams().filter(sounds).map(|stream| stream.index());
    indexes.collect::<Vec<_>>().into_iter()
}

/// The stream of a sound track, counted from 1; without one, the container's default.
///
/// Where it has no default or several, those that are made for few are the last to be taken, and
/// FFmpeg's best is the first.
fn chosen(input: &Input, track: Option<u32>) -> Option<usize> {
    use ffmpeg_next::format::stream::Disposition;
    if let Some(track) = track {
        return indexes(input).nth((track as usize).checked_sub(1)?);
    }
    let best = source::best_stream(input, media::Type::Audio);
    let for_few =
        Disposition::COMMENT | Disposition::HEARING_IMPAIRED | Disposition::VISUAL_IMPAIRED;
    indexes(input).max_by_key(|&index| {
        let disposition = input.stream(index).map(|stream| stream.disposition());
        let disposition = disposition.unwrap_or(Disposition::empty());
        (
            disposition.contains(Disposition::DEFAULT),
            !disposition.intersects(for_few),
            Some(index) == best,
            std::cmp::Reverse(index),
        )
    })
}

/// Gives all that is heard in blocks of a second; the last before a break may be shorter.
pub(crate) fn blocks(request: &AudioRequest, replies: &mut Replies) -> Served {
    let mut input = source::open(request.path.as_path())?;
    let index = chosen(&input, request.track).ok_or_else(|| {
        let count = indexes(&input).count();
        Refusal::file(match request.track.filter(|_| count > 0) {
            Some(track) => format!("has {count} sound tracks, and none of number {track}"),
            None => "has no audio stream".to_owned(),
        })
    })?;
    source::read_only(&mut input, index);
    let stream = input.stream(index).expect("a chosen stream is there");
    let time_base = stream.time_base();
    let name = stream.parameters().id().name();
    let codec = decoder::find(stream.parameters().id())
        .ok_or_else(|| Refusal::file(format!("has {name} audio, for which there is no decoder")))?;
    let doing = format!("has {name} audio that cannot be decoded");
    let mut context = codec::Context::from_parameters(stream.parameters())
        .map_err(|error| refusal(&doing, error))?
        .decoder();
    context.set_packet_time_base(time_base);
    let mut decoder = context
        .open_as(codec)
        .and_then(|opened| opened.audio())
        .map_err(|error| refusal(&doing, error))?;

    let mut sound = Sound {
        seconds_per_tick: f64::from(time_base),
        origin_s: source::origin_s(&input),
        mixer: None,
        mixed: Vec::new(),
        timeline: Timeline::default(),
        heard: false,
    };
    let mut unreadable = 0;
    loop {
        replies.alive()?;
        let mut packet = Packet::empty();
        match packet.read(&mut input) {
            Ok(()) => unreadable = 0,
            Err(Error::InvalidData) if unreadable < MAX_UNREADABLE => {
                unreadable += 1;
                continue;
            }
            Err(_) => break,
        }
        if packet.stream() == index {
            damaged(decoder.send_packet(&packet))?;
            sound.drain(&mut decoder, replies)?;
        }
    }
    damaged(decoder.send_eof())?;
    sound.drain(&mut decoder, replies)?;
    sound.finish(replies)
}

/// A damaged place is passed over; only memory ends the work.
fn damaged(result: Result<(), Error>) -> Served {
    match result {
        Err(Error::Other { errno }) if errno == ffmpeg_next::error::ENOMEM => Err(Refusal::Memory),
        _ => Ok(()),
    }
}

struct Sound {
    seconds_per_tick: f64,
    origin_s: f64,
    mixer: Option<Mixer>,
    mixed: Vec<f32>,
    timeline: Timeline,
    heard: bool,
}

impl Sound {
    fn drain(&mut self, decoder: &mut decoder::Audio, replies: &mut Replies) -> Served {
        loop {
            let mut decoded = frame::Audio::empty();
            match decoder.receive_frame(&mut decoded) {
                Ok(()) => self.add(&decoded, replies)?,
                Err(Error::Eof) => return Ok(()),
                Err(Error::Other { errno }) if errno == ffmpeg_next::error::EAGAIN => return Ok(()),
                Err(error) => damaged(Err(error))?,
            }
        }
    }

    fn add(&mut self, frame: &frame::Audio, replies: &mut Replies) -> Served {
        self.heard = true;
        let stamp = frame.pts().or(dts_of(frame));
        let start_s = stamp.map(|stamp| stamp as f64 * self.seconds_per_tick - self.origin_s);
        if self.mixer.as_ref().is_none_or(|made| !made.fits(frame)) {
            self.flush()?;
            self.mixer = Some(Mixer::new(frame)?);
        }
        if let Some(start_s) = start_s
            && self.timeline.is_off(start_s)
        {
            self.flush()?;
            self.timeline.correct(start_s);
        }
        let mixer = self.mixer.as_mut().expect("made above");
        self.mixed.clear();
        mixer.run(Some(frame), &mut self.mixed)?;
        self.timeline.push(&self.mixed);
        self.timeline.read(frame.samples(), frame.rate());
        self.send_full(replies)
    }

    /// Takes what the mixer still holds, after which its input may jump.
    fn flush(&mut self) -> Served {
        if let Some(mixer) = &mut self.mixer {
            self.mixed.clear();
            mixer.run(None, &mut self.mixed)?;
            mixer.restart()?;
            self.timeline.push(&self.mixed);
        }
        Ok(())
    }

    fn send_full(&mut self, replies: &mut Replies) -> Served {
        while let Some((start_s, block)) = self.timeline.take(false) {
            send(start_s, &block, replies)?;
        }
        Ok(())
    }

    fn finish(mut self, replies: &mut Replies) -> Served {
        if !self.heard {
            return Err(Refusal::file(
                "has an audio stream of which nothing can be decoded",
            ));
        }
        self.flush()?;
        while let Some((start_s, block)) = self.timeline.take(true) {
            send(start_s, &block, replies)?;
        }
        Ok(())
    }
}

fn dts_of(frame: &frame::Audio) -> Option<i64> {
    let dts = frame.packet().dts;
    (dts != ffi::AV_NOPTS_VALUE).then_some(dts)
}

fn send(start_s: f64, block: &[f32], replies: &mut Replies) -> Served {
    let bytes: Vec<u8> = block
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect();
    replies.item(BlockHeader { start_s }, &bytes)
}
