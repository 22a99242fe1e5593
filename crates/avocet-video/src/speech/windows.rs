//! What Whisper hears at once: regions of speech laid end to end, up to 30 seconds.
//!
//! Pauses between regions are left out, so a sound with little speech costs little. A window knows
//! where its pieces came from, and gives back the times of the sound.

use std::collections::VecDeque;
use std::ops::Range;

use super::voice::{SAMPLE_RATE_HZ, Voice};

/// The most that Whisper's encoder takes.
pub(crate) const LONGEST: usize = 30 * SAMPLE_RATE_HZ as usize;

/// Samples to be heard together, and where they are from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    pub samples: Vec<f32>,
    pieces: Vec<Piece>,
}

/// A run of samples that is whole in the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// First sample in the window.
    at: u64,
    /// First sample in the sound.
    start: u64,
    length: u64,
}

impl Window {
    fn new() -> Self {
        Self {
            samples: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// The runs of samples that are whole in the sound: its regions of speech.
    pub fn pieces(&self) -> Vec<Range<usize>> {
        let range = |piece: &Piece| piece.at as usize..(piece.at + piece.length) as usize;
        self.pieces.iter().map(range).collect()
    }

    /// The time in the sound of a sample that lies in that piece, or at its end.
    pub fn time_s(&self, piece: usize, sample: usize) -> f64 {
        let Some(piece) = self.pieces.get(piece) else {
            return 0.0;
        };
        let within = (sample as u64).saturating_sub(piece.at).min(piece.length);
        (piece.start + within) as f64 / SAMPLE_RATE_HZ as f64
    }
}

/// Makes windows of a sound that is given piece by piece; holds about a minute of it at most.
pub(crate) struct Windows {
    voice: Voice,
    /// The latest samples, from `held_from` on.
    held: VecDeque<f32>,
    held_from: u64,
    window: Window,
}

impl Windows {
    pub fn new() -> Self {
        Self {
            voice: Voice::new(),
            held: VecDeque::new(),
            held_from: 0,
            window: Window::new(),
        }
    }

    /// Takes in `samples` and gives the windows that are full.
    pub fn push(&mut self, samples: &[f32]) -> Vec<Window> {
        let mut full = Vec::new();
        // In pieces, so that what is held stays short however much comes at once.
        for piece in samples.chunks(SAMPLE_RATE_HZ as usize) {
            self.held.extend(piece);
            for region in self.voice.push(piece) {
                full.extend(self.add(region));
            }
            let needed = self.voice.needed_from();
            let unneeded = needed.saturating_sub(self.held_from) as usize;
            self.held.drain(..unneeded.min(self.held.len()));
            self.held_from = self.held_from.max(needed);
        }
        full
    }

    /// The windows that are left when the sound has ended.
    pub fn finish(&mut self) -> Vec<Window> {
        let region = self.voice.finish();
        let mut left: Vec<Window> = region
            .and_then(|region| self.add(region))
            .into_iter()
            .collect();
        let last = std::mem::replace(&mut self.window, Window::new());
        left.extend(Some(last).filter(|window| !window.samples.is_empty()));
        left
    }

    /// Adds a region; gives the window before it if both do not fit into one.
    fn add(&mut self, region: Range<u64>) -> Option<Window> {
        let start = region.start.max(self.held_from);
        let first = (start - self.held_from) as usize;
        let length = (region.end.saturating_sub(start) as usize)
            .min(self.held.len().saturating_sub(first))
            .min(LONGEST);
        let fits = self.window.samples.len() + length <= LONGEST;
        let full = (!fits).then(|| std::mem::replace(&mut self.window, Window::new()));
        if length > 0 {
            self.window.pieces.push(Piece {
                at: self.window.samples.len() as u64,
                start,
                length: length as u64,
            });
            let samples = self.held.range(first..first + length);
            self.window.samples.extend(samples);
        }
        full.filter(|window| !window.samples.is_empty())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A window of these regions, the first of which is at `first_s` in the sound, and each other
    /// 99 s after the end of the one before.
    pub(crate) fn window(regions: &[Vec<f32>], first_s: f64) -> Window {
        let mut window = Window::new();
        let mut start = (first_s * SAMPLE_RATE_HZ as f64) as u64;
        for samples in regions {
            let (at, length) = (window.samples.len() as u64, samples.len() as u64);
            window.pieces.push(Piece { at, start, length });
            window.samples.extend(samples);
            start += length + 99 * SAMPLE_RATE_HZ;
        }
        window
    }

    #[test]
    fn times_of_a_window_are_those_of_its_pieces() {
        let second = SAMPLE_RATE_HZ;
        let piece = |at, start, length| Piece {
            at: at * second,
            start: start * second,
            length: length * second,
        };
        let window = Window {
            samples: vec![],
            pieces: vec![piece(0, 10, 2), piece(2, 60, 3)],
        };
        let second = second as usize;
        assert_eq!(window.pieces(), [0..2 * second, 2 * second..5 * second]);
        assert_eq!(window.time_s(0, second / 2), 10.5);
        // The seam is the end of one piece and the start of the next.
        assert_eq!(window.time_s(0, 2 * second), 12.0);
        assert_eq!(window.time_s(1, 2 * second), 60.0);
        assert_eq!(
            (window.time_s(0, 9 * second), window.time_s(1, 9 * second)),
            (12.0, 63.0)
        );
    }
}
