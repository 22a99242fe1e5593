//! Typefaces that no drawing of ours for training uses.

use std::path::PathBuf;

use avocet_fetch::Sources;
use drawing::{Face, Package};

use crate::error::OtherHandsError;

/// Which typefaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Faces {
    /// Such as running text is set in.
    Common,
    /// Display, script and hand.
    Unseen,
}

/// The package, and a file in it without its ending.
type Row = (&'static str, &'static str);

const COMMON: [Row; 10] = [
    ("fonts-clear-sans", "ClearSans-Regular"),
    ("fonts-firacode", "FiraCode-Regular"),
    ("fonts-freefont-ttf", "FreeSerif"),
    ("fonts-go", "Go-Regular"),
    ("fonts-inter", "Inter-Regular"),
    ("fonts-paratype", "PTS55F"),
    ("fonts-sil-charis", "CharisSIL-Regular"),
    ("fonts-texgyre", "texgyreheros-regular"),
    ("fonts-texgyre", "texgyrepagella-regular"),
    ("fonts-texgyre", "texgyretermes-regular"),
];

const UNSEEN: [Row; 40] = [
    ("fonts-apropal", "Apropal-Bold"),
    ("fonts-averia-gwf", "AveriaGWF-Gruesa"),
    ("fonts-bajaderka", "Bajaderka-Regular"),
    ("fonts-bebas-neue", "BebasNeue-Regular"),
    ("fonts-beteckna", "BetecknaGSCondensed-Bold"),
    ("fonts-blankenburg", "Blankenburg_UNZ1A"),
    ("fonts-breip", "Breip"),
    ("fonts-cabinsketch", "CabinSketch-Bold"),
    ("fonts-century-catalogue", "Century-Catalogue"),
    ("fonts-cherrybomb", "CherryBomb-Regular"),
    ("fonts-dancingscript", "DancingScript-Regular"),
    ("fonts-dkg-handwriting", "dkg"),
    ("fonts-dustin", "Domestic_Manners"),
    ("fonts-ecolier-court", "Ecolier-court"),
    ("fonts-engadget", "Engadget"),
    ("fonts-essays1743", "Essays1743-Italic"),
    ("fonts-eurofurence", "eurof55"),
    ("fonts-femkeklaver", "femkeklaver"),
    ("fonts-georgewilliams", "Caliban"),
    ("fonts-gnutypewriter", "GNUTypewriter"),
    ("fonts-gotico-antiqua", "Hamlet-Tertia18"),
    ("fonts-havana", "Havana-Regular"),
    ("fonts-isabella", "Isabella"),
    ("fonts-joscelyn", "Joscelyn-Regular"),
    ("fonts-kaushanscript", "KaushanScript-Regular"),
    ("fonts-klaudia-berenika", "Klaudia-Bold"),
    ("fonts-kristi", "Kristi"),
    ("fonts-le-murmure", "le-murmure"),
    ("fonts-league-spartan", "LeagueSpartan-Bold"),
    ("fonts-leckerli-one", "LeckerliOne-Regular"),
    ("fonts-lemonada", "Lemonada-Bold"),
    ("fonts-lobster", "lobster"),
    ("fonts-lobstertwo", "LobsterTwo-Italic"),
    ("fonts-okolaks", "okolaksBold"),
    ("fonts-radisnoir", "RadisSans-medium"),
    ("fonts-rufscript", "Rufscript010"),
    ("fonts-sjfonts", "Delphine"),
    ("fonts-sjfonts", "SteveHand"),
    ("fonts-staypuft", "StayPuft"),
    ("fonts-tomsontalks", "TomsonTalks"),
];

/// Letters, of 26, whose two cases have outlines of as many pieces; of a face with two cases it is
/// few: `c`, `o`, `s` and their like.
const ALIKE: usize = 20;

/// A typeface's file.
#[derive(Debug)]
pub(crate) struct FaceFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its outlines, which tell what it can show.
    pub face: Face,
}

impl FaceFile {
    /// Whether small letters are drawn as capital ones, so that nobody can tell them apart.
    pub fn is_of_one_case(&self) -> bool {
        let outline = |c: char| self.face.glyph(c).map(|glyph| glyph.curves.len());
        let pairs = ('a'..='z').map(|c| (outline(c), outline(c.to_ascii_uppercase())));
        let alike = pairs.filter(|(small, large)| small.is_some() && small == large);
        alike.count() >= ALIKE
    }
}

impl Faces {
    /// Opens the files.
    ///
    /// Errors if a package cannot be had or lacks its file.
    pub fn open(self, sources: &Sources) -> Result<Vec<FaceFile>, OtherHandsError> {
        let rows: &[Row] = match self {
            Self::Common => &COMMON,
            Self::Unseen => &UNSEEN,
        };
        let open = |(package, stem): &Row| face(&Package::open(sources, package)?, stem);
        rows.iter().map(open).collect()
    }

    /// As the kind of a sample.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Common => "text-common",
            Self::Unseen => "text-unseen",
        }
    }
}

/// The file `stem` of a font package.
///
/// Errors if there is none or it is no font.
pub(crate) fn face(package: &Package, stem: &str) -> Result<FaceFile, OtherHandsError> {
    let endings = [format!("{stem}.ttf"), format!("{stem}.otf")];
    let files = package.files(&[".ttf", ".otf"])?;
    let is_it = |file: &&String| {
        let name = file.rsplit('/').next().unwrap_or_default();
        endings.iter().any(|ending| ending == name)
    };
    let Some(member) = files.iter().find(is_it) else {
        return Err(package
            .broken(stem, "no such typeface in the package")
            .into());
    };
    Ok(FaceFile {
        path: package.root.join(member),
        face: Face::read(package, member)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use drawing::{FAMILIES, TYPEFACES, UNSEEN_FAMILIES};
    use std::path::Path;

    #[test]
    fn no_family_is_drawn_with_anywhere_else() {
        let sources = Sources::bundled(Path::new("nowhere")).unwrap();
        let letters = |name: &str| name.replace(['-', '_'], "");
        let others: Vec<String> = sources
            .named(TYPEFACES)
            .map(|name| letters(&name[TYPEFACES.len()..]))
            .collect();
        assert!(others.len() > 300);
        let own_test = UNSEEN_FAMILIES.iter();
        for package in own_test.chain(COMMON.iter().chain(&UNSEEN).map(|(package, _)| package)) {
            let family = letters(package.trim_start_matches("fonts-"));
            assert!(!others.contains(&family), "{package} is seen in training");
        }
        for (package, _) in COMMON.iter().chain(&UNSEEN) {
            assert!(!FAMILIES.contains(package), "{package} is seen in training");
            assert!(
                !UNSEEN_FAMILIES.contains(package),
                "{package} is its own test's"
            );
        }
    }
}
