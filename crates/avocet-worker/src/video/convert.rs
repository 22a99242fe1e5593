//! A decoded frame becomes upright RGB with square pixels, no larger than asked.

use std::ptr;

use avocet_media::child::Refusal;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Rational, ffi, frame};

use super::hdr::{Colours, Hdr, Mapping};
use super::turn::Turn;

/// Rows begin at multiples of this many bytes while they are scaled: vector code writes whole
/// registers.
const ROW_ALIGNMENT: usize = 64;

/// `AV_PIX_FMT_FLAG_RGB`.
const PIXELS_ARE_RGB: u64 = 1 << 5;

/// The most that a side may be stretched to make pixels square; beyond it the file is not
/// believed.
const MAX_STRETCH: f64 = 8.0;

/// Width of a pixel over its height: what the file says, or 1 if that makes no sense.
pub(crate) fn pixel_aspect(stored: Rational) -> f64 {
    let (num, den) = (stored.numerator(), stored.denominator());
    if num <= 0 || den <= 0 {
        return 1.0;
    }
    let aspect = f64::from(num) / f64::from(den);
    match (1.0 / MAX_STRETCH..=MAX_STRETCH).contains(&aspect) {
        true => aspect,
        false => 1.0,
    }
}

/// The size of a stored frame with square pixels, before any turn; the longer side at most
/// `max_side`.
pub(crate) fn square_size(width: u32, height: u32, aspect: f64, max_side: u32) -> (u32, u32) {
    let (mut across, mut down) = (f64::from(width), f64::from(height));
    match aspect >= 1.0 {
        true => across *= aspect,
        false => down /= aspect,
    }
    let shrink = (f64::from(max_side) / across.max(down)).min(1.0);
    let side = |length: f64| ((length * shrink).round() as u32).clamp(1, max_side);
    (side(across), side(down))
}

/// What the scaler was made for.
#[derive(Clone, Copy, PartialEq)]
struct Job {
    format: Pixel,
    colorspace: i32,
    full_range: bool,
    hdr: Option<Hdr>,
    from: (u32, u32),
    to: (u32, u32),
}

/// Converts frames, one after another, reusing its buffers.
pub(crate) struct Converter {
    max_side: u32,
    aspect: f64,
    turn: Turn,
    colours: Colours,
    scaler: Option<(Job, Scaler)>,
    mapping: Option<Mapping>,
    deep: Vec<u16>,
    turned: Vec<u8>,
}

impl Converter {
    /// `colours` are those that the container names.
    pub(crate) fn new(max_side: u32, aspect: f64, turn: Turn, colours: Colours) -> Self {
        Self {
            max_side,
            aspect,
            turn,
            colours,
            scaler: None,
            mapping: None,
            deep: Vec::new(),
            turned: Vec::new(),
        }
    }

    /// Fills `rgb` with the rows of a frame; gives its width and height.
    ///
    /// Errors if its pixel format has no way to RGB, or memory runs out.
    pub(crate) fn convert(
        &mut self,
        frame: &frame::Video,
        rgb: &mut Vec<u8>,
    ) -> Result<(u32, u32), Refusal> {
        let from = (frame.width(), frame.height());
        let to = square_size(from.0, from.1, self.aspect, self.max_side);
        let job = job_of(frame, self.colours, from, to);
        if self
            .scaler
            .as_ref()
            .is_none_or(|(made_for, _)| *made_for != job)
        {
            self.scaler = Some((job, Scaler::new(&job)?));
        }
        let (_, scaler) = self.scaler.as_mut().expect("made above");
        let (width, height) = (to.0 as usize, to.1 as usize);
        match job.hdr {
            None => scaler.run(frame, width, height, rgb)?,
            Some(hdr) => {
                let mapping = match self.mapping.take() {
                    Some(made) if made.is_for(&hdr) => made,
                    _ => Mapping::new(hdr),
                };
                let stride = scaler.run_deep(frame, width, height, &mut self.deep)?;
                rgb.resize(3 * width * height, 0);
                let planes = [0, 1, 2].map(|plane| &self.deep[plane * stride * height..]);
                for (y, out) in rgb.chunks_exact_mut(3 * width).enumerate() {
                    mapping.row(planes.map(|plane| &plane[y * stride..]), out);
                }
                self.mapping = Some(mapping);
            }
        }
        if self.turn.apply(rgb, width, height, &mut self.turned) {
            std::mem::swap(rgb, &mut self.turned);
        }
        let (width, height) = self.turn.size(width, height);
        Ok((width as u32, height as u32))
    }
}

fn job_of(frame: &frame::Video, colours: Colours, from: (u32, u32), to: (u32, u32)) -> Job {
    let format = frame.format();
    // SAFETY: a decoded frame's format is a known one, whose description is never freed.
    let (depth, is_rgb) = unsafe {
        match ffi::av_pix_fmt_desc_get(format.into()).as_ref() {
            Some(about) => (about.comp[0].depth, about.flags & PIXELS_ARE_RGB != 0),
            None => (8, false),
        }
    };
    let jpeg = matches!(
        format,
        Pixel::YUVJ420P | Pixel::YUVJ422P | Pixel::YUVJ444P | Pixel::YUVJ440P | Pixel::YUVJ411P
    );
    // SAFETY: the frame is a decoded one.
    let (colorspace, range) = unsafe {
        let frame = frame.as_ptr();
        ((*frame).colorspace as i32, (*frame).color_range)
    };
    Job {
        format,
        colorspace,
        full_range: jpeg || range == ffi::AVColorRange::AVCOL_RANGE_JPEG,
        hdr: Hdr::of(frame, colours, u32::try_from(depth).unwrap_or(8), is_rgb),
        from,
        to,
    }
}

/// libswscale with the frame's own colour matrix: bicubic, which widens its filter when it
/// shrinks, so small pictures do not shimmer.
struct Scaler {
    context: *mut ffi::SwsContext,
}

impl Scaler {
    fn new(job: &Job) -> Result<Self, Refusal> {
        use ffi::AVPixelFormat as Format;
        // High dynamic range keeps its codes, which its own mapping reads.
        let usual = ffi::SWS_CS_DEFAULT;
        let (into, into_colorspace, into_full_range) = match job.hdr {
            None => (Format::AV_PIX_FMT_RGB24, usual, true),
            Some(hdr) if hdr.is_rgb() => (Format::AV_PIX_FMT_GBRP16LE, usual, true),
            Some(_) => {
                let format = Format::AV_PIX_FMT_YUV444P16LE;
                (format, job.colorspace, job.full_range)
            }
        };
        let side = |length: u32| i32::try_from(length).unwrap_or(i32::MAX);
        // SAFETY: a null context is checked for; the coefficient tables are the library's own.
        unsafe {
            let context = ffi::sws_getContext(
                side(job.from.0),
                side(job.from.1),
                job.format.into(),
                side(job.to.0),
                side(job.to.1),
                into,
                ffi::SWS_BICUBIC,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null(),
            );
            if context.is_null() {
                return Err(Refusal::file(format!(
                    "{:?} frames of {} x {} pixels cannot be turned into RGB",
                    job.format, job.from.0, job.from.1
                )));
            }
            // Formats without a colour matrix ignore this.
            ffi::sws_setColorspaceDetails(
                context,
                ffi::sws_getCoefficients(job.colorspace),
                i32::from(job.full_range),
                ffi::sws_getCoefficients(into_colorspace),
                i32::from(into_full_range),
                0,
                1 << 16,
                1 << 16,
            );
            Ok(Self { context })
        }
    }

    /// Fills `rgb` with `width` x `height` pixels.
    fn run(
        &mut self,
        frame: &frame::Video,
        width: usize,
        height: usize,
        rgb: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let row = 3 * width;
        let stride = row.next_multiple_of(ROW_ALIGNMENT);
        rgb.resize(stride * height + ROW_ALIGNMENT, 0);
        let targets = [
            rgb.as_mut_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        ];
        // SAFETY: `rgb` has `height` rows of `stride` bytes and some to spare.
        unsafe { self.scale(frame, height, targets, [stride as i32, 0, 0, 0])? };
        if stride != row {
            for y in 1..height {
                rgb.copy_within(y * stride..y * stride + row, y * row);
            }
        }
        rgb.truncate(row * height);
        Ok(())
    }

    /// Fills `planes` with three planes of `height` rows; gives the numbers from row to row.
    fn run_deep(
        &mut self,
        frame: &frame::Video,
        width: usize,
        height: usize,
        planes: &mut Vec<u16>,
    ) -> Result<usize, Refusal> {
        let stride = width.next_multiple_of(ROW_ALIGNMENT / size_of::<u16>());
        planes.resize(3 * stride * height + ROW_ALIGNMENT, 0);
        let start = planes.as_mut_ptr();
        // SAFETY: each plane has `height` rows of `stride` numbers, and the last some to spare.
        unsafe {
            let [a, b, c] = [0, 1, 2].map(|plane| start.add(plane * stride * height).cast::<u8>());
            let bytes = (size_of::<u16>() * stride) as i32;
            let targets = [a, b, c, ptr::null_mut()];
            self.scale(frame, height, targets, [bytes, bytes, bytes, 0])?;
        }
        Ok(stride)
    }

    /// # Safety
    ///
    /// The targets must have `height` rows of as many bytes as their strides, and some to spare.
    unsafe fn scale(
        &mut self,
        frame: &frame::Video,
        height: usize,
        targets: [*mut u8; 4],
        strides: [i32; 4],
    ) -> Result<(), Refusal> {
        // SAFETY: the frame has the size and format the context was made for; the rest is the
        // caller's.
        let rows = unsafe {
            let frame = frame.as_ptr();
            ffi::sws_scale(
                self.context,
                (*frame).data.as_ptr().cast::<*const u8>(),
                (*frame).linesize.as_ptr(),
                0,
                (*frame).height,
                targets.as_ptr(),
                strides.as_ptr(),
            )
        };
        match rows == height as i32 {
            true => Ok(()),
            false => Err(Refusal::file("a frame cannot be turned into RGB")),
        }
    }
}

impl Drop for Scaler {
    fn drop(&mut self) {
        // SAFETY: made by sws_getContext, and freed once.
        unsafe { ffi::sws_freeContext(self.context) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_stretched_to_square_pixels_and_then_shrunk() {
        assert_eq!(square_size(720, 576, 16.0 / 15.0, 4096), (768, 576));
        assert_eq!(square_size(720, 480, 8.0 / 9.0, 4096), (720, 540));
        assert_eq!(square_size(1920, 1080, 1.0, 960), (960, 540));
        assert_eq!(square_size(321, 179, 1.0, 4096), (321, 179));
        assert_eq!(square_size(4000, 1, 1.0, 64), (64, 1));
    }

    #[test]
    fn an_aspect_that_makes_no_sense_is_taken_for_square() {
        for (num, den) in [(0, 1), (1, 0), (-4, 3), (1, 1000), (1000, 1)] {
            assert_eq!(pixel_aspect(Rational::new(num, den)), 1.0, "{num}:{den}");
        }
    }
}
