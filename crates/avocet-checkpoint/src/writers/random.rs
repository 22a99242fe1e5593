//! Writing a model folder of random weights, so that a shape can be measured before anybody
//! trained it.

use crate::error::{CheckpointError, Result};
use crate::layout::{CONFIG, TOKENIZER, WEIGHTS};
use avocet_config::ModelConfig;
use avocet_model::{Init, ParameterSpec, parameter_specs};
use half::bf16;
use rayon::prelude::*;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Numbers that are made at a time: what is written never lies in memory as a whole.
const PIECE: usize = 1 << 20;
/// Numbers that one task makes.
const TASK: usize = 1 << 14;

/// Writes a model folder whose weights start as training would start them, matrices in BF16 and
/// all else in F32, piece by piece. Values are spread evenly with the mean and deviation that
/// training starts from, and depend on `seed` alone.
///
/// Errors if `config` is invalid or a file cannot be written.
pub fn save_random(folder: &Path, config: &ModelConfig, tokenizer: &[u8], seed: u64) -> Result<()> {
    let all = parameter_specs(config)?;
    std::fs::create_dir_all(folder).map_err(CheckpointError::io(folder))?;
    let path = folder.join(WEIGHTS);
    let file = File::create(&path).map_err(CheckpointError::io(&path))?;
    let mut file = BufWriter::new(file);
    file.write_all(&header(&all))
        .map_err(CheckpointError::io(&path))?;
    for (index, spec) in (1..).zip(&all) {
        let spread = Spread::of(spec.init, mixed(seed ^ mixed(index)));
        let count = spec.shape.elem_count();
        for from in (0..count).step_by(PIECE) {
            let bytes = spread.bytes(from, PIECE.min(count - from), spec.sensitive);
            file.write_all(&bytes).map_err(CheckpointError::io(&path))?;
        }
    }
    file.flush().map_err(CheckpointError::io(&path))?;
    for (name, bytes) in [
        (TOKENIZER, tokenizer),
        (CONFIG, config.to_toml().as_bytes()),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(CheckpointError::io(&path))?;
    }
    Ok(())
}

/// The header of a safetensors file: its length, then what lies where, filled up with spaces.
fn header(all: &[ParameterSpec]) -> Vec<u8> {
    let mut end = 0;
    let entries = all.iter().map(|spec| {
        let (dtype, size) = match spec.sensitive {
            true => ("F32", 4),
            false => ("BF16", 2),
        };
        let start = end;
        end += size * spec.shape.elem_count();
        let entry = serde_json::json!({
            "dtype": dtype,
            "shape": spec.shape.dims(),
            "data_offsets": [start, end],
        });
        (spec.name.clone(), entry)
    });
    let entries: serde_json::Map<_, _> = entries.collect();
    let mut text = serde_json::Value::Object(entries).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.append(&mut text);
    header
}

/// Numbers spread evenly within `reach` of `mean`.
struct Spread {
    mean: f64,
    reach: f64,
    seed: u64,
}

impl Spread {
    fn of(init: Init, seed: u64) -> Self {
        let (mean, reach) = match init {
            Init::Constant(value) => (value, 0.0),
            // An even spread of this reach has the same deviation.
            Init::Normal { stdev } => (0.0, 3f64.sqrt() * stdev),
        };
        Self { mean, reach, seed }
    }

    fn number(&self, index: usize) -> f32 {
        let bits = mixed(self.seed.wrapping_add(index as u64)) >> 40;
        let share = bits as f64 / f64::from(1 << 23) - 1.0;
        (self.mean + self.reach * share) as f32
    }

    /// `count` numbers from `first` on, as they are stored.
    fn bytes(&self, first: usize, count: usize, single: bool) -> Vec<u8> {
        let size = if single { 4 } else { 2 };
        let mut bytes = vec![0; size * count];
        let tasks = bytes.par_chunks_mut(size * TASK).enumerate();
        tasks.for_each(|(task, bytes)| {
            for (i, out) in bytes.chunks_exact_mut(size).enumerate() {
                let number = self.number(first + task * TASK + i);
                match single {
                    true => out.copy_from_slice(&number.to_le_bytes()),
                    false => out.copy_from_slice(&bf16::from_f32(number).to_le_bytes()),
                }
            }
        });
        bytes
    }
}

/// SplitMix64's finaliser, which makes neighbours unlike.
fn mixed(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModelFiles;

    #[test]
    fn a_random_folder_is_a_whole_model_of_its_seed() {
        let config = avocet_config::preset("tiny").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = include_bytes!("../../../../assets/mini/tokenizer.json");
        let made = |seed| {
            save_random(folder.path(), &config, tokenizer, seed).unwrap();
            let files = ModelFiles::open(folder.path()).unwrap();
            files.check().unwrap();
            assert_eq!(*files.config(), config);
            let table = files.parameters().unwrap()["decoder.embedding"].clone();
            let table = table.flatten_all().unwrap();
            table.to_vec1::<f32>().unwrap()
        };
        let table = made(1);
        let square: f32 = table.iter().map(|v| v * v).sum::<f32>() / table.len() as f32;
        assert!((square.sqrt() - 0.02).abs() < 0.002, "{}", square.sqrt());
        assert_eq!(table, made(1));
        assert_ne!(table, made(2));
    }
}
