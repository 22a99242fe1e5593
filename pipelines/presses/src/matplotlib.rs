//! The mathematics of matplotlib, by Python as a child.

use std::process::Command;
use std::time::Duration;

use crate::error::{PressError, Wanted};
use crate::picture::{Drawn, LATE, picture};
use crate::programs::{PATIENCE, run, said};

/// The mathematics of matplotlib.
#[derive(Debug)]
pub struct Matplotlib {
    python: &'static str,
    settings: tempfile::TempDir,
    /// Its version.
    pub version: String,
}

/// Families of mathematical typefaces that it has.
pub const FAMILIES: [&str; 5] = ["cm", "stix", "stixsans", "dejavusans", "dejavuserif"];

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

/// Reads a family and formulas with their sizes, and writes for each the length of a PNG file and the
/// file; of none what it cannot set, or has no sign for.
const MANY: &str = "
import io, json, logging, sys
import matplotlib
matplotlib.use('Agg')
from matplotlib import mathtext
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
class Amiss(logging.Handler):
    count = 0
    def emit(self, record):
        Amiss.count += 1
logging.getLogger('matplotlib').addHandler(Amiss(logging.WARNING))
asked, parser = json.load(sys.stdin), mathtext.MathTextParser('path')
matplotlib.rcParams['mathtext.fontset'] = asked['family']
for formula, points in asked['formulas']:
    out, before = io.BytesIO(), Amiss.count
    try:
        prop, text = FontProperties(size=points), '$' + formula + '$'
        width, height, depth = parser.parse(text, dpi=72, prop=prop)[:3]
        # Wider than the formula is said to be: hinted letters may be broader.
        width, height = 1.2 * width + 2 * points, height + 2 * points
        page = Figure(figsize=(width / 72, height / 72))
        page.text(points / width, (depth + points) / height, text, fontproperties=prop)
        page.savefig(out, dpi=100, format='png')
    except Exception:
        out = io.BytesIO()
    if Amiss.count != before:
        out = io.BytesIO()
    picture = out.getvalue()
    sys.stdout.buffer.write(len(picture).to_bytes(4, 'big') + picture)
";
/// How long it may take for many formulas, beyond what one may take.
const EACH: Duration = Duration::from_secs(5);

impl Matplotlib {
    /// Looks for it.
    ///
    /// Errors if it is not there.
    pub fn find(wanted: Wanted) -> Result<Self, PressError> {
        let place = std::env::temp_dir();
        let settings = tempfile::tempdir().map_err(PressError::io(&place))?;
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
        Err(PressError::Tool {
            wanted,
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
    ) -> Result<Drawn, PressError> {
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

    /// Many formulas with the size of each in points at 100 dots an inch, in one of its families;
    /// all by one process.
    ///
    /// Errors if it cannot be started.
    pub fn formulas(
        &self,
        formulas: &[(String, f64)],
        family: &str,
    ) -> Result<Vec<Drawn>, PressError> {
        let asked = serde_json::json!({"formulas": formulas, "family": family}).to_string();
        let mut python = Command::new(self.python);
        python
            .args(["-I", "-c", MANY])
            .env("MPLCONFIGDIR", self.settings.path());
        let patience = PATIENCE + EACH * u32::try_from(formulas.len()).unwrap_or(u32::MAX);
        let Some(ended) = run(&mut python, asked.as_bytes(), patience)? else {
            return Ok(vec![Err(LATE); formulas.len()]);
        };
        let mut files = files(&ended.stdout);
        let file = |_| picture(files.next().unwrap_or_default());
        Ok((0..formulas.len()).map(file).collect())
    }
}

/// The files that follow one another, each after its length.
fn files(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (file, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some(file)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_cut_by_their_lengths_and_a_cut_off_one_is_none() {
        let bytes = [0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 3, 1];
        let found: Vec<&[u8]> = files(&bytes).collect();
        assert_eq!(found, [&[7_u8, 8][..], &[]]);
    }
}
