//! Film of high dynamic range comes out as a screen of standard range shows it, and other film
//! untouched.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use avocet_media::Picture;
use avocet_media::video::{frames_at, scan};
use tempfile::TempDir;

use crate::clips::ffmpeg;

/// Patches side by side, and their sides.
const SIDE: usize = 64;
/// Light of the grey patches in cd/m².
const GREYS: [f64; 10] = [
    0.0, 1.0, 5.0, 26.0, 100.0, 203.0, 400.0, 1000.0, 4000.0, 10_000.0,
];
/// Reference white.
const WHITE: f64 = 203.0;
/// BT.2020's shares of red, green and blue in luma.
const LUMA: [f64; 3] = [0.2627, 0.6780, 0.0593];

/// SMPTE ST 2084's code for light in cd/m².
fn pq(light: f64) -> f64 {
    let y = (light / 10_000.0).powf(0.159_301_757_812_5);
    ((0.835_937_5 + 18.851_562_5 * y) / (1.0 + 18.687_5 * y)).powf(78.843_75)
}

/// The code of HLG for what a screen with a peak of 1000 cd/m² shows in `rgb`.
fn hlg(rgb: [f64; 3]) -> [f64; 3] {
    let shown = rgb.map(|light| light / 1000.0);
    let luma: f64 = shown
        .iter()
        .zip(LUMA)
        .map(|(light, share)| light * share)
        .sum();
    let scene = shown.map(|light| match luma > 0.0 {
        true => light * luma.powf(1.0 / 1.2 - 1.0),
        false => 0.0,
    });
    scene.map(|e| match e <= 1.0 / 12.0 {
        true => (3.0 * e).sqrt(),
        false => 0.178_832_77 * (12.0 * e - 0.284_668_92).ln() + 0.559_910_73,
    })
}

/// A way to write patches.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    transfer: &'static str,
    format: &'static str,
    full_range: bool,
    codec: &'static str,
}

const fn way(name: &'static str, transfer: &'static str, codec: &'static str) -> Way {
    Way {
        name,
        transfer,
        format: "yuv444p10le",
        full_range: false,
        codec,
    }
}

const X265: &str = "-c:v libx265 -preset ultrafast -x265-params log-level=none:lossless=1";

/// Writes the patches, whose light is given in BT.2020's red, green and blue, in cd/m².
fn write(folder: &Path, way: Way, patches: &[[f64; 3]]) -> Result<PathBuf> {
    let path = folder.join(way.name);
    let width = SIDE * patches.len();
    let bits = if way.format.contains("12") { 12 } else { 10 };
    let top = f64::from((1u32 << bits) - 1);
    let unit = f64::from(1u32 << (bits - 8));
    let planes = |light: &[f64; 3]| -> [u16; 3] {
        let [r, g, b] = match way.transfer {
            "smpte2084" => light.map(pq),
            _ => hlg(*light),
        };
        if way.format.starts_with("gbr") {
            return [g, b, r].map(|value| (value * top).round() as u16);
        }
        let y = LUMA[0] * r + LUMA[1] * g + LUMA[2] * b;
        let (u, v) = ((b - y) / 1.8814, (r - y) / 1.4746);
        let half = 128.0 * unit;
        let codes = match way.full_range {
            true => [y * top, u * top + half, v * top + half],
            false => [
                (16.0 + 219.0 * y) * unit,
                224.0 * unit * u + half,
                224.0 * unit * v + half,
            ],
        };
        codes.map(|code| code.round() as u16)
    };
    let mut frame = Vec::new();
    for plane in 0..3 {
        let row: Vec<u8> = (patches.iter())
            .flat_map(|light| [planes(light)[plane]; SIDE])
            .flat_map(u16::to_le_bytes)
            .collect();
        frame.extend(row.repeat(SIDE));
    }
    let rgb = way.format.starts_with("gbr");
    let colours = format!(
        "-colorspace {} -color_trc {} -color_primaries bt2020 -color_range {}",
        if rgb { "rgb" } else { "bt2020nc" },
        way.transfer,
        if rgb || way.full_range { "pc" } else { "tv" },
    );
    let mut command = Command::new("ffmpeg");
    command
        .args(["-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo"])
        .args(["-pix_fmt", way.format, "-r", "5"])
        .args(["-s", &format!("{width}x{SIDE}")])
        .args(colours.split_whitespace())
        .args(["-i", "-"])
        .args(way.codec.split_whitespace())
        .args(colours.split_whitespace())
        .arg(&path)
        .stdin(Stdio::piped());
    let mut process = command
        .spawn()
        .context("these tests need the ffmpeg command")?;
    let mut input = process.stdin.take().context("stdin is piped")?;
    for _ in 0..3 {
        input.write_all(&frame)?;
    }
    drop(input);
    ensure!(process.wait()?.success(), "{} was not written", way.name);
    Ok(path)
}

/// The colours in the middle of each patch.
fn colours(picture: &Picture, patches: usize) -> Vec<[u8; 3]> {
    let middle = |patch: usize| {
        let x = (2 * patch + 1) * picture.width / (2 * patches);
        let at = 3 * (picture.height / 2 * picture.width + x);
        [0, 1, 2].map(|channel| picture.rgb[at + channel])
    };
    (0..patches).map(middle).collect()
}

fn shown(path: &Path, patches: usize, max_side: u32) -> Result<Vec<[u8; 3]>> {
    let frame = frames_at(path, &[0.3], max_side)?
        .next()
        .context("a frame")??;
    Ok(colours(&frame.picture, patches))
}

fn near(got: [u8; 3], expected: [f64; 3], most: f64) -> bool {
    (got.iter().zip(expected)).all(|(got, expected)| (f64::from(*got) - expected).abs() <= most)
}

#[test]
fn grey_light_keeps_its_brightness_and_what_is_brighter_than_white_rolls_off() -> Result<()> {
    let folder = TempDir::new()?;
    let pq = |name, codec| way(name, "smpte2084", codec);
    let hlg = |name, codec| way(name, "arib-std-b67", codec);
    let ways = [
        pq("pq.mp4", X265),
        hlg("hlg.mp4", X265),
        // Some codecs and formats have no words for the transfer: the container does.
        pq("pq.mkv", "-c:v ffv1"),
        hlg(
            "hlg.webm",
            "-c:v libvpx-vp9 -lossless 1 -deadline realtime -cpu-used 8",
        ),
        hlg(
            "hlg.mov",
            "-pix_fmt yuv422p10le -c:v prores_ks -profile:v 3 -qscale:v 1",
        ),
        pq(
            "av1.mp4",
            "-pix_fmt yuv420p10le -c:v libsvtav1 -preset 12 -crf 5",
        ),
        Way {
            full_range: true,
            ..pq("full.mkv", X265)
        },
        Way {
            format: "yuv444p12le",
            ..pq("twelve.mp4", X265)
        },
        Way {
            format: "gbrp10le",
            ..pq("rgb.mkv", "-c:v ffv1")
        },
    ];
    let greys = GREYS.map(|light| [light; 3]);
    for way in ways {
        // HLG's own peak.
        let most = if way.transfer == "smpte2084" {
            10_000.0
        } else {
            1000.0
        };
        let greys: Vec<_> = greys.into_iter().filter(|grey| grey[0] <= most).collect();
        let path = write(folder.path(), way, &greys)?;
        for side in [4096, 160] {
            let seen = shown(&path, greys.len(), side)?;
            let said = format!("{} at {side}: {seen:?}", way.name);
            for (grey, seen) in greys.iter().zip(&seen) {
                if grey[0] <= 100.0 {
                    let code = 255.0 * (grey[0] / WHITE).powf(1.0 / 2.4);
                    ensure!(
                        near(*seen, [code; 3], 3.0),
                        "{grey:?} is to be {code}: {said}"
                    );
                }
                ensure!(
                    seen[0].abs_diff(seen[1]) < 3 && seen[1].abs_diff(seen[2]) < 3,
                    "{said}"
                );
            }
            let white = seen[5];
            ensure!(
                white.iter().all(|code| (230..=245).contains(code)),
                "{said}"
            );
            ensure!(seen.is_sorted_by_key(|colour| colour[1]), "{said}");
            ensure!(
                seen[6][1] > white[1] + 4 && seen[7][1] > seen[6][1] + 2,
                "{said}"
            );
            ensure!(seen.last().is_some_and(|peak| peak[1] >= 250), "{said}");
        }
    }
    Ok(())
}

#[test]
fn colours_of_bt2020_become_those_of_bt709() -> Result<()> {
    let folder = TempDir::new()?;
    // Colours of BT.709 by its red, green and blue in parts of 100 cd/m², and what they are in
    // BT.2020 (BT.2087); below the knee each comes back.
    let colours = [
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [1.0, 1.0, 0.0],
        [0.2, 0.4, 0.9],
        [0.75, 0.5, 0.25],
    ];
    let to_2020 = [
        [0.6274, 0.3293, 0.0433],
        [0.0691, 0.9195, 0.0114],
        [0.0164, 0.0880, 0.8956],
    ];
    let light = colours.map(|rgb| {
        to_2020.map(|row: [f64; 3]| 100.0 * (0..3).map(|k| row[k] * rgb[k]).sum::<f64>())
    });
    let expected = colours.map(|rgb| rgb.map(|c: f64| 255.0 * (c * 100.0 / WHITE).powf(1.0 / 2.4)));
    for transfer in ["smpte2084", "arib-std-b67"] {
        let path = write(folder.path(), way("colours.mkv", transfer, X265), &light)?;
        for (seen, expected) in shown(&path, light.len(), 4096)?.into_iter().zip(expected) {
            // A code rounded to ten bits leaves a third of a percent of the light of another
            // channel, which is 23 of 255.
            let dark = |value: f64| if value < 1.0 { 28.0 } else { 3.0 };
            let off = seen.iter().zip(expected);
            let off = off.map(|(seen, want)| (f64::from(*seen) - want).abs() - dark(want));
            ensure!(
                off.into_iter().all(|over| over <= 0.0),
                "{transfer}: {seen:?} {expected:?}"
            );
        }
    }
    // BT.2020's own red, green and blue lie outside: the nearest that there is, however bright.
    let own = [[400.0, 0.0, 0.0], [0.0, 400.0, 0.0], [0.0, 0.0, 400.0]];
    let path = write(folder.path(), way("own.mkv", "smpte2084", X265), &own)?;
    for (channel, seen) in shown(&path, 3, 4096)?.into_iter().enumerate() {
        ensure!(seen[channel] >= 235, "{channel}: {seen:?}");
        let others = (0..3).filter(|other| *other != channel);
        ensure!(
            others.into_iter().all(|other| seen[other] < 64),
            "{channel}: {seen:?}"
        );
    }
    Ok(())
}

#[test]
fn every_frame_of_such_film_is_the_same_by_scan_and_by_time() -> Result<()> {
    let folder = TempDir::new()?;
    let path = write(
        folder.path(),
        way("scan.mp4", "smpte2084", X265),
        &[[203.0; 3]; 2],
    )?;
    let scanned: Vec<_> = scan(&path, 64)?.collect::<Result<_, _>>()?;
    ensure!(scanned.len() == 3, "{} frames", scanned.len());
    for frame in scanned {
        let again = frames_at(&path, &[frame.time_s], 64)?
            .next()
            .context("a frame")??;
        ensure!(again == frame, "{}", frame.time_s);
    }
    Ok(())
}

#[test]
fn film_of_standard_range_keeps_its_codes_whatever_its_primaries() -> Result<()> {
    let folder = TempDir::new()?;
    for (name, colours) in [
        ("plain.mkv", ""),
        (
            "wide.mkv",
            "-colorspace bt2020nc -color_primaries bt2020 -color_trc bt2020-10",
        ),
        (
            "gamma.mkv",
            "-colorspace bt709 -color_primaries bt709 -color_trc bt709",
        ),
    ] {
        let path = folder.path().join(name);
        let arguments = format!("-pix_fmt yuv444p10le {colours} -c:v ffv1");
        let grey = "color=size=64x64:rate=5:duration=0.6:color=0xb4b4b4";
        ffmpeg(&["-f", "lavfi", "-i"], Path::new(grey), &arguments, &path)?;
        let seen = shown(&path, 1, 4096)?;
        ensure!(near(seen[0], [180.0; 3], 1.0), "{name}: {seen:?}");
    }
    Ok(())
}
