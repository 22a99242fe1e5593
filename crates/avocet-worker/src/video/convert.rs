//! A decoded frame becomes upright RGB with square pixels, no larger than asked.

use std::ptr;

use avocet_media::child::Refusal;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Rational, ffi, frame};

use super::turn::Turn;

/// Rows begin at multiples of this many bytes while they are scaled: vector code writes whole
/// registers.
const ROW_ALIGNMENT: usize = 64;

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
    from: (u32, u32),
    to: (u32, u32),
}

/// Converts frames, one after another, reusing its buffers.
pub(crate) struct Converter {
    max_side: u32,
    aspect: f64,
    turn: Turn,
    scaler: Option<(Job, Scaler)>,
    turned: Vec<u8>,
}

impl Converter {
    pub(crate) fn new(max_side: u32, aspect: f64, turn: Turn) -> Self {
        Self {
            max_side,
            aspect,
            turn,
            scaler: None,
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
        let job = job_of(frame, from, to);
        if self
            .scaler
            .as_ref()
            .is_none_or(|(made_for, _)| *made_for != job)
        {
            self.scaler = Some((job, Scaler::new(&job)?));
        }
        let (_, scaler) = self.scaler.as_mut().expect("made above");
        let (width, height) = (to.0 as usize, to.1 as usize);
        scaler.run(frame, width, height, rgb)?;
        if self.turn.apply(rgb, width, height, &mut self.turned) {
            std::mem::swap(rgb, &mut self.turned);
        }
        let (width, height) = self.turn.size(width, height);
        Ok((width as u32, height as u32))
    }
}

fn job_of(frame: &frame::Video, from: (u32, u32), to: (u32, u32)) -> Job {
    let format = frame.format();
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
        let side = |length: u32| i32::try_from(length).unwrap_or(i32::MAX);
        // SAFETY: a null context is checked for; the coefficient tables are the library's own.
        unsafe {
            let context = ffi::sws_getContext(
                side(job.from.0),
                side(job.from.1),
                job.format.into(),
                side(job.to.0),
                side(job.to.1),
                ffi::AVPixelFormat::AV_PIX_FMT_RGB24,
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
                ffi::sws_getCoefficients(ffi::SWS_CS_DEFAULT),
                1,
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
        let strides = [stride as i32, 0, 0, 0];
        // SAFETY: the frame has the size and format the context was made for, and `rgb` has
        // `height` rows of `stride` bytes and some to spare.
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
        if rows != height as i32 {
            return Err(Refusal::file("a frame cannot be turned into RGB"));
        }
        if stride != row {
            for y in 1..height {
                rgb.copy_within(y * stride..y * stride + row, y * row);
            }
        }
        rgb.truncate(row * height);
        Ok(())
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
