//! Files of pictures as people have them: damaged ones, large ones, and kinds that are not read.

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use avocet_media::{Limits, decode};
use image::{DynamicImage, ImageFormat};
use tempfile::TempDir;

use crate::command::{avocet, fails, path, stderr, succeeds};
use crate::pictures;

const QUESTION: &str = "What color is the circle?";

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
    let kinds: [(&str, &[u8], &str); 4] = [
        ("paper.pdf", b"%PDF-1.5\n1 0 obj\n", "pdftoppm"),
        (
            "logo.svg",
            b"<?xml version=\"1.0\"?>\n<svg width=\"9\"></svg>",
            "rsvg-convert",
        ),
        (
            "phone.heic",
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "heif-convert",
        ),
        (
            "web.avif",
            b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
            "heif-convert",
        ),
    ];
    for (name, start, way) in kinds {
        let file = path(&folder, name);
        fs::write(&file, start)?;
        fails(["ask", &file, QUESTION], &[name, "not read", way])?;
    }
    Ok(())
}
