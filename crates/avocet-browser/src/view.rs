//! The window that a page is shown in.

use std::str::FromStr;

/// Sides of a window, in CSS pixels.
const SIDES: std::ops::RangeInclusive<u32> = 64..=4096;

/// A window: its size in CSS pixels, and how many pixels of the screenshot each of them has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Device pixels per CSS pixel.
    pub scale: f64,
    /// Shown as on a telephone: the page's own wish for a width counts.
    pub mobile: bool,
}

/// How much of a page a screenshot shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What is seen without scrolling.
    Screen,
    /// All of it, down to a limit.
    Whole,
    /// What is seen without scrolling, less what is empty below the page's contents.
    Fitted,
}

/// A size of window by name or as WIDTHxHEIGHT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewport {
    /// As it was given.
    pub name: String,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// As on a telephone.
    pub mobile: bool,
}

impl Viewport {
    /// The window, at `scale` device pixels.
    pub fn at(&self, scale: f64) -> View {
        let (width, height, mobile) = (self.width, self.height, self.mobile);
        View {
            width,
            height,
            scale,
            mobile,
        }
    }
}

impl FromStr for Viewport {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (width, height) = match text {
            "small" => (448, 448),
            "phone" => (390, 844),
            "tablet" => (820, 1180),
            "laptop" => (1366, 768),
            _ => {
                let side = |text: &str| text.parse().ok().filter(|side| SIDES.contains(side));
                let sides = text
                    .split_once('x')
                    .and_then(|(w, h)| Some((side(w)?, side(h)?)));
                sides.ok_or(
                    "small, phone, tablet, laptop or WIDTHxHEIGHT, with sides of 64 to 4096",
                )?
            }
        };
        let (name, mobile) = (text.to_owned(), text == "phone" || text == "tablet");
        Ok(Self {
            name,
            width,
            height,
            mobile,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_names_or_sizes() {
        let size = |text: &str| {
            text.parse::<Viewport>()
                .map(|view| (view.width, view.height))
        };
        assert_eq!(size("phone"), Ok((390, 844)));
        assert_eq!(size("640x480"), Ok((640, 480)));
        for wrong in ["640", "63x100", "100x5000", "x", "-1x100", "television"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
