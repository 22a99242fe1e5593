//! Where the rows of names start: so that a word looks for itself.
//!
//! What the first cross-attention asks for with a token is a product of that token's embedding. The
//! projection of the names is made so that the key of a row is the same product of the row's own
//! token, in one head, and of the token before it, in another: a question's word then finds the
//! name it is in, and the token just said finds what follows it. Keys are shared by the heads, so
//! the matrix of the keys itself, which reads patches already, stays as it is.

use std::collections::HashMap;

use avocet_config::ModelConfig;
use avocet_kernels::HOST;
use avocet_model::{Init, seeded};
use candle_core::{DType, Shape, Tensor};

use crate::error::Result;

/// The heads that look for the row of a token, and for the row behind it.
const OWN_HEAD: usize = 0;
const NEXT_HEAD: usize = 1;
/// Added to the diagonal of what is inverted, as a share of its mean.
const RIDGE: f64 = 0.05;

/// Adds the first values of the names' projections to `values`, where these have a cross-attention
/// that reads already and no such projections.
pub(crate) fn start(
    config: &ModelConfig,
    seed: u64,
    values: &mut HashMap<String, Tensor>,
) -> Result<()> {
    let (Some(_), Some(cross), Some(width)) = (
        &config.concepts,
        &config.cross_attention,
        config.latent_dim(),
    ) else {
        return Ok(());
    };
    let dim = config.decoder.dim;
    let fits = cross.num_kv_heads == 1 && cross.num_heads > NEXT_HEAD && !cross.qk_norm;
    if !fits || values.contains_key("concepts.name") {
        return Ok(());
    }
    let part = |name: &str| -> Result<Option<Vec<Vec<f32>>>> {
        let Some(tensor) = values.get(&format!("cross_attention.0.{name}")) else {
            return Ok(None);
        };
        let tensor = tensor.to_device(&HOST)?.to_dtype(DType::F32)?;
        Ok(Some(match tensor.rank() {
            1 => vec![tensor.to_vec1()?],
            _ => tensor.to_vec2()?,
        }))
    };
    let (Some(query), Some(key)) = (part("query")?, part("key")?) else {
        return Ok(());
    };
    let asks = part("norm")?.map_or_else(|| vec![1.0; dim], |mut rows| rows.remove(0));
    let reads = part("latent_norm")?.map_or_else(|| vec![1.0; width], |mut rows| rows.remove(0));
    let key = scaled(&key, &reads); // (K, D_v)
    let Some(inverse) = right_inverse(&key) else {
        return Ok(());
    };
    let mut made = Vec::new();
    for (name, head) in [
        ("concepts.name", OWN_HEAD),
        ("concepts.previous", NEXT_HEAD),
    ] {
        let rows = &query[head * cross.head_dim..(head + 1) * cross.head_dim];
        let looking = scaled(rows, &asks); // (K, D)
        let matrix = product(&inverse, &looking); // (D_v, D)
        let square: f32 = matrix.iter().flatten().map(|value| value * value).sum();
        // A row of unit scale, as the fresh ones it is added to.
        let scale = (width as f32 / square.max(1e-12)).sqrt();
        let shape = Shape::from((width, dim));
        let stdev = 1.0 / (dim as f64).sqrt();
        let fresh = seeded(&shape, Init::Normal { stdev }, seed, name)?;
        let matrix: Vec<f32> = matrix.into_iter().flatten().map(|v| v * scale).collect();
        let matrix = Tensor::from_vec(matrix, shape, &HOST)?;
        made.push((name.to_owned(), ((fresh * 0.7)? + matrix)?));
    }
    values.extend(made);
    Ok(())
}

/// Each row times `scales`, column by column.
fn scaled(rows: &[Vec<f32>], scales: &[f32]) -> Vec<Vec<f32>> {
    let row = |row: &Vec<f32>| row.iter().zip(scales).map(|(value, s)| value * s).collect();
    rows.iter().map(row).collect()
}

fn product(a: &[Vec<f32>], b: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let width = b.first().map_or(0, Vec::len);
    let row = |a: &Vec<f32>| {
        let mut out = vec![0.0; width];
        for (value, b) in a.iter().zip(b) {
            out.iter_mut().zip(b).for_each(|(out, b)| *out += value * b);
        }
        out
    };
    a.iter().map(row).collect()
}

/// `a^T (a a^T + ridge)^-1` (I, O) of `a` (O, I); none if a row of it is nothing.
fn right_inverse(a: &[Vec<f32>]) -> Option<Vec<Vec<f32>>> {
    let count = a.len();
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter()
            .zip(y)
            .map(|(x, y)| f64::from(*x) * f64::from(*y))
            .sum()
    };
    let mean = a.iter().map(|row| dot(row, row)).sum::<f64>() / count.max(1) as f64;
    // The square matrix beside the unit matrix, which elimination turns into its inverse.
    let mut rows: Vec<Vec<f64>> = (0..count)
        .map(|i| {
            let own = (0..count).map(|j| {
                let ridge = if i == j { RIDGE * mean } else { 0.0 };
                dot(&a[i], &a[j]) + ridge
            });
            let unit = (0..count).map(|j| if i == j { 1.0 } else { 0.0 });
            own.chain(unit).collect()
        })
        .collect();
    for at in 0..count {
        let pivot = rows[at][at];
        if pivot.abs() < 1e-12 {
            return None;
        }
        rows[at].iter_mut().for_each(|value| *value /= pivot);
        let own = rows[at].clone();
        for (_, row) in rows
            .iter_mut()
            .enumerate()
            .filter(|(other, _)| *other != at)
        {
            let times = row[at];
            row.iter_mut()
                .zip(&own)
                .for_each(|(value, own)| *value -= times * own);
        }
    }
    let inverse: Vec<Vec<f32>> = rows
        .iter()
        .map(|row| row[count..].iter().map(|value| *value as f32).collect())
        .collect();
    let width = a.first()?.len();
    let transposed: Vec<Vec<f32>> = (0..width)
        .map(|at| a.iter().map(|row| row[at]).collect())
        .collect();
    Some(product(&transposed, &inverse))
}

#[cfg(test)]
mod tests {
    use super::*;
    use avocet_config::{ConceptsConfig, EfficientNetConfig, preset};

    #[test]
    fn a_token_asks_for_what_its_own_name_has_as_its_key() -> Result<()> {
        let mut config = preset("mini").expect("a preset");
        config.efficient_net = EfficientNetConfig::lite(0);
        config.concepts = Some(ConceptsConfig {
            windows: 3,
            num_names: 5,
            num_kinds: 5,
            least_kind: 0.3,
            max_name_tokens: 10,
            initial_gate: 1e-4,
        });
        let (dim, width, head) = (256, 192, 32);
        let draw = |rows: usize, cols: usize, name: &str| {
            let init = Init::Normal {
                stdev: 1.0 / (cols as f64).sqrt(),
            };
            seeded(&Shape::from((rows, cols)), init, 3, name)
        };
        let mut values = HashMap::from([
            (
                "cross_attention.0.query".to_owned(),
                draw(8 * head, dim, "q")?,
            ),
            ("cross_attention.0.key".to_owned(), draw(head, width, "k")?),
        ]);
        start(&config, 1, &mut values)?;
        let tokens = draw(40, dim, "tokens")?;
        for (name, of_head) in [
            ("concepts.name", OWN_HEAD),
            ("concepts.previous", NEXT_HEAD),
        ] {
            let rows = tokens.matmul(&values[name].t()?)?;
            let keys = rows.matmul(&values["cross_attention.0.key"].t()?)?;
            let query = values["cross_attention.0.query"].narrow(0, of_head * head, head)?;
            let asked = tokens.matmul(&query.t()?)?;
            let scores = asked.matmul(&keys.t()?)?.to_vec2::<f32>()?;
            let best = |row: &Vec<f32>| (0..40).max_by(|a, b| row[*a].total_cmp(&row[*b]));
            let right = scores
                .iter()
                .enumerate()
                .filter(|(at, row)| best(row) == Some(*at));
            assert!(right.count() >= 36, "{name}");
        }
        let before = values["concepts.name"].to_vec2::<f32>()?;
        start(&config, 2, &mut values)?;
        assert_eq!(values["concepts.name"].to_vec2::<f32>()?, before);
        Ok(())
    }
}
