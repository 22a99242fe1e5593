//! Small packages of the form of the real ones, for tests.

use std::io::{Cursor, Write};
use std::path::Path;

use drawing::Package;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::{ImageFormat, Rgb, RgbImage};
use tempfile::TempDir;

/// Packages in a folder that goes with them.
pub(crate) struct Fixture {
    _folder: TempDir,
    pub gcompris: Package,
    pub icons: Package,
    pub emoji: Package,
    pub flags: Package,
    pub countries: Package,
    pub manual: Package,
    pub font: Package,
}

/// Writes them.
pub(crate) fn packages() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let package = |name: &str, files: &[(&str, &[u8])]| {
        let root = folder.path().join(name);
        for (path, bytes) in files {
            write(&root.join(path), bytes);
        }
        Package {
            name: name.to_owned(),
            root,
            licence: "CC0-1.0".to_owned(),
        }
    };
    let (cat, hammer) = (
        picture(40, 30, [200, 90, 10], ImageFormat::WebP),
        picture(30, 40, [90; 3], ImageFormat::WebP),
    );
    let readme = "License: Public Domain\nFiles:\ncat.webp\nburj.webp\n\nLicense: CC0-1.0\n\
        Files: hammer2.webp\n\nLicense: CC-BY-3.0\nFiles: owl.webp\n";
    let files: [(&str, &[u8]); 5] = [
        (
            "a/monuments/README",
            b"License: CC0-1.0\nFiles: burj.webp\n",
        ),
        ("a/monuments/burj.webp", &cat),
        ("a/things/README", readme.as_bytes()),
        ("a/things/cat.webp", &cat),
        ("a/things/hammer2.webp", &hammer),
    ];
    let resources = qt_resources(3, &files);
    let owl = qt_resources(2, &[("b/owl.webp", &cat)]);
    let icons = r##"{"prefix":"x","width":8,"height":8,"icons":{
        "anchor":{"body":"<rect width=\"6\" height=\"6\" fill=\"#222\"/>"},
        "automobile":{"body":"<circle cx=\"4\" cy=\"4\" r=\"3\" fill=\"#c00\"/>"},
        "zebra":{"body":"<path d=\"M0 0h8v8z\"/>"}}}"##;
    let emoji = r#"[
        {"name":"ANCHOR","image":"1.png","short_names":["anchor"],"category":"Objects","has_img_google":true},
        {"name":"AUTOMOBILE","image":"2.png","short_names":["car","red_car"],"category":"Objects","has_img_google":true},
        {"name":"Monaco Flag","image":"3.png","short_names":["flag-mc"],"category":"Flags","has_img_google":true},
        {"name":"Chad Flag","image":"3.png","short_names":["flag-td"],"category":"Flags","has_img_google":true}]"#;
    let png = picture(64, 64, [10, 120, 60], ImageFormat::Png);
    let svg = |colour: &str| {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 6 4\">\
             <rect width=\"6\" height=\"4\" fill=\"{colour}\"/></svg>"
        )
    };
    let country = |code: &str, name: &str| {
        format!("{{\"code\":\"{code}\",\"name\":\"{name}\",\"iso\":true}}")
    };
    let countries = [
        country("mc", "Monaco"),
        country("id", "Indonesia"),
        country("td", "Chad"),
        country("us", "United States of America"),
        country("bv", "Bouvet Island"),
    ];
    let page = "<html><body><h1>Building</h1><p>The archive holds several packages that depend on \
        each other in many ways.</p><p>Every package has a maintainer whose name is known.</p>\
        <span class=\"math notranslate\">\\(\\frac{1}{2} &lt; x^2\\)</span>\
        <div class=\"math\">\n\\[a_1 + b_2 = c.\\]</div><span class=\"math\">\\(x\\)</span></body></html>";
    Fixture {
        gcompris: package("gcompris", &[("a.rcc", &resources), ("b.rcc", &owl)]),
        icons: package("icons", &[("package/icons.json", icons.as_bytes())]),
        emoji: package(
            "emoji",
            &[
                ("package/emoji.json", emoji.as_bytes()),
                ("package/img/google/64/1.png", &png),
                ("package/img/google/64/2.png", &png),
                ("package/img/google/64/3.png", &png),
            ],
        ),
        flags: package(
            "flags",
            &[
                ("package/svg/mc.svg", svg("#c00").as_bytes()),
                ("package/3x2/US.svg", svg("#00c").as_bytes()),
                ("package/3x2/EU.svg", svg("#00f").as_bytes()),
                ("package/other/td.svg", svg("#0c0").as_bytes()),
            ],
        ),
        countries: package(
            "countries",
            &[(
                "package/country.json",
                format!("[{}]", countries.join(",")).as_bytes(),
            )],
        ),
        manual: package(
            "manual",
            &[
                ("one.html", page.as_bytes()),
                ("html/_images/bessel.png", &png),
            ],
        ),
        font: {
            let letters = ratex_katex_fonts::ttf_bytes("KaTeX_Main-Regular.ttf").unwrap();
            package("font", &[("Main.ttf", &letters)])
        },
        _folder: folder,
    }
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn picture(width: u32, height: u32, colour: [u8; 3], format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_fn(width, height, |x, _| {
        Rgb(colour.map(|c| c.saturating_add(x as u8)))
    });
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
}

pub(crate) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Resources with these files, sorted by path; those of more than eight bytes are compressed.
pub(crate) fn qt_resources(version: u32, files: &[(&str, &[u8])]) -> Vec<u8> {
    // Folders before what is in them, each level's children side by side.
    struct Node<'a> {
        name: &'a str,
        file: Option<&'a [u8]>,
        children: Vec<Node<'a>>,
    }
    fn children<'a>(files: &[(&'a str, &'a [u8])]) -> Vec<Node<'a>> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut rest = files;
        while let Some((path, bytes)) = rest.first() {
            let (name, folder) = path
                .split_once('/')
                .map_or((*path, None), |(n, r)| (n, Some(r)));
            let prefix = format!("{name}/");
            let together = match folder {
                Some(_) => rest
                    .iter()
                    .take_while(|(other, _)| other.starts_with(&prefix))
                    .count(),
                None => 1,
            };
            let inner: Vec<_> = rest[..together]
                .iter()
                .filter_map(|(path, bytes)| Some((path.split_once('/')?.1, *bytes)))
                .collect();
            nodes.push(Node {
                name,
                file: folder.is_none().then_some(*bytes),
                children: if folder.is_some() {
                    children(&inner)
                } else {
                    Vec::new()
                },
            });
            rest = &rest[together..];
        }
        nodes
    }
    let root = Node {
        name: "",
        file: None,
        children: children(files),
    };
    let mut order = vec![&root];
    let mut next = 0;
    while next < order.len() {
        let node = order[next];
        order.extend(&node.children);
        next += 1;
    }
    let (mut tree, mut names, mut data) = (Vec::new(), Vec::new(), Vec::new());
    let mut first_child = 1u32;
    for node in order {
        tree.extend((names.len() as u32).to_be_bytes());
        let letters: Vec<u16> = node.name.encode_utf16().collect();
        names.extend((letters.len() as u16).to_be_bytes());
        names.extend([0; 4]);
        names.extend(letters.iter().flat_map(|unit| unit.to_be_bytes()));
        match node.file {
            None => {
                tree.extend(2u16.to_be_bytes());
                tree.extend((node.children.len() as u32).to_be_bytes());
                tree.extend(first_child.to_be_bytes());
                first_child += node.children.len() as u32;
            }
            Some(bytes) => {
                let packed = bytes.len() > 8;
                tree.extend(u16::from(packed).to_be_bytes());
                tree.extend([0; 4]);
                tree.extend((data.len() as u32).to_be_bytes());
                let stored = if packed {
                    [&(bytes.len() as u32).to_be_bytes()[..], &zlib(bytes)].concat()
                } else {
                    bytes.to_vec()
                };
                data.extend((stored.len() as u32).to_be_bytes());
                data.extend(stored);
            }
        }
        if version > 1 {
            tree.extend([0; 8]);
        }
    }
    let header = if version < 3 { 20 } else { 24 };
    let (data_at, names_at) = (header, header + data.len());
    let tree_at = names_at + names.len();
    let mut file = b"qres".to_vec();
    for number in [version, tree_at as u32, data_at as u32, names_at as u32] {
        file.extend(number.to_be_bytes());
    }
    file.resize(header, 0);
    [file, data, names, tree].concat()
}
