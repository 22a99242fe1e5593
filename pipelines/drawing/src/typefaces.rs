//! Families of packages that hold one typeface each in many weights: of those, a few.

use crate::fonts::Face;
use crate::package::{Package, PackageError};

/// What the names of their rows in the manifest begin with.
pub const TYPEFACES: &str = "typeface-";

/// The weights taken, upright, the plain one first; and how far a weight may be from it.
const WEIGHTS: [i32; 4] = [400, 700, 300, 900];
const NEAR: i32 = 100;
/// What the part with our letters is called where a typeface is cut into parts.
const LATIN: &str = "-latin-";

/// The faces of such a package that lines are drawn in: the plain weight first, then a bold one,
/// one in italics, a light and a black one, as far as there are any.
///
/// Errors if it has no font with our letters, or one that cannot be read.
pub fn typeface(package: &Package) -> Result<Vec<Face>, PackageError> {
    let files = package.files(&[".woff", ".ttf"])?;
    let styles: Vec<(i32, bool, &String)> = files
        .iter()
        .filter_map(|file| {
            let (weight, slanted) = style(file)?;
            Some((weight, slanted, file))
        })
        .collect();
    let nearest = |wanted: i32, slanted: bool, most: i32| {
        let same = styles.iter().filter(|style| style.1 == slanted);
        let near = same.filter(|style| (style.0 - wanted).abs() <= most);
        near.min_by_key(|style| (style.0 - wanted).abs())
    };
    let plain = nearest(400, false, 1000).or_else(|| styles.first());
    let others = WEIGHTS[1..]
        .iter()
        .map(|weight| nearest(*weight, false, NEAR))
        .chain([nearest(400, true, NEAR)]);
    let mut chosen: Vec<&String> = Vec::new();
    for (_, _, file) in plain.into_iter().chain(others.flatten()) {
        if !chosen.contains(file) {
            chosen.push(*file);
        }
    }
    if chosen.is_empty() {
        return Err(package.broken("", "no .woff or .ttf file with a weight in its name"));
    }
    chosen
        .into_iter()
        .map(|file| Face::read(package, file))
        .collect()
}

/// The weight and whether it is slanted, by the name of a file: `abel-latin-400-normal.woff`, or
/// `Rye_400Regular.ttf`; none of another part of the alphabets.
fn style(file: &str) -> Option<(i32, bool)> {
    let name = file.rsplit('/').next()?;
    let (stem, _) = name.rsplit_once('.')?;
    let marks = match stem.split_once(LATIN) {
        Some((_, marks)) => marks,
        None if name.ends_with(".ttf") => stem.split_once('_')?.1,
        None => return None,
    };
    let digits = marks.find(|c: char| !c.is_ascii_digit())?;
    let weight = marks[..digits].parse().ok()?;
    Some((weight, marks.to_ascii_lowercase().contains("italic")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_tell_the_weight_and_the_slant() {
        assert_eq!(
            style("package/files/abel-latin-400-normal.woff"),
            Some((400, false))
        );
        assert_eq!(style("a-b-latin-700-italic.woff"), Some((700, true)));
        assert_eq!(
            style("400Regular_Italic/Rye_400Regular_Italic.ttf"),
            Some((400, true))
        );
        assert_eq!(style("abel-latin-ext-400-normal.woff"), None);
        assert_eq!(style("abel-greek-400-normal.woff"), None);
    }
}
