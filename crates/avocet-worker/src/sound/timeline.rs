//! Where samples lie in time: gaps become silence, overlaps are cut, long breaks start anew.

use std::collections::VecDeque;

use avocet_media::audio::SAMPLE_RATE_HZ;

use super::resample::RATE;

/// How far a frame may lie from where the one before it ended: containers round their times, some
/// to hundredths of a second.
const TOLERANCE_S: f64 = 0.04;

/// The longest gap that is filled with silence; after a longer one a block starts at its own time.
const MAX_SILENCE_S: f64 = 30.0;

/// All the silence that is filled in: a file of lies would otherwise become days of it.
const MAX_TOTAL_SILENCE_S: f64 = 3600.0;

/// The longest stretch that may be cut where times go back; a jump further back is a clock that
/// was set, and what follows is joined on.
const MAX_OVERLAP_S: f64 = 10.0;

/// Samples of one block.
const BLOCK: usize = SAMPLE_RATE_HZ as usize;

/// Samples that wait to be given, and the clock they are held against.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Samples not yet given.
    waiting: Vec<f32>,
    /// When the first of them is heard.
    start_s: f64,
    /// Breaks ahead: how many samples come before each, and when the one after it is heard.
    breaks: VecDeque<(usize, f64)>,
    /// When what was read so far ends, by its own clock; none before the first frame.
    end_s: Option<f64>,
    /// What the times of a clock that was set back are moved by.
    shift_s: f64,
    /// Samples to come that were heard already.
    to_cut: usize,
    silence_s: f64,
}

impl Timeline {
    /// Whether a frame that starts at `start_s` does not join what was read so far.
    pub(super) fn is_off(&self, start_s: f64) -> bool {
        self.end_s
            .is_none_or(|end_s| (start_s + self.shift_s - end_s).abs() > TOLERANCE_S)
    }

    /// Moves the clock to a frame that starts at `start_s`; all samples before it must have been
    /// pushed.
    pub(super) fn correct(&mut self, start_s: f64) {
        let start_s = start_s + self.shift_s;
        self.to_cut = 0;
        let Some(end_s) = self.end_s else {
            // What lies before zero is priming that the container did not take away.
            self.start_s = start_s.max(0.0);
            self.to_cut = ((-start_s).clamp(0.0, MAX_OVERLAP_S) * RATE).round() as usize;
            self.end_s = Some(start_s);
            return;
        };
        let gap_s = start_s - end_s;
        if gap_s < -MAX_OVERLAP_S {
            self.shift_s -= gap_s;
            return;
        }
        self.end_s = Some(start_s);
        let missing_s = start_s - self.written_s();
        if missing_s < 0.0 {
            self.to_cut = (-missing_s * RATE).round() as usize;
        } else if missing_s <= MAX_SILENCE_S && self.silence_s + missing_s <= MAX_TOTAL_SILENCE_S {
            self.silence_s += missing_s;
            let missing = (missing_s * RATE).round() as usize;
            self.waiting.resize(self.waiting.len() + missing, 0.0);
        } else {
            self.breaks.push_back((self.waiting.len(), start_s));
        }
    }

    /// When the next sample would be heard.
    fn written_s(&self) -> f64 {
        let (before, start_s) = self.breaks.back().copied().unwrap_or((0, self.start_s));
        start_s + (self.waiting.len() - before) as f64 / RATE
    }

    /// Adds samples that follow those before.
    pub(super) fn push(&mut self, samples: &[f32]) {
        let cut = self.to_cut.min(samples.len());
        self.to_cut -= cut;
        self.waiting.extend_from_slice(&samples[cut..]);
    }

    /// Counts a frame that was read.
    pub(super) fn read(&mut self, samples: usize, rate_hz: u32) {
        let length_s = samples as f64 / f64::from(rate_hz.max(1));
        self.end_s = Some(self.end_s.unwrap_or(0.0) + length_s);
    }

    /// The next block with its start, if one is full; with `all`, also what is left.
    pub(super) fn take(&mut self, all: bool) -> Option<(f64, Vec<f32>)> {
        while let Some((0, start_s)) = self.breaks.front().copied() {
            self.breaks.pop_front();
            self.start_s = start_s;
        }
        let before_break = self.breaks.front().map(|(before, _)| *before);
        let count = before_break.unwrap_or(self.waiting.len()).min(BLOCK);
        if count == 0 || (count < BLOCK && before_break.is_none() && !all) {
            return None;
        }
        let block = self.waiting.drain(..count).collect();
        for (before, _) in &mut self.breaks {
            *before -= count;
        }
        let start_s = self.start_s;
        self.start_s += count as f64 / RATE;
        Some((start_s, block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds frames of ones at 16 kHz, each given by its start and length in seconds.
    fn heard(frames: &[(f64, f64)]) -> Vec<(f64, Vec<f32>)> {
        let mut timeline = Timeline::default();
        let mut blocks = Vec::new();
        for &(start_s, length_s) in frames {
            if timeline.is_off(start_s) {
                timeline.correct(start_s);
            }
            let samples = (length_s * RATE).round() as usize;
            timeline.push(&vec![1.0; samples]);
            timeline.read(samples, SAMPLE_RATE_HZ);
            blocks.extend(std::iter::from_fn(|| timeline.take(false)));
        }
        blocks.extend(std::iter::from_fn(|| timeline.take(true)));
        blocks
    }

    /// Start and end of every stretch that is not silent.
    fn sounding(frames: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let mut stretches: Vec<(f64, f64)> = Vec::new();
        for (start_s, block) in heard(frames) {
            for (index, _) in block.iter().enumerate().filter(|(_, s)| **s != 0.0) {
                let at = start_s + index as f64 / RATE;
                match stretches.last_mut() {
                    Some((_, end_s)) if at - *end_s < 1e-6 => *end_s = at + 1.0 / RATE,
                    _ => stretches.push((at, at + 1.0 / RATE)),
                }
            }
        }
        let round = |s: f64| (s * 1e4).round() / 1e4;
        stretches
            .iter()
            .map(|&(a, b)| (round(a), round(b)))
            .collect()
    }

    #[test]
    fn sound_that_starts_late_keeps_its_offset() {
        let blocks = heard(&[(1.5, 0.5), (2.0, 1.0)]);
        assert_eq!(blocks[0].0, 1.5);
        assert_eq!(blocks.iter().map(|(_, b)| b.len()).sum::<usize>(), 24_000);
    }

    #[test]
    fn a_gap_becomes_silence_and_a_long_one_a_new_start() {
        assert_eq!(
            sounding(&[(0.0, 1.0), (3.0, 1.0)]),
            [(0.0, 1.0), (3.0, 4.0)]
        );
        let blocks = heard(&[(0.0, 0.5), (500.0, 0.5)]);
        let starts: Vec<f64> = blocks.iter().map(|(start_s, _)| *start_s).collect();
        assert_eq!(starts, [0.0, 500.0], "no 500 s of silence in between");
    }

    #[test]
    fn what_was_heard_already_is_cut() {
        assert_eq!(sounding(&[(0.0, 1.0), (0.5, 1.0)]), [(0.0, 1.5)]);
        assert_eq!(sounding(&[(-0.25, 1.0)]), [(0.0, 0.75)]);
    }

    #[test]
    fn a_clock_that_is_set_back_joins_on() {
        assert_eq!(
            sounding(&[(100.0, 1.0), (5.0, 1.0), (6.0, 1.0)]),
            [(100.0, 103.0)]
        );
    }

    #[test]
    fn rounded_times_change_nothing() {
        assert_eq!(
            sounding(&[(0.0, 0.5), (0.51, 0.5), (0.99, 0.5)]),
            [(0.0, 1.5)]
        );
    }

    #[test]
    fn a_file_of_lies_does_not_become_days_of_silence() {
        let frames: Vec<(f64, f64)> = (0..1000).map(|i| (f64::from(i) * 29.0, 0.01)).collect();
        let samples: usize = heard(&frames).iter().map(|(_, block)| block.len()).sum();
        assert!((samples as f64) < (MAX_TOTAL_SILENCE_S + 20.0) * RATE);
    }
}
