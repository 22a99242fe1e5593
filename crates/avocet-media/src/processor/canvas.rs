//! Which canvas of tiles a picture is put on, and how large it is on it, as in Mllama
//! (arXiv:2407.21783; `get_optimal_tiled_canvas` and `get_image_size_fit_to_canvas` of
//! transformers).

/// Tiles (down, across) of the canvas of at most `max_tiles` tiles that suits a picture of `width` x
/// `height` best.
///
/// That is the one on which the picture is enlarged least, or, if it must shrink on all, shrinks
/// least; of several, the one of least area, and of those the one of fewest rows.
pub(super) fn canvas(
    (width, height): (usize, usize),
    side: usize,
    max_tiles: usize,
) -> (usize, usize) {
    let (mut best, mut best_scale) = ((1, 1), None::<f64>);
    for down in 1..=max_tiles {
        for across in 1..=max_tiles / down {
            let scale_h = (down * side) as f64 / height as f64;
            let scale_w = (across * side) as f64 / width as f64;
            let scale = scale_h.min(scale_w);
            let better = best_scale.is_none_or(|best_scale| {
                if scale == best_scale {
                    down * across < best.0 * best.1
                } else if scale >= 1.0 {
                    best_scale < 1.0 || scale < best_scale
                } else {
                    scale > best_scale
                }
            });
            if better {
                (best, best_scale) = ((down, across), Some(scale));
            }
        }
    }
    best
}

/// Size (width, height) of a picture of `width` x `height` on a canvas of that size, its aspect kept as far as whole
/// pixels allow.
///
/// A picture larger than the canvas is shrunk to fit, one smaller than a tile is enlarged to it,
/// and any other keeps its size.
pub(super) fn fit_to_canvas(
    (width, height): (usize, usize),
    canvas: (usize, usize),
    side: usize,
) -> (usize, usize) {
    let target = (width.clamp(side, canvas.0), height.clamp(side, canvas.1));
    let scale_w = target.0 as f64 / width as f64;
    let scale_h = target.1 as f64 / height as f64;
    let scaled = |length: usize, scale: f64, limit: usize| {
        ((length as f64 * scale).floor() as usize).clamp(1, limit)
    };
    if scale_w < scale_h {
        (target.0, scaled(height, scale_w, target.1))
    } else {
        (scaled(width, scale_h, target.0), target.1)
    }
}
