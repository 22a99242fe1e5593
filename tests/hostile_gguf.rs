//! GGUF models whose files lie: used, or refused by the name of the file.

use std::fs;

use anyhow::{Context, Result, ensure};
use avocet_checkpoint::ModelFiles;
use avocet_config::RopeScaling;
use tempfile::TempDir;

use crate::hostile_families::Tally;
use crate::hostile_input::Numbers;

const DIM: u64 = 8;
const HIDDEN: u64 = 12;
const TOKENS: [&str; 9] = ["<unk>", "<s>", "</s>", "\u{2581}", "a", "b", "i", "r", "d"];

/// Numbers of metadata by the format's ids of types: 4 is u32, 5 i32, 6 f32, 8 a text, 9 a list.
fn text(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

fn number(number: u32) -> Vec<u8> {
    [4_u32.to_le_bytes(), number.to_le_bytes()].concat()
}

fn name(name: &str) -> Vec<u8> {
    [8_u32.to_le_bytes().to_vec(), text(name)].concat()
}

fn list(kind: u32, items: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = [9_u32.to_le_bytes(), kind.to_le_bytes()].concat();
    bytes.extend((items.len() as u64).to_le_bytes());
    bytes.extend(items.iter().flatten());
    bytes
}

/// A llama of one layer whose weights are all 1, with the frequency factors 1 and 8: the file, and
/// how many bytes of it come before the tensors.
pub fn llama() -> (Vec<u8>, usize) {
    let each = |item: fn(usize) -> Vec<u8>| (0..TOKENS.len()).map(item).collect::<Vec<_>>();
    let tokens = list(8, &each(|i| text(TOKENS[i])));
    let scores = list(6, &each(|i| (-(i as f32)).to_le_bytes().to_vec()));
    let kind = |i: usize| [2_i32, 3, 3, 1][i.min(3)].to_le_bytes().to_vec();
    let pairs = [
        ("general.architecture", name("llama")),
        ("llama.embedding_length", number(DIM as u32)),
        ("llama.block_count", number(1)),
        ("llama.attention.head_count", number(2)),
        ("llama.attention.head_count_kv", number(1)),
        ("llama.feed_forward_length", number(HIDDEN as u32)),
        ("llama.context_length", number(64)),
        ("llama.rope.dimension_count", number(4)),
        ("tokenizer.ggml.model", name("llama")),
        ("tokenizer.ggml.tokens", tokens),
        ("tokenizer.ggml.scores", scores),
        ("tokenizer.ggml.token_type", list(5, &each(kind))),
        ("tokenizer.ggml.bos_token_id", number(1)),
        ("tokenizer.ggml.eos_token_id", number(2)),
    ];
    let vocabulary = TOKENS.len() as u64;
    let tensors: [(&str, &[u64]); 12] = [
        ("token_embd.weight", &[DIM, vocabulary]),
        ("output_norm.weight", &[DIM]),
        ("rope_freqs.weight", &[2]),
        ("blk.0.attn_norm.weight", &[DIM]),
        ("blk.0.attn_q.weight", &[DIM, DIM]),
        ("blk.0.attn_k.weight", &[DIM, 4]),
        ("blk.0.attn_v.weight", &[DIM, 4]),
        ("blk.0.attn_output.weight", &[DIM, DIM]),
        ("blk.0.ffn_norm.weight", &[DIM]),
        ("blk.0.ffn_gate.weight", &[DIM, HIDDEN]),
        ("blk.0.ffn_up.weight", &[DIM, HIDDEN]),
        ("blk.0.ffn_down.weight", &[HIDDEN, DIM]),
    ];
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((pairs.len() as u64).to_le_bytes());
    for (key, value) in pairs {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    let mut data = Vec::new();
    for (name, dims) in tensors {
        bytes.extend(text(name));
        bytes.extend((dims.len() as u32).to_le_bytes());
        bytes.extend(dims.iter().flat_map(|dim| dim.to_le_bytes()));
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend((data.len() as u64).to_le_bytes());
        for i in 0..dims.iter().product() {
            let factor = name == "rope_freqs.weight" && i == 1;
            data.extend(if factor { 8.0_f32 } else { 1.0 }.to_le_bytes());
        }
        data.resize(data.len().next_multiple_of(32), 0);
    }
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    let header = bytes.len();
    bytes.extend(data);
    (bytes, header)
}

#[test]
fn frequency_factors_of_a_gguf_file_are_read() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("llama.gguf");
    fs::write(&path, llama().0)?;
    let files = ModelFiles::open(&path)?;
    files.check()?;
    let scaling = files.config().decoder.rope.scaling.as_ref();
    let Some(RopeScaling::Long { short_factors, .. }) = scaling else {
        anyhow::bail!("{scaling:?}");
    };
    ensure!(*short_factors == [1.0, 8.0], "{short_factors:?}");
    Ok(())
}

#[test]
fn gguf_files_that_lie_are_refused_by_name() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("llama.gguf");
    let (whole, header) = llama();
    let mut numbers = Numbers(11);
    let mut tally = Tally::default();
    fs::write(&path, &whole)?;
    tally.attempt(folder.path(), &path, "whole")?;
    ensure!(tally.used == 1, "{tally:?}");
    for which in 0..800 {
        let mut bytes = whole.clone();
        let at = numbers.below(header - 8);
        match which % 4 {
            0 => numbers.damage(&mut bytes),
            1 => bytes[at] ^= 1 << numbers.below(8),
            2 => bytes[at..at + 4].copy_from_slice(&(u32::MAX >> numbers.below(32)).to_le_bytes()),
            _ => bytes.truncate(at),
        }
        fs::write(&path, &bytes)?;
        let attempt = tally.attempt(folder.path(), &path, &format!("{which}, at {at}"));
        attempt.context("a damaged file")?;
    }
    ensure!(tally.used > 50 && tally.refused > 300, "{tally:?}");
    Ok(())
}
