//! Draws one sheet of pictures of a kind, for people to look at, and says how fast.
//!
//! `cargo run --release -p named-pictures --example contact_sheet -- KIND SPLIT FOLDER OUT.png`

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use drawing::Package;
use image::RgbImage;
use image::imageops::replace;
use named_pictures::{Drawing, Kind, PictureGenerator};
use pipeline::Split;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [kind, split, folder, out] = args.as_slice() else {
        bail!("KIND SPLIT FOLDER-OF-PACKAGES OUT.png");
    };
    let kind = Kind::from_str(kind, true).map_err(anyhow::Error::msg)?;
    let split = Split::from_str(split, true).map_err(anyhow::Error::msg)?;
    let package = |name: &&str| Package {
        name: (*name).to_owned(),
        root: Path::new(folder).join(name),
        licence: "as stated".to_owned(),
    };
    let packages: Vec<Package> = kind.packages().iter().map(package).collect();
    let start = Instant::now();
    let generator = PictureGenerator::load(kind, split, 24, &packages)?;
    eprintln!(
        "loaded in {:.2?}, {} left out",
        start.elapsed(),
        generator.left_out.len()
    );
    for (name, reason) in &generator.left_out {
        eprintln!("  {name}: {reason}");
    }
    let start = Instant::now();
    let many = generator.limit().unwrap_or(3000).min(3000);
    let mut bytes = 0;
    let mut patches = 0;
    for index in 0..many {
        let Drawing::Done(drawn) = generator.draw(1, index)? else {
            continue;
        };
        bytes += drawn.image.len();
        let size = u32::from_be_bytes(drawn.image[16..20].try_into()?).div_ceil(8)
            * u32::from_be_bytes(drawn.image[20..24].try_into()?).div_ceil(8);
        patches += size as usize;
    }
    let took = start.elapsed().as_secs_f64();
    eprintln!(
        "{:.0} samples/s, {} bytes, {} patches each",
        many as f64 / took,
        bytes / many,
        patches / many
    );
    let (mut sheet, mut x, mut y, mut row) = (RgbImage::new(1100, 760), 4, 4, 0);
    for index in 0..many {
        let drawn = match generator.draw(2, index)? {
            Drawing::Done(drawn) => drawn,
            Drawing::Unfit(reason) => {
                println!("unfit: {reason}");
                continue;
            }
        };
        let picture = image::load_from_memory(&drawn.image)?.to_rgb8();
        let (w, h) = picture.dimensions();
        if x + w + 4 > sheet.width() {
            (x, y, row) = (4, y + row + 4, 0);
        }
        if y + h + 4 > sheet.height() {
            break;
        }
        replace(&mut sheet, &picture, i64::from(x), i64::from(y));
        println!(
            "({x}, {y}) {} -> {}  [{:?}] {}",
            drawn.question, drawn.answer, drawn.truth, drawn.source
        );
        x += w + 4;
        row = row.max(h);
    }
    sheet.save(out).context("cannot write the sheet")
}
