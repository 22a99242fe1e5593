//! Where somebody speaks: regions of a sound, found by a small network with hysteresis.
//!
//! Whisper invents words for silence and noise, so it only ever hears regions from here. The
//! network (the `earshot` crate, 40 KiB of weights) scores each 16 ms; a region opens at a middling
//! score, closes after a pause, and counts only if some of it scored as only voices do. Noise, hum
//! and held notes stay in the middle for as long as they last, so a region reaches no further than
//! a little before its first and behind its last certain frame. Scores depend on loudness, so each
//! frame is first brought to the level of speech.

use std::ops::Range;

use earshot::Detector;

/// Samples a second that the network was trained with.
pub(crate) const SAMPLE_RATE_HZ: u64 = 16_000;
/// Samples that are scored together: 16 ms.
const FRAME: usize = 256;
/// Kept on both sides of a region, so that no soft first or last sound is lost.
const PAD: u64 = SAMPLE_RATE_HZ * 3 / 10;
/// A pause this long closes a region.
const PAUSE_FRAMES: u64 = 50;
/// A region opens above this,
const OPEN: f32 = 0.7;
/// stays open above this,
const STAY: f32 = 0.4;
/// and counts if this
const CERTAIN: f32 = 0.94;
/// was reached in as many frames.
const CERTAIN_FRAMES: u32 = 4;
/// A soft or noisy voice may begin this long before it is certain,
const LEAD: u64 = 2 * SAMPLE_RATE_HZ;
/// and go on this long after it was.
const TAIL: u64 = SAMPLE_RATE_HZ * 3 / 2;
/// A region ends where no frame is certain for so long that both would leave something out.
const UNCERTAIN: u64 = LEAD + TAIL;
/// A region is cut when it has grown to this; 30 s is all that Whisper hears at once.
const LONGEST: u64 = 29 * SAMPLE_RATE_HZ;
/// How far back from there the cut may lie, at the frame least like speech.
const CUT_WITHIN: u64 = 5 * SAMPLE_RATE_HZ;

/// The root mean square that loud frames are brought to.
const SPEECH_LEVEL: f32 = 0.2;
/// Nothing is made louder than this many times: the noise of a quiet recording stays quiet.
const MOST_GAIN: f32 = 100.0;
/// The share of the loudest level that is remembered a frame later: half after 11 s.
const MEMORY: f32 = 0.999;

/// Finds the regions of a sound that is given piece by piece.
pub(crate) struct Voice {
    detector: Box<Detector>,
    /// Samples of a frame that is not whole yet.
    rest: Vec<f32>,
    /// Root mean square of the loudest recent frame.
    loudest: f32,
    /// Samples scored so far.
    scored: u64,
    open: Option<Open>,
    /// End of the last region, which the next may not reach into.
    last_end: u64,
}

/// A region that has not ended yet.
struct Open {
    start: u64,
    last_voiced_end: u64,
    certain_frames: u32,
    /// Where the voice is certain for the first time,
    first_certain: u64,
    /// and for the last, or `start` before the first time.
    last_certain_end: u64,
    /// The scores since `start`, or since as far back as a cut may lie.
    recent: Vec<(u64, f32)>,
}

impl Voice {
    pub fn new() -> Self {
        Self {
            detector: Detector::default_boxed(),
            rest: Vec::with_capacity(FRAME),
            loudest: 0.0,
            scored: 0,
            open: None,
            last_end: 0,
        }
    }

    /// Takes in `samples` in [-1, 1] and gives the regions that ended with them, in samples from
    /// the start of the sound, in order and apart.
    pub fn push(&mut self, samples: &[f32]) -> Vec<Range<u64>> {
        let mut ended = Vec::new();
        let mut samples = samples;
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(FRAME - self.rest.len()));
            self.rest.extend_from_slice(now);
            samples = later;
            if self.rest.len() == FRAME {
                let mut frame = std::mem::take(&mut self.rest);
                self.frame(&mut frame, &mut ended);
                frame.clear();
                self.rest = frame;
            }
        }
        ended
    }

    /// The last region, if the sound ended in one.
    pub fn finish(&mut self) -> Option<Range<u64>> {
        let heard = self.scored + self.rest.len() as u64;
        let open = self.open.take()?;
        let end = open.end().min(heard);
        self.region(&open, end)
    }

    /// The first sample that a region yet to come may begin with.
    pub fn needed_from(&self) -> u64 {
        let start = self.open.as_ref().map_or(self.scored, |open| open.start);
        start.saturating_sub(PAD)
    }

    fn frame(&mut self, frame: &mut [f32], ended: &mut Vec<Range<u64>>) {
        let start = self.scored;
        self.scored += FRAME as u64;
        let score = self.score(frame);
        if self.open.is_none() && score >= OPEN {
            self.open = Some(Open::at(start));
        }
        let Some(open) = &mut self.open else { return };
        open.add(start, score);
        if self.scored - open.last_voiced_end >= PAUSE_FRAMES * FRAME as u64 {
            if let Some(open) = self.open.take() {
                ended.extend(self.region(&open, open.end()));
            }
        } else if open.certain_frames > 0 && self.scored - open.last_certain_end >= UNCERTAIN {
            if let Some(open) = self.open.take() {
                let end = open.end();
                ended.extend(self.region(&open, end));
                // What still sounds may become a voice again.
                self.open = Some(open.rest(end));
            }
        } else if self.scored - open.start >= LONGEST {
            ended.extend(self.cut());
        }
    }

    /// Ends a long region where it is least like speech, and goes on from there.
    fn cut(&mut self) -> Option<Range<u64>> {
        let open = self.open.take()?;
        let earliest = self.scored - CUT_WITHIN;
        let late = open.recent.iter().filter(|(start, _)| *start >= earliest);
        let weakest = late.min_by(|a, b| a.1.total_cmp(&b.1));
        let at = weakest.map_or(self.scored, |(start, _)| start + FRAME as u64 / 2);
        // Both halves were heard as one voice; the second need not prove itself again.
        self.open = Some(Open {
            certain_frames: open.certain_frames,
            first_certain: at,
            last_certain_end: open.last_certain_end.max(at),
            ..open.rest(at)
        });
        self.region(&open, at)
    }

    /// What is made of a region that has ended: nothing if no voice was certain.
    fn region(&mut self, open: &Open, end: u64) -> Option<Range<u64>> {
        let start = (open.start.saturating_sub(PAD))
            .max(open.first_certain.saturating_sub(LEAD))
            .max(self.last_end);
        if open.certain_frames < CERTAIN_FRAMES || end <= start {
            return None;
        }
        self.last_end = end;
        Some(start..end)
    }

    /// How much like a voice the frame is; changes its loudness.
    fn score(&mut self, frame: &mut [f32]) -> f32 {
        for sample in frame.iter_mut() {
            *sample = if sample.is_finite() { *sample } else { 0.0 };
        }
        let power: f32 = frame.iter().map(|sample| sample * sample).sum();
        let level = (power / FRAME as f32).sqrt();
        self.loudest = level.max(self.loudest * MEMORY);
        let gain = (SPEECH_LEVEL / self.loudest.max(f32::MIN_POSITIVE)).min(MOST_GAIN);
        for sample in frame.iter_mut() {
            *sample = (*sample * gain).clamp(-1.0, 1.0);
        }
        self.detector.predict_f32(frame)
    }
}

impl Open {
    fn at(start: u64) -> Self {
        Self {
            start,
            last_voiced_end: start,
            certain_frames: 0,
            first_certain: u64::MAX,
            last_certain_end: start,
            recent: Vec::new(),
        }
    }

    /// Takes in the score of the frame that begins at `start`.
    fn add(&mut self, start: u64, score: f32) {
        let end = start + FRAME as u64;
        self.recent.push((start, score));
        if score >= STAY {
            self.last_voiced_end = end;
        }
        if score >= CERTAIN {
            self.certain_frames += 1;
            self.first_certain = self.first_certain.min(start);
            self.last_certain_end = end;
        }
        if self.certain_frames == 0 && end - self.start > LEAD {
            // Noise so far: if a voice comes, this is too early for it.
            self.start = end - LEAD;
            self.recent.retain(|(start, _)| *start + LEAD >= end);
        }
    }

    /// Where the voice has certainly ended.
    fn end(&self) -> u64 {
        (self.last_voiced_end + PAD).min(self.last_certain_end + TAIL)
    }

    /// What is left of it from `at` on.
    fn rest(&self, at: u64) -> Self {
        let late = self.recent.iter().copied();
        Self {
            last_voiced_end: self.last_voiced_end,
            recent: late.filter(|(start, _)| *start >= at).collect(),
            ..Self::at(at)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
