//! Where one scene ends and the next begins: hard cuts, and dissolves that take their time.

use super::stats::LookAt;

/// The distance from look to look; closer together they say nothing more.
pub const LOOK_EVERY_S: f64 = 0.1;

/// The least difference of two frames that can be a cut, where nothing else moves.
const LEAST_CUT: f64 = 0.025;
/// A cut differs this many times as much as the frames around it do.
const OVER_MOTION: f64 = 3.5;
/// What changes this long before and after a possible cut tells how much things move.
const AROUND_S: f64 = 0.6;
/// So long the codec may settle after a cut.
const SETTLES_S: f64 = 0.2;
/// Times this close are the same.
const SAME_S: f64 = 1e-6;
/// Two frames whose light and dark places agree this well show one scene in other light...
const SAME_SHAPE: f64 = 0.9;
/// ...unless their cells differ more than this...
const OTHER_LIGHT: f64 = 0.12;
/// ...or nothing moved around them at all: then it is a slide with something new on it.
const STILL: f64 = 0.01;
/// After a flash the old picture is back; after a cut it is not.
const STAYS: f64 = 0.6;
/// How far a flash is looked past.
const FLASH_S: f64 = 0.5;

/// Frames this far apart are compared to find slow changes.
const SLOW_S: f64 = 0.5;
/// The least difference over [`SLOW_S`] while something changes slowly.
const SLOW_CHANGE: f64 = 0.012;
/// The least difference of the scenes before and after a dissolve.
const LEAST_DISSOLVE: f64 = 0.05;
/// The longest dissolve.
const LONGEST_DISSOLVE_S: f64 = 6.0;
/// The middle of a dissolve lies this close to the mixture of its ends, in parts of their distance.
const NEAR_MIXTURE: f64 = 0.25;

/// The start of a new scene.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SceneChange {
    /// When the new scene can be seen alone.
    pub time_s: f64,
    /// Whether it came slowly.
    pub dissolve: bool,
}

/// The scene changes in `looks`, which are in order of time.
///
/// A cut is a difference far above those around it: what counts as far follows the film, so that a
/// new slide in a still talk is found and a running crowd is not cut to pieces. A dissolve is a
/// long, even change whose middle is the mixture of its ends.
pub(crate) fn scene_changes(looks: &[LookAt]) -> Vec<SceneChange> {
    let steps: Vec<f64> = looks
        .windows(2)
        .map(|pair| pair[0].look.difference(&pair[1].look))
        .collect();
    // A fast dissolve may have a step that stands out; the whole of it is no cut.
    let mut whole = Vec::new();
    within_a_shot(looks, &mut whole);
    let within_a_dissolve = |time_s: f64| {
        let passing = |d: &Dissolve| d.starts_s < time_s && time_s <= d.ends_s;
        whole.iter().any(passing)
    };
    let cuts: Vec<f64> = (0..steps.len())
        .filter(|step| is_cut(looks, &steps, *step))
        .map(|step| looks[step + 1].time_s)
        .filter(|time_s| !within_a_dissolve(*time_s))
        .collect();
    let dissolves = dissolves(looks, &cuts);
    let cut = |time_s: &f64| SceneChange {
        time_s: *time_s,
        dissolve: false,
    };
    let slow = |dissolve: &Dissolve| SceneChange {
        time_s: dissolve.ends_s,
        dissolve: true,
    };
    let mut changes: Vec<SceneChange> = cuts.iter().map(cut).collect();
    changes.extend(dissolves.iter().map(slow));
    changes.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
    changes
}

/// Whether the scene changes at once between looks `step` and `step + 1`.
fn is_cut(looks: &[LookAt], steps: &[f64], step: usize) -> bool {
    let difference = steps[step];
    if difference < LEAST_CUT {
        return false;
    }
    let at_s = |other: usize| looks[other + 1].time_s;
    let cut_s = at_s(step);
    let near = |other: &usize, most_s: f64| (at_s(*other) - cut_s).abs() <= most_s + SAME_S;
    let before = || (0..step).rev().take_while(|other| near(other, AROUND_S));
    let after = || (step + 1..steps.len()).take_while(|other| near(other, AROUND_S));
    // The first of equals is the cut, and what comes just after it may be the codec settling.
    let settles = |other: &usize| near(other, SETTLES_S);
    if after()
        .take_while(settles)
        .any(|other| steps[other] > difference)
        || before()
            .take_while(settles)
            .any(|other| steps[other] >= difference)
    {
        return false;
    }
    let mut around: Vec<f64> = before().chain(after()).map(|other| steps[other]).collect();
    // Another cut close by is no motion: the largest value is left out.
    around.sort_by(f64::total_cmp);
    around.pop();
    let motion = around.iter().sum::<f64>() / around.len().max(1) as f64;
    if difference < OVER_MOTION * motion + LEAST_CUT {
        return false;
    }
    let still = around.last().is_none_or(|most| *most < STILL);
    let by_place = looks[step].look.difference_by_place(&looks[step + 1].look);
    let other_light =
        by_place < OTHER_LIGHT && looks[step].look.correlation(&looks[step + 1].look) > SAME_SHAPE;
    if other_light && !still {
        return false;
    }
    // A flash of light comes and goes.
    let old = &looks[step].look;
    looks[step + 1..]
        .iter()
        .take_while(|later| later.time_s <= cut_s + FLASH_S)
        .all(|later| old.difference(&later.look) > STAYS * difference)
}

/// From the last moment of the old scene to the first of the new one.
struct Dissolve {
    starts_s: f64,
    ends_s: f64,
}

/// Slow changes between the cuts.
fn dissolves(looks: &[LookAt], cuts: &[f64]) -> Vec<Dissolve> {
    let mut found = Vec::new();
    let mut start = 0;
    let ends = cuts.iter().copied().chain([f64::INFINITY]);
    for end_s in ends {
        let length = looks[start..].partition_point(|look| look.time_s < end_s);
        within_a_shot(&looks[start..start + length], &mut found);
        start += length;
    }
    found
}

/// Dissolves between two cuts: runs of looks that differ from the one half a second before.
fn within_a_shot(shot: &[LookAt], found: &mut Vec<Dissolve>) {
    let slow: Vec<bool> = (0..shot.len())
        .map(|index| {
            let before = before(shot, index);
            before < index && shot[index].look.difference(&shot[before].look) >= SLOW_CHANGE
        })
        .collect();
    let mut index = 0;
    while index < slow.len() {
        if !slow[index] {
            index += 1;
            continue;
        }
        let run = slow[index..].iter().take_while(|slow| **slow).count();
        let (first, last) = (before(shot, index), index + run - 1);
        if let Some(change) = dissolve(shot, first, last) {
            found.push(change);
        }
        index += run;
    }
}

/// The last look at least [`SLOW_S`] before `index`, or the first of all.
fn before(shot: &[LookAt], index: usize) -> usize {
    let wanted = shot[index].time_s - SLOW_S;
    shot[..index]
        .partition_point(|look| look.time_s <= wanted + 1e-6)
        .saturating_sub(1)
}

/// Whether the looks `first` to `last` are one dissolve, and where the new scene is seen alone.
fn dissolve(shot: &[LookAt], first: usize, last: usize) -> Option<Dissolve> {
    // The run goes on for half a second after the last change: that long it differs from before.
    let settled = before(shot, last).max(first);
    let (a, b) = (&shot[first].look, &shot[last].look);
    let apart = a.difference(b);
    let by_place = a.difference_by_place(b);
    let lasts = shot[settled].time_s - shot[first].time_s;
    if apart < LEAST_DISSOLVE || lasts > LONGEST_DISSOLVE_S || by_place == 0.0 {
        return None;
    }
    if by_place < OTHER_LIGHT && a.correlation(b) > SAME_SHAPE {
        return None;
    }
    // Half of the change is done in the middle, wherever that is.
    let mixture = (first..=last)
        .map(|index| shot[index].look.distance_from_mixture(a, b))
        .fold(f64::INFINITY, f64::min);
    (mixture <= NEAR_MIXTURE * by_place).then(|| Dissolve {
        starts_s: shot[first].time_s,
        ends_s: shot[settled].time_s,
    })
}

#[cfg(test)]
mod tests {
    use super::super::stats::FrameStats;
    use super::super::stats::tests::scene;
    use super::*;

    const GROUNDS: [[u8; 3]; 4] = [
        [240, 230, 220],
        [20, 30, 60],
        [60, 120, 70],
        [200, 190, 240],
    ];

    fn looks(seconds: f64, look: impl Fn(f64) -> FrameStats) -> Vec<LookAt> {
        let number = (seconds / LOOK_EVERY_S).round() as usize;
        let at = |index: usize| index as f64 * LOOK_EVERY_S;
        (0..number)
            .map(|index| LookAt {
                time_s: at(index),
                look: look(at(index)),
            })
            .collect()
    }

    fn times(changes: &[SceneChange]) -> Vec<f64> {
        changes
            .iter()
            .map(|change| (change.time_s * 10.0).round() / 10.0)
            .collect()
    }

    /// Scenes mixed with weights: `share` of the second.
    fn mixed(a: usize, b: usize, share: f64, left: usize) -> FrameStats {
        let mix = |channel: usize| {
            let (a, b) = (
                f64::from(GROUNDS[a][channel]),
                f64::from(GROUNDS[b][channel]),
            );
            (a + (b - a) * share) as u8
        };
        scene([mix(0), mix(1), mix(2)], [200, 20, 20], left)
    }

    #[test]
    fn hard_cuts_are_found_at_their_first_frame() {
        let film = looks(12.0, |t| mixed((t / 3.0 + 1e-6) as usize, 0, 0.0, 22));
        assert_eq!(times(&scene_changes(&film)), [3.0, 6.0, 9.0]);
    }

    #[test]
    fn a_thing_that_moves_is_no_change() {
        let film = looks(8.0, |t| mixed(0, 0, 0.0, (t * 5.0) as usize));
        assert_eq!(scene_changes(&film), []);
        let still = looks(8.0, |_| mixed(2, 2, 0.0, 9));
        assert_eq!(scene_changes(&still), []);
    }

    #[test]
    fn a_cut_within_motion_is_found_and_the_motion_is_not() {
        let film = looks(8.0, |t| {
            mixed(usize::from(t > 3.99), 0, 0.0, (t * 5.0) as usize)
        });
        assert_eq!(times(&scene_changes(&film)), [4.0]);
    }

    #[test]
    fn a_flash_is_no_change() {
        let film = looks(8.0, |t| {
            let flash = (3.95..4.15).contains(&t);
            scene(if flash { [255; 3] } else { GROUNDS[1] }, [200, 20, 20], 22)
        });
        assert_eq!(scene_changes(&film), []);
    }

    #[test]
    fn other_light_on_a_living_scene_is_no_change() {
        let film = looks(8.0, |t| {
            let light = (24.0 * (t - 4.0).clamp(0.0, 0.25) / 0.25) as u8;
            let shade = |value: u8| value.saturating_sub(light);
            let ground = GROUNDS[0].map(shade);
            scene(ground, [200, 20, 20].map(shade), 12 + (t * 2.0) as usize)
        });
        assert_eq!(scene_changes(&film), []);
    }

    #[test]
    fn dissolves_are_found_however_slow() {
        for seconds in [0.6, 1.0, 2.0, 4.0] {
            let film = looks(14.0, |t| {
                mixed(0, 1, ((t - 4.0) / seconds).clamp(0.0, 1.0), 22)
            });
            let changes = scene_changes(&film);
            assert_eq!(changes.len(), 1, "{seconds}: {changes:?}");
            let late = changes[0].time_s - (4.0 + seconds);
            assert!((-0.31..=0.21).contains(&late), "{seconds}: {changes:?}");
        }
    }

    #[test]
    fn a_small_change_in_a_still_picture_is_found() {
        // A line of text on a slide: a small block appears.
        let film = looks(8.0, |t| {
            scene([250; 3], if t > 3.99 { [40; 3] } else { [250; 3] }, 22)
        });
        assert_eq!(times(&scene_changes(&film)), [4.0]);
    }

    #[test]
    fn slides_far_apart_and_close_together_are_no_motion() {
        let at = |(time_s, slide): (f64, usize)| LookAt {
            time_s,
            look: mixed(slide, slide, 0.0, 22),
        };
        let film: Vec<LookAt> = [(0.0, 0), (2.0, 1), (2.7, 2), (9.0, 3), (9.6, 1)]
            .map(at)
            .into();
        assert_eq!(times(&scene_changes(&film)), [2.0, 2.7, 9.0, 9.6]);
    }

    #[test]
    fn few_looks_are_no_trouble() {
        for number in 0..4 {
            let film: Vec<LookAt> = looks(1.0, |_| mixed(0, 0, 0.0, 3))
                .drain(..number)
                .collect();
            assert_eq!(scene_changes(&film), []);
        }
    }
}
