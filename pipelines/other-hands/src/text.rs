//! Lines of manuals in typefaces kept out, set by programs of others, on plain, graded and
//! photographed grounds.

use avocet_fetch::Sources;
use drawing::Package;
use image::imageops::overlay;
use image::{DynamicImage, RgbImage};
use presses::{Magick, Studio, script_string};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::asked::{Asked, Made, Maker};
use crate::documentation;
use crate::error::OtherHandsError;
use crate::faces::{FaceFile, Faces};
use crate::files::png;
use crate::grounds::{Ground, ground};
use crate::photographs::{Photograph, free_photographs};

const READ: [&str; 6] = [
    "What does it say?",
    "Read the text.",
    "What is written here?",
    "Transcribe the text.",
    "What text is in the picture?",
    "Read this.",
];
/// Pixels of the letters' size.
const SIZES: std::ops::RangeInclusive<u32> = 18..=56;
/// The ground that a browser stretches behind a line.
const STRETCHED: (u32, u32) = (640, 120);
/// Lines tried for a face before it is given up.
const TRIES: usize = 40;

/// What sets lines of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setter {
    /// A browser.
    Browser,
    /// ImageMagick.
    Magick,
}

/// A set of lines.
pub(crate) struct Text {
    kind: &'static str,
    faces: Vec<FaceFile>,
    lines: Vec<String>,
    photographs: Vec<Photograph>,
    setter: Set,
}

enum Set {
    Browser(Box<Studio>),
    Magick(Magick),
}

impl Text {
    /// Opens typefaces and manuals, and starts what sets them.
    ///
    /// Errors if any of it cannot be had.
    pub fn open(
        faces: Faces,
        setter: Setter,
        sources: &Sources,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, OtherHandsError> {
        let setter = match setter {
            Setter::Browser => Set::Browser(Box::new(Studio::open()?)),
            Setter::Magick => Set::Magick(Magick::find(match faces {
                Faces::Common => "--set text-common-magick",
                Faces::Unseen => "--set text-unseen-magick",
            })?),
        };
        let photographs = free_photographs(&Package::open(sources, "gcompris")?)?;
        Ok(Self {
            kind: faces.kind(),
            faces: faces.open(sources)?,
            lines: documentation::lines(sources, rng)?,
            photographs,
            setter,
        })
    }

    /// The line of that number, or one after it, that the face can show.
    fn line(&self, index: usize, face: &FaceFile) -> Option<&str> {
        let lines = (0..TRIES).map(|step| &self.lines[(index + step * 101) % self.lines.len()]);
        let mut shown = lines.filter(|line| face.face.missing(line).is_none());
        shown.next().map(String::as_str)
    }
}

/// `line` by a browser, on a ground that it stretches.
fn by_browser(
    studio: &Studio,
    line: &str,
    face: &FaceFile,
    (size, ground): (u32, &Ground),
) -> Result<Result<RgbImage, &'static str>, OtherHandsError> {
    let letters = std::fs::read(&face.path).map_err(OtherHandsError::io(&face.path))?;
    let field = png(&ground.picture).map_err(OtherHandsError::picture("the ground"))?;
    let [r, g, b] = ground.ink;
    let page = format!(
        "<style>@font-face{{font-family:F;src:url(face)}}body{{margin:0}}\
         #t{{display:inline-block;white-space:pre;font:{size}px F;padding:.4em .6em;\
         color:rgb({r},{g},{b});background:url(ground.png) center/cover}}</style><div id=t></div>\
         <script>t.textContent={};document.fonts.load('{size}px F').then(found=>{{\
         if(found.length)t.setAttribute('data-fact','shown')}},()=>0)</script>",
        script_string(line)
    );
    Ok(studio.picture(&[("face", &letters), ("ground.png", &field)], &page, 0.0)?)
}

/// `line` by ImageMagick, laid on a ground.
fn by_magick(
    magick: &Magick,
    line: &str,
    face: &FaceFile,
    size: u32,
    (photographs, rng): (&[Photograph], &mut ChaCha8Rng),
) -> Result<Result<RgbImage, &'static str>, OtherHandsError> {
    // The ground is as large as the letters and a margin, and the letters' colour depends on it.
    let letters = match magick.letters(line, &face.path, (size, [0; 3]))? {
        Ok(letters) => letters,
        Err(reason) => return Ok(Err(reason)),
    };
    let margin = size / 2;
    let (width, height) = (letters.width() + 2 * margin, letters.height() + margin);
    let Ground { picture, ink } = ground((width, height), photographs, rng);
    let letters = match magick.letters(line, &face.path, (size, ink))? {
        Ok(letters) => letters,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut whole = DynamicImage::ImageRgb8(picture).to_rgba8();
    overlay(
        &mut whole,
        &letters,
        i64::from(margin),
        i64::from(margin / 2),
    );
    Ok(Ok(DynamicImage::ImageRgba8(whole).to_rgb8()))
}

impl Maker for Text {
    fn len(&self) -> usize {
        self.lines.len()
    }

    fn tool(&self) -> Option<&str> {
        Some(match &self.setter {
            Set::Browser(studio) => &studio.version,
            Set::Magick(magick) => &magick.version,
        })
    }

    fn make(&self, index: usize, rng: &mut ChaCha8Rng) -> Result<Made, OtherHandsError> {
        let face = &self.faces[index % self.faces.len()];
        let Some(line) = self.line(index, face) else {
            return Ok(Made::Unfit("the face lacks characters of every line"));
        };
        let line = &match face.is_of_one_case() {
            true => line.to_uppercase(),
            false => line.to_owned(),
        };
        let size = rng.random_range(SIZES);
        let set = match &self.setter {
            Set::Browser(studio) => {
                let ground = ground(STRETCHED, &self.photographs, rng);
                by_browser(studio, line, face, (size, &ground))?
            }
            Set::Magick(magick) => by_magick(magick, line, face, size, (&self.photographs, rng))?,
        };
        let picture = match set {
            Ok(picture) => png(&picture).map_err(OtherHandsError::picture(line))?,
            Err(reason) => return Ok(Made::Unfit(reason)),
        };
        let question = *READ.choose(rng).expect("there are wordings");
        Ok(Made::Asked(vec![Asked {
            kind: self.kind,
            source: face.face.family.clone(),
            licence: face.face.licence.clone(),
            picture,
            question: question.to_owned(),
            answers: vec![line.to_owned()],
            spelled: true,
        }]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faces::face;
    use crate::fixture;
    use rand::SeedableRng;

    #[test]
    fn a_browser_sets_a_line_of_a_manual_in_the_face_that_is_given() {
        let fixture = fixture::packages();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let set = Text {
            kind: "text-common",
            faces: vec![face(&fixture.font, "Main").unwrap()],
            lines: vec!["a line".into(), "a longer line of it".into(), "Ω".into()],
            photographs: free_photographs(&fixture.gcompris).unwrap(),
            setter: Set::Browser(Box::new(Studio::open().unwrap())),
        };
        let mut made = |index| {
            let Made::Asked(mut asked) = set.make(index, &mut rng.clone()).unwrap() else {
                panic!("the face has the letters")
            };
            // Another size and ground for the next.
            let _: u32 = rng.random();
            asked.remove(0)
        };
        let (short, long) = (made(0), made(1));
        assert_eq!((short.answers[0].as_str(), short.spelled), ("a line", true));
        let wide = |asked: &Asked| {
            let picture = image::load_from_memory(&asked.picture).unwrap().to_rgb8();
            f64::from(picture.width()) / f64::from(picture.height())
        };
        assert!(
            wide(&long) > 2.0 * wide(&short),
            "{} {}",
            wide(&long),
            wide(&short)
        );
        // What the face cannot show is passed over.
        assert_eq!(set.line(2, &set.faces[0]), Some("a longer line of it"));
        let again = || set.make(1, &mut ChaCha8Rng::seed_from_u64(9)).unwrap();
        let (Made::Asked(one), Made::Asked(other)) = (again(), again()) else {
            panic!("the same line twice")
        };
        assert!(one == other);
    }
}
