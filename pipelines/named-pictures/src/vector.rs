//! Drawings in SVG as sprites.

use drawing::Sprite;
use resvg::tiny_skia::{Pixmap, Rect, Transform};
use resvg::usvg::{self, Options, Tree};

/// The drawing stretched to so many pixels.
///
/// Nothing that the drawing names is opened: resvg is built without raster images and texts.
/// Errors if it does not read.
pub fn stretched(svg: &[u8], size: (u32, u32)) -> Result<Sprite, usvg::Error> {
    Ok(rasterised(
        &Tree::from_data(svg, &Options::default())?,
        size,
    ))
}

/// The drawing in its own shape, its longer side so many pixels; otherwise as [`stretched`].
pub fn fitted(svg: &[u8], longest: u32) -> Result<Sprite, usvg::Error> {
    let tree = Tree::from_data(svg, &Options::default())?;
    let scale = longest as f32 / tree.size().width().max(tree.size().height());
    let side = |length: f32| ((length * scale).round() as u32).clamp(1, longest);
    let size = (side(tree.size().width()), side(tree.size().height()));
    Ok(rasterised(&tree, size))
}

/// What is seen of the drawing, without the empty page around it, its longer side so many pixels;
/// otherwise as [`stretched`]. None if there is nothing to be seen.
pub fn trimmed(svg: &[u8], longest: u32) -> Option<Sprite> {
    let tree = Tree::from_data(svg, &Options::default()).ok()?;
    let page = Rect::from_xywh(0.0, 0.0, tree.size().width(), tree.size().height())?;
    let seen = tree
        .root()
        .abs_layer_bounding_box()
        .to_rect()
        .intersect(&page)?;
    let scale = longest as f32 / seen.width().max(seen.height());
    let side = |length: f32| ((length * scale).round() as u32).clamp(1, longest);
    let (width, height) = (side(seen.width()), side(seen.height()));
    let fit = Transform::from_translate(-seen.x(), -seen.y())
        .post_scale(width as f32 / seen.width(), height as f32 / seen.height());
    let sprite = drawn(&tree, (width, height), fit);
    (!sprite.is_empty()).then_some(sprite)
}

fn rasterised(tree: &Tree, (width, height): (u32, u32)) -> Sprite {
    let fit = Transform::from_scale(
        width as f32 / tree.size().width(),
        height as f32 / tree.size().height(),
    );
    drawn(tree, (width, height), fit)
}

fn drawn(tree: &Tree, (width, height): (u32, u32), fit: Transform) -> Sprite {
    let mut pixmap = Pixmap::new(width, height).expect("neither side is zero");
    resvg::render(tree, fit, &mut pixmap.as_mut());
    let rgba: Vec<u8> = pixmap
        .pixels()
        .iter()
        .flat_map(|p| {
            let plain = p.demultiply();
            [plain.red(), plain.green(), plain.blue(), plain.alpha()]
        })
        .collect();
    Sprite::new(width as usize, height as usize, &rgba)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_keeps_its_shape_unless_it_is_stretched() {
        let svg = br##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 10">
            <rect width="10" height="10" fill="#ff0000"/></svg>"##;
        let fitted = fitted(svg, 40).unwrap();
        assert_eq!(fitted.aspect(), 2.0);
        assert_eq!(fitted.extent(), [0.0, 0.0, 0.5, 1.0]);
        assert_eq!(stretched(svg, (30, 30)).unwrap().aspect(), 1.0);
        assert!(stretched(b"<svg", (30, 30)).is_err());
        let seen = trimmed(svg, 40).unwrap();
        assert_eq!((seen.aspect(), seen.extent()), (1.0, [0.0, 0.0, 1.0, 1.0]));
        let empty = br#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 10"/>"#;
        assert!(trimmed(empty, 40).is_none());
    }
}
