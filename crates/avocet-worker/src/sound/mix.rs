//! Many channels to one, of which none is lost.
//!
//! The mean of two channels is silent where one is the other upside down, as with a microphone
//! that is wired the wrong way round. Where most of what the sides hold is gone from the mean, the
//! louder side stands for both; everywhere else the mean is given as it is.

use avocet_media::child::Refusal;
use ffmpeg_next::frame;

use super::resample::{RATE, Resampler};

/// The sides cancel each other where the mean has less than this share of the louder one's power,
const CANCELLED: f64 = 0.1;
/// and no longer do where it has more than this.
const WHOLE: f64 = 0.25;
/// Power is forgotten by half in so many seconds.
const HALF_LIFE_S: f64 = 0.1;

/// Mixes frames of one kind to one channel.
pub(super) struct Mixer {
    mean: Resampler,
    /// Left and right in turn, where there are two.
    sides: Option<Resampler>,
    /// Samples of the sides that the mean has not reached.
    ahead: Vec<f32>,
    balance: Balance,
}

impl Mixer {
    /// Makes a mixer for frames like this one.
    ///
    /// Errors if the frame's rate or layout makes no sense.
    pub(super) fn new(frame: &frame::Audio) -> Result<Self, Refusal> {
        let mean = Resampler::new(frame, 1)?;
        let sides = match mean.channels_in() {
            0 | 1 => None,
            _ => Some(Resampler::new(frame, 2)?),
        };
        Ok(Self {
            mean,
            sides,
            ahead: Vec::new(),
            balance: Balance::default(),
        })
    }

    /// Whether frames like this one are what it was made for.
    pub(super) fn fits(&self, frame: &frame::Audio) -> bool {
        self.mean.fits(frame)
    }

    /// Forgets what it heard.
    pub(super) fn restart(&mut self) -> Result<(), Refusal> {
        self.ahead.clear();
        self.mean.restart()?;
        self.sides.as_mut().map_or(Ok(()), Resampler::restart)
    }

    /// Mixes a frame, or with none what is still held, to the end of `samples`.
    pub(super) fn run(
        &mut self,
        frame: Option<&frame::Audio>,
        samples: &mut Vec<f32>,
    ) -> Result<(), Refusal> {
        let before = samples.len();
        self.mean.run(frame, samples)?;
        if let Some(sides) = &mut self.sides {
            sides.run(frame, &mut self.ahead)?;
            let mean = &mut samples[before..];
            let count = mean.len().min(self.ahead.len() / 2);
            self.balance
                .keep(&mut mean[..count], &self.ahead[..2 * count]);
            self.ahead.drain(..2 * count);
        }
        Ok(())
    }
}

/// How loud the mean and the sides were of late.
#[derive(Debug, Default)]
struct Balance {
    mean: Loudness,
    sides: [Loudness; 2],
    is_cancelled: bool,
}

impl Balance {
    /// Puts the louder of `sides`, left and right in turn, into `mean` where they cancel each
    /// other.
    fn keep(&mut self, mean: &mut [f32], sides: &[f32]) {
        let side = |at: usize| sides.iter().copied().skip(at).step_by(2);
        self.mean.add(mean.iter().copied());
        for (at, loudness) in self.sides.iter_mut().enumerate() {
            loudness.add(side(at));
        }
        let louder = usize::from(self.sides[1].power > self.sides[0].power);
        let needed = if self.is_cancelled { WHOLE } else { CANCELLED };
        self.is_cancelled = self.mean.power < needed * self.sides[louder].power;
        if self.is_cancelled {
            for (mean, side) in mean.iter_mut().zip(side(louder)) {
                *mean = side;
            }
        }
    }
}

/// Power of late, of the changes between samples: hum counts for little.
#[derive(Debug, Default)]
struct Loudness {
    power: f64,
    last: f32,
}

impl Loudness {
    fn add(&mut self, samples: impl Iterator<Item = f32>) {
        let (mut sum, mut count) = (0.0, 0);
        for sample in samples {
            sum += f64::from(sample - self.last).powi(2);
            self.last = sample;
            count += 1;
        }
        if sum.is_finite() {
            let passed_s = f64::from(count) / RATE;
            self.power = self.power * 0.5f64.powf(passed_s / HALF_LIFE_S) + sum;
        } else {
            self.last = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(at: usize) -> f32 {
        0.5 * (at as f32 * 0.2).sin()
    }

    /// What comes of a second of sides, given in frames.
    fn mixed(side: impl Fn(usize) -> [f32; 2]) -> Vec<f32> {
        let sides: Vec<f32> = (0..16_000).flat_map(side).collect();
        let mut balance = Balance::default();
        let mut all = Vec::new();
        for frame in sides.chunks(2 * 320) {
            let mut mean: Vec<f32> = frame.chunks(2).map(|s| (s[0] + s[1]) / 2.0).collect();
            balance.keep(&mut mean, frame);
            all.extend(mean);
        }
        all
    }

    #[test]
    fn sides_that_cancel_each_other_are_heard() {
        for right in [-1.0, -0.8, -0.5] {
            let all = mixed(|at| [tone(at), right * tone(at)]);
            assert!((0..16_000).all(|at| all[at] == tone(at)), "{right}");
        }
        // A loud hum on both sides hides nothing.
        let hum = |at: usize| 0.4 * (at as f32 * 0.02).sin();
        let all = mixed(|at| [hum(at) - tone(at), hum(at) + tone(at)]);
        assert!(
            (0..16_000).all(|at| (all[at] - hum(at)).abs() == tone(at).abs()
                || ((all[at] - hum(at)).abs() - tone(at).abs()).abs() < 1e-6)
        );
    }

    #[test]
    fn the_mean_of_other_sides_stays_as_it_is() {
        let other = |at: usize| 0.5 * (at as f32 * 0.31).sin();
        let sounds: [fn(usize) -> [f32; 2]; 4] = [
            |at| [tone(at); 2],
            |at| [tone(at), 0.0],
            |at| [0.0, tone(at)],
            |_| [0.0; 2],
        ];
        for (index, sound) in sounds.iter().enumerate() {
            let all = mixed(sound);
            let mean = |at: usize| (sound(at)[0] + sound(at)[1]) / 2.0;
            assert!((0..16_000).all(|at| all[at] == mean(at)), "{index}");
        }
        let all = mixed(|at| [tone(at), other(at)]);
        assert!((0..16_000).all(|at| all[at] == (tone(at) + other(at)) / 2.0));
    }

    #[test]
    fn a_side_that_turns_over_midway_is_heard_throughout() {
        let all = mixed(|at| [tone(at), if at < 8000 { tone(at) } else { -tone(at) }]);
        let power = |part: &[f32]| part.iter().map(|s| s * s).sum::<f32>() / part.len() as f32;
        assert!(power(&all[..8000]) > 0.12);
        assert!(power(&all[14_000..]) > 0.12);
    }
}
