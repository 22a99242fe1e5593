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
  {"image": "a.png", "short_names": ["red_ball"], "category": "Objects", "has_img_google": true,
   "name": "LARGE RED CIRCLE", "unified": "1F534", "subcategory": "geometric"},
  {"image": "b.png", "short_names": ["+1", "thumbsup"], "category": "People", "has_img_google": true},
  {"image": "a.png", "short_names": ["ball-again"], "category": "Objects", "has_img_google": true},
  {"image": "b.png", "short_names": ["u6307"], "category": "Symbols", "has_img_google": true},
  {"image": "b.png", "short_names": ["flag-va"], "category": "Flags", "has_img_google": true}
]"#;

/// By code the red ball, by name the thumb; the flags of two countries.
const ICONS: &str = r##"{"icons": {
  "red-circle": {"body": "<circle cx='8' cy='8' r='8' fill='#f00'/>"},
  "thumbs-up": {"body": "<path fill='#fc0' d='M2 2h12v12H2z'/>"},
  "aa": {"body": "<path fill='#f00' d='M0 0h16v12H0z'/>", "height": 12},
  "bb": {"body": "<path fill='#00f' d='M0 0h16v12H0z'/>", "height": 12}
}}"##;

const CODES: &str = r#"{"1f534": "red-circle"}"#;

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
    for (file, title, licence) in [
        (
            "animals/pony.svg",
            "Bored Horse",
            "http://web.resource.org/cc/PublicDomain",
        ),
        (
            "animals/robin.svg",
            "robin",
            "http://web.resource.org/cc/PublicDomain",
        ),
        (
            "plants/oak.svg",
            "Oak Tree 3",
            "http://web.resource.org/cc/PublicDomain",
        ),
        // These two names are the test's.
        (
            "animals/pony_35.svg",
            "horses",
            "http://web.resource.org/cc/PublicDomain",
        ),
        (
            "plants/oak_2.svg",
            "oak",
            "http://web.resource.org/cc/PublicDomain",
        ),
        (
            "animals/wasp.svg",
            "horse",
            "http://creativecommons.org/licenses/GPL/2.0/",
        ),
        (
            "animals/gatto.svg",
            "Gatto",
            "http://web.resource.org/cc/PublicDomain",
        ),
    ] {
        let drawing = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="dc" viewBox="0 0 90 90"><metadata>
            <dc:title>{title}</dc:title><license resource="{licence}"/></metadata>
            <path fill="#862" d="M20 30h50v40H20z"/></svg>"##
        );
        let member = format!("openclipart/usr/share/openclipart/svg/{file}");
        write(&member, drawing.as_bytes());
    }
    for (package, icons) in [
        ("icons-icon-park", ICONS),
        ("icons-flat-color", ICONS),
        ("icons-meteocons", ICONS),
        ("flags-flagpack", ICONS),
        ("flags-coreui", ICONS),
        ("emoji-noto", ICONS),
        ("emoji-noto-v1", ICONS),
        ("emoji-fx", ICONS),
        ("emoji-fluent-flat", ICONS),
    ] {
        write(&format!("{package}/package/icons.json"), icons.as_bytes());
        let codes = if package == "emoji-noto" { CODES } else { "{}" };
        write(&format!("{package}/package/chars.json"), codes.as_bytes());
    }
    let mut picture = Vec::new();
    image::codecs::webp::WebPEncoder::new_lossless(&mut picture)
        .encode(&[9; 48 * 48 * 4], 48, 48, image::ExtendedColorType::Rgba8)
        .unwrap();
    write("emoji-fluent-3d/package/assets/1f534.webp", &picture);
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
    write("wordnet/usr/share/wordnet/data.noun", &nouns().0);
    write("wordnet/usr/share/wordnet/index.noun", &nouns().1);
    write(
        "wordnet/usr/share/wordnet/index.adj",
        b"good a 1 0 1 0 00000001\n",
    );
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

/// A few nouns as WordNet has them, and their index: each under another, the frequent ones first.
fn nouns() -> (Vec<u8>, Vec<u8>) {
    // Number, words, what it is a kind of, and its mark.
    let synsets: [(u32, &str, u32, &str); 26] = [
        (1, "object body_part atmospheric_phenomenon", 1, "@"),
        (2, "animal", 1, "@"),
        (3, "person", 1, "@"),
        (4, "plant works", 1, "@"),
        (5, "plant flora", 1, "@"),
        (6, "food", 1, "@"),
        (7, "food solid_food", 1, "@"),
        (8, "vehicle", 1, "@"),
        (9, "tool", 1, "@"),
        (10, "building", 1, "@"),
        (11, "bird", 2, "@"),
        (12, "fish", 2, "@"),
        (13, "insect", 2, "@"),
        (14, "flower", 5, "@"),
        (15, "tree", 5, "@"),
        (16, "musical_instrument", 1, "@"),
        (17, "furniture", 1, "@"),
        (18, "clothing", 1, "@"),
        (19, "horse Equus_caballus", 2, "@"),
        (20, "crane", 3, "@"),
        (21, "crane", 11, "@"),
        (22, "freedom", 99, "@"),
        (23, "oak_tree oak", 15, "@"),
        (24, "robin", 11, "@"),
        (25, "Robin", 3, "@i"),
        (99, "entity", 99, "@"),
    ];
    let (mut data, mut index) = (
        String::from("  1 a licence\n"),
        String::from("  1 a licence\n"),
    );
    let mut meanings: Vec<(String, Vec<u32>)> = Vec::new();
    for (offset, words, above, mark) in synsets {
        let words: Vec<&str> = words.split(' ').collect();
        data += &format!("{offset:08} 03 n {:02x}", words.len());
        for word in words {
            data += &format!(" {word} 0");
            let small = word.to_lowercase();
            match meanings.iter_mut().find(|(known, _)| *known == small) {
                Some((_, places)) => places.push(offset),
                None => meanings.push((small, vec![offset])),
            }
        }
        data += &format!(" 001 {mark} {above:08} n 0000 | what it is\n");
    }
    for (word, places) in meanings {
        let count = places.len();
        index += &format!("{word} n {count} 1 @ {count} 0");
        for place in places {
            index += &format!(" {place:08}");
        }
        index += "  \n";
    }
    (data.into_bytes(), index.into_bytes())
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
