//! Small packages for tests: two flags, three emoji, one font, a few words and questions.

use std::fs;
use std::path::{Path, PathBuf};

use drawing::{Canvas, Package};
use pipeline::Split;
use tempfile::TempDir;

use crate::generator::PictureGenerator;
use crate::kinds::Kind;

/// Packages in a folder of their own, removed afterwards.
pub struct Fixture {
    folder: TempDir,
}

const COUNTRIES: &str = r#"[
  {"code": "aa", "name": "Redland", "continent": "Asia", "flag_4x3": "flags/4x3/aa.svg", "iso": true},
  {"code": "bb", "name": "Isle of Blue", "continent": "Oceania", "flag_4x3": "flags/4x3/bb.svg", "iso": true},
  {"code": "bc", "name": "Blue Rock", "flag_4x3": "flags/4x3/bb.svg", "iso": true},
  {"code": "un", "name": "All of Us", "flag_4x3": "flags/4x3/bb.svg", "iso": false}
]"#;

const EMOJI: &str = r#"[
  {"image": "a.png", "short_names": ["red_ball"], "category": "Objects", "has_img_google": true},
  {"image": "b.png", "short_names": ["+1", "thumbsup"], "category": "People", "has_img_google": true},
  {"image": "a.png", "short_names": ["ball-again"], "category": "Objects", "has_img_google": true},
  {"image": "b.png", "short_names": ["u6307"], "category": "Symbols", "has_img_google": true},
  {"image": "b.png", "short_names": ["flag-va"], "category": "Flags", "has_img_google": true}
]"#;

const QUESTIONS: &str =
    r#"[["what color is the circle?", "red", 0], ["is there a triangle?", "yes", 1]]"#;

/// Writes the packages.
pub fn packages() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, bytes: &[u8]| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    write("flag-icons/package/country.json", COUNTRIES.as_bytes());
    for (code, field, disc) in [("aa", "#f00", "#fff"), ("bb", "#00f", "#ff0")] {
        let drawing = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 480">
            <path fill="{field}" d="M0 0h640v480H0z"/><circle cx="320" cy="240" r="140" fill="{disc}"/>
            </svg>"#
        );
        write(
            &format!("flag-icons/package/flags/4x3/{code}.svg"),
            drawing.as_bytes(),
        );
    }
    write("emoji-google/package/emoji.json", EMOJI.as_bytes());
    for (name, colour) in [("a", [250, 0, 0]), ("b", [0, 90, 200])] {
        let picture = Canvas::filled(64, 64, colour).to_png().unwrap();
        write(
            &format!("emoji-google/package/img/google/64/{name}.png"),
            &picture,
        );
    }
    write(
        "easy-vqa/easy_vqa/data/train/questions.json",
        QUESTIONS.as_bytes(),
    );
    write(
        "easy-vqa/easy_vqa/data/test/questions.json",
        QUESTIONS.as_bytes(),
    );
    for split in ["train", "test"] {
        for image in 0..2u8 {
            let picture = Canvas::filled(64, 64, [image; 3]).to_png().unwrap();
            write(
                &format!("easy-vqa/easy_vqa/data/{split}/images/{image}.png"),
                &picture,
            );
        }
    }
    write(
        "american-english/usr/share/dict/american-english",
        b"apple\nriver\nstone\nna\xc3\xafve\n",
    );
    let entry =
        b"  1 a licence\n03 03 n 02 tree 0 oak_tree 0 001 @ 01 n 0000 | a tall plant of wood\n";
    write("wordnet/usr/share/wordnet/data.noun", entry);
    for name in ["verb", "adj", "adv"] {
        write(&format!("wordnet/usr/share/wordnet/data.{name}"), b"");
    }
    let font =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/ComicNeue-Regular.otf");
    write(
        "fonts-comic-neue/ComicNeue-Regular.otf",
        &fs::read(font).unwrap(),
    );
    Fixture { folder }
}

impl Fixture {
    /// Where the packages lie, and where a test may write.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }

    /// One package.
    pub fn package(&self, name: &str) -> Package {
        let root = self.folder.path().join(name);
        Package {
            name: name.to_owned(),
            root,
            licence: "CC0-1.0".to_owned(),
        }
    }

    /// What draws each kind that the split has, the text in one font.
    pub fn generators(&self, split: Split) -> Vec<PictureGenerator> {
        let of = |kind: Kind| {
            let fonts = |name: &&str| name.starts_with("fonts-");
            let mut packages: Vec<Package> = kind
                .packages(split)
                .iter()
                .filter(|name| !fonts(name))
                .map(|name| self.package(name))
                .collect();
            if !kind.families(split).is_empty() {
                packages.push(self.package("fonts-comic-neue"));
            }
            PictureGenerator::load(kind, split, 24, &packages).unwrap()
        };
        Kind::ALL
            .into_iter()
            .filter(|kind| kind.has(split) && !kind.needs_browser())
            .map(of)
            .collect()
    }
}
