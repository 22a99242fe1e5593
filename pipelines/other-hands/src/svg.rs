//! Drawings in SVG as pixels.

use image::RgbaImage;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// The drawing with its longer side `longest` pixels; none if it does not read as one.
///
/// Nothing that the drawing names is opened: resvg is built without raster images and texts.
pub(crate) fn raster(svg: &[u8], longest: u32) -> Option<RgbaImage> {
    let tree = Tree::from_data(svg, &Options::default()).ok()?;
    let size = tree.size();
    let scale = longest as f32 / size.width().max(size.height());
    let side = |length: f32| ((length * scale).round() as u32).clamp(1, longest);
    let (width, height) = (side(size.width()), side(size.height()));
    let mut pixels = Pixmap::new(width, height)?;
    let to = Transform::from_scale(width as f32 / size.width(), height as f32 / size.height());
    resvg::render(&tree, to, &mut pixels.as_mut());
    let plain = pixels.pixels().iter().flat_map(|pixel| {
        let pixel = pixel.demultiply();
        [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()]
    });
    RgbaImage::from_raw(width, height, plain.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_keeps_its_shape_and_its_transparency() {
        let svg = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 10">
            <rect width="10" height="10" fill="#ff0000"/></svg>"##;
        let picture = raster(svg.as_bytes(), 40).unwrap();
        assert_eq!(picture.dimensions(), (40, 20));
        assert_eq!(picture.get_pixel(5, 5).0, [255, 0, 0, 255]);
        assert_eq!(picture.get_pixel(35, 5).0[3], 0);
        assert!(raster(b"<svg", 40).is_none() && raster(b"", 40).is_none());
    }
}
