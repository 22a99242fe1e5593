//! Elementwise work that the compiler vectorises for each level: the macro that does so, a
//! polynomial exponential, and reductions in a fixed order of lanes.
//!
//! Nothing here uses fused multiply-add implicitly, so every instruction set gives the same bytes.

/// Defines a function that is compiled for AVX-512, for AVX2 and for any processor, and chosen by
/// the [`Level`](crate::Level) at run time.
///
/// The body must call only functions marked `#[inline(always)]` to be vectorised as a whole.
#[macro_export]
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512($($arg: $ty),*) $(-> $ret)? {
                body($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                body($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            match $crate::Level::current() {
                $crate::Level::Portable => {}
                // SAFETY: the processor has the level.
                $crate::Level::Avx2 => return unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                _ => return unsafe { avx512($($arg),*) },
            }
            body($($arg),*)
        }
    };
}
pub use crate::vectorised;

/// e^x to 2 units in the last place; exactly 0 below -87.3, infinite above 88.3, NaN for NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LOWEST: f32 = -87.3;
    const HIGHEST: f32 = 88.3;
    // Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = if x < LOWEST { LOWEST } else { x };
    let clamped = if clamped > HIGHEST { HIGHEST } else { clamped };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts (Cephes), so that the remainder keeps its low bits.
    let r = clamped - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    p = p * (r * r) + r + 1.0;
    let power = f32::from_bits((shifted.to_bits().wrapping_sub(ROUND.to_bits() - 127)) << 23);
    let value = p * power;
    let value = if x < LOWEST { 0.0 } else { value };
    if x > HIGHEST { f32::INFINITY } else { value }
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Lanes of a reduction: partial results that are combined at the end, in order.
const LANES: usize = 16;

/// The sum of `a[i] * b[i]`, in 16 lanes.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let mut pairs = a.chunks_exact(LANES).zip(b.chunks_exact(LANES));
    for (a, b) in &mut pairs {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    let done = a.len().min(b.len()) / LANES * LANES;
    let rest: f32 = a[done..].iter().zip(&b[done..]).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// The sum of all elements, in 16 lanes.
#[inline(always)]
pub fn sum(a: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let chunks = a.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += chunk[i];
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// The largest element, -infinity of none; NaN is passed over.
#[inline(always)]
pub fn max(a: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = a.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = if chunk[i] > lanes[i] {
                chunk[i]
            } else {
                lanes[i]
            };
        }
    }
    lanes
        .iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m })
}

vectorised! {
    /// Replaces `row` by its softmax and returns the log of the sum of exponentials.
    ///
    /// An empty row is left alone and gives -infinity.
    pub fn softmax_in_place(row: &mut [f32]) -> f32 {
        let largest = max(row);
        if row.is_empty() {
            return largest;
        }
        for v in row.iter_mut() {
            *v = exp(*v - largest);
        }
        let total = sum(row);
        let scale = 1.0 / total;
        for v in row.iter_mut() {
            *v *= scale;
        }
        largest + total.ln()
    }
}

vectorised! {
    /// `y += scale * x`, element by element.
    pub fn add_scaled(y: &mut [f32], x: &[f32], scale: f32) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += scale * x;
        }
    }
}

vectorised! {
    /// [`dot`], compiled on its own.
    pub fn dot_of(a: &[f32], b: &[f32]) -> f32 {
        dot(a, b)
    }
}

vectorised! {
    /// `y = scale * x`, element by element.
    pub fn scale_into(y: &mut [f32], x: &[f32], scale: f32) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = scale * x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    #[test]
    fn exp_agrees_with_the_exact_exponential() {
        for i in -8700..=8800 {
            let x = i as f32 * 0.01;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 3e-7, "exp({x}): relative error {error}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-100.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn softmax_sums_to_one_and_reports_its_logsumexp() {
        let mut row: Vec<f32> = (0..37).map(|i| (i * 7 % 11) as f32 - 3.0).collect();
        let expected = row.iter().map(|v| v.exp()).sum::<f32>().ln();
        let got = softmax_in_place(&mut row);
        assert!((got - expected).abs() < 1e-5);
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }

    /// The bits of every function here, and of what is vectorised by the compiler alone.
    fn all_bits() -> Vec<u32> {
        let x: Vec<f32> = (0..101)
            .map(|i| (i * 37 % 64) as f32 * 0.17 - 5.0)
            .collect();
        let mut softmax = x.clone();
        let log_sum = softmax_in_place(&mut softmax);
        let mut sums = vec![0.5; x.len()];
        add_scaled(&mut sums, &x, 0.3);
        let mut scaled = vec![0.0; x.len()];
        scale_into(&mut scaled, &sums, 1.7);
        let others = [log_sum, dot_of(&x, &softmax), max(&x)];
        let all = [softmax, sums, scaled].concat();
        all.iter().chain(&others).map(|v| v.to_bits()).collect()
    }

    #[test]
    fn every_level_gives_the_same_bits() -> std::io::Result<()> {
        // This test runs itself at each level, since a process has one.
        const BITS: &str = "bits of this level: ";
        println!("{BITS}{:?}", all_bits());
        if std::env::var_os("AVOCET_CPU").is_some() {
            return Ok(());
        }
        let expected = format!("{BITS}{:?}", all_bits());
        for level in Level::available() {
            let mut child = std::process::Command::new(std::env::current_exe()?);
            child.args(["--exact", "simd::tests::every_level_gives_the_same_bits"]);
            child.arg("--nocapture").env("AVOCET_CPU", level.name());
            let output = child.output()?;
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains(&expected), "{level:?}: {text}");
        }
        Ok(())
    }
}
