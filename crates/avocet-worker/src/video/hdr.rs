//! Film of high dynamic range, shown as a screen of standard range shows it.
//!
//! Such film says how bright its light is (PQ) or how bright the scene was (HLG), in the wide
//! colours of BT.2020. Light is counted here in parts of reference white, which BT.2408 puts at
//! 203 cd/m²: paper, a shirt, the ground of a slide. It goes to BT.709's primaries, and what is
//! brighter than a screen can show is rolled off, so that reference white is near white and a lamp
//! in front of it still stands out. As in BT.2408's mapping for screens, what is darker than the
//! knee keeps the brightness it was graded with, seen through BT.1886.

use ffmpeg_next::{Stream, ffi, frame};

/// Reference white in cd/m².
const WHITE: f32 = 203.0;
/// The brightest light that PQ can say, and the peak that HLG is shown at, in cd/m².
const PQ_PEAK: f32 = 10_000.0;
const HLG_PEAK: f32 = 1_000.0;
/// Up to here light is kept as it is; reference white itself comes to (1 + KNEE) / 2.
const KNEE: f32 = 0.68;
/// Steps of the tables: four times as fine as film of 12 bits.
const STEPS: usize = 1 << 14;

/// BT.2020 to BT.709, both linear (BT.2087).
const FROM_BT2020: Matrix = [
    [1.660_491, -0.587_641_1, -0.072_849_9],
    [-0.124_550_5, 1.132_899_9, -0.008_349_4],
    [-0.018_150_8, -0.100_578_9, 1.118_729_7],
];
/// P3 with the white of D65 to BT.709.
const FROM_P3: Matrix = [
    [1.224_940_2, -0.224_940_2, 0.0],
    [-0.042_056_9, 1.042_056_9, 0.0],
    [-0.019_637_6, -0.078_636_0, 1.098_273_6],
];
const SAME: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

type Matrix = [[f32; 3]; 3];

/// What a file or a frame says about its colours, in FFmpeg's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colours {
    transfer: ffi::AVColorTransferCharacteristic,
    primaries: ffi::AVColorPrimaries,
    space: ffi::AVColorSpace,
    range: ffi::AVColorRange,
}

impl Colours {
    /// Nothing said.
    pub(super) const UNKNOWN: Self = Self {
        transfer: ffi::AVColorTransferCharacteristic::AVCOL_TRC_UNSPECIFIED,
        primaries: ffi::AVColorPrimaries::AVCOL_PRI_UNSPECIFIED,
        space: ffi::AVColorSpace::AVCOL_SPC_UNSPECIFIED,
        range: ffi::AVColorRange::AVCOL_RANGE_UNSPECIFIED,
    };

    /// What the container says: some codecs have no words for it.
    pub(super) fn of_stream(stream: &Stream<'_>) -> Self {
        // SAFETY: the parameters belong to a stream of the open input.
        unsafe {
            let parameters = stream.parameters();
            let parameters = parameters.as_ptr();
            Self {
                transfer: (*parameters).color_trc,
                primaries: (*parameters).color_primaries,
                space: (*parameters).color_space,
                range: (*parameters).color_range,
            }
        }
    }

    /// What a decoded frame says, and where it says nothing, what `self` does.
    fn or_of(self, frame: &frame::Video) -> Self {
        // SAFETY: the frame is a decoded one.
        let said = unsafe {
            let frame = frame.as_ptr();
            Self {
                transfer: (*frame).color_trc,
                primaries: (*frame).color_primaries,
                space: (*frame).colorspace,
                range: (*frame).color_range,
            }
        };
        fn first<T: PartialEq>(said: T, unsaid: T, otherwise: T) -> T {
            if said == unsaid { otherwise } else { said }
        }
        let unknown = Self::UNKNOWN;
        Self {
            transfer: first(said.transfer, unknown.transfer, self.transfer),
            primaries: first(said.primaries, unknown.primaries, self.primaries),
            space: first(said.space, unknown.space, self.space),
            range: first(said.range, unknown.range, self.range),
        }
    }
}

/// How code values stand for light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transfer {
    /// SMPTE ST 2084.
    Pq,
    /// ARIB STD-B67.
    Hlg,
}

/// Film of high dynamic range: what has to be known to show it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hdr {
    transfer: Transfer,
    to_bt709: Matrix,
    codes: Codes,
}

/// How planes of 16 bits are read.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Codes {
    /// Green, blue and red, of which the fullest is `full`.
    Gbr { full: f32 },
    /// Luma and two differences; red and blue have their shares of luma.
    Luma {
        black: f32,
        luma: f32,
        chroma: f32,
        red: f32,
        blue: f32,
    },
}

impl Hdr {
    /// How to show a frame; `None` if it is none of high dynamic range. `depth` are its bits, and
    /// `is_rgb` says whether it is stored as red, green and blue.
    pub(super) fn of(
        frame: &frame::Video,
        container: Colours,
        depth: u32,
        is_rgb: bool,
    ) -> Option<Self> {
        use ffi::AVColorTransferCharacteristic as Trc;
        let colours = container.or_of(frame);
        let transfer = match colours.transfer {
            Trc::AVCOL_TRC_SMPTE2084 => Transfer::Pq,
            Trc::AVCOL_TRC_ARIB_STD_B67 => Transfer::Hlg,
            _ => return None,
        };
        Some(Self::new(transfer, colours, depth, is_rgb))
    }

    fn new(transfer: Transfer, colours: Colours, depth: u32, is_rgb: bool) -> Self {
        use ffi::AVColorPrimaries as Pri;
        use ffi::AVColorSpace as Space;
        let to_bt709 = match colours.primaries {
            Pri::AVCOL_PRI_BT709 => SAME,
            Pri::AVCOL_PRI_SMPTE432 => FROM_P3,
            // What does not say has those that PQ and HLG were made for.
            _ => FROM_BT2020,
        };
        let (red, blue) = match colours.space {
            Space::AVCOL_SPC_BT709 => (0.2126, 0.0722),
            Space::AVCOL_SPC_BT470BG | Space::AVCOL_SPC_SMPTE170M => (0.299, 0.114),
            _ => (0.2627, 0.0593),
        };
        // Planes of fewer bits are shifted up to 16.
        let depth = depth.clamp(8, 16);
        let full = (((1_u32 << depth) - 1) << (16 - depth)) as f32;
        let codes = match (is_rgb, colours.range) {
            (true, _) => Codes::Gbr { full },
            (false, ffi::AVColorRange::AVCOL_RANGE_JPEG) => Codes::Luma {
                black: 0.0,
                luma: full,
                chroma: full,
                red,
                blue,
            },
            (false, _) => Codes::Luma {
                black: f32::from(16_u16 << 8),
                luma: f32::from(219_u16 << 8),
                chroma: f32::from(224_u16 << 8),
                red,
                blue,
            },
        };
        Self {
            transfer,
            to_bt709,
            codes,
        }
    }

    /// Whether the planes are to hold green, blue and red.
    pub(super) fn is_rgb(&self) -> bool {
        matches!(self.codes, Codes::Gbr { .. })
    }
}

/// Turns planes into bytes; its tables are made once.
pub(super) struct Mapping {
    hdr: Hdr,
    /// Light for each code value: parts of reference white for PQ, of the brightest for HLG.
    light: Vec<f32>,
    /// Code values of the screen, by the square root of the light: the eye sees dark steps.
    shown: Vec<u8>,
}

impl Mapping {
    pub(super) fn new(hdr: Hdr) -> Self {
        let part = |step: usize| step as f32 / (STEPS - 1) as f32;
        let light = |step: usize| match hdr.transfer {
            Transfer::Pq => pq_light(part(step)) * (PQ_PEAK / WHITE),
            Transfer::Hlg => hlg_scene(part(step)),
        };
        // BT.1886: a screen shows the 2.4th power of its code.
        let shown = |step: usize| (part(step).powf(2.0 / 2.4) * 255.0).round() as u8;
        Self {
            hdr,
            light: (0..STEPS).map(light).collect(),
            shown: (0..STEPS).map(shown).collect(),
        }
    }

    pub(super) fn is_for(&self, hdr: &Hdr) -> bool {
        self.hdr == *hdr
    }

    /// Turns one row of planes into `rgb`, as many pixels as it has room for.
    pub(super) fn row(&self, planes: [&[u16]; 3], rgb: &mut [u8]) {
        let [a, b, c] = planes;
        let pixels = rgb.as_chunks_mut::<3>().0;
        for (((&a, &b), &c), pixel) in a.iter().zip(b).zip(c).zip(pixels) {
            *pixel = self.pixel([a, b, c].map(f32::from));
        }
    }

    fn pixel(&self, plane: [f32; 3]) -> [u8; 3] {
        let coded = match self.hdr.codes {
            Codes::Gbr { full } => [plane[2] / full, plane[0] / full, plane[1] / full],
            Codes::Luma {
                black,
                luma,
                chroma,
                red,
                blue,
            } => {
                let y = (plane[0] - black) / luma;
                let [cb, cr] = [plane[1], plane[2]].map(|value| (value - 32_768.0) / chroma);
                let r = y + 2.0 * (1.0 - red) * cr;
                let b = y + 2.0 * (1.0 - blue) * cb;
                [r, (y - red * r - blue * b) / (1.0 - red - blue), b]
            }
        };
        let mut light = coded.map(|value| self.light[step(value)]);
        if self.hdr.transfer == Transfer::Hlg {
            // BT.2100's OOTF: the brighter the scene, the more of the screen's light it gets.
            let scene = 0.2627 * light[0] + 0.6780 * light[1] + 0.0593 * light[2];
            let gain = HLG_PEAK / WHITE * scene.powf(0.2);
            light = light.map(|value| value * gain);
        }
        // Colours that BT.709 does not have lose what they have too much of.
        let light = self.hdr.to_bt709.map(|[r, g, b]| {
            let sum = r * light[0] + g * light[1] + b * light[2];
            sum.max(0.0)
        });
        // All three by the same factor: a bright colour stays that colour.
        let brightest = light[0].max(light[1]).max(light[2]);
        let factor = if brightest > KNEE {
            rolled_off(brightest) / brightest
        } else {
            1.0
        };
        light.map(|value| self.shown[step((value * factor).sqrt())])
    }
}

fn step(value: f32) -> usize {
    // Not-a-number becomes zero.
    (value.clamp(0.0, 1.0) * (STEPS - 1) as f32 + 0.5) as usize
}

/// Light above the knee, brought below 1 without a kink.
fn rolled_off(light: f32) -> f32 {
    let over = (light - KNEE) / (1.0 - KNEE);
    KNEE + (1.0 - KNEE) * over / (1.0 + over)
}

/// BT.2100's EOTF of PQ: light from 0 to 1, of [`PQ_PEAK`].
fn pq_light(code: f32) -> f32 {
    const M1: f64 = 2610.0 / 16384.0;
    const M2: f64 = 2523.0 / 32.0;
    const C1: f64 = 3424.0 / 4096.0;
    const C2: f64 = 2413.0 / 128.0;
    const C3: f64 = 2392.0 / 128.0;
    let root = f64::from(code).powf(1.0 / M2);
    let light = ((root - C1).max(0.0) / (C2 - C3 * root)).powf(1.0 / M1);
    light as f32
}

/// BT.2100's inverse OETF of HLG: the light of the scene, from 0 to 1.
fn hlg_scene(code: f32) -> f32 {
    const A: f64 = 0.178_832_77;
    const B: f64 = 1.0 - 4.0 * A;
    const C: f64 = 0.559_910_73;
    let code = f64::from(code);
    let light = if code <= 0.5 {
        code * code / 3.0
    } else {
        (((code - C) / A).exp() + B) / 12.0
    };
    light as f32
}
