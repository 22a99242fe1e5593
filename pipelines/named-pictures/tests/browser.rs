//! Lines that a browser sets: what is cut out of its page is the line, and the same each time.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use drawing::Package;
use named_pictures::{Drawing, Drawn, Kind, PictureGenerator};
use pipeline::Split;

fn packages(folder: &Path) -> Result<Vec<Package>> {
    let write = |path: &str, bytes: &[u8]| -> Result<()> {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().context("a file in a folder")?)?;
        Ok(fs::write(path, bytes)?)
    };
    write("words/usr/share/dict/american-english", b"apple\nriver\n")?;
    let entry = b"03 03 n 01 oak_tree 0 000 | a tall plant of wood\n";
    write("wordnet/usr/share/wordnet/data.noun", entry)?;
    for name in ["verb", "adj", "adv"] {
        write(&format!("wordnet/usr/share/wordnet/data.{name}"), b"")?;
    }
    let font =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/ComicNeue-Regular.otf");
    write("fonts/ComicNeue-Regular.otf", &fs::read(font)?)?;
    let package = |name: &str| Package {
        name: name.to_owned(),
        root: folder.join(name),
        licence: "CC0-1.0".to_owned(),
    };
    Ok(["words", "wordnet", "fonts"].map(package).to_vec())
}

fn page(generator: &PictureGenerator, index: usize) -> Result<Vec<Drawn>> {
    match generator.draw(3, index)? {
        Drawing::Several(drawn) => Ok(drawn),
        other => bail!("{other:?}"),
    }
}

#[test]
fn a_page_of_lines_is_cut_into_pictures_of_one_line_each() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let packages = packages(folder.path())?;
    let generator = PictureGenerator::load(Kind::TextBrowser, Split::Train, 60, &packages)?;
    let drawn = page(&generator, 0)?;
    assert!(drawn.len() > 25, "{}", drawn.len());
    for one in &drawn {
        let picture = image::load_from_memory(&one.image)?.to_rgb8();
        let (width, height) = picture.dimensions();
        // Letters are there: more than one colour, and the longer the line the wider the picture.
        let first = picture.get_pixel(0, 0);
        assert!(
            picture.pixels().any(|pixel| pixel != first),
            "{}",
            one.answer
        );
        let length = one.answer.chars().count() as f32;
        let wide = width as f32 / height as f32;
        assert!(wide > 0.08 * length, "{}: {width} x {height}", one.answer);
    }
    assert_eq!(drawn, page(&generator, 0)?);
    assert_ne!(drawn, page(&generator, 1)?);
    Ok(())
}
