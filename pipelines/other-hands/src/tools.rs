//! Programs that set type and that are not on every machine: asked for when a set is made with
//! them, and given what can neither start programs nor open files.

use std::path::Path;
use std::process::Command;

use image::{Rgb, RgbImage, RgbaImage};

use crate::error::OtherHandsError;
use crate::programs::{PATIENCE, run, said};

/// Why there is nothing of a program that says so, or that makes no picture.
const UNSET: &str = "the program does not set it";
/// Why there is nothing of a program that was killed.
const LATE: &str = "the program takes too long";
/// Why a line is not given to ImageMagick.
const MEANING: &str = "ImageMagick gives a sign of it a meaning";
/// ImageMagick takes these for escapes, the names of files and programs, and the numbers of scenes.
const MAGICK_SIGNS: [char; 7] = ['%', '\\', '@', '`', '[', ']', '|'];

/// A picture, or why there is none.
type Drawn = Result<RgbImage, &'static str>;

/// What sets lines of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setter {
    /// A browser.
    Browser,
    /// ImageMagick.
    Magick,
}

/// ImageMagick.
#[derive(Debug)]
pub(crate) struct Magick {
    program: &'static str,
    /// The first line that it says of itself.
    pub version: String,
}

impl Magick {
    /// Looks for it.
    ///
    /// Errors if it is not there.
    pub fn find(set: &'static str) -> Result<Self, OtherHandsError> {
        for program in ["magick", "convert"] {
            let said = said(Command::new(program).arg("-version"));
            let version = said.filter(|said| said.starts_with("Version: ImageMagick"));
            if let Some(version) = version {
                let version = version.lines().next().unwrap_or_default().to_owned();
                return Ok(Self { program, version });
            }
        }
        Err(OtherHandsError::Tool {
            set,
            program: "convert",
            package: "imagemagick",
        })
    }

    /// `line` in a typeface's file, as letters on nothing, or why there are none.
    ///
    /// Errors if it cannot be started.
    pub fn letters(
        &self,
        line: &str,
        face: &Path,
        (points, ink): (u32, [u8; 3]),
    ) -> Result<Result<RgbaImage, &'static str>, OtherHandsError> {
        if has_meaning(line) {
            return Ok(Err(MEANING));
        }
        let [r, g, b] = ink;
        let mut command = Command::new(self.program);
        command
            .args([
                "-background",
                "none",
                "-fill",
                &format!("rgb({r},{g},{b})"),
                "-font",
            ])
            .arg(face)
            .args(["-pointsize", &points.to_string()])
            .args([&format!("label:{line}"), "PNG32:-"]);
        let Some(ended) = run(&mut command, b"", PATIENCE)? else {
            return Ok(Err(LATE));
        };
        let picture = image::load_from_memory(&ended.stdout).ok();
        let picture = picture.filter(|_| ended.success).ok_or(UNSET);
        Ok(picture.map(|picture| picture.to_rgba8()))
    }
}

/// Whether a line has a sign that means something in a label of ImageMagick.
pub(crate) fn has_meaning(line: &str) -> bool {
    line.contains(MAGICK_SIGNS)
}

/// The mathematics of matplotlib.
#[derive(Debug)]
pub(crate) struct Matplotlib {
    python: &'static str,
    settings: tempfile::TempDir,
    /// Its version.
    pub version: String,
}

/// Reads a formula, a size and a family of mathematical typefaces, and writes a PNG file.
const MATHTEXT: &str = "
import io, json, sys
import matplotlib
matplotlib.use('Agg')
from matplotlib import mathtext
from matplotlib.font_manager import FontProperties
asked = json.load(sys.stdin)
matplotlib.rcParams['mathtext.fontset'] = asked['family']
out = io.BytesIO()
mathtext.math_to_image('$' + asked['formula'] + '$', out, dpi=100, format='png',
                       prop=FontProperties(size=asked['points']))
sys.stdout.buffer.write(out.getvalue())
";

impl Matplotlib {
    /// Looks for it.
    ///
    /// Errors if it is not there.
    pub fn find(set: &'static str) -> Result<Self, OtherHandsError> {
        let place = std::env::temp_dir();
        let settings = tempfile::tempdir().map_err(OtherHandsError::io(&place))?;
        // Debian's package belongs to the system's Python, which need not be the first one.
        for python in ["python3", "/usr/bin/python3"] {
            // Isolated: a module is never looked for in the folder that somebody works in.
            let ask = "import matplotlib; print(matplotlib.__version__)";
            if let Some(version) = said(Command::new(python).args(["-I", "-c", ask])) {
                let version = format!("matplotlib {}", version.trim());
                return Ok(Self {
                    python,
                    settings,
                    version,
                });
            }
        }
        Err(OtherHandsError::Tool {
            set,
            program: "matplotlib",
            package: "python3-matplotlib",
        })
    }

    /// A formula, or why there is none: it may not know a part of it.
    ///
    /// Errors if it cannot be started.
    pub fn formula(
        &self,
        formula: &str,
        (points, family): (u32, &str),
    ) -> Result<Drawn, OtherHandsError> {
        let asked = serde_json::json!({"formula": formula, "points": points, "family": family});
        let mut python = Command::new(self.python);
        python
            .args(["-I", "-c", MATHTEXT])
            .env("MPLCONFIGDIR", self.settings.path());
        let Some(ended) = run(&mut python, asked.to_string().as_bytes(), PATIENCE)? else {
            return Ok(Err(LATE));
        };
        Ok(picture(&ended.stdout))
    }
}

/// TeX, and what makes pictures of its pages.
#[derive(Debug)]
pub(crate) struct Tex {
    /// The versions of both.
    pub version: String,
}

impl Tex {
    /// Looks for it.
    ///
    /// Errors if a part of it is not there.
    pub fn find(set: &'static str) -> Result<Self, OtherHandsError> {
        let missing = |program, package| OtherHandsError::Tool {
            set,
            program,
            package,
        };
        let latex = said(Command::new("latex").arg("--version"));
        let latex = latex.ok_or_else(|| missing("latex", "texlive-latex-base"))?;
        let dvipng = said(Command::new("dvipng").arg("--version"));
        let dvipng = dvipng.ok_or_else(|| missing("dvipng", "dvipng"))?;
        let version = versions(&latex, &dvipng);
        Ok(Self { version })
    }

    /// A formula at so many dots an inch, or why there is none: TeX may find a mistake in it.
    ///
    /// Errors if a program cannot be started.
    pub fn formula(&self, formula: &str, dots: u32) -> Result<Drawn, OtherHandsError> {
        let place = std::env::temp_dir();
        let folder = tempfile::tempdir().map_err(OtherHandsError::io(&place))?;
        let source = folder.path().join("formula.tex");
        let text = format!(
            "\\documentclass{{article}}\\usepackage{{amsmath,amssymb}}\\pagestyle{{empty}}\
             \\begin{{document}}$\\displaystyle {formula}$\\end{{document}}\n"
        );
        std::fs::write(&source, text).map_err(OtherHandsError::io(&source))?;
        for mut program in [latex(), dvipng(dots)] {
            match run(program.current_dir(folder.path()), b"", PATIENCE)? {
                None => return Ok(Err(LATE)),
                Some(ended) if !ended.success => return Ok(Err(UNSET)),
                Some(_) => {}
            }
        }
        let file = std::fs::read(folder.path().join("formula.png")).unwrap_or_default();
        Ok(picture(&file))
    }
}

/// The first lines of what two programs say of themselves.
fn versions(one: &str, other: &str) -> String {
    let first = |said: &str| said.lines().next().unwrap_or_default().trim().to_owned();
    format!("{}; {}", first(one), first(other))
}

/// TeX on the file of a formula, which has no business with other files or programs.
fn latex() -> Command {
    let mut latex = Command::new("latex");
    latex.args([
        "-interaction=batchmode",
        "-halt-on-error",
        "-no-shell-escape",
        "formula.tex",
    ]);
    closed(latex)
}

/// What draws TeX's page, without the interpreter that it would have for PostScript in it.
fn dvipng(dots: u32) -> Command {
    let mut dvipng = Command::new("dvipng");
    dvipng.args(["--nogs", "-q", "-T", "tight", "--truecolor"]);
    dvipng.args(["-D", &dots.to_string(), "-o", "formula.png", "formula.dvi"]);
    closed(dvipng)
}

/// Without files outside its folder, as far as TeX's programs ask.
fn closed(mut command: Command) -> Command {
    command.env("openin_any", "p").env("openout_any", "p");
    command
}

fn picture(file: &[u8]) -> Drawn {
    let picture = image::load_from_memory(file).map_err(|_| UNSET)?;
    Ok(on_white(&picture.to_rgba8()))
}

fn on_white(picture: &RgbaImage) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, a] = picture.get_pixel(x, y).0.map(u16::from);
        Rgb([r, g, b].map(|c| ((c * a + 255 * (255 - a) + 127) / 255) as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named_with_its_package() {
        let error = OtherHandsError::Tool {
            set: "formulas-tex",
            program: "dvipng",
            package: "dvipng",
        };
        assert!(error.is_missing_tool());
        let text = error.to_string();
        assert!(
            text.contains("formulas-tex") && text.contains("dvipng"),
            "{text}"
        );
    }

    #[test]
    fn what_is_transparent_is_white() {
        let picture = RgbaImage::from_pixel(2, 1, image::Rgba([9, 9, 9, 0]));
        assert_eq!(on_white(&picture).get_pixel(1, 0).0, [255; 3]);
    }

    #[test]
    fn a_line_with_a_sign_that_means_something_reaches_no_program() {
        let magick = Magick {
            program: "avocet-has-no-such-program",
            version: String::new(),
        };
        let letters = |line| magick.letters(line, Path::new("face"), (20, [0; 3]));
        for line in ["see line [1]", "100 %", "a\\nb", "@file", "|program"] {
            assert_eq!(letters(line).unwrap().unwrap_err(), MEANING, "{line}");
        }
        assert!(letters("a line (of two)").is_err());
    }

    #[test]
    fn what_draws_a_page_runs_no_postscript_and_both_are_closed_in() {
        let arguments = |command: &Command| -> Vec<String> {
            let arguments = command.get_args();
            let text = arguments.map(|argument| argument.to_string_lossy().into_owned());
            text.collect()
        };
        assert!(arguments(&dvipng(200)).contains(&"--nogs".to_owned()));
        assert!(arguments(&latex()).contains(&"-no-shell-escape".to_owned()));
        for command in [latex(), dvipng(200)] {
            let set: Vec<_> = command.get_envs().collect();
            for name in ["openin_any", "openout_any"] {
                assert!(set.contains(&(name.as_ref(), Some("p".as_ref()))), "{name}");
            }
        }
    }

    #[test]
    fn the_versions_of_both_programs_are_told() {
        let version = versions("pdfTeX 3.14\nkpathsea\n", "This is dvipng 1.15 \nmore");
        assert_eq!(version, "pdfTeX 3.14; This is dvipng 1.15");
    }
}
