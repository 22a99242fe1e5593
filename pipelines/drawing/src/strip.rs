//! Lines of text drawn once and then used at any size, for what stands around a drawing.

use ab_glyph_rasterizer::Rasterizer;

use crate::fonts::Face;
use crate::layout::Layout;
use crate::sprite::Sprite;

/// The size of the letters, in pixels.
const EM: f32 = 28.0;

/// `line` in black on nothing, as high as its letters with the usual room; none if the face lacks a
/// character of it, or nothing of it can be seen.
pub fn strip(face: &Face, line: &str) -> Option<Sprite> {
    if face.missing(line).is_some() {
        return None;
    }
    let layout = Layout::new(face, line, 0.0);
    let (width, height) = ((layout.advance * EM).ceil() as usize, (EM * 1.3) as usize);
    if width == 0 || layout.curves.is_empty() {
        return None;
    }
    let mut raster = Rasterizer::new(width, height);
    layout.trace(&mut raster, |mut p| {
        p.x = (p.x * EM).clamp(0.0, width as f32);
        p.y = ((p.y + 1.0) * EM).clamp(0.0, height as f32);
        p
    });
    let mut rgba = vec![0; width * height * 4];
    raster.for_each_pixel(|index, covered| {
        rgba[index * 4 + 3] = (covered.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    });
    Some(Sprite::new(width, height, &rgba))
}
