//! How a synthetic page looks: typefaces, colours, corners, spaces.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Typefaces every system has something for.
const GENERIC: &[&str] = &[
    "sans-serif",
    "serif",
    "monospace",
    "DejaVu Sans Condensed, sans-serif",
];

/// The looks of one page.
#[derive(Debug, Clone)]
pub struct Look {
    /// Typeface of running text, as CSS writes it.
    pub body_font: String,
    /// Typeface of headings.
    pub head_font: String,
    /// Size of running text.
    pub size_px: u32,
    /// Behind everything.
    pub page: String,
    /// Behind cards and forms.
    pub card: String,
    /// Text.
    pub ink: String,
    /// Text of less weight; still well legible.
    pub soft: String,
    /// Buttons, links and bars.
    pub accent: String,
    /// Text on buttons.
    pub on_accent: String,
    /// Lines.
    pub line: String,
    /// Rounding of corners.
    pub radius_px: u32,
    /// Space between things.
    pub gap_px: u32,
    /// A shadow below cards, or none.
    pub shadow: &'static str,
    /// How buttons look.
    pub button: ButtonLook,
    /// Whether buttons shout.
    pub upper: bool,
    /// Everything in the middle.
    pub centred: bool,
    /// Whether the page is dark.
    pub dark: bool,
}

/// How buttons look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonLook {
    /// A field of the accent.
    Filled,
    /// A line of it.
    Outlined,
    /// A field with round ends.
    Pill,
    /// As the browser draws it.
    Plain,
    /// Only letters.
    Flat,
}

impl Look {
    /// Draws a look; `fonts` are the families that the page may load.
    pub fn draw(fonts: &[String], rng: &mut ChaCha8Rng) -> Self {
        let font = |rng: &mut ChaCha8Rng| match fonts.choose(rng) {
            Some(family) if rng.random_bool(0.9) => format!("'{family}', sans-serif"),
            _ => GENERIC
                .choose(rng)
                .copied()
                .unwrap_or("sans-serif")
                .to_owned(),
        };
        let body_font = font(rng);
        let head_font = if rng.random_bool(0.5) {
            body_font.clone()
        } else {
            font(rng)
        };
        let hue = rng.random_range(0..360);
        let dark = rng.random_bool(0.22);
        let hsl = |hue: u32, saturation: u32, light: u32| {
            format!("hsl({}, {saturation}%, {light}%)", hue % 360)
        };
        let accent_light = if dark {
            rng.random_range(62..76)
        } else {
            rng.random_range(24..42)
        };
        let accent = hsl(hue, rng.random_range(45..90), accent_light);
        let tint = rng.random_range(0..40);
        let other = hue + rng.random_range(0..80);
        let (page, card, ink, soft, line) = if dark {
            let page = rng.random_range(6..16);
            (
                hsl(other, tint, page),
                hsl(other, tint, page + rng.random_range(0..8)),
                hsl(other, 10, rng.random_range(88..98)),
                hsl(other, 8, 76),
                hsl(other, 10, 34),
            )
        } else {
            let page = rng.random_range(90..=100);
            let card = if rng.random_bool(0.6) { 100 } else { page };
            (
                hsl(other, tint, page),
                hsl(other, tint, card),
                hsl(other, rng.random_range(0..60), rng.random_range(6..24)),
                hsl(other, 10, 34),
                hsl(other, 15, 78),
            )
        };
        let buttons = [
            ButtonLook::Filled,
            ButtonLook::Filled,
            ButtonLook::Filled,
            ButtonLook::Outlined,
            ButtonLook::Pill,
            ButtonLook::Pill,
            ButtonLook::Plain,
            ButtonLook::Flat,
        ];
        let shadows = [
            "none",
            "none",
            "0 1px 3px rgba(0,0,0,.25)",
            "0 4px 14px rgba(0,0,0,.18)",
        ];
        Self {
            body_font,
            head_font,
            size_px: *[12, 13, 13, 14, 14, 15, 16, 17]
                .choose(rng)
                .expect("there are some"),
            page,
            card,
            ink,
            soft,
            accent,
            on_accent: if dark {
                "#101014".into()
            } else {
                "#fff".into()
            },
            line,
            radius_px: *[0, 0, 2, 4, 6, 8, 12, 16]
                .choose(rng)
                .expect("there are some"),
            gap_px: rng.random_range(5..13),
            shadow: shadows.choose(rng).copied().unwrap_or("none"),
            button: *buttons.choose(rng).expect("there are some"),
            upper: rng.random_bool(0.12),
            centred: rng.random_bool(0.25),
            dark,
        }
    }

    /// The style sheet.
    pub fn css(&self, fonts: &[String]) -> String {
        let faces: String = fonts
            .iter()
            .enumerate()
            .filter(|(_, family)| {
                let quoted = format!("'{family}'");
                self.body_font.contains(&quoted) || self.head_font.contains(&quoted)
            })
            .map(|(index, family)| {
                ["400", "700"]
                    .map(|weight| {
                        format!(
                            "@font-face {{ font-family: '{family}'; font-weight: {weight}; \
                         src: url('/fonts/{index}-{weight}'); }}\n"
                        )
                    })
                    .concat()
            })
            .collect();
        let Self {
            body_font,
            head_font,
            size_px,
            page,
            card,
            ink,
            soft,
            accent,
            line,
            radius_px,
            gap_px,
            shadow,
            ..
        } = self;
        let button = match self.button {
            ButtonLook::Filled => format!(
                "background: {accent}; color: {}; border: 0; border-radius: {radius_px}px;",
                self.on_accent
            ),
            ButtonLook::Pill => format!(
                "background: {accent}; color: {}; border: 0; border-radius: 99px;",
                self.on_accent
            ),
            ButtonLook::Outlined => format!(
                "background: transparent; color: {accent}; border: 1.5px solid {accent}; border-radius: {radius_px}px;"
            ),
            ButtonLook::Flat => {
                format!("background: transparent; color: {accent}; border: 0; font-weight: 700;")
            }
            ButtonLook::Plain => "color-scheme: light;".to_owned(),
        };
        let (case, align) = (
            if self.upper { "uppercase" } else { "none" },
            if self.centred { "center" } else { "left" },
        );
        let half = gap_px / 2 + 2;
        format!(
            "{faces}* {{ box-sizing: border-box; }}
            html, body {{ margin: 0; background: {page}; color: {ink}; }}
            body {{ font: {size_px}px/1.35 {body_font}; padding: {gap_px}px; text-align: {align}; }}
            h1, h2, h3 {{ font-family: {head_font}; margin: 0 0 {half}px; line-height: 1.15; }}
            h1 {{ font-size: 1.45em; }} h2 {{ font-size: 1.15em; }} h3 {{ font-size: 1em; }}
            p {{ margin: 0 0 {gap_px}px; }} .soft {{ color: {soft}; }} a {{ color: {accent}; }}
            .card {{ background: {card}; border-radius: {radius_px}px; padding: {gap_px}px; box-shadow: {shadow}; }}
            .lined {{ border: 1px solid {line}; }}
            .row {{ display: flex; gap: {gap_px}px; align-items: center; flex-wrap: wrap; justify-content: {align}; }}
            .price {{ font-weight: 700; font-size: 1.25em; }} s {{ color: {soft}; font-weight: 400; font-size: .85em; }}
            button {{ font: inherit; font-size: .95em; text-transform: {case}; padding: {half}px {gap_px}px; {button} }}
            button.second {{ background: transparent; color: {ink}; border: 1px solid {line}; }}
            input, select {{ font: inherit; padding: {half}px; border: 1px solid {line}; background: {card}; color: {ink};
              border-radius: {radius_px}px; width: 100%; margin-top: 2px; }}
            input[type=checkbox] {{ width: auto; margin: 0 .4em 0 0; accent-color: {accent}; vertical-align: middle; }}
            label {{ display: block; margin-bottom: {half}px; font-size: .95em; }}
            table {{ border-collapse: collapse; width: 100%; text-align: left; }}
            th, td {{ padding: {half}px; border-bottom: 1px solid {line}; }}
            nav a {{ margin-right: {gap_px}px; white-space: nowrap; }}
            svg {{ display: block; max-width: 100%; }}\n"
        )
    }
}
