//! What a frame looks like from afar: few numbers, enough to tell a new picture from the same one.

/// Cells across.
const COLS: usize = 16;
/// Cells down.
const ROWS: usize = 12;
/// Numbers of the cells: red, green and blue of each.
const CELLS: usize = COLS * ROWS * 3;
/// Steps of a colour channel in the histogram.
const STEPS: usize = 8;
/// Fullest value of a histogram's entry.
const FULL: f64 = 255.0;

/// A frame seen from afar: the colours of a coarse grid, and how often each shade of red, green
/// and blue occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameStats {
    cells: Box<[u8; CELLS]>,
    histogram: Box<[u8; 3 * STEPS]>,
}

/// A look, and when the frame is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct LookAt {
    /// Seconds from the start of the file.
    pub time_s: f64,
    /// What is seen.
    pub look: FrameStats,
}

impl FrameStats {
    /// Looks at `rgb` (height, width, 3).
    ///
    /// `None` if a side is zero or the number of bytes is another.
    pub fn of(width: usize, height: usize, rgb: &[u8]) -> Option<Self> {
        if width == 0 || height == 0 || rgb.len() != width.checked_mul(height)?.checked_mul(3)? {
            return None;
        }
        let mut sums = vec![0u64; CELLS];
        let mut counts = vec![0u64; COLS * ROWS];
        let mut colours = [0u64; 3 * STEPS];
        for (y, row) in rgb.chunks_exact(width * 3).enumerate() {
            let cell_row = y * ROWS / height;
            for (x, pixel) in row.chunks_exact(3).enumerate() {
                let cell = cell_row * COLS + x * COLS / width;
                counts[cell] += 1;
                for (channel, value) in pixel.iter().enumerate() {
                    sums[cell * 3 + channel] += u64::from(*value);
                    // Shared between the two steps next to it, so that a slow change stays slow.
                    let place = usize::from(*value) * (STEPS - 1);
                    let (step, over) = (place / 255, place % 255);
                    colours[channel * STEPS + step] += 255 - over as u64;
                    colours[channel * STEPS + (step + 1).min(STEPS - 1)] += over as u64;
                }
            }
        }
        let mut cells = Box::new([0u8; CELLS]);
        for (cell, count) in counts.iter().enumerate() {
            // A frame smaller than the grid leaves cells empty: they show what the pixel there shows.
            let (y, x) = (cell / COLS * height / ROWS, cell % COLS * width / COLS);
            for channel in 0..3 {
                let at = cell * 3 + channel;
                cells[at] = match sums[at].checked_div(*count) {
                    Some(mean) => mean as u8,
                    None => rgb[(y * width + x) * 3 + channel],
                };
            }
        }
        let pixels = (width * height) as f64 * 255.0;
        let mut histogram = Box::new([0u8; 3 * STEPS]);
        for (share, count) in histogram.iter_mut().zip(colours) {
            *share = (count as f64 / pixels * FULL).round() as u8;
        }
        Some(Self { cells, histogram })
    }

    /// How different two frames are, 0 (the same) to 1: half by place, half by colours wherever
    /// they are, so that a thing that moves counts less than a thing that is new.
    pub fn difference(&self, other: &Self) -> f64 {
        0.5 * self.difference_by_place(other) + 0.5 * self.difference_by_colour(other)
    }

    /// Mean difference of the cells, 0 to 1.
    pub(crate) fn difference_by_place(&self, other: &Self) -> f64 {
        let pairs = self.cells.iter().zip(other.cells.iter());
        let sum: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        f64::from(sum) / (CELLS as f64 * 255.0)
    }

    fn difference_by_colour(&self, other: &Self) -> f64 {
        let pairs = self.histogram.iter().zip(other.histogram.iter());
        let sum: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        (f64::from(sum) / (3.0 * 2.0 * FULL)).min(1.0)
    }

    /// The largest difference of one cell, 0 to 1: a new line of small text changes few cells.
    pub(crate) fn largest_difference(&self, other: &Self) -> f64 {
        let pairs = self.cells.iter().zip(other.cells.iter());
        let largest = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
        f64::from(largest) / 255.0
    }

    /// How far this frame is from the even mixture of `a` and `b`, 0 to 1; a dissolve passes
    /// through it, a camera that turns does not.
    pub(crate) fn distance_from_mixture(&self, a: &Self, b: &Self) -> f64 {
        let ends = a.cells.iter().zip(b.cells.iter());
        let sum: f64 = (self.cells.iter().zip(ends))
            .map(|(mid, (a, b))| (f64::from(*mid) - (f64::from(*a) + f64::from(*b)) / 2.0).abs())
            .sum();
        sum / (CELLS as f64 * 255.0)
    }

    /// How well light and dark places agree, -1 to 1; brighter light on the same scene gives 1.
    pub fn correlation(&self, other: &Self) -> f64 {
        let light = |cells: &[u8; CELLS]| -> Vec<f64> {
            let sum = |cell: &[u8]| cell.iter().map(|value| f64::from(*value)).sum::<f64>();
            let light: Vec<f64> = cells.chunks_exact(3).map(sum).collect();
            let mean = light.iter().sum::<f64>() / light.len() as f64;
            light.iter().map(|value| value - mean).collect()
        };
        let (a, b) = (light(&self.cells), light(&other.cells));
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let norm = (product(&a, &a) * product(&b, &b)).sqrt();
        if norm > 0.0 {
            product(&a, &b) / norm
        } else {
            0.0
        }
    }

    /// Whether nothing is to be seen: one even colour, such as the black before a film begins.
    pub fn is_blank(&self) -> bool {
        (0..3).all(|channel| {
            let values = || self.cells.iter().skip(channel).step_by(3);
            let (least, most) = (values().min(), values().max());
            matches!((least, most), (Some(least), Some(most)) if most - least <= 6)
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A look at an even colour with a block of another somewhere.
    pub(crate) fn scene(ground: [u8; 3], block: [u8; 3], left: usize) -> FrameStats {
        let (width, height) = (64, 48);
        let rgb: Vec<u8> = (0..width * height)
            .flat_map(|i| {
                let (x, y) = (i % width, i / width);
                let inside = (left..left + 20).contains(&x) && (14..34).contains(&y);
                if inside { block } else { ground }
            })
            .collect();
        FrameStats::of(width, height, &rgb).expect("sizes agree")
    }

    #[test]
    fn a_frame_does_not_differ_from_itself_and_does_from_another() {
        let (a, b) = (
            scene([240, 230, 220], [200, 20, 20], 22),
            scene([20, 30, 60], [250, 250, 90], 22),
        );
        assert_eq!(a.difference(&a), 0.0);
        assert!(a.difference(&b) > 0.6, "{}", a.difference(&b));
        assert!(!a.is_blank() && scene([9, 9, 9], [9, 9, 9], 0).is_blank());
    }

    #[test]
    fn what_moves_differs_less_than_what_is_new() {
        let (a, moved) = (
            scene([240, 230, 220], [200, 20, 20], 10),
            scene([240, 230, 220], [200, 20, 20], 34),
        );
        let new = scene([60, 60, 220], [20, 200, 20], 10);
        assert!(
            a.difference(&moved) < 0.35 * a.difference(&new),
            "{} {}",
            a.difference(&moved),
            a.difference(&new)
        );
    }

    #[test]
    fn any_size_can_be_looked_at() {
        for (width, height) in [(1, 1), (1, 200), (3, 5), (16, 12), (17, 13), (320, 7)] {
            let rgb = [200, 100, 50].repeat(width * height);
            let look = FrameStats::of(width, height, &rgb).expect("sizes agree");
            assert_eq!(look.cells[..3], [200, 100, 50], "{width} x {height}");
            assert!(look.is_blank());
        }
        assert!(FrameStats::of(0, 4, &[]).is_none() && FrameStats::of(2, 2, &[0; 11]).is_none());
    }
}
