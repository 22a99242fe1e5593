//! Looks at even distances of time, however a film counts its frames.
//!
//! A frame is shown until the next one. A film of slides may hold one frame a slide, or the same
//! one five-and-twenty times a second: at any moment both show the same, so both are looked at
//! alike, and all that follows knows nothing of frames.

use avocet_media::Picture;

use super::scenes::LOOK_EVERY_S;
use super::stats::{FrameStats, LookAt};

/// Looks kept of one file; a longer one is looked at less often from there on.
const MOST_LOOKS: usize = 1 << 17;
/// A frame that seems to be shown longer than this is followed by a clock that jumps.
const LONGEST_HOLD_S: f64 = 3600.0;
/// Times this close are the same.
const SAME_S: f64 = 1e-6;

/// Takes frames in order, and looks at what is shown at each due moment.
#[derive(Debug, Default)]
pub struct EvenLooks {
    looks: Vec<LookAt>,
    /// When the first frame is shown.
    start_s: f64,
    /// The moment that is due next, and how far it is to the one after it, both counted in
    /// [`LOOK_EVERY_S`].
    due: u64,
    every: u64,
    held: Option<Held>,
}

/// The frame that is on the screen.
#[derive(Debug)]
struct Held {
    time_s: f64,
    picture: Picture,
    /// Made when it is first due.
    look: Option<FrameStats>,
}

impl Held {
    /// `None` if the frame has no pixels.
    fn look(&mut self) -> Option<FrameStats> {
        let Picture { width, height, rgb } = &self.picture;
        let look = || FrameStats::of(*width, *height, rgb);
        self.look = self.look.take().or_else(look);
        self.look.clone()
    }
}

impl EvenLooks {
    /// Takes the frame that is shown from `time_s` on, which is later than the one before.
    pub fn show(&mut self, time_s: f64, picture: Picture) {
        match self.held.take() {
            None => {
                self.start_s = time_s;
                self.every = 1;
            }
            Some(mut held) => self.look_until(&mut held, time_s),
        }
        self.held = Some(Held {
            time_s,
            picture,
            look: None,
        });
    }

    /// All looks of a film that lasts until `end_s`, or until its last frame begins if that is
    /// later; the last is at its end.
    pub fn finish(mut self, end_s: f64) -> Vec<LookAt> {
        let Some(mut held) = self.held.take() else {
            return self.looks;
        };
        let end_s = end_s.max(held.time_s);
        self.look_until(&mut held, end_s);
        self.looks.extend(held.look().map(|look| LookAt {
            time_s: end_s,
            look,
        }));
        self.looks
    }

    /// Looks at a frame as often as it is due before `until_s`.
    fn look_until(&mut self, held: &mut Held, until_s: f64) {
        let held_until_s = until_s.min(held.time_s + LONGEST_HOLD_S);
        while self.time_of(self.due) < held_until_s - SAME_S
            && let Some(look) = held.look()
        {
            let time_s = self.time_of(self.due);
            self.looks.push(LookAt { time_s, look });
            self.due += self.every;
            if self.looks.len() >= MOST_LOOKS {
                self.thin();
            }
        }
        if held_until_s < until_s {
            let passed = ((until_s - self.start_s - SAME_S) / LOOK_EVERY_S).ceil() as u64;
            self.due = self.due.max(passed.next_multiple_of(self.every));
        }
    }

    /// Keeps every second moment.
    fn thin(&mut self) {
        self.every *= 2;
        let (start_s, every) = (self.start_s, self.every);
        self.looks.retain(|look| {
            let moment = ((look.time_s - start_s) / LOOK_EVERY_S).round() as u64;
            moment.is_multiple_of(every)
        });
        self.due = self.due.next_multiple_of(every);
    }

    fn time_of(&self, moment: u64) -> f64 {
        // A quotient of whole numbers is the nearest number to 0.3; 3 × 0.1 is not.
        self.start_s + moment as f64 / (1.0 / LOOK_EVERY_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(grey: u8) -> Picture {
        Picture::from_rgb(4, 3, vec![grey; 36]).unwrap()
    }

    fn looks(frames: impl IntoIterator<Item = (f64, u8)>, end_s: f64) -> Vec<LookAt> {
        let mut looks = EvenLooks::default();
        for (time_s, grey) in frames {
            looks.show(time_s, card(grey));
        }
        looks.finish(end_s)
    }

    #[test]
    fn a_frame_a_slide_and_many_frames_a_slide_are_looked_at_alike() {
        let slides = [(0.0, 10), (1.2, 90), (1.52, 160), (4.0, 220)];
        let variable = looks(slides, 6.0);
        for rate in [25.0, 50.0, 100.0] {
            let constant = (0..(6.0 * rate) as usize).map(|frame| {
                let time_s = frame as f64 / rate;
                let on = slides.iter().rev().find(|slide| slide.0 <= time_s + 1e-9);
                (time_s, on.unwrap().1)
            });
            assert_eq!(looks(constant, 6.0), variable, "{rate} frames a second");
        }
        let times: Vec<f64> = variable.iter().map(|look| look.time_s).collect();
        assert_eq!(times[..4], [0.0, 0.1, 0.2, 0.3]);
        assert_eq!((times.len(), times[60]), (61, 6.0));
    }

    #[test]
    fn the_last_frame_is_looked_at_however_short_it_is() {
        let last = |end_s: f64| looks([(0.0, 10), (0.95, 200)], end_s).pop().unwrap();
        let bright = FrameStats::of(4, 3, &[200; 36]).unwrap();
        for (end_s, time_s) in [(0.99, 0.99), (0.0, 0.95), (f64::NAN, 0.95), (3.0, 3.0)] {
            assert_eq!(last(end_s).time_s, time_s);
            assert_eq!(last(end_s).look, bright, "{end_s}");
        }
        assert!(looks([], 5.0).is_empty());
        assert_eq!(looks([(7.0, 1)], 0.0).len(), 1);
    }

    #[test]
    fn a_clock_that_jumps_and_a_day_of_film_keep_few_looks() {
        let jumped = looks(
            [(0.0, 10), (0.5, 90), (95_443.0, 160), (95_444.0, 10)],
            95_445.0,
        );
        assert!(jumped.len() < 36_100, "{}", jumped.len());
        let late: Vec<f64> = (jumped.iter().map(|look| look.time_s))
            .filter(|time_s| *time_s > 4000.0)
            .collect();
        assert_eq!(late.len(), 21, "{late:?}");
        assert!((late[0] - 95_443.0).abs() < 1e-6 && late[20] == 95_445.0);

        let day = looks(
            (0..86_400).map(|second| (f64::from(second), second as u8)),
            86_400.0,
        );
        assert!(day.len() <= MOST_LOOKS && day.len() > MOST_LOOKS / 2);
        let steps: Vec<f64> = (day.windows(2))
            .map(|pair| pair[1].time_s - pair[0].time_s)
            .collect();
        assert!(
            steps.iter().all(|step| (step - 0.8).abs() < 1e-6),
            "{:?}",
            &steps[..3]
        );
    }
}
