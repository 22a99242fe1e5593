//! The fonts that texts in drawings are set in: those of the machine.

use resvg::usvg::fontdb::Database;

/// Fonts that stand for others where they are there, by kind.
const SERIF: [&str; 4] = [
    "Times New Roman",
    "Liberation Serif",
    "DejaVu Serif",
    "Noto Serif",
];
const SANS: [&str; 4] = ["Arial", "Liberation Sans", "DejaVu Sans", "Noto Sans"];
const FIXED: [&str; 4] = [
    "Courier New",
    "Liberation Mono",
    "DejaVu Sans Mono",
    "Noto Sans Mono",
];

/// The machine's fonts, of which one stands for each kind: where a font is missing that a drawing
/// names, its text is drawn in another rather than not at all.
///
/// None if there are no fonts.
pub(super) fn load() -> Option<Database> {
    let mut fonts = Database::new();
    fonts.load_system_fonts();
    let names: Vec<String> = fonts
        .faces()
        .filter_map(|face| face.families.first().map(|(name, _)| name.clone()))
        .collect();
    let choose = |preferred: [&str; 4]| {
        let known = preferred
            .into_iter()
            .find(|name| names.iter().any(|known| known == name));
        known.map(str::to_owned).or_else(|| names.first().cloned())
    };
    if let Some(name) = choose(SERIF) {
        fonts.set_serif_family(name);
    }
    if let Some(name) = choose(SANS) {
        fonts.set_sans_serif_family(name.clone());
        fonts.set_cursive_family(name.clone());
        fonts.set_fantasy_family(name);
    }
    if let Some(name) = choose(FIXED) {
        fonts.set_monospace_family(name);
    }
    (!names.is_empty()).then_some(fonts)
}
