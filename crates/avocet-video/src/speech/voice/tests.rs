//! Made sounds: what is no voice gives no region, and a made voice is found where it is.

use std::f32::consts::TAU;

use super::*;
use crate::speech::windows::{LONGEST as LONGEST_WINDOW, Windows};

const RATE: usize = SAMPLE_RATE_HZ as usize;

/// A seeded stream of numbers in [-1, 1].
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

fn silence(seconds: usize) -> Vec<f32> {
    vec![0.0; seconds * RATE]
}

fn white(seconds: usize, level: f32) -> Vec<f32> {
    let mut noise = Noise(1);
    (0..seconds * RATE).map(|_| noise.next() * level).collect()
}

/// Noise with the same power in every octave (Kellet's filter).
fn pink(seconds: usize, level: f32) -> Vec<f32> {
    let (mut noise, mut low, mut middle, mut high) = (Noise(2), 0.0, 0.0, 0.0);
    (0..seconds * RATE)
        .map(|_| {
            let white = noise.next();
            low = 0.997_65 * low + white * 0.099;
            middle = 0.963 * middle + white * 0.296_5;
            high = 0.57 * high + white * 1.052_6;
            (low + middle + high + white * 0.184_8) * level / 3.5
        })
        .collect()
}

/// Tones that are 1 / k as loud as the first, k times as high.
fn tones(seconds: usize, hz: f32, count: usize, level: f32) -> Vec<f32> {
    (0..seconds * RATE)
        .map(|at| {
            let turn = at as f32 / RATE as f32 * hz;
            let sum: f32 = (1..=count)
                .map(|k| (TAU * (turn * k as f32).fract() + k as f32).sin() / k as f32)
                .sum();
            sum * level
        })
        .collect()
}

/// Notes that are struck and die away, two a second.
fn melody(seconds: usize) -> Vec<f32> {
    const NOTES_HZ: [f32; 6] = [261.6, 392.0, 329.6, 523.3, 440.0, 349.2];
    let mut out = silence(seconds);
    for note in 0..seconds * 2 {
        let hz = NOTES_HZ[note * 5 % 6];
        for (age, sample) in out[note * RATE / 2..].iter_mut().take(RATE).enumerate() {
            let time = age as f32 / RATE as f32;
            let shape = (-3.0 * time).exp() * (1.0 - (-200.0 * time).exp());
            let sum: f32 = (1..6u8)
                .map(|k| (TAU * (hz * f32::from(k) * time).fract()).sin() / f32::from(k).powf(1.5))
                .sum();
            *sample += sum * shape * 0.25;
        }
    }
    out
}

fn clicks(seconds: usize) -> Vec<f32> {
    let mut out = silence(seconds);
    let mut noise = Noise(3);
    for start in (0..out.len()).step_by(RATE / 4) {
        for (age, sample) in out[start..].iter_mut().take(400).enumerate() {
            *sample = noise.next() * (-(age as f32) / 80.0).exp();
        }
    }
    out
}

/// A throat's pulses through three moving resonances, four syllables a second.
pub(crate) fn speech(seconds: usize, level: f32) -> Vec<f32> {
    const VOWELS_HZ: [[f32; 3]; 5] = [
        [730.0, 1090.0, 2440.0],
        [270.0, 2290.0, 3010.0],
        [300.0, 870.0, 2240.0],
        [530.0, 1840.0, 2480.0],
        [570.0, 840.0, 2410.0],
    ];
    const WIDTHS_HZ: [f32; 3] = [60.0, 90.0, 150.0];
    let (mut noise, mut phase, mut states) = (Noise(4), 0.0f32, [[0.0f32; 2]; 3]);
    let syllable = RATE / 4;
    let samples = (0..seconds * RATE).map(|at| {
        let (index, within) = (at / syllable, (at % syllable) as f32 / syllable as f32);
        let (from, to) = (VOWELS_HZ[index % 5], VOWELS_HZ[(index + 2) % 5]);
        let time = at as f32 / RATE as f32;
        phase += (120.0 + 20.0 * (TAU * 0.7 * time).sin() + 15.0 * (TAU * 3.0 * time).sin())
            / RATE as f32;
        let pulse = f32::from(u8::from(phase >= 1.0));
        phase -= pulse;
        let open = if within < 0.8 {
            (TAU / 2.0 * within / 0.8).sin().max(0.0).powf(0.7)
        } else {
            0.0
        };
        let source = (pulse + 0.01 * noise.next()) * open;
        let mut sum = if within > 0.85 {
            0.3 * noise.next()
        } else {
            0.0
        };
        for (formant, state) in states.iter_mut().enumerate() {
            let hz = from[formant] + (to[formant] - from[formant]) * within;
            let radius = (-TAU / 2.0 * WIDTHS_HZ[formant] / RATE as f32).exp();
            let turn = 2.0 * radius * (TAU * hz / RATE as f32).cos();
            let now = source + turn * state[0] - radius * radius * state[1];
            *state = [now, state[0]];
            sum += now * [1.0, 0.6, 0.3][formant];
        }
        sum * level / 12.0
    });
    samples.map(|sample| sample.clamp(-1.0, 1.0)).collect()
}

fn regions(sound: &[f32]) -> Vec<Range<u64>> {
    let mut voice = Voice::new();
    let mut regions = voice.push(sound);
    regions.extend(voice.finish());
    regions
}

#[test]
fn what_is_no_voice_gives_no_region() {
    let sounds = [
        ("silence", silence(8)),
        ("quiet white noise", white(8, 0.002)),
        ("white noise", white(8, 0.1)),
        ("loud white noise", white(8, 0.9)),
        ("quiet pink noise", pink(8, 0.01)),
        ("pink noise", pink(8, 0.2)),
        ("loud pink noise", pink(8, 0.9)),
        ("a hum of 50 Hz", tones(8, 50.0, 10, 0.3)),
        ("a buzz of 60 Hz", tones(8, 60.0, 30, 0.3)),
        ("a held tone", tones(8, 1000.0, 1, 0.5)),
        ("a held note", tones(8, 220.0, 6, 0.3)),
        ("a melody", melody(8)),
        ("clicks", clicks(8)),
        ("no numbers", vec![f32::NAN; 8 * RATE]),
        ("a constant", vec![0.7; 8 * RATE]),
    ];
    for (name, sound) in sounds {
        assert_eq!(regions(&sound), [], "{name}");
    }
}

#[test]
fn a_voice_is_found_where_it_is_at_any_loudness_and_in_noise() {
    for level in [0.003, 0.05, 0.5, 1.0] {
        let sound = [silence(3), speech(3, level), silence(3)].concat();
        let noisy: Vec<f32> = sound
            .iter()
            .zip(white(9, level * 0.05))
            .map(|(a, b)| a + b)
            .collect();
        for sound in [sound, noisy] {
            let found = regions(&sound);
            assert_eq!(found.len(), 1, "{level}: {found:?}");
            let seconds = |at: u64| at as f64 / SAMPLE_RATE_HZ as f64;
            let (start, end) = (seconds(found[0].start), seconds(found[0].end));
            assert!(
                (2.5..=3.1).contains(&start) && (5.8..=6.8).contains(&end),
                "{start} {end}"
            );
        }
    }
}

#[test]
fn a_sound_given_in_pieces_has_the_same_regions() {
    let sound = [speech(2, 0.3), silence(2), speech(1, 0.3)].concat();
    let whole = regions(&sound);
    assert_eq!(whole.len(), 2);
    let mut voice = Voice::new();
    let mut pieces = Vec::new();
    for piece in sound.chunks(777) {
        pieces.extend(voice.push(piece));
    }
    pieces.extend(voice.finish());
    assert_eq!(pieces, whole);
}

#[test]
fn long_speech_is_cut_into_windows_that_hold_all_of_it_once() {
    let sound = speech(70, 0.3);
    let mut windows = Windows::new();
    let mut made = Vec::new();
    for piece in sound.chunks(RATE * 3) {
        made.extend(windows.push(piece));
    }
    made.extend(windows.finish());
    assert!((3..=5).contains(&made.len()), "{}", made.len());
    assert!(
        made.iter()
            .all(|window| window.samples.len() <= LONGEST_WINDOW)
    );
    let all: Vec<f32> = made
        .iter()
        .flat_map(|window| window.samples.clone())
        .collect();
    let start = (made[0].time_s(0, 0) * RATE as f64).round() as usize;
    assert!(
        start < RATE / 4 && all.len() > 69 * RATE,
        "{start} {}",
        all.len()
    );
    assert!(all == sound[start..start + all.len()]);
}

#[test]
fn pauses_are_left_out_of_a_window() {
    let sound = [
        speech(2, 0.3),
        silence(20),
        speech(2, 0.3),
        silence(20),
        speech(2, 0.3),
    ]
    .concat();
    let mut windows = Windows::new();
    let mut made = windows.push(&sound);
    made.extend(windows.finish());
    assert_eq!(made.len(), 1);
    let seconds = made[0].samples.len() as f64 / RATE as f64;
    assert!((6.0..10.0).contains(&seconds), "{seconds}");
    let (pieces, samples) = (made[0].pieces(), made[0].samples.len());
    assert_eq!(pieces.len(), 3);
    assert!((made[0].time_s(2, samples) - 46.0).abs() < 0.1);
}

#[test]
fn a_region_begins_and_ends_with_the_voice_in_any_noise() {
    let hum = |level| tones(60, 60.0, 19, level);
    for level in [0.003, 0.01, 0.03] {
        for (name, noise) in [
            ("hiss", white(60, level)),
            ("pink noise", pink(60, level)),
            ("hum", hum(level / 2.0)),
        ] {
            let spoken = [silence(25), speech(3, 0.5), silence(20), speech(3, 0.5)];
            let mut sound = [spoken.concat(), silence(9)].concat();
            for (sample, noise) in sound.iter_mut().zip(&noise) {
                *sample += noise;
            }
            let seconds = |at: u64| at as f64 / SAMPLE_RATE_HZ as f64;
            let found: Vec<(f64, f64)> = (regions(&sound).iter())
                .map(|region| (seconds(region.start), seconds(region.end)))
                .collect();
            assert_eq!(found.len(), 2, "{name} {level}: {found:?}");
            for ((start, end), spoken_at) in found.iter().zip([25.0, 48.0]) {
                assert!(
                    (spoken_at - 2.5..=spoken_at + 0.1).contains(start)
                        && (spoken_at + 2.7..=spoken_at + 5.0).contains(end),
                    "{name} {level}: {found:?}"
                );
            }
        }
    }
}
