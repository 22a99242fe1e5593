//! Formulas of a manual of mathematics, set by KaTeX, MathJax, matplotlib and TeX: the same ones by
//! each, and an answer in the one normal form.

use avocet_fetch::Sources;
use drawing::Package;
use image::{Rgb, RgbImage};
use presses::{Matplotlib, Studio, Tex, script_string};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::asked::{Asked, Made, Maker};
use crate::documentation;
use crate::error::OtherHandsError;
use crate::files::png;

const WRITE: [&str; 5] = [
    "Write this formula as LaTeX.",
    "What is this formula in LaTeX?",
    "Convert the formula to LaTeX.",
    "Transcribe this equation as LaTeX.",
    "Give the LaTeX of this formula.",
];
/// Families of mathematical typefaces of matplotlib.
const FAMILIES: [&str; 3] = ["cm", "stix", "dejavusans"];
/// White around a formula, in pixels.
const MARGIN: u32 = 12;

/// A set of formulas.
pub(crate) struct Formulas {
    manual: Package,
    formulas: Vec<String>,
    press: Press,
}

/// What sets them.
enum Press {
    Katex(Studio),
    Mathjax(Studio),
    Matplotlib(Matplotlib),
    Tex(Tex),
}

impl Formulas {
    /// By KaTeX in a browser.
    ///
    /// Errors if a package or the browser cannot be had.
    pub fn katex(sources: &Sources, rng: &mut ChaCha8Rng) -> Result<Self, OtherHandsError> {
        let studio = Studio::open()?;
        let katex = Package::open(sources, "katex")?;
        let files = katex.files(&["katex.min.js", "katex.min.css", ".woff2"])?;
        for member in &files {
            if let Some(name) = member.strip_prefix("package/dist/") {
                studio.put(name, &katex.read(member)?)?;
            }
        }
        Self::new(Press::Katex(studio), sources, rng)
    }

    /// By MathJax in a browser.
    ///
    /// Errors if a package or the browser cannot be had.
    pub fn mathjax(sources: &Sources, rng: &mut ChaCha8Rng) -> Result<Self, OtherHandsError> {
        let studio = Studio::open()?;
        let mathjax = Package::open(sources, "mathjax")?;
        studio.put(
            "tex-svg-full.js",
            &mathjax.read("package/es5/tex-svg-full.js")?,
        )?;
        Self::new(Press::Mathjax(studio), sources, rng)
    }

    /// By matplotlib.
    ///
    /// Errors if it is not on the machine, or the package cannot be had.
    pub fn matplotlib(sources: &Sources, rng: &mut ChaCha8Rng) -> Result<Self, OtherHandsError> {
        let matplotlib = Matplotlib::find("--set formulas-matplotlib")?;
        Self::new(Press::Matplotlib(matplotlib), sources, rng)
    }

    /// By TeX.
    ///
    /// Errors if it is not on the machine, or the package cannot be had.
    pub fn tex(sources: &Sources, rng: &mut ChaCha8Rng) -> Result<Self, OtherHandsError> {
        Self::new(Press::Tex(Tex::find("--set formulas-tex")?), sources, rng)
    }

    fn new(press: Press, sources: &Sources, rng: &mut ChaCha8Rng) -> Result<Self, OtherHandsError> {
        let (manual, formulas) = documentation::mathematics(sources, rng)?;
        Ok(Self {
            manual,
            formulas,
            press,
        })
    }
}

/// A page that has KaTeX set a formula; marked once it has.
fn katex_page(formula: &str, size: u32) -> String {
    format!(
        "<link rel=stylesheet href=katex.min.css><script src=katex.min.js></script>\
         <style>body{{margin:24px}}#f{{display:inline-block;font-size:{size}px}}\
         .katex-display{{margin:0}}</style><div id=f></div><script>try{{\
         katex.render({},f,{{displayMode:true,throwOnError:true,output:'html'}});\
         document.fonts.ready.then(()=>f.setAttribute('data-fact','shown'))}}catch(e){{}}</script>",
        script_string(formula)
    )
}

/// The same by MathJax.
fn mathjax_page(formula: &str, size: u32) -> String {
    format!(
        "<style>body{{margin:24px}}#f{{display:inline-block;font-size:{size}px}}\
         mjx-container[display]{{margin:0!important}}</style><div id=f></div><script>\
         MathJax={{startup:{{typeset:false,ready(){{MathJax.startup.defaultReady();\
         const n=MathJax.tex2svg({},{{display:true}});f.append(n);\
         document.head.append(MathJax.svgStylesheet());\
         if(!n.querySelector('[data-mjx-error]'))f.setAttribute('data-fact','shown')}}}}}}</script>\
         <script src=tex-svg-full.js></script>",
        script_string(formula)
    )
}

fn with_margin(picture: &RgbImage) -> RgbImage {
    let (width, height) = (picture.width() + 2 * MARGIN, picture.height() + 2 * MARGIN);
    let mut whole = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    image::imageops::replace(&mut whole, picture, i64::from(MARGIN), i64::from(MARGIN));
    whole
}

impl Maker for Formulas {
    fn len(&self) -> usize {
        self.formulas.len()
    }

    fn tool(&self) -> Option<&str> {
        Some(match &self.press {
            Press::Katex(studio) | Press::Mathjax(studio) => &studio.version,
            Press::Matplotlib(matplotlib) => &matplotlib.version,
            Press::Tex(tex) => &tex.version,
        })
    }

    fn make(&self, index: usize, rng: &mut ChaCha8Rng) -> Result<Made, OtherHandsError> {
        let formula = &self.formulas[index];
        let size = rng.random_range(20..=40);
        let set = match &self.press {
            Press::Katex(studio) => {
                studio.picture(&[], &katex_page(formula, size), f64::from(MARGIN))?
            }
            Press::Mathjax(studio) => {
                studio.picture(&[], &mathjax_page(formula, size), f64::from(MARGIN))?
            }
            Press::Matplotlib(matplotlib) => {
                let family = *FAMILIES.choose(rng).expect("there are families");
                let set = matplotlib.formula(formula, (size * 3 / 4, family))?;
                set.map(|picture| with_margin(&picture))
            }
            // Ten points of the document's type at so many dots an inch.
            Press::Tex(tex) => {
                let set = tex.formula(formula, size * 7)?;
                set.map(|picture| with_margin(&picture))
            }
        };
        let picture = match set {
            Ok(picture) => png(&picture).map_err(OtherHandsError::picture(formula))?,
            Err(reason) => return Ok(Made::Unfit(reason)),
        };
        let question = *WRITE.choose(rng).expect("there are wordings");
        Ok(Made::Asked(vec![Asked {
            kind: "formula",
            source: self.manual.name.clone(),
            licence: self.manual.licence.clone(),
            picture,
            question: question.to_owned(),
            answers: vec![formulas::normalise(formula)],
            spelled: false,
        }]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn no_formula_ends_the_script_it_stands_in() {
        for page in [
            katex_page("a</script><b>", 20),
            mathjax_page("a</script><b>", 20),
        ] {
            assert!(!page.contains("</script><b>"), "{page}");
        }
    }

    #[test]
    fn what_a_press_sets_is_asked_for_in_normal_form_and_what_it_does_not_is_said() {
        let fixture = crate::fixture::packages();
        let studio = Studio::open().unwrap();
        // Stands in for KaTeX: shows the source, and refuses what is spoilt.
        let katex = b"katex={render(t,e){if(t.includes('spoilt'))throw 1;e.textContent=t}}";
        studio.put("katex.min.js", katex).unwrap();
        let set = Formulas {
            formulas: vec!["\\dfrac 12 + x^{2}".into(), "\\spoilt".into()],
            manual: fixture.manual,
            press: Press::Katex(studio),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let Made::Asked(asked) = set.make(0, &mut rng).unwrap() else {
            panic!("it is set")
        };
        assert_eq!(asked[0].answers, ["\\frac{1}{2}+x^2"]);
        assert!(image::load_from_memory(&asked[0].picture).is_ok());
        let spoilt = set.make(1, &mut rng).unwrap();
        assert!(matches!(
            spoilt,
            Made::Unfit("the browser does not show it")
        ));
    }

    #[test]
    fn a_formula_stands_in_the_middle_of_white() {
        let whole = with_margin(&RgbImage::from_pixel(3, 2, Rgb([0; 3])));
        assert_eq!(whole.dimensions(), (3 + 2 * MARGIN, 2 + 2 * MARGIN));
        assert_eq!(whole.get_pixel(MARGIN, MARGIN).0, [0; 3]);
        assert_eq!(whole.get_pixel(0, 0).0, [255; 3]);
    }
}
