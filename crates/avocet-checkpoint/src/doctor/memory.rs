//! What answering needs of memory.

use super::available::available_bytes;
use super::verdict::{Use, Verdict};
use crate::error::Result;
use crate::files::ModelFiles;
use crate::parameters::{WeightMapping, cols};
use crate::tensors::NumberType;
use avocet_config::{CrossAttentionConfig, FeedForwardKind, ModelConfig, StemConfig};
use avocet_kernels::KvPages;
use avocet_model::{KvCache, parameter_specs};
use candle_core::Shape;
use serde::Serialize;

const F32: u64 = size_of::<f32>() as u64;
const RGB: u64 = 3;

/// Bytes that answering needs, and those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Weights that are computed with where they lie in their files: the kernel may drop and read
    /// them again.
    pub mapped_bytes: u64,
    /// Weights that are copied.
    pub copied_bytes: u64,
    /// Tokens that there is a key/value cache for.
    pub context: usize,
    /// The cache of their keys and values.
    pub cache_bytes: u64,
    /// Pictures that are looked at.
    pub images: usize,
    /// Rows that text attends to of one picture, at most.
    pub picture_rows: u64,
    /// The pictures' keys and values.
    pub picture_bytes: u64,
    /// What the vision tower works with while it looks at the pictures, roughly.
    pub vision_bytes: u64,
    /// What is available now; `None` where the system does not say.
    pub available_bytes: Option<u64>,
}

impl Memory {
    /// What must stay in memory: everything but the mapped weights.
    pub fn resident_bytes(&self) -> u64 {
        [
            self.copied_bytes,
            self.cache_bytes,
            self.picture_bytes,
            self.vision_bytes,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// Whether memory suffices, and why.
    pub fn verdict(&self) -> (Verdict, String) {
        let rest = self.resident_bytes();
        let all = rest.saturating_add(self.mapped_bytes);
        let Some(available) = self.available_bytes else {
            let reason = "the system does not say how much memory is available";
            return (Verdict::Fits, reason.into());
        };
        let free = size(available);
        if all <= available {
            let reason = format!("{} of {free} that are available", size(all));
            return (Verdict::Fits, reason);
        }
        if rest <= available {
            let reason = format!(
                "the weights have {}, but {} of the {free} available are left for them",
                size(self.mapped_bytes),
                size(available - rest)
            );
            return (Verdict::StreamsFromDisk, reason);
        }
        let reason = format!(
            "{} beside the mapped weights, but only {free} are available",
            size(rest)
        );
        (Verdict::DoesNotRun, reason)
    }
}

/// Bytes for people: 1.25 GB, 831.00 kB, 12 bytes.
pub fn size(bytes: u64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let number = bytes as f64;
    match units.iter().find(|(unit, _)| number >= *unit) {
        Some((unit, name)) => format!("{:.2} {name}", number / unit),
        None => format!("{bytes} bytes"),
    }
}

/// What using `files` for `use_for` needs of memory; no weight is read.
///
/// Errors if the configuration makes no model.
pub fn memory(files: &ModelFiles, use_for: Use) -> Result<Memory> {
    let config = files.config();
    let (mapped_bytes, copied_bytes) = weights(files)?;
    let picture_rows = picture_rows(config);
    let images = use_for.images as u64;
    Ok(Memory {
        mapped_bytes,
        copied_bytes,
        context: use_for.context,
        cache_bytes: cache_bytes(config, use_for.context),
        images: use_for.images,
        picture_rows,
        picture_bytes: product(&[images, picture_bytes(config, picture_rows)]),
        vision_bytes: vision_bytes(config, images),
        available_bytes: available_bytes(),
    })
}

fn product(factors: &[u64]) -> u64 {
    factors.iter().copied().fold(1, u64::saturating_mul)
}

/// Bytes of weights that are mapped, and copied.
fn weights(files: &ModelFiles) -> Result<(u64, u64)> {
    let (mut mapped, mut copied) = (0u64, 0u64);
    for spec in parameter_specs(files.config())? {
        let (name, shape) = (spec.name.as_str(), &spec.shape);
        let whole = product(&[shape.elem_count() as u64, F32]);
        let mapping = files.stored.mappings.get(name);
        let (in_place, anew) = match mapping.filter(|_| !spec.sensitive) {
            Some(mapping) if files.is_mapped(name) => matrix(files, mapping, shape),
            Some(mapping) => (0, kept(files, mapping, name, whole)),
            None => (0, whole),
        };
        mapped = mapped.saturating_add(in_place);
        copied = copied.saturating_add(anew);
    }
    Ok((mapped, copied))
}

/// Bytes of a matrix that lie in files as they are computed with, and of copies of the others.
fn matrix(files: &ModelFiles, mapping: &WeightMapping, shape: &Shape) -> (u64, u64) {
    let (mut mapped, mut copied) = (0u64, 0u64);
    for term in &mapping.terms {
        let Some(stored) = files.stored.store.get(&term.tensor) else {
            continue;
        };
        let cols = cols(shape);
        let ranges = term.rows(&stored.shape, shape.rank(), cols);
        for rows in ranges.unwrap_or_default() {
            if files.stored.store.lies_usable(&term.tensor) {
                let elements = product(&[rows.len() as u64, cols as u64]);
                mapped = mapped.saturating_add(stored.dtype.num_bytes(elements));
            } else {
                let all = stored.shape.iter().map(|&size| size as u64);
                let all = all.fold(F32, u64::saturating_mul);
                copied = copied.saturating_add(all);
            }
        }
    }
    (mapped, copied)
}

/// Bytes of a copied matrix: BF16 stays as it is.
fn kept(files: &ModelFiles, mapping: &WeightMapping, name: &str, whole: u64) -> u64 {
    let stored = files.stored.store.get(name).map(|tensor| tensor.dtype);
    let is_bf16 =
        stored.and_then(NumberType::format) == Some(avocet_products::stored::StoredFormat::Bf16);
    match is_bf16 && *mapping == WeightMapping::same(name) {
        true => whole / 2,
        false => whole,
    }
}

/// What a cache of `context` tokens allocates.
fn cache_bytes(config: &ModelConfig, context: usize) -> u64 {
    let tokens = context.min(config.decoder.max_context);
    KvCache::bytes(&config.decoder, tokens) as u64
}

/// Rows of a picture that text attends to, at most: its latents, or what the tower hands on.
fn picture_rows(config: &ModelConfig) -> u64 {
    if let Some(resampler) = &config.resampler {
        return resampler.num_latents as u64;
    }
    let own = config.vision.as_ref().map(|tower| tower.max_patches);
    let clip = config.clip.as_ref();
    let clip = clip.map(|tower| tower.num_patches() + usize::from(tower.keep_class));
    let tiled = config.tiled_vision.as_ref();
    let tiled = tiled.map(|tower| tower.max_tiles * (tower.num_patches() + 1));
    let efficient = config.efficient_net.as_ref().map(|tower| tower.num_rows());
    own.or(clip).or(tiled).or(efficient).unwrap_or(0) as u64
}

/// What the keys and values of one picture of `rows` rows occupy, at most.
fn picture_bytes(config: &ModelConfig, rows: u64) -> u64 {
    let bytes = |cross: &CrossAttentionConfig| {
        KvPages::bytes(cross.num_kv_heads, cross.head_dim, rows as usize) as u64
    };
    let layer = config.cross_attention.as_ref().map_or(0, bytes);
    product(&[config.num_cross_layers() as u64, layer])
}

/// Numbers a row of a block at its widest: the row, its norm, and either query, key, value and
/// what is attended to, or the feed-forward's inner rows.
fn block_numbers(dim: u64, ff_dim: u64, ff: FeedForwardKind) -> u64 {
    let inner = match ff {
        FeedForwardKind::SwiGlu => 3,
        _ => 2,
    };
    (2 * dim).saturating_add((4 * dim).max(inner * ff_dim))
}

/// What a vision tower works with, roughly: its pictures' pixels twice and the rows of its widest
/// block. Pictures are looked at one after another.
fn vision_bytes(config: &ModelConfig, images: u64) -> u64 {
    let numbers = if let Some(own) = &config.vision {
        let (dim, ff_dim, patch) = (own.dim as u64, own.ff_dim as u64, own.patch_size as u64);
        let block = block_numbers(dim, ff_dim, FeedForwardKind::SwiGlu);
        let stem = match &own.stem {
            StemConfig::Linear => 0,
            // A convolution's input and output; each halves the side.
            StemConfig::Conv { channels } => channels.first().map_or(0, |&first| {
                let half = (patch / 2).saturating_mul(patch / 2);
                product(&[2, half, first as u64])
            }),
        };
        let row = product(&[2, RGB, patch, patch]).saturating_add(block.max(stem));
        product(&[images.min(1), own.max_patches as u64, row])
    } else if let Some(clip) = &config.clip {
        let patch = clip.patch_size as u64;
        let rows = (clip.num_patches() + usize::from(clip.class_token)) as u64;
        let block = block_numbers(clip.dim as u64, clip.ff_dim as u64, clip.ff);
        let row = product(&[2, RGB, patch, patch]).saturating_add(block);
        product(&[images.min(1), rows, row])
    } else if let Some(tiled) = &config.tiled_vision {
        let (dim, patch) = (tiled.dim as u64, tiled.patch_size as u64);
        let rows = (tiled.num_patches() + 1).next_multiple_of(8) * tiled.max_tiles;
        let block = block_numbers(dim, tiled.ff_dim as u64, tiled.ff);
        // Kept states are held one by one, side by side, and beside the output.
        let kept = product(&[3, tiled.intermediate_layers.len() as u64, dim]);
        let pixels = product(&[2, RGB, patch, patch]);
        let row = pixels.saturating_add(block).saturating_add(kept);
        product(&[images.min(1), rows as u64, row])
    } else if let Some(efficient) = &config.efficient_net {
        product(&[images.min(1), efficient.largest_activations() as u64])
    } else {
        0
    };
    numbers.saturating_mul(F32)
}
