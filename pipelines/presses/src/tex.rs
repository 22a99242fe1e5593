//! TeX, and what makes pictures of its pages: given what can neither start programs nor open files.

use std::process::Command;
use std::time::Duration;

use crate::error::{PressError, Wanted};
use crate::picture::{Drawn, LATE, UNSET, picture};
use crate::programs::{PATIENCE, run, said};

/// TeX, and what makes pictures of its pages.
#[derive(Debug)]
pub struct Tex {
    /// The versions of both.
    pub version: String,
    /// The typefaces whose files are here; the first always is.
    pub typefaces: Vec<Typeface>,
}

/// Typefaces for formulas: what has TeX use them, and the files that are needed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Typeface {
    /// What they are called.
    pub name: &'static str,
    package: &'static str,
    files: &'static [&'static str],
}

/// The typefaces that are looked for: TeX's own, and those of Debian's lmodern and
/// texlive-fonts-recommended.
const TYPEFACES: [Typeface; 6] = [
    Typeface {
        name: "Computer Modern",
        package: "",
        files: &[],
    },
    Typeface {
        name: "Latin Modern",
        package: "lmodern",
        files: &["lmodern.sty", "rm-lmr10.tfm"],
    },
    Typeface {
        name: "Times",
        package: "mathptmx",
        files: &["mathptmx.sty", "ptmr7t.tfm"],
    },
    Typeface {
        name: "Palatino",
        package: "mathpazo",
        files: &["mathpazo.sty", "pplr7t.tfm", "fplmr.tfm"],
    },
    Typeface {
        name: "TX",
        package: "txfonts",
        files: &["txfonts.sty", "txmi.tfm"],
    },
    Typeface {
        name: "PX",
        package: "pxfonts",
        files: &["pxfonts.sty", "pxmi.tfm"],
    },
];
/// How long TeX may take for many formulas, beyond what one may take.
const EACH: Duration = Duration::from_secs(5);
/// What begins the part of TeX's account that is about one formula.
const MARK: &str = "AVOCET-FORMULA";

impl Tex {
    /// Looks for it.
    ///
    /// Errors if a part of it is not there.
    pub fn find(wanted: Wanted) -> Result<Self, PressError> {
        let missing = |program, package| PressError::Tool {
            wanted,
            program,
            package,
        };
        let latex = said(Command::new("latex").arg("--version"));
        let latex = latex.ok_or_else(|| missing("latex", "texlive-latex-base"))?;
        let dvipng = said(Command::new("dvipng").arg("--version"));
        let dvipng = dvipng.ok_or_else(|| missing("dvipng", "dvipng"))?;
        let version = versions(&latex, &dvipng);
        let is_here = |file: &&str| {
            let path = said(Command::new("kpsewhich").arg(file));
            path.is_some_and(|path| !path.trim().is_empty())
        };
        let mut typefaces = TYPEFACES.to_vec();
        typefaces.retain(|typeface| typeface.files.iter().all(is_here));
        Ok(Self { version, typefaces })
    }

    /// Many formulas at so many dots an inch, each displayed or as in a line of text, in one of
    /// [`Self::typefaces`]; all by one process. One in which TeX finds a mistake is not set.
    ///
    /// Errors if a program cannot be started.
    pub fn formulas(
        &self,
        formulas: &[(String, bool)],
        (dots, typeface): (u32, &Typeface),
    ) -> Result<Vec<Drawn>, PressError> {
        let place = std::env::temp_dir();
        let folder = tempfile::tempdir().map_err(PressError::io(&place))?;
        let source = folder.path().join("formula.tex");
        std::fs::write(&source, pages(formulas, typeface)).map_err(PressError::io(&source))?;
        let patience = PATIENCE + EACH * u32::try_from(formulas.len()).unwrap_or(u32::MAX);
        for mut program in [latex(false), dvipng(dots, "formula%d.png")] {
            if run(program.current_dir(folder.path()), b"", patience)?.is_none() {
                return Ok(vec![Err(LATE); formulas.len()]);
            }
        }
        // An account that is not there tells of no formula that it is as it should be.
        let account = std::fs::read(folder.path().join("formula.log")).unwrap_or_default();
        let fine = without_mistakes(&String::from_utf8_lossy(&account), formulas.len());
        let drawn = |(number, fine): (usize, bool)| {
            let file = folder.path().join(format!("formula{}.png", number + 1));
            let file = std::fs::read(file).unwrap_or_default();
            if fine { picture(&file) } else { Err(UNSET) }
        };
        Ok(fine.into_iter().enumerate().map(drawn).collect())
    }

    /// A formula at so many dots an inch, or why there is none: TeX may find a mistake in it.
    ///
    /// Errors if a program cannot be started.
    pub fn formula(&self, formula: &str, dots: u32) -> Result<Drawn, PressError> {
        let place = std::env::temp_dir();
        let folder = tempfile::tempdir().map_err(PressError::io(&place))?;
        let source = folder.path().join("formula.tex");
        let text = format!(
            "\\documentclass{{article}}\\usepackage{{amsmath,amssymb}}\\pagestyle{{empty}}\
             \\begin{{document}}$\\displaystyle {formula}$\\end{{document}}\n"
        );
        std::fs::write(&source, text).map_err(PressError::io(&source))?;
        for mut program in [latex(true), dvipng(dots, "formula.png")] {
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

/// A document with each formula on a page of its own, numbered from 1.
fn pages(formulas: &[(String, bool)], typeface: &Typeface) -> String {
    let package = match typeface.package {
        "" => String::new(),
        name => format!("\\usepackage{{{name}}}"),
    };
    let mut text = format!(
        "\\documentclass{{article}}\\usepackage{{amsmath,amssymb}}\\IfFileExists{{mathrsfs.sty}}\
         {{\\usepackage{{mathrsfs}}}}{{}}{package}\\begin{{document}}\n"
    );
    for (number, (formula, inline)) in formulas.iter().enumerate() {
        let style = if *inline { "" } else { "\\displaystyle " };
        text.push_str(&format!(
            "\\typeout{{{MARK} {}}}\\count0={}\\setbox0\\hbox{{${style}{formula}$}}\\shipout\\box0\n",
            number + 1,
            number + 1
        ));
    }
    text.push_str("\\end{document}\n");
    text
}

/// Which formulas TeX's account of its work speaks of, and finds no mistake in.
fn without_mistakes(account: &str, count: usize) -> Vec<bool> {
    let mut fine = vec![false; count];
    let mut now = None;
    for line in account.lines() {
        if let Some(number) = line.strip_prefix(MARK) {
            now = number.trim().parse::<usize>().ok();
            if let Some(fine) = now.and_then(|now| fine.get_mut(now.wrapping_sub(1))) {
                *fine = true;
            }
        }
        let is_mistake = line.starts_with('!') || line.contains("Missing character");
        if is_mistake && let Some(fine) = now.and_then(|now| fine.get_mut(now.wrapping_sub(1))) {
            *fine = false;
        }
    }
    fine
}

/// The first lines of what two programs say of themselves.
fn versions(one: &str, other: &str) -> String {
    let first = |said: &str| said.lines().next().unwrap_or_default().trim().to_owned();
    format!("{}; {}", first(one), first(other))
}

/// TeX on the file of a formula, which has no business with other files or programs; at a mistake it
/// ends, or goes on with the next.
fn latex(ends: bool) -> Command {
    let mut latex = Command::new("latex");
    latex.args(["-interaction=batchmode", "-no-shell-escape"]);
    if ends {
        latex.arg("-halt-on-error");
    }
    latex.arg("formula.tex");
    closed(latex)
}

/// What draws TeX's page, without the interpreter that it would have for PostScript in it.
fn dvipng(dots: u32, file: &str) -> Command {
    let mut dvipng = Command::new("dvipng");
    dvipng.args(["--nogs", "-q", "-T", "tight", "--truecolor"]);
    dvipng.args(["-D", &dots.to_string(), "-o", file, "formula.dvi"]);
    closed(dvipng)
}

/// Without files outside its folder, as far as TeX's programs ask.
fn closed(mut command: Command) -> Command {
    command.env("openin_any", "p").env("openout_any", "p");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_draws_a_page_runs_no_postscript_and_both_are_closed_in() {
        let arguments = |command: &Command| -> Vec<String> {
            let arguments = command.get_args();
            let text = arguments.map(|argument| argument.to_string_lossy().into_owned());
            text.collect()
        };
        assert!(arguments(&dvipng(200, "a.png")).contains(&"--nogs".to_owned()));
        assert!(arguments(&latex(false)).contains(&"-no-shell-escape".to_owned()));
        for command in [latex(true), dvipng(200, "a.png")] {
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

    #[test]
    fn each_formula_has_a_page_and_mistakes_are_told_from_the_account() {
        let formulas = [("x".to_owned(), false), ("\\y".to_owned(), true)];
        let text = pages(&formulas, &TYPEFACES[2]);
        assert!(text.contains("\\usepackage{mathptmx}"));
        assert!(text.contains("\\hbox{$\\displaystyle x$}") && text.contains("\\hbox{$\\y$}"));
        let account = format!("{MARK} 1\n[1] {MARK}\n{MARK} 2\n! Undefined control sequence.\n");
        assert_eq!(without_mistakes(&account, 3), [true, false, false]);
    }
}
