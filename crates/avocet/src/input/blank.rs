//! Pictures on which nothing is to be seen. The built-in model would answer them like any other, with
//! something that it has never seen there; so the answer is ours.

use avocet_infer::{Answer, FinishReason, Image, Timing, Usage};
use avocet_media::Blank;

use super::embedded;
use crate::ui::output;

/// The answer of the built-in model to pictures that are all blank; none if something is to be seen,
/// or for other models, which may well know a blank page.
pub fn answer(model: &str, images: &[Image]) -> Option<Answer> {
    let blanks: Vec<Blank> = images.iter().map(Image::blank).collect::<Option<_>>()?;
    let text = said(&blanks).filter(|_| model == embedded::NAME)?;
    Some(Answer {
        text,
        token_ids: Vec::new(),
        finish_reason: FinishReason::Stop,
        usage: Usage::default(),
        timing: Timing::default(),
    })
}

fn said(blanks: &[Blank]) -> Option<String> {
    let (first, others) = blanks.split_first()?;
    let number = blanks.len();
    Some(match others {
        [] => format!("Nothing is to be seen: {first}."),
        _ if others.iter().all(|other| other == first) => {
            format!("Nothing is to be seen on the {number} pictures: {first}.")
        }
        _ => format!("Nothing is to be seen on the {number} pictures."),
    })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_blank_is_said_once() {
        let (white, grain) = (Blank::OneColour([255; 3]), Blank::Noise);
        let say = |blanks: &[Blank]| said(blanks).unwrap_or_default();
        assert_eq!(say(&[white]), "Nothing is to be seen: all of it is white.");
        assert_eq!(
            say(&[grain, grain]),
            "Nothing is to be seen on the 2 pictures: all of it is noise."
        );
        assert_eq!(
            say(&[white, grain]),
            "Nothing is to be seen on the 2 pictures."
        );
        assert_eq!(said(&[]), None);
    }
}
