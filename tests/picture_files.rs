//! Files of pictures as people have them: damaged ones, large ones, HEIC, AVIF and SVG, and
//! kinds that are not read.
//!
//! The files in `golden/pictures` show quarters of red, green, blue and white. They were made by
//! heif-enc of libheif 1.15 and by FFmpeg 5.1; `grid.heic` by `golden/make_grid.py`.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use avocet_media::{Damage, Limits, Picture, decode, decode_damaged};
use image::{DynamicImage, ImageFormat};
use tempfile::TempDir;

use crate::command::{avocet, fails, path, stderr, succeeds};
use crate::hostile_input::Numbers;
use crate::pictures;

const QUESTION: &str = "What color is the circle?";

fn golden(name: &str) -> Result<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/pictures");
    fs::read(folder.join(name)).with_context(|| name.to_owned())
}

/// The colour at a place given in shares of the sides.
fn at(picture: &Picture, across: f64, down: f64) -> [u8; 3] {
    let x = (picture.width as f64 * across) as usize;
    let y = (picture.height as f64 * down) as usize;
    let at = 3 * (y * picture.width + x);
    [picture.rgb[at], picture.rgb[at + 1], picture.rgb[at + 2]]
}

fn near(found: [u8; 3], wanted: [u8; 3]) -> bool {
    found.iter().zip(wanted).all(|(&a, b)| a.abs_diff(b) <= 24)
}

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const WHITE: [u8; 3] = [255; 3];

/// The middles of the quarters, row by row.
fn quarters(picture: &Picture) -> [[u8; 3]; 4] {
    [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)].map(|(x, y)| at(picture, x, y))
}

fn expect(name: &str, found: &[[u8; 3]], wanted: &[[u8; 3]]) -> Result<()> {
    let alike = found
        .iter()
        .zip(wanted)
        .all(|(&found, &wanted)| near(found, wanted));
    ensure!(alike, "{name}: {found:?}, not {wanted:?}");
    Ok(())
}

#[test]
fn heic_and_avif_have_the_colours_that_were_put_in() -> Result<()> {
    for name in [
        "quarters.heic",
        "quarters.avif",
        "quarters-10bit.avif",
        "alpha.heic",
    ] {
        let picture = decode(&golden(name)?, &Limits::default())?;
        ensure!((picture.width, picture.height) == (64, 64), "{name}");
        expect(name, &quarters(&picture), &[RED, GREEN, BLUE, WHITE])?;
    }
    Ok(())
}

#[test]
fn tiles_are_put_together_and_the_containers_turn_is_applied() -> Result<()> {
    let picture = decode(&golden("grid.heic")?, &Limits::default())?;
    ensure!((picture.width, picture.height) == (100, 120));
    // Four times the quarters, cut to 120 x 100, then a quarter turn against the clock.
    let stored = |x: usize, y: usize| {
        let at = 3 * ((119 - x) * picture.width + y);
        [picture.rgb[at], picture.rgb[at + 1], picture.rgb[at + 2]]
    };
    for (left, top) in [(0, 0), (64, 0), (0, 64)] {
        let found = [stored(left + 10, top + 10), stored(left + 40, top + 10)];
        expect("upper half of a tile", &found, &[RED, GREEN])?;
    }
    expect(
        "first tile",
        &[stored(10, 40), stored(40, 40)],
        &[BLUE, WHITE],
    )?;
    Ok(())
}

#[test]
fn a_heic_that_is_cut_off_is_never_silent() -> Result<()> {
    let grid = golden("grid.heic")?;
    let (mut before, mut read) = (0.0, 0);
    for left in (1..16).rev() {
        let cut = &grid[..grid.len() * left / 16];
        let share = match decode_damaged(cut, &Limits::default()) {
            Ok(decoded) => match decoded.damage {
                Some(Damage::Missing(share)) => {
                    read += 1;
                    share
                }
                other => anyhow::bail!("{left}/16: {other:?}"),
            },
            Err(_) => 1.0,
        };
        ensure!(share >= before, "{left}/16: {before} before, {share}");
        before = share;
    }
    ensure!(read > 0, "no part was read");
    let one = golden("quarters.avif")?;
    ensure!(decode_damaged(&one[..one.len() - 9], &Limits::default()).is_err());
    Ok(())
}

#[test]
fn changed_bytes_of_what_the_worker_reads_end_in_a_picture_or_an_error() -> Result<()> {
    let mut numbers = Numbers(11);
    let limits = Limits {
        max_pixels: 1 << 20,
        ..Limits::default()
    };
    let files = [
        ("grid.heic", golden("grid.heic")?),
        ("quarters.avif", golden("quarters.avif")?),
        ("alpha.heic", golden("alpha.heic")?),
        ("drawing.svg", drawing("").into_bytes()),
    ];
    for (name, whole) in files {
        for round in 0..30 {
            let mut bytes = whole.clone();
            numbers.damage(&mut bytes);
            let start = Instant::now();
            if let Err(error) = decode_damaged(&bytes, &limits) {
                let error = error.to_string();
                ensure!(
                    !error.contains('\n') && !error.contains("gave up"),
                    "{name} {round}: {error}"
                );
            }
            ensure!(start.elapsed() < Duration::from_secs(40), "{name} {round}");
        }
    }
    Ok(())
}

/// An SVG with a red circle on a green ground.
fn drawing(more: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 40 20\">\
         <rect width=\"40\" height=\"20\" fill=\"#00ff00\"/>\
         <circle cx=\"20\" cy=\"10\" r=\"8\" fill=\"#ff0000\"/>{more}</svg>"
    )
}

#[test]
fn an_svg_is_drawn_alone() -> Result<()> {
    let picture = decode(drawing("").as_bytes(), &Limits::default())?;
    ensure!((picture.width, picture.height) == (512, 256));
    expect(
        "svg",
        &[at(&picture, 0.5, 0.5), at(&picture, 0.1, 0.5)],
        &[RED, GREEN],
    )?;
    let folder = TempDir::new()?;
    let other = path(&folder, "other.png");
    pictures::circle(20, 20).save(&other)?;
    let refers = drawing(&format!(
        "<image href=\"{other}\" width=\"40\" height=\"20\"/>"
    ));
    let decoded = decode_damaged(refers.as_bytes(), &Limits::default())?;
    ensure!(decoded.damage == Some(Damage::Refers) && decoded.picture == picture);
    ensure!(
        decode(refers.as_bytes(), &Limits::default()).is_err(),
        "as data it is wrong"
    );
    Ok(())
}

#[test]
fn an_svg_that_never_ends_is_ended() -> Result<()> {
    // Each level shows the one below ten times.
    let mut levels = String::from("<defs><rect id=\"l0\" width=\"1\" height=\"1\"/>");
    for level in 1..12 {
        let below = format!("<use href=\"#l{}\"/>", level - 1).repeat(10);
        levels.push_str(&format!("<g id=\"l{level}\">{below}</g>"));
    }
    let bomb = drawing(&format!("{levels}</defs><use href=\"#l11\"/>"));
    let deep = drawing(&("<g>".repeat(200_000) + &"</g>".repeat(200_000)));
    let wide = drawing("").replace("viewBox=\"0 0 40 20\"", "width=\"1e30\" height=\"1e30\"");
    for (name, file) in [("bomb", bomb), ("deep", deep), ("wide", wide)] {
        let start = Instant::now();
        let decoded = decode(file.as_bytes(), &Limits::default());
        ensure!(start.elapsed() < Duration::from_secs(90), "{name}");
        if let Err(error) = decoded {
            ensure!(!error.to_string().contains('\n'), "{name}: {error}");
        } else {
            ensure!(name == "wide", "{name} was drawn");
        }
    }
    Ok(())
}

fn encoded(format: ImageFormat) -> Result<Vec<u8>> {
    let mut file = Cursor::new(Vec::new());
    let picture = DynamicImage::from(pictures::circle(160, 160));
    picture.write_to(&mut file, format)?;
    Ok(file.into_inner())
}

#[test]
fn a_part_of_a_picture_is_answered_about_with_a_warning_or_refused() -> Result<()> {
    let folder = TempDir::new()?;
    for (format, ending) in [(ImageFormat::Png, "png"), (ImageFormat::Jpeg, "jpg")] {
        let whole = encoded(format)?;
        let mut outcomes = Vec::new();
        for eighths in [8, 7, 6, 5, 2, 1] {
            let name = format!("part{eighths}.{ending}");
            let file = path(&folder, &name);
            fs::write(&file, &whole[..whole.len() * eighths / 8])?;
            let asked = avocet(["ask", &file, QUESTION])?;
            let said = stderr(&asked);
            let lines = said.lines().count();
            match (eighths, asked.status.success()) {
                (8, true) => ensure!(said.is_empty(), "{said}"),
                (_, true) => ensure!(
                    lines == 1
                        && said.starts_with("warning: ")
                        && said.contains(&name)
                        && said.contains("% of the picture is missing"),
                    "{said}"
                ),
                _ => ensure!(
                    lines == 1 && said.contains(&name) && said.contains("is missing"),
                    "{said}"
                ),
            }
            outcomes.push(asked.status.success());
        }
        ensure!(
            outcomes[..2] == [true, true] && !outcomes[5],
            "{ending}: {outcomes:?}"
        );
    }
    Ok(())
}

/// A folder of pictures of which the second is cut off.
fn folder_with_a_part(folder: &TempDir) -> Result<PathBuf> {
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let whole = encoded(ImageFormat::Jpeg)?;
    fs::write(data.join("whole.jpg"), &whole)?;
    fs::write(data.join("part.jpg"), &whole[..whole.len() * 7 / 8])?;
    let rows = ["whole", "part"].map(|name| format!("{name}.jpg,{QUESTION},red\n"));
    fs::write(
        data.join("metadata.csv"),
        format!("file_name,question,answer\n{}", rows.concat()),
    )?;
    Ok(data)
}

#[test]
fn in_data_a_part_of_a_picture_is_wrong_input() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder_with_a_part(&folder)?.display().to_string();
    let run = path(&folder, "run");
    let learn = [
        "finetune", "--data", &data, "-o", &run, "--steps", "1", "--batch", "1",
    ];
    let output = avocet(learn)?;
    let said = stderr(&output);
    ensure!(output.status.code() == Some(1), "{said}");
    for word in [
        "line 3",
        "part.jpg",
        "% of the picture is missing",
        "--on-error skip",
    ] {
        ensure!(said.contains(word), "{word} is not in {said}");
    }
    let skipped = avocet([&learn[..], &["--on-error", "skip"]].concat())?;
    let said = stderr(&skipped);
    ensure!(
        skipped.status.success() && said.contains("1 wrong"),
        "{said}"
    );

    let records = path(&folder, "records.jsonl");
    let token = "{\"id\":1,\"token_ids\":[1,2,3],\"images\":[\"data/part.jpg\"]}\n";
    fs::write(&records, token)?;
    let scored = succeeds(["score", "--model", "mini", "--input", &records])?;
    ensure!(
        scored.contains("error") && scored.contains("is missing"),
        "{scored}"
    );
    Ok(())
}

#[test]
fn pictures_of_many_pixels_are_taken_in_any_number_of_channels() -> Result<()> {
    let (width, height) = (12_000, 9_000);
    let grey = image::GrayImage::from_pixel(width, height, image::Luma([255]));
    let mut file = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(grey).write_to(&mut file, ImageFormat::Png)?;
    let picture = decode(file.get_ref(), &Limits::default())?;
    ensure!((picture.width, picture.height) == (12_000, 9_000));
    Ok(())
}

#[test]
fn kinds_that_are_not_read_are_named_with_a_way() -> Result<()> {
    let folder = TempDir::new()?;
    let kinds: [(&str, &[u8], &str); 1] = [("paper.pdf", b"%PDF-1.5\n1 0 obj\n", "pdftoppm")];
    for (name, start, way) in kinds {
        let file = path(&folder, name);
        fs::write(&file, start)?;
        fails(["ask", &file, QUESTION], &[name, "not read", way])?;
    }
    Ok(())
}
