//! libswresample: any rate, layout and format to 16 kHz f32, mono or stereo.

use std::ptr;

use avocet_media::audio::SAMPLE_RATE_HZ;
use avocet_media::child::Refusal;
use ffmpeg_next::{Error, ffi, frame};

use crate::source::refusal;

/// Samples a second of what is given.
pub(super) const RATE: f64 = SAMPLE_RATE_HZ as f64;

/// Rates that make sense for sound; others would blow a small file up, or are not sound.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// A resampler for frames of one kind.
pub(super) struct Resampler {
    context: *mut ffi::SwrContext,
    kind: Kind,
    /// Channels that it gives, one sample of each in turn.
    channels: usize,
}

#[derive(Clone, Copy, PartialEq)]
struct Kind {
    format: i32,
    rate: i32,
    channels: i32,
    mask: u64,
}

fn kind_of(frame: &frame::Audio) -> Kind {
    // SAFETY: a frame is there to be read; the mask only counts where the order says so.
    unsafe {
        let frame = frame.as_ptr();
        let layout = &(*frame).ch_layout;
        let native = layout.order == ffi::AVChannelOrder::AV_CHANNEL_ORDER_NATIVE;
        Kind {
            format: (*frame).format,
            rate: (*frame).sample_rate,
            channels: layout.nb_channels,
            mask: if native { layout.u.mask } else { 0 },
        }
    }
}

impl Resampler {
    /// Makes a resampler for frames like this one, to so many channels.
    ///
    /// Errors if the frame's rate or layout makes no sense.
    pub(super) fn new(frame: &frame::Audio, channels: usize) -> Result<Self, Refusal> {
        let kind = kind_of(frame);
        if !u32::try_from(kind.rate).is_ok_and(|rate| RATES_HZ.contains(&rate)) {
            return Err(Refusal::file(format!(
                "has audio of {} samples a second; from {} to {} make sense",
                kind.rate,
                RATES_HZ.start(),
                RATES_HZ.end()
            )));
        }
        let doing = format!(
            "has audio of {} channels that cannot be mixed",
            kind.channels
        );
        let mut made = Self {
            context: ptr::null_mut(),
            kind,
            channels,
        };
        // SAFETY: layouts are written before they are read, the frame's is copied; a context that
        // was not made is null, which is checked.
        unsafe {
            let mut given = std::mem::zeroed::<ffi::AVChannelLayout>();
            ffi::av_channel_layout_default(&mut given, channels as i32);
            let mut stored = std::mem::zeroed::<ffi::AVChannelLayout>();
            match kind.mask {
                0 => ffi::av_channel_layout_default(&mut stored, kind.channels),
                mask => {
                    ffi::av_channel_layout_from_mask(&mut stored, mask);
                }
            }
            let set = ffi::swr_alloc_set_opts2(
                &mut made.context,
                &raw mut given,
                ffi::AVSampleFormat::AV_SAMPLE_FMT_FLT,
                SAMPLE_RATE_HZ as i32,
                &raw mut stored,
                frame.format().into(),
                kind.rate,
                0,
                ptr::null_mut(),
            );
            if set < 0 || made.context.is_null() {
                return Err(refusal(&doing, Error::from(set)));
            }
            // Without a limit two equal channels would add up to 1.41 times their loudness: floats
            // are not scaled down by themselves.
            ffi::av_opt_set_double(made.context.cast(), c"rematrix_maxval".as_ptr(), 1.0, 0);
        }
        made.restart()?;
        Ok(made)
    }

    /// Whether frames like this one are what it was made for.
    pub(super) fn fits(&self, frame: &frame::Audio) -> bool {
        self.kind == kind_of(frame)
    }

    /// How many channels come in.
    pub(super) fn channels_in(&self) -> i32 {
        self.kind.channels
    }

    /// Forgets what it heard.
    pub(super) fn restart(&mut self) -> Result<(), Refusal> {
        // SAFETY: the context is live.
        match unsafe { ffi::swr_init(self.context) } {
            started if started < 0 => Err(refusal(
                &format!(
                    "has audio of {} channels that cannot be mixed",
                    self.kind.channels
                ),
                Error::from(started),
            )),
            _ => Ok(()),
        }
    }

    /// Resamples a frame, or with none what is still held, to the end of `samples`.
    pub(super) fn run(
        &mut self,
        frame: Option<&frame::Audio>,
        samples: &mut Vec<f32>,
    ) -> Result<(), Refusal> {
        // SAFETY: the frame is of the kind the context was made for; the target has room for as
        // many samples as FFmpeg says may come, and no more are asked for.
        unsafe {
            let (planes, count) = match frame {
                Some(frame) => {
                    let frame = frame.as_ptr();
                    (
                        (*frame).extended_data.cast::<*const u8>(),
                        (*frame).nb_samples,
                    )
                }
                None => (ptr::null_mut(), 0),
            };
            let room = ffi::swr_get_out_samples(self.context, count).max(0);
            let before = samples.len();
            samples.resize(before + room as usize * self.channels, 0.0);
            let mut target = samples.as_mut_ptr().add(before).cast::<u8>();
            let made = ffi::swr_convert(self.context, &mut target, room, planes, count);
            samples.truncate(before + made.max(0) as usize * self.channels);
            match made < 0 {
                true => Err(refusal(
                    "has audio that cannot be resampled",
                    Error::from(made),
                )),
                false => Ok(()),
            }
        }
    }
}

impl Drop for Resampler {
    fn drop(&mut self) {
        // SAFETY: made by swr_alloc_set_opts2 or null, and freed once.
        unsafe { ffi::swr_free(&mut self.context) };
    }
}
