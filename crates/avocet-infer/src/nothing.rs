//! What is said of pictures on which nothing is to be seen. A small model would answer them like any
//! other, with something that it has never seen there; so the words are ours.

use avocet_media::Blank;

use crate::engine::Engine;
use crate::images::Image;

impl Engine {
    /// What is said of `images` if all of them are blank; none if something is to be seen, or for a
    /// model without a `[confidence]` table, which may well know a blank page.
    pub fn nothing_seen(&self, images: &[Image]) -> Option<String> {
        self.config().confidence.as_ref()?;
        let blanks: Vec<Blank> = images.iter().map(Image::blank).collect::<Option<_>>()?;
        said(&blanks)
    }
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
