//! Sound: one stream decoded in order, as 16 kHz mono, with its times kept.

mod resample;
mod timeline;

use avocet_media::audio::{BlockHeader, SAMPLE_RATE_HZ};
use avocet_media::child::{AudioRequest, Refusal, Served};
use avocet_media::video::AudioInfo;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Error, Packet, codec, decoder, ffi, frame, media};

use crate::replies::Replies;
use crate::source::{self, refusal};
use resample::Resampler;
use timeline::Timeline;

/// Packets in a row that may be unreadable before the rest is given up.
const MAX_UNREADABLE: usize = 1000;

/// Samples a second of what is given.
const RATE: f64 = SAMPLE_RATE_HZ as f64;

/// What the header says about the best audio stream.
pub(crate) fn info(input: &Input) -> Option<AudioInfo> {
    let index = source::best_stream(input, media::Type::Audio)?;
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
    Some(AudioInfo {
        codec: parameters.id().name().to_owned(),
        sample_rate_hz: u32::try_from(rate).unwrap_or(0),
        channels: u32::try_from(channels).unwrap_or(0),
        language: stream.metadata().get("language").map(str::to_owned),
    })
}

/// Gives all that is heard in blocks of a second; the last before a break may be shorter.
pub(crate) fn blocks(request: &AudioRequest, replies: &mut Replies) -> Served {
    let mut input = source::open(request.path.as_path())?;
    let index = source::best_stream(&input, media::Type::Audio)
        .ok_or_else(|| Refusal::file("has no audio stream"))?;
    source::read_only(&mut input, index);
    let stream = input.stream(index).expect("the best stream is there");
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
        resampler: None,
        resampled: Vec::new(),
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
    resampler: Option<Resampler>,
    resampled: Vec<f32>,
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
        if self.resampler.as_ref().is_none_or(|made| !made.fits(frame)) {
            self.flush()?;
            self.resampler = Some(Resampler::new(frame)?);
        }
        if let Some(start_s) = start_s
            && self.timeline.is_off(start_s)
        {
            self.flush()?;
            self.timeline.correct(start_s);
        }
        let resampler = self.resampler.as_mut().expect("made above");
        self.resampled.clear();
        resampler.run(Some(frame), &mut self.resampled)?;
        self.timeline.push(&self.resampled);
        self.timeline.read(frame.samples(), frame.rate());
        self.send_full(replies)
    }

    /// Takes what the resampler still holds, after which its input may jump.
    fn flush(&mut self) -> Served {
        if let Some(resampler) = &mut self.resampler {
            self.resampled.clear();
            resampler.run(None, &mut self.resampled)?;
            resampler.restart()?;
            self.timeline.push(&self.resampled);
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
