//! Draws one sheet of pictures of a kind, for people to look at, and says how fast.
//!
//! `cargo run --release -p named-pictures --example contact_sheet -- KIND SPLIT MAX-CHARS SEED OUT.png`

use std::io::Cursor;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use avocet_fetch::Sources;
use clap::ValueEnum;
use drawing::{Package, TYPEFACES};
use image::imageops::overlay;
use image::{ImageReader, Rgba, RgbaImage};
use named_pictures::{Drawing, Kind, PictureGenerator};
use pipeline::Split;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [kind, split, max_chars, seed, out] = args.as_slice() else {
        bail!("KIND SPLIT MAX-CHARS SEED OUT.png");
    };
    let (max_chars, seed): (usize, u64) = (max_chars.parse()?, seed.parse()?);
    let kind = Kind::from_str(kind, true).map_err(anyhow::Error::msg)?;
    let split = Split::from_str(split, true).map_err(anyhow::Error::msg)?;
    let sources = Sources::open(None)?;
    let mut names = kind.packages(split);
    if kind.draws_in_every_typeface(split) {
        names.extend(sources.named(TYPEFACES));
    }
    let open = |name: &&str| Package::open(&sources, name);
    let packages = names.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    let generator = PictureGenerator::load(kind, split, max_chars, &packages)?;
    eprintln!(
        "loaded in {:.2?}, {} left out",
        start.elapsed(),
        generator.left_out.len()
    );
    for (name, reason) in &generator.left_out {
        eprintln!("  {name}: {reason}");
    }
    let start = Instant::now();
    let many = generator.limit().unwrap_or(600).min(600);
    let (mut bytes, mut patches) = (0, 0);
    for index in 0..many {
        let Drawing::Done(drawn) = generator.draw(1, index)? else {
            continue;
        };
        bytes += drawn.image.len();
        let (width, height) = ImageReader::new(Cursor::new(&drawn.image))
            .with_guessed_format()?
            .into_dimensions()?;
        patches += (width.div_ceil(8) * height.div_ceil(8)) as usize;
    }
    let took = start.elapsed().as_secs_f64();
    eprintln!(
        "{:.0} samples/s, {} bytes, {} patches each",
        many as f64 / took,
        bytes / many,
        patches / many
    );
    let (mut sheet, mut x, mut y, mut row) = (RgbaImage::new(1500, 1400), 4, 4, 0);
    for index in 0..many {
        let drawn = match generator.draw(seed, index)? {
            Drawing::Done(drawn) => drawn,
            Drawing::Several(_) => bail!("a kind of many pictures at once"),
            Drawing::Unfit(reason) => {
                println!("unfit: {reason}");
                continue;
            }
        };
        let mut picture = image::load_from_memory(&drawn.image)?;
        if picture.width().max(picture.height()) > 320 {
            picture = picture.thumbnail(320, 320);
        }
        let (w, h) = (picture.width(), picture.height());
        if x + w + 4 > sheet.width() {
            (x, y, row) = (4, y + row + 4, 0);
        }
        if y + h + 4 > sheet.height() {
            break;
        }
        let white = RgbaImage::from_pixel(w, h, Rgba([255; 4]));
        for layer in [white, picture.to_rgba8()] {
            overlay(&mut sheet, &layer, i64::from(x), i64::from(y));
        }
        println!(
            "({x}, {y}) {} -> {}  [{:?}] {}",
            drawn.question, drawn.answer, drawn.truth, drawn.source
        );
        x += w + 4;
        row = row.max(h);
    }
    sheet.save(out).context("cannot write the sheet")
}
