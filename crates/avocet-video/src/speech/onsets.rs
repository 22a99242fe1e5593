//! Where words begin and end in the sound.
//!
//! Whisper knows its words to about a tenth of a second where one follows the other, and says
//! nothing of use about pauses: it stretches words over them. Pauses are heard in the sound
//! itself. So each pause takes the boundary between two words that is nearest, and both move to
//! the edges of the pause. A word lies within one region of speech, as a rule of its own.

use std::ops::Range;

use super::windows::Window;

/// Samples whose loudness is taken together: 10 ms.
const HOP: usize = 160;
/// Seconds of that.
const HOP_S: f64 = 0.01;
/// Hum is lower than voices and hiss is higher: of each sample this share of the one before is
/// taken away, and neighbours are added.
const EMPHASIS: f32 = 0.95;
/// Whisper says that a word has ended so much later than it has.
const LATE_S: f64 = 0.08;
/// Sounds are this much louder than noise, which the quietest tenth of a region is,
const ABOVE_NOISE: f32 = 2.0;
/// or than this share of its loudest tenth.
const OF_LOUDEST: f32 = 0.03;
/// Hops of quiet within a word: a stop such as t or p.
const STOP: usize = 8;
/// A click is no sound.
const CLICK: usize = 3;
/// No word goes on over a quiet of so many hops.
const LONG: usize = 30;
/// A short pause takes a boundary from no further than over so many hops of sound.
const REACH: usize = 15;
/// A word begins this far behind a pause at most, in hops.
const FAR: usize = 25;
/// What a letter takes to say, in hops.
const LETTER: usize = 7;
/// How many times longer a word may be drawn.
const DRAWN: usize = 2;

/// A word of a window: when it is said by Whisper's account, and by what is heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Said {
    pub start_s: f64,
    pub end_s: f64,
    pub letters: usize,
}

/// When a word is said, in seconds of the sound, and in which region of speech.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Placed {
    pub piece: usize,
    pub start_s: f64,
    pub end_s: f64,
}

/// Places the words of a window, which are in order, in the sound it was made of.
pub(crate) fn place(words: &[Said], window: &Window) -> Vec<Placed> {
    if words.is_empty() {
        return Vec::new();
    }
    let pieces = window.pieces();
    let sound = Sound::of(&window.samples, &pieces);
    let mut bounds = Bounds::of(words, sound.end());
    bounds.move_to_pauses(&sound, &words[0]);
    (0..words.len())
        .map(|index| {
            let hops = bounds.hops(index, &words[index]);
            let piece = piece_of(&hops, &pieces);
            let within = |hop: usize| {
                let sample = (hop * HOP).clamp(pieces[piece].start, pieces[piece].end);
                window.time_s(piece, sample)
            };
            Placed {
                piece,
                start_s: within(hops.start),
                end_s: within(hops.end),
            }
        })
        .collect()
}

/// A run of hops that are not quiet, in one region of speech.
#[derive(Debug, Clone, PartialEq)]
struct Run {
    piece: usize,
    hops: Range<usize>,
}

/// How loud a window is, and where it is not quiet.
struct Sound {
    levels: Vec<f32>,
    /// In order; every region of speech has at least one.
    runs: Vec<Run>,
}

impl Sound {
    fn of(samples: &[f32], pieces: &[Range<usize>]) -> Self {
        let mut sound = Self {
            levels: vec![0.0; samples.len().div_ceil(HOP)],
            runs: Vec::new(),
        };
        for (piece, range) in pieces.iter().enumerate() {
            let levels = levels(&samples[range.clone()]);
            let first = range.start / HOP;
            let mut sorted = levels.clone();
            sorted.sort_by(f32::total_cmp);
            let at = |share: usize| sorted.get(sorted.len() * share / 10).copied();
            let (floor, loud) = (at(1).unwrap_or(0.0), at(9).unwrap_or(0.0));
            let needed = (floor * ABOVE_NOISE).max(loud * OF_LOUDEST).min(loud * 0.5);
            let mut runs: Vec<Range<usize>> = Vec::new();
            for (hop, _) in levels.iter().enumerate().filter(|(_, l)| **l > needed) {
                match runs.last_mut() {
                    Some(last) if hop - last.end < STOP => last.end = hop + 1,
                    _ => runs.push(hop..hop + 1),
                }
            }
            runs.retain(|run| run.len() > CLICK);
            if runs.is_empty() {
                runs.push(0..levels.len());
            }
            let run = |run: Range<usize>| Run {
                piece,
                hops: first + run.start..first + run.end,
            };
            sound.runs.extend(runs.into_iter().map(run));
            for (hop, level) in sound.levels[first..].iter_mut().zip(levels) {
                *hop = level;
            }
        }
        sound
    }

    /// Where the last sound ends.
    fn end(&self) -> usize {
        self.runs.last().map_or(0, |run| run.hops.end)
    }

    /// Where the first word begins, which ends at `end`: where the first sound does, unless that
    /// is longer than the word can be. Then what is before the word is noise, and it begins where
    /// it is louder than that.
    fn onset(&self, word: &Said, end: usize) -> usize {
        let first = self.runs.first().map_or(0, |run| run.hops.start);
        let earliest = end.saturating_sub(longest(word));
        if earliest <= first {
            return first;
        }
        let mut noise = self.levels[first..earliest].to_vec();
        noise.sort_by(f32::total_cmp);
        let needed = noise[noise.len() / 2] * ABOVE_NOISE;
        let louder = |at: &usize| self.levels[*at] > needed;
        let found = (earliest..end).find(louder);
        // Nothing louder behind it: a drawn word, or one that noise covers.
        let drawn = if earliest - first > LONG {
            earliest
        } else {
            first
        };
        found.unwrap_or(drawn)
    }
}

/// The loudness of each hop and its neighbours.
fn levels(samples: &[f32]) -> Vec<f32> {
    let (mut before, mut change_before, mut sum_before) = (0.0, 0.0, 0.0);
    let powers: Vec<f32> = (samples.chunks(HOP))
        .map(|hop| {
            let mut power = 0.0;
            for sample in hop {
                let change = sample - EMPHASIS * before;
                let sum = change + change_before;
                power += (sum + sum_before) * (sum + sum_before);
                (before, change_before, sum_before) = (*sample, change, sum);
            }
            power / hop.len() as f32
        })
        .collect();
    (0..powers.len())
        .map(|at| {
            let near = &powers[at.saturating_sub(1)..(at + 2).min(powers.len())];
            (near.iter().sum::<f32>() / near.len() as f32).sqrt()
        })
        .collect()
}

/// The boundaries of words: one before each, and one behind the last.
struct Bounds {
    /// Where they are by Whisper's account.
    guesses: Vec<usize>,
    /// The pauses they have moved to, from the end of what is before to the start of what follows.
    pauses: Vec<Option<Range<usize>>>,
}

impl Bounds {
    fn of(words: &[Said], end: usize) -> Self {
        let hop = |time_s: f64| ((time_s.max(0.0) / HOP_S).round() as usize).min(end);
        let ends = words.iter().map(|word| hop(word.end_s - LATE_S));
        let mut guesses: Vec<usize> = ends.collect();
        let first = hop(words[0].start_s).max(guesses[0].saturating_sub(longest(&words[0])));
        guesses.insert(0, first);
        for index in 1..guesses.len() {
            guesses[index] = guesses[index].max(guesses[index - 1]);
        }
        Self {
            pauses: vec![None; guesses.len()],
            guesses,
        }
    }

    /// Gives each pause, the longest first, the boundary with the least sound in between.
    fn move_to_pauses(&mut self, sound: &Sound, first: &Said) {
        let sounding = |from: usize, to: usize| -> usize {
            let within = |s: &Run| s.hops.end.min(to).saturating_sub(s.hops.start.max(from));
            sound.runs.iter().map(within).sum()
        };
        let mut pauses: Vec<(bool, Range<usize>)> = (sound.runs)
            .windows(2)
            .map(|two| {
                let is_seam = two[0].piece != two[1].piece;
                (is_seam, two[0].hops.end..two[1].hops.start)
            })
            .collect();
        pauses.sort_by_key(|(is_seam, pause)| (!is_seam, usize::MAX - pause.len()));
        for (is_seam, pause) in pauses {
            let reach = if is_seam || pause.len() >= LONG {
                usize::MAX
            } else {
                REACH
            };
            let cost = |index: usize| {
                let at = self.guesses[index];
                sounding(at, pause.start) + sounding(pause.end, at)
            };
            let end = self.guesses.len() - 1;
            let nearest = (self.free(&pause))
                // What is said before the first word or behind the last is no stop within it.
                .filter(|index| pause.len() >= LONG || (1..end).contains(index))
                .map(|index| (cost(index), index))
                .min();
            if let Some((_, index)) = nearest.filter(|(cost, _)| *cost <= reach) {
                self.pauses[index] = Some(pause);
            }
        }
        let last = self.pauses.len() - 1;
        if self.pauses[0].is_none() {
            let end = self.pauses[1].as_ref().map_or(self.guesses[1], |p| p.start);
            self.pauses[0] = Some(0..sound.onset(first, end));
        }
        self.pauses[last].get_or_insert(sound.end()..usize::MAX);
        self.keep_between_pauses();
    }

    /// Squeezes words whose guess lies beyond a pause that their neighbours moved to.
    fn keep_between_pauses(&mut self) {
        let moved: Vec<(usize, Range<usize>)> = (self.pauses.iter().enumerate())
            .filter_map(|(index, pause)| Some((index, pause.clone()?)))
            .collect();
        for two in moved.windows(2) {
            let (from, to) = (two[0].0, two[1].0);
            let (start, end) = (two[0].1.end, two[1].1.start);
            let (first, last) = (self.guesses[from], self.guesses[to]);
            let between = &mut self.guesses[from + 1..to];
            if between.iter().all(|guess| (start..=end).contains(guess)) {
                continue;
            }
            let room = end.saturating_sub(start);
            for guess in between {
                *guess = start + (*guess - first) * room / (last - first).max(1);
            }
        }
    }

    /// The boundaries that may move to a pause without passing one that has moved.
    fn free(&self, pause: &Range<usize>) -> Range<usize> {
        let before = |taken: &Option<Range<usize>>| {
            taken
                .as_ref()
                .is_some_and(|taken| taken.start < pause.start)
        };
        let after = |taken: &Option<Range<usize>>| {
            taken
                .as_ref()
                .is_some_and(|taken| taken.start > pause.start)
        };
        let first = self.pauses.iter().rposition(before).map_or(0, |at| at + 1);
        let end = self.pauses.iter().position(after);
        first..end.unwrap_or(self.pauses.len()).max(first)
    }

    /// The hops of a word.
    fn hops(&self, index: usize, word: &Said) -> Range<usize> {
        let end = match &self.pauses[index + 1] {
            Some(pause) => pause.start,
            None => self.guesses[index + 1],
        };
        let guess = self.guesses[index];
        let start = match &self.pauses[index] {
            None => guess,
            // What sounds long before the word is noise.
            Some(pause) if index > 0 && guess > pause.end + FAR => guess,
            Some(pause) => pause.end,
        };
        // A word that noise goes on behind has ended nevertheless.
        let end = end.min(start + DRAWN * longest(word));
        start..end.max(start)
    }
}

/// The longest that a word takes to say, in hops.
fn longest(word: &Said) -> usize {
    LONG + LETTER * word.letters
}

/// The region of speech that most of the hops lie in.
fn piece_of(hops: &Range<usize>, pieces: &[Range<usize>]) -> usize {
    let shared = |piece: &Range<usize>| {
        (hops.end * HOP).min(piece.end) as i64 - (hops.start * HOP).max(piece.start) as i64
    };
    let most = pieces.iter().enumerate().max_by_key(|(_, p)| shared(p));
    most.map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::windows::tests::window;

    /// A window of regions, each of parts that are loud or quiet for so many seconds.
    fn made(regions: &[&[(bool, f64)]]) -> Window {
        let mut state = 1u32;
        let mut noise = move |level: f32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * level
        };
        let mut region = |parts: &[(bool, f64)]| -> Vec<f32> {
            let part = |&(loud, seconds): &(bool, f64)| {
                let level = if loud { 0.3 } else { 0.01 };
                std::iter::repeat_n(level, (seconds * 16_000.0) as usize)
            };
            parts.iter().flat_map(part).map(&mut noise).collect()
        };
        let samples: Vec<Vec<f32>> = regions.iter().map(|parts| region(parts)).collect();
        window(&samples, 100.0)
    }

    fn said(times: &[(f64, f64)]) -> Vec<Said> {
        let word = |&(start_s, end_s): &(f64, f64)| Said {
            start_s,
            end_s,
            letters: 4,
        };
        times.iter().map(word).collect()
    }

    fn near(placed: &[Placed], expected: &[(usize, f64, f64)]) {
        assert_eq!(placed.len(), expected.len());
        for (placed, &(piece, start_s, end_s)) in placed.iter().zip(expected) {
            assert!(
                placed.piece == piece
                    && (placed.start_s - start_s).abs() < 0.031
                    && (placed.end_s - end_s).abs() < 0.031,
                "{placed:?} instead of {expected:?}"
            );
        }
    }

    #[test]
    fn words_move_to_the_edges_of_the_pause_between_them() {
        let window = made(&[&[
            (false, 0.3),
            (true, 0.7),
            (false, 0.5),
            (true, 0.5),
            (false, 0.3),
        ]]);
        // The second begins and the first ends somewhere in the pause, or a little beside it.
        for between_s in [0.9, 1.1, 1.4, 1.6] {
            let words = said(&[(0.0, between_s), (between_s, 2.2)]);
            near(
                &place(&words, &window),
                &[(0, 100.0 + 0.3, 101.0), (0, 101.5, 102.0)],
            );
        }
    }

    #[test]
    fn a_word_lies_in_one_region_and_never_over_a_seam() {
        let region: &[(bool, f64)] = &[(false, 0.3), (true, 1.0), (false, 0.3)];
        let window = made(&[region, region]);
        for seam_s in [1.0, 1.3, 1.6, 2.2] {
            let words = said(&[(0.0, 0.8), (0.8, seam_s), (seam_s, 2.4), (2.4, 3.2)]);
            let placed = place(&words, &window);
            let pieces: Vec<usize> = placed.iter().map(|placed| placed.piece).collect();
            assert_eq!(pieces, [0, 0, 1, 1], "{seam_s}: {placed:?}");
            for (placed, next) in placed.iter().zip(&placed[1..]) {
                assert!(placed.start_s <= placed.end_s && placed.end_s <= next.start_s);
            }
            assert!((placed[1].end_s - 101.3).abs() < 0.031, "{placed:?}");
            assert!((placed[2].start_s - 200.9).abs() < 0.031, "{placed:?}");
        }
    }

    #[test]
    fn one_word_over_a_pause_is_on_the_side_where_it_ends() {
        let window = made(&[
            &[(true, 0.5), (false, 0.3)],
            &[(false, 0.3), (true, 0.2), (false, 0.3)],
        ]);
        near(&place(&said(&[(0.0, 0.9)]), &window), &[(0, 100.0, 100.5)]);
        near(&place(&said(&[(0.0, 1.28)]), &window), &[(1, 200.1, 200.3)]);
    }

    #[test]
    fn a_stop_within_a_word_parts_nothing() {
        let window = made(&[&[(true, 0.3), (false, 0.06), (true, 0.3), (false, 0.3)]]);
        near(
            &place(&said(&[(0.0, 0.66)]), &window),
            &[(0, 100.0, 100.66)],
        );
    }

    #[test]
    fn no_words_and_no_sound_are_no_trouble() {
        let window = made(&[&[(true, 0.3)]]);
        assert_eq!(place(&[], &window), []);
        let silent = super::super::windows::tests::window(&[vec![0.0; 16_000]], 5.0);
        let placed = place(&said(&[(0.0, f64::NAN), (0.5, 99.0)]), &silent);
        assert!(
            placed
                .iter()
                .all(|p| (5.0..=6.0).contains(&p.start_s) && p.end_s <= 6.0)
        );
    }
}
