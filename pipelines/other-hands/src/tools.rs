//! Programs that set type and that are not on every machine: asked for when a set is made with
//! them, and started without a shell.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::{Rgb, RgbImage, RgbaImage};

use crate::error::OtherHandsError;

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

    /// `line` in a typeface's file, as letters on nothing; none where it fails.
    ///
    /// Errors if it cannot be started.
    pub fn letters(
        &self,
        line: &str,
        face: &Path,
        (points, ink): (u32, [u8; 3]),
    ) -> Result<Option<RgbaImage>, OtherHandsError> {
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
            // No line has a sign that means something in a label.
            .args([&format!("label:{line}"), "PNG32:-"]);
        let output = run(&mut command)?;
        let picture = image::load_from_memory(&output.stdout).ok();
        let picture = picture.filter(|_| output.status.success());
        Ok(picture.map(|picture| picture.to_rgba8()))
    }
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
            let ask = "import matplotlib; print(matplotlib.__version__)";
            if let Some(version) = said(Command::new(python).args(["-c", ask])) {
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

    /// A formula; none where it knows a part of it not.
    ///
    /// Errors if it cannot be started.
    pub fn formula(
        &self,
        formula: &str,
        (points, family): (u32, &str),
    ) -> Result<Option<RgbImage>, OtherHandsError> {
        let asked = serde_json::json!({"formula": formula, "points": points, "family": family});
        let mut python = Command::new(self.python);
        python
            .args(["-c", MATHTEXT])
            .env("MPLCONFIGDIR", self.settings.path());
        let output = fed(&mut python, asked.to_string().as_bytes())?;
        let picture = image::load_from_memory(&output.stdout).ok();
        Ok(picture.map(|picture| on_white(&picture.to_rgba8())))
    }
}

/// TeX, and what makes pictures of its pages.
#[derive(Debug)]
pub(crate) struct Tex {
    /// Its version.
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
        dvipng.ok_or_else(|| missing("dvipng", "dvipng"))?;
        let version = latex.lines().next().unwrap_or_default().to_owned();
        Ok(Self { version })
    }

    /// A formula at so many dots an inch; none where TeX finds a mistake in it.
    ///
    /// Errors if a program cannot be started.
    pub fn formula(&self, formula: &str, dots: u32) -> Result<Option<RgbImage>, OtherHandsError> {
        let place = std::env::temp_dir();
        let folder = tempfile::tempdir().map_err(OtherHandsError::io(&place))?;
        let source = folder.path().join("formula.tex");
        let text = format!(
            "\\documentclass{{article}}\\usepackage{{amsmath,amssymb}}\\pagestyle{{empty}}\
             \\begin{{document}}$\\displaystyle {formula}$\\end{{document}}\n"
        );
        std::fs::write(&source, text).map_err(OtherHandsError::io(&source))?;
        let mut latex = Command::new("latex");
        // A formula of a manual has no business with other files or programs.
        latex.args([
            "-interaction=batchmode",
            "-halt-on-error",
            "-no-shell-escape",
        ]);
        latex
            .arg("formula.tex")
            .env("openin_any", "p")
            .env("openout_any", "p");
        if !run(latex.current_dir(folder.path()))?.status.success() {
            return Ok(None);
        }
        let mut dvipng = Command::new("dvipng");
        dvipng.args(["-q", "-T", "tight", "--truecolor", "-D", &dots.to_string()]);
        dvipng.args(["-o", "formula.png", "formula.dvi"]);
        if !run(dvipng.current_dir(folder.path()))?.status.success() {
            return Ok(None);
        }
        let file = std::fs::read(folder.path().join("formula.png")).unwrap_or_default();
        let picture = image::load_from_memory(&file).ok();
        Ok(picture.map(|picture| on_white(&picture.to_rgba8())))
    }
}

fn on_white(picture: &RgbaImage) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, a] = picture.get_pixel(x, y).0.map(u16::from);
        Rgb([r, g, b].map(|c| ((c * a + 255 * (255 - a) + 127) / 255) as u8))
    })
}

/// What a program prints; none if it is not there or fails.
fn said(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(said)
}

fn run(command: &mut Command) -> Result<Output, OtherHandsError> {
    let program = PathBuf::from(command.get_program());
    let output = command.stdin(Stdio::null()).output();
    output.map_err(OtherHandsError::io(&program))
}

/// What a program makes of a few bytes, fewer than a pipe holds.
fn fed(command: &mut Command, bytes: &[u8]) -> Result<Output, OtherHandsError> {
    let program = PathBuf::from(command.get_program());
    let failed = |cause| OtherHandsError::io(&program)(cause);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // A program that ends before it has read all says why by its status.
        let _ = input.write_all(bytes);
    }
    child.wait_with_output().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named_with_its_package() {
        assert_eq!(
            said(Command::new("avocet-has-no-such-program").arg("-version")),
            None
        );
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
    fn a_program_is_given_what_it_asks_for() {
        let output = fed(&mut Command::new("cat"), b"a line").unwrap();
        assert_eq!(output.stdout, b"a line");
    }
}
