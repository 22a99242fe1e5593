//! ImageMagick, which sets lines of text: given what can neither start programs nor open files.

use std::path::Path;
use std::process::Command;

use image::RgbaImage;

use crate::error::{PressError, Wanted};
use crate::picture::{LATE, UNSET};
use crate::programs::{PATIENCE, run, said};

/// Why a line is not given to ImageMagick.
const MEANING: &str = "ImageMagick gives a sign of it a meaning";
/// ImageMagick takes these for escapes, the names of files and programs, and the numbers of scenes.
const MAGICK_SIGNS: [char; 7] = ['%', '\\', '@', '`', '[', ']', '|'];

/// ImageMagick.
#[derive(Debug)]
pub struct Magick {
    program: &'static str,
    /// The first line that it says of itself.
    pub version: String,
}

impl Magick {
    /// Looks for it.
    ///
    /// Errors if it is not there.
    pub fn find(wanted: Wanted) -> Result<Self, PressError> {
        for program in ["magick", "convert"] {
            let said = said(Command::new(program).arg("-version"));
            let version = said.filter(|said| said.starts_with("Version: ImageMagick"));
            if let Some(version) = version {
                let version = version.lines().next().unwrap_or_default().to_owned();
                return Ok(Self { program, version });
            }
        }
        Err(PressError::Tool {
            wanted,
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
    ) -> Result<Result<RgbaImage, &'static str>, PressError> {
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
pub fn has_meaning(line: &str) -> bool {
    line.contains(MAGICK_SIGNS)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
