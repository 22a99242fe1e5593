//! What is said beside an answer of pictures on which nothing is to be seen.

use avocet_infer::Image;

use crate::ui::output;

/// Says of a picture that it is blank, if it is: an answer about it may be about nothing.
pub fn warn(name: &str, image: &Image) {
    if let Some(blank) = image.blank() {
        output::note(&format!("{name}: nothing is to be seen, {blank}\n"));
    }
}

/// What stands in place of a blank frame's caption.
pub fn caption(image: &Image) -> Option<String> {
    let blank = image.blank()?;
    Some(format!("(nothing is to be seen: {blank})"))
}
