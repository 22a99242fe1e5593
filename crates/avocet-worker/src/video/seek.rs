//! The frame that is shown at a time, without decoding all that comes before it.
//!
//! Where the container is one whose jumps were tested, decoding begins at the keyframe before the
//! wanted time. What it gives is believed only if the first good frame is no later than that
//! time and nothing was wrong on the way; otherwise it begins earlier, and at last at the very
//! start, which is what a full decode does. Frames that stand before the keyframe in the order
//! shown, as those of an open group of pictures, may lack what they refer to and are left out.

use std::path::Path;

use avocet_media::child::Refusal;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{codec, ffi};

use super::decode::{Frames, Shown};
use crate::replies::Replies;

/// Containers whose time stamps after a jump are those of a full decode.
const JUMPS_ARE_EXACT: &[&str] = &["mov", "matroska", "mpegts", "flv", "avi"];

/// How much earlier than the wanted time each try begins, in seconds.
const EARLIER_S: [f64; 4] = [0.0, 1.0, 5.0, 20.0];

/// How far ahead decoding on is taken to be cheaper than a jump where no index tells, in seconds.
const NEAR_S: f64 = 2.0;

/// Times this close are the same: a time in seconds does not survive every way of rounding.
const SAME_S: f64 = 1e-6;

/// Decodes around the last wanted time.
pub(super) struct Seeker {
    frames: Frames,
    jumps: bool,
    /// The frame shown, and the one after it.
    current: Option<Shown>,
    following: Option<Shown>,
    /// Whether `current` is the first frame of the file.
    at_first: bool,
}

impl Seeker {
    /// Opens the best video stream.
    pub(super) fn open(path: &Path) -> Result<Self, Refusal> {
        let frames = Frames::open(path)?;
        let jumps = jumps_are_exact(frames.input(), frames.index());
        Ok(Self {
            frames,
            jumps,
            current: None,
            following: None,
            at_first: false,
        })
    }

    pub(super) fn input(&self) -> &Input {
        self.frames.input()
    }

    pub(super) fn index(&self) -> usize {
        self.frames.index()
    }

    /// The last frame that begins no later than `time_s`, or the first of the file.
    ///
    /// Errors if nothing can be decoded.
    pub(super) fn frame_at(
        &mut self,
        time_s: f64,
        replies: &mut Replies,
    ) -> Result<&Shown, Refusal> {
        if !self.is_ahead(time_s) && !self.jump_to(time_s, replies)? {
            self.frames.rewind()?;
            self.begin(replies)?;
            self.at_first = true;
        }
        self.run_to(time_s, replies)?;
        match &self.current {
            Some(shown) => Ok(shown),
            None => Err(Refusal::file("has no frame to show")),
        }
    }

    /// Whether decoding on from here is the way to `time_s`.
    fn is_ahead(&self, time_s: f64) -> bool {
        let Some(current) = &self.current else {
            return false;
        };
        if begins_by(current, time_s) || self.at_first {
            let Some(following) = &self.following else {
                return true;
            };
            return !self.jumps
                || !begins_by(following, time_s)
                || !self.keyframe_between(following.stamp, time_s);
        }
        false
    }

    /// Whether the container knows a keyframe after `stamp` and no later than `time_s`.
    fn keyframe_between(&self, stamp: i64, time_s: f64) -> bool {
        let wanted = self.frames.stamp_at(time_s);
        let stream = self.input().stream(self.index());
        // SAFETY: the stream belongs to the open input, and the entry is looked at before anything
        // else is done with it.
        let known = stream.and_then(|stream| unsafe {
            let stream = stream.as_ptr().cast_mut();
            let flags = ffi::AVSEEK_FLAG_BACKWARD;
            let entry = ffi::avformat_index_get_entry_from_timestamp(stream, wanted, flags);
            (!entry.is_null()).then(|| (*entry).timestamp)
        });
        let far = stamp <= self.frames.stamp_at(time_s - NEAR_S);
        match known {
            Some(keyframe) if keyframe > stamp => true,
            _ => far && self.index_is_growing(),
        }
    }

    /// Whether the index holds only what was read so far, as in containers that have none.
    fn index_is_growing(&self) -> bool {
        let container = self.input().format();
        let name = container.name();
        name == "mpegts" || name == "flv" || name.starts_with("matroska")
    }

    /// Begins at a keyframe before `time_s`; false if that cannot be done and be exact.
    fn jump_to(&mut self, time_s: f64, replies: &mut Replies) -> Result<bool, Refusal> {
        if !self.jumps {
            return Ok(false);
        }
        for earlier_s in EARLIER_S {
            if time_s - earlier_s <= 0.0 {
                break;
            }
            let stamp = self.frames.stamp_at(time_s - earlier_s);
            let Some(keyframe) = self.frames.jump(stamp, replies)? else {
                continue;
            };
            self.begin(replies)?;
            while let Some(current) = &self.current
                && current.stamp < keyframe.stamp
            {
                self.advance(replies)?;
            }
            let Some(current) = &self.current else {
                continue;
            };
            if !begins_by(current, time_s) {
                continue;
            }
            self.run_to(time_s, replies)?;
            if !self.frames.faulty() {
                return Ok(true);
            }
            // A damaged stream decodes differently from each place: only the start is the truth.
            self.jumps = false;
            break;
        }
        Ok(false)
    }

    /// Takes the first two frames from where decoding stands.
    fn begin(&mut self, replies: &mut Replies) -> Result<(), Refusal> {
        self.at_first = false;
        self.current = self.frames.next(replies)?;
        self.following = match self.current {
            Some(_) => self.frames.next(replies)?,
            None => None,
        };
        Ok(())
    }

    fn advance(&mut self, replies: &mut Replies) -> Result<(), Refusal> {
        self.at_first = false;
        self.current = self.following.take();
        self.following = match self.current {
            Some(_) => self.frames.next(replies)?,
            None => None,
        };
        Ok(())
    }

    /// Decodes on until the frame shown at `time_s` is the current one.
    fn run_to(&mut self, time_s: f64, replies: &mut Replies) -> Result<(), Refusal> {
        while let Some(following) = &self.following
            && begins_by(following, time_s)
        {
            self.advance(replies)?;
        }
        Ok(())
    }
}

fn begins_by(shown: &Shown, time_s: f64) -> bool {
    shown.time_s <= time_s + SAME_S
}

fn jumps_are_exact(input: &Input, index: usize) -> bool {
    let container = input.format();
    let known = container
        .name()
        .split(',')
        .any(|name| JUMPS_ARE_EXACT.contains(&name));
    let Some(stream) = input.stream(index) else {
        return false;
    };
    // AVI keeps no presentation times, and these codecs reorder frames by more than one.
    let reordered = matches!(stream.parameters().id(), codec::Id::H264 | codec::Id::HEVC)
        && container.name() == "avi";
    known && !reordered
}
