//! Which frames stand for a video: at a pace, at scene changes, or around what is said.

use std::collections::BTreeSet;

use super::budget::Budget;
use super::scenes::{SceneChange, scene_changes};
use super::stats::LookAt;

/// Frames are the same picture if their cells differ less than this on average...
const SAME_MEAN: f64 = 0.012;
/// ...and no cell more than this.
const SAME_CELL: f64 = 0.06;
/// Chosen frames that a new one is held against; a picture may come back much later.
const REMEMBERED: usize = 64;
/// The picture of a scene is taken this long after it began: the codec has settled by then.
const INTO_SCENE_S: f64 = 0.4;

/// How frames are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Choice {
    /// One every so many seconds.
    Every(f64),
    /// One at each scene change.
    Scenes,
    /// One at each scene change, and one every so many seconds while a scene lasts.
    ScenesAndEvery(f64),
    /// One in the middle of each spoken segment.
    Speech,
}

/// The frames that were chosen, and what became of the others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chosen {
    /// Seconds from the start, ascending.
    pub times_s: Vec<f64>,
    /// Scene changes found.
    pub changes: Vec<SceneChange>,
    /// Frames that the choice asked for.
    pub candidates: usize,
    /// Left out because nothing is to be seen on them.
    pub blank: usize,
    /// Left out because a chosen one shows the same.
    pub alike: usize,
    /// Left out because the budget was spent.
    pub over_budget: usize,
}

/// Chooses among `looks`, in order of time; `spoken` are start and end of the segments said.
///
/// Times are those of looks, so the frame shown then is the one that was looked at. What is over
/// the budget is thinned evenly over the time, never cut off at the end.
pub fn choose(
    looks: &[LookAt],
    duration_s: f64,
    spoken: &[(f64, f64)],
    choice: Choice,
    budget: &Budget,
) -> Chosen {
    let changes = scene_changes(looks);
    let wanted = wanted_times(&changes, duration_s, spoken, choice);
    Chosen {
        changes,
        ..choose_at(looks, &wanted, budget)
    }
}

/// Chooses among what is shown at the `wanted` times, which may be in any order; looks for no
/// scene changes.
pub fn choose_at(looks: &[LookAt], wanted: &[f64], budget: &Budget) -> Chosen {
    let candidates: BTreeSet<usize> = wanted
        .iter()
        .filter_map(|time_s| shown_at(looks, *time_s))
        .collect();
    let mut chosen = Chosen {
        candidates: candidates.len(),
        ..Chosen::default()
    };
    let mut kept: Vec<&LookAt> = Vec::new();
    for index in &candidates {
        let look = &looks[*index];
        if look.look.is_blank() {
            chosen.blank += 1;
        } else if kept
            .iter()
            .rev()
            .take(REMEMBERED)
            .any(|kept| alike(kept, look))
        {
            chosen.alike += 1;
        } else {
            kept.push(look);
        }
    }
    // A video of nothing but one colour is still a video.
    if kept.is_empty()
        && let Some(first) = candidates.first()
    {
        kept.push(&looks[*first]);
        chosen.blank -= 1;
    }
    let most = budget.frames();
    chosen.over_budget = kept.len().saturating_sub(most);
    chosen.times_s = evenly(&kept, most).map(|look| look.time_s).collect();
    chosen
}

fn alike(a: &LookAt, b: &LookAt) -> bool {
    a.look.difference_by_place(&b.look) < SAME_MEAN
        && a.look.largest_difference(&b.look) < SAME_CELL
}

/// The look that is on the screen at a time.
fn shown_at(looks: &[LookAt], time_s: f64) -> Option<usize> {
    if looks.is_empty() {
        return None;
    }
    let next = looks.partition_point(|look| look.time_s <= time_s + 1e-6);
    Some(next.saturating_sub(1))
}

/// At most `most` of `all`, spread evenly, the first always among them.
fn evenly<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let taken = all.len().min(most);
    (0..taken).map(move |index| &all[index * all.len() / taken])
}

/// The times that a choice asks for, in any order.
fn wanted_times(
    changes: &[SceneChange],
    duration_s: f64,
    spoken: &[(f64, f64)],
    choice: Choice,
) -> Vec<f64> {
    let every = |from_s: f64, to_s: f64, step_s: f64| {
        let number = ((to_s - from_s) / step_s).ceil().clamp(1.0, 1e6) as usize;
        (0..number).map(move |index| from_s + index as f64 * step_s)
    };
    let scenes = || {
        let starts = [0.0].into_iter().chain(changes.iter().map(|c| c.time_s));
        let ends = changes.iter().map(|c| c.time_s).chain([duration_s]);
        starts.zip(ends)
    };
    let first_seen = |start: f64, end: f64| start + INTO_SCENE_S.min((end - start).max(0.0) / 2.0);
    match choice {
        Choice::Every(step_s) => every(0.0, duration_s, step_s).collect(),
        Choice::Scenes => scenes()
            .map(|(start, end)| first_seen(start, end))
            .collect(),
        Choice::ScenesAndEvery(step_s) => scenes()
            .flat_map(|(start, end)| every(first_seen(start, end), end, step_s))
            .collect(),
        Choice::Speech => spoken
            .iter()
            .map(|(start, end)| (start + end) / 2.0)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stats::tests::scene;
    use super::*;

    const FREE: Budget = Budget {
        max_frames: 1_000,
        max_pixels: 1 << 20,
        max_tokens: usize::MAX,
        tokens_per_frame: 1,
    };

    /// Four scenes of 5 s; the last is the first again. Black for the first second.
    fn film() -> Vec<LookAt> {
        let grounds = [
            [240, 230, 220],
            [20, 30, 60],
            [60, 120, 70],
            [240, 230, 220],
        ];
        let look = |index: usize| match index {
            0..10 => scene([0; 3], [0; 3], 0),
            _ => scene(grounds[index / 50], [200, 20, 20], 22),
        };
        (0..200)
            .map(|index| LookAt {
                time_s: index as f64 * 0.1,
                look: look(index),
            })
            .collect()
    }

    fn rounded(chosen: &Chosen) -> Vec<f64> {
        chosen
            .times_s
            .iter()
            .map(|time| (time * 10.0).round() / 10.0)
            .collect()
    }

    #[test]
    fn every_s_seconds_without_blanks_and_repeats() {
        let chosen = choose(&film(), 20.0, &[], Choice::Every(2.0), &FREE);
        assert_eq!(rounded(&chosen), [2.0, 6.0, 10.0]);
        assert_eq!((chosen.candidates, chosen.blank, chosen.alike), (10, 1, 6));
    }

    #[test]
    fn scenes_give_one_frame_each_just_after_their_start() {
        let chosen = choose(&film(), 20.0, &[], Choice::Scenes, &FREE);
        assert_eq!(rounded(&chosen), [1.4, 5.4, 10.4]);
        assert_eq!(chosen.changes.len(), 4);
    }

    #[test]
    fn speech_gives_the_middle_of_what_is_said() {
        let spoken = [(1.2, 2.8), (6.0, 8.0), (6.9, 7.1)];
        let chosen = choose(&film(), 20.0, &spoken, Choice::Speech, &FREE);
        assert_eq!(rounded(&chosen), [2.0, 7.0]);
        let silent = choose(&film(), 20.0, &[], Choice::Speech, &FREE);
        assert!(silent.times_s.is_empty());
    }

    #[test]
    fn a_budget_thins_evenly() {
        let looks: Vec<LookAt> = (0..90)
            .map(|index| LookAt {
                time_s: index as f64,
                look: scene(
                    [index as u8 * 2, 30, 255 - index as u8 * 2],
                    [9, 99, 9],
                    index % 40,
                ),
            })
            .collect();
        let budget = Budget {
            max_frames: 9,
            ..FREE
        };
        let chosen = choose(&looks, 90.0, &[], Choice::Every(1.0), &budget);
        assert_eq!(chosen.times_s.len(), 9);
        assert!(chosen.times_s[8] > 75.0, "{:?}", chosen.times_s);
        assert_eq!(chosen.over_budget + chosen.alike + 9, 90);
        let none = Budget {
            max_tokens: 10,
            tokens_per_frame: 11,
            ..FREE
        };
        assert!(
            choose(&looks, 90.0, &[], Choice::Every(1.0), &none)
                .times_s
                .is_empty()
        );
    }

    #[test]
    fn a_still_of_one_colour_gives_one_frame_and_nothing_gives_none() {
        let black: Vec<LookAt> = film().drain(..9).collect();
        assert_eq!(
            choose(&black, 0.9, &[], Choice::Every(0.5), &FREE).times_s,
            [0.0]
        );
        assert!(
            choose(&[], 3.0, &[], Choice::Scenes, &FREE)
                .times_s
                .is_empty()
        );
    }
}
