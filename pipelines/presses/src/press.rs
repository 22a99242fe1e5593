//! The four programs that set formulas, asked alike: many formulas in one of a program's typefaces,
//! black on white.

use avocet_fetch::Sources;
use drawing::Package;
use image::RgbImage;

use crate::error::{PressError, Wanted};
use crate::matplotlib::{FAMILIES, Matplotlib};
use crate::picture::Drawn;
use crate::sheet::{Asked, WINDOW, katex_page, mathjax_page};
use crate::studio::Studio;
use crate::tex::Tex;

/// Why there is nothing of a formula that its page does not show.
const UNSHOWN: &str = "the browser does not show all of it";
/// TeX's documents are set in ten points.
const TEX_POINTS: f64 = 10.0;
/// Points of TeX in an inch.
const TEX_INCH: f64 = 72.27;
/// Points of matplotlib in an inch, and its dots.
const INCH: (f64, f64) = (72.0, 100.0);

/// Which program sets formulas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renderer {
    /// KaTeX in a browser.
    Katex,
    /// MathJax in a browser.
    Mathjax,
    /// matplotlib.
    Matplotlib,
    /// TeX.
    Tex,
}

impl Renderer {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Katex, Self::Mathjax, Self::Matplotlib, Self::Tex];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Katex => "katex",
            Self::Mathjax => "mathjax",
            Self::Matplotlib => "matplotlib",
            Self::Tex => "tex",
        }
    }

    /// The licence of the typefaces it brings.
    pub fn licence(self) -> &'static str {
        match self {
            Self::Katex => "OFL-1.1",
            Self::Mathjax => "Apache-2.0",
            Self::Matplotlib => "LicenseRef-matplotlib AND OFL-1.1 AND Bitstream-Vera",
            Self::Tex => "OFL-1.1 AND LPPL-1.3c",
        }
    }

    fn wanted(self) -> Wanted {
        match self {
            Self::Katex => "--renderer katex",
            Self::Mathjax => "--renderer mathjax",
            Self::Matplotlib => "--renderer matplotlib",
            Self::Tex => "--renderer tex",
        }
    }
}

/// A program that was found.
#[derive(Debug)]
pub struct Press {
    /// Which it is.
    pub renderer: Renderer,
    program: Program,
}

#[derive(Debug)]
enum Program {
    Browser(Box<Studio>),
    Matplotlib(Matplotlib),
    Tex(Tex),
}

/// A browser that has KaTeX's files, or MathJax's.
pub(crate) fn studio(renderer: Renderer, sources: &Sources) -> Result<Studio, PressError> {
    let studio = Studio::patient()?;
    if renderer == Renderer::Mathjax {
        let mathjax = Package::open(sources, "mathjax")?;
        let script = mathjax.read("package/es5/tex-svg-full.js")?;
        studio.put("tex-svg-full.js", &script)?;
        return Ok(studio);
    }
    let katex = Package::open(sources, "katex")?;
    for member in &katex.files(&["katex.min.js", "katex.min.css", ".woff2"])? {
        if let Some(name) = member.strip_prefix("package/dist/") {
            studio.put(name, &katex.read(member)?)?;
        }
    }
    Ok(studio)
}

impl Press {
    /// Looks for the program.
    ///
    /// Errors if it is not on the machine, or its package cannot be had.
    pub fn open(renderer: Renderer, sources: &Sources) -> Result<Self, PressError> {
        let program = match renderer {
            Renderer::Katex | Renderer::Mathjax => {
                Program::Browser(Box::new(studio(renderer, sources)?))
            }
            Renderer::Matplotlib => Program::Matplotlib(Matplotlib::find(renderer.wanted())?),
            Renderer::Tex => Program::Tex(Tex::find(renderer.wanted())?),
        };
        Ok(Self { renderer, program })
    }

    /// What it says of itself, with its typefaces, as the bytes depend on both.
    pub fn version(&self) -> String {
        let version = match &self.program {
            Program::Browser(studio) => &studio.version,
            Program::Matplotlib(matplotlib) => &matplotlib.version,
            Program::Tex(tex) => &tex.version,
        };
        format!("{version} ({})", self.typefaces().join(", "))
    }

    /// The typefaces that it sets formulas in.
    pub fn typefaces(&self) -> Vec<&'static str> {
        match &self.program {
            Program::Browser(_) => vec![self.renderer.name()],
            Program::Matplotlib(_) => FAMILIES.to_vec(),
            Program::Tex(tex) => tex.typefaces.iter().map(|face| face.name).collect(),
        }
    }

    /// Formulas in the typeface of that number, or why there is none of one. TeX sets all in the size
    /// of the first.
    ///
    /// Errors if the program fails for good.
    pub fn set(&self, asked: &[Asked], typeface: usize) -> Result<Vec<Drawn>, PressError> {
        match &self.program {
            Program::Browser(studio) => {
                let page = match self.renderer {
                    Renderer::Mathjax => mathjax_page(asked),
                    _ => katex_page(asked),
                };
                let found = match studio.pictures(&page, WINDOW)? {
                    Ok(found) => found,
                    Err(reason) => return Ok(vec![Err(reason); asked.len()]),
                };
                Ok(by_number(found, asked.len()))
            }
            Program::Matplotlib(matplotlib) => {
                let points = |size: f64| size * INCH.0 / INCH.1;
                let formula = |one: &Asked| (for_matplotlib(&one.latex), points(one.size));
                let formulas: Vec<_> = asked.iter().map(formula).collect();
                matplotlib.formulas(&formulas, FAMILIES[typeface % FAMILIES.len()])
            }
            Program::Tex(tex) => {
                let size = asked.first().map_or(TEX_POINTS, |one| one.size);
                let dots = (size * TEX_INCH / TEX_POINTS).round() as u32;
                let formula = |one: &Asked| (one.latex.clone(), one.inline);
                let formulas: Vec<_> = asked.iter().map(formula).collect();
                let typeface = &tex.typefaces[typeface % tex.typefaces.len()];
                tex.formulas(&formulas, (dots, typeface))
            }
        }
    }
}

/// What was found, in the order of the numbers it is marked with.
fn by_number(found: Vec<(String, RgbImage)>, count: usize) -> Vec<Drawn> {
    let mut drawn: Vec<Drawn> = vec![Err(UNSHOWN); count];
    for (mark, picture) in found {
        let number = mark.parse::<usize>().ok();
        if let Some(one) = number.and_then(|number| drawn.get_mut(number)) {
            *one = Ok(picture);
        }
    }
    drawn
}

/// matplotlib has no text in formulas: a word in upright letters looks the same.
fn for_matplotlib(latex: &str) -> String {
    let mut out = String::with_capacity(latex.len());
    let mut parts = latex.split("\\text{");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let word = part.split('}').next().unwrap_or_default();
        let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric());
        // What is not one word stays, and is refused.
        out.push_str(if is_word { "\\mathrm{" } else { "\\text{" });
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_sets_comes_back_in_its_order_and_what_it_refuses_does_not() {
        let studio = Studio::open().unwrap();
        // Stands in for KaTeX: shows the source, and refuses what is spoilt.
        let katex = b"katex={render(t,e){if(t.includes('spoilt'))throw 1;e.textContent=t}}";
        studio.put("katex.min.js", katex).unwrap();
        let press = Press {
            renderer: Renderer::Katex,
            program: Program::Browser(Box::new(studio)),
        };
        let one = |latex: &str, size| Asked {
            latex: latex.into(),
            size,
            inline: false,
        };
        let asked = [one("x", 20.0), one("spoilt", 20.0), one("x", 40.0)];
        let drawn = press.set(&asked, 0).unwrap();
        let height = |drawn: &Drawn| drawn.as_ref().map(RgbImage::height).map_err(|why| *why);
        assert_eq!(height(&drawn[1]), Err(UNSHOWN));
        let (small, large) = (height(&drawn[0]).unwrap(), height(&drawn[2]).unwrap());
        assert!(small + 15 < large, "{small} {large}");
        let inked = |drawn: &Drawn| {
            drawn
                .as_ref()
                .is_ok_and(|p| p.pixels().any(|p| p.0[0] < 99))
        };
        assert!(inked(&drawn[0]) && inked(&drawn[2]));
    }

    #[test]
    fn a_word_is_upright_for_matplotlib_and_a_sentence_stays_text() {
        assert_eq!(for_matplotlib("x_{\\text{max}}"), "x_{\\mathrm{max}}");
        assert_eq!(for_matplotlib("\\text{if } x"), "\\text{if } x");
    }
}
