//! Public vision encoders, from their `config.json` alone: CLIP and SigLIP, alone or within a
//! model, and open_clip's.

use super::fields::Fields;
use super::names;
use crate::error::Result;
use crate::layout::PREPROCESSOR;
use crate::parameters::Section;
use avocet_config::{ClipConfig, FeedForwardKind};
use avocet_media::{Filter, Fit, ImageProcessor};
use std::path::Path;

/// What pictures were normalised by for OpenAI's CLIP.
pub(super) const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// As [`CLIP_MEAN`].
pub(super) const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// A vision encoder's shape, where its parameters are, and what it is shown.
pub(super) struct VisionFamily {
    pub config: ClipConfig,
    pub names: &'static [Section],
    pub processor: ImageProcessor,
}

/// The encoder in `folder`; `None` if its `model_type` is none that is read.
///
/// What text attends to is one row a patch: CLIP's class row is left out, and its last norm, which
/// was only ever trained on that row, too.
pub(super) fn read(folder: &Path, fields: &Fields) -> Result<Option<VisionFamily>> {
    let kind = fields.text_or("model_type", "")?;
    let (fields, clip) = match kind.as_str() {
        "clip_vision_model" => (fields.clone(), true),
        "siglip_vision_model" => (fields.clone(), false),
        "clip" => (fields.need_inner("vision_config")?, true),
        "siglip" => (fields.need_inner("vision_config")?, false),
        _ => return Ok(None),
    };
    let default = if clip {
        "quick_gelu"
    } else {
        "gelu_pytorch_tanh"
    };
    let config = ClipConfig {
        image_size: fields.size_or("image_size", 224)?,
        patch_size: fields.size_or("patch_size", if clip { 32 } else { 16 })?,
        dim: fields.width_or("hidden_size", 768)?,
        num_layers: fields.size_or("num_hidden_layers", 12)?,
        num_heads: fields.size_or("num_attention_heads", 12)?,
        ff_dim: fields.size_or("intermediate_size", 3072)?,
        norm_eps: fields.number_or("layer_norm_eps", if clip { 1e-5 } else { 1e-6 })?,
        ff: activation(&fields, "hidden_act", default)?,
        patch_bias: !clip,
        class_token: clip,
        keep_class: false,
        pre_norm: clip,
        post_norm: !clip,
    };
    let processor = square(folder, &config, clip)?;
    Ok(Some(VisionFamily {
        config,
        names: names::CLIP,
        processor,
    }))
}

/// The feed-forward that an activation's name stands for.
pub(super) fn activation(fields: &Fields, name: &str, default: &str) -> Result<FeedForwardKind> {
    match fields.text_or(name, default)?.as_str() {
        "gelu" => Ok(FeedForwardKind::Gelu),
        "gelu_new" | "gelu_pytorch_tanh" => Ok(FeedForwardKind::GeluTanh),
        "quick_gelu" => Ok(FeedForwardKind::QuickGelu),
        "relu" => Ok(FeedForwardKind::Relu),
        other => Err(fields.refuse(
            name,
            format!("is {other:?}; gelu, gelu_pytorch_tanh, quick_gelu and relu are computed"),
        )),
    }
}

/// How pictures are normalised: as `preprocessor_config.json` says, if it is there.
pub(super) fn normalisation(
    preprocessor: Option<&Fields>,
    default: ([f32; 3], [f32; 3]),
) -> Result<([f32; 3], [f32; 3])> {
    let Some(fields) = preprocessor else {
        return Ok(default);
    };
    let three = |name: &str, default: [f32; 3]| -> Result<[f32; 3]> {
        let numbers = fields.numbers(name)?;
        match numbers[..] {
            [] => Ok(default),
            [a, b, c] => Ok([a as f32, b as f32, c as f32]),
            _ => Err(fields.refuse(name, format!("has {} numbers, not 3", numbers.len()))),
        }
    };
    Ok((
        three("image_mean", default.0)?,
        three("image_std", default.1)?,
    ))
}

fn square(folder: &Path, config: &ClipConfig, clip: bool) -> Result<ImageProcessor> {
    let preprocessor = Fields::read_if_there(&folder.join(PREPROCESSOR))?;
    let default = if clip {
        (CLIP_MEAN, CLIP_STD)
    } else {
        ([0.5; 3], [0.5; 3])
    };
    let (mean, std) = normalisation(preprocessor.as_ref(), default)?;
    let resample = match &preprocessor {
        Some(fields) => fields.size_or("resample", 3)?,
        None => 3,
    };
    let filter = match (resample, &preprocessor) {
        (2, _) => Filter::Bilinear,
        (3, _) | (_, None) => Filter::Bicubic,
        (other, Some(fields)) => {
            let reason = format!("is {other}; 2 (bilinear) and 3 (bicubic) are computed");
            return Err(fields.refuse("resample", reason));
        }
    };
    Ok(ImageProcessor::Square {
        side: config.image_size,
        patch_size: config.patch_size,
        fit: if clip {
            Fit::ShortestEdgeThenFloorCrop
        } else {
            Fit::Stretch
        },
        filter,
        mean,
        std,
    })
}

/// The encoder that open_clip keeps in `folder`, as OpenFlamingo looks through it: without the
/// class row and without the last norm (open_clip 2.16).
pub(super) fn open_clip(folder: &Path) -> Result<VisionFamily> {
    let whole = Fields::read(&folder.join("open_clip_config.json"))?;
    let model = whole.need_inner("model_cfg")?;
    let tower = model.need_inner("vision_cfg")?;
    let dim = tower.width("width")?;
    let head = tower.size_or("head_width", 64)?.max(1);
    let ratio = tower.number_or("mlp_ratio", 4.0)?;
    // OpenAI's own weights were trained with the quick form, whatever a file made from them says.
    let quick = model.flag_or("quick_gelu", true)?;
    let config = ClipConfig {
        image_size: tower.size("image_size")?,
        patch_size: tower.size("patch_size")?,
        dim,
        num_layers: tower.size("layers")?,
        num_heads: dim / head,
        ff_dim: (dim as f64 * ratio) as usize,
        norm_eps: 1e-5,
        ff: if quick {
            FeedForwardKind::QuickGelu
        } else {
            FeedForwardKind::Gelu
        },
        patch_bias: false,
        class_token: true,
        keep_class: false,
        pre_norm: true,
        post_norm: false,
    };
    let preprocess = whole.inner("preprocess_cfg")?;
    let three = |name: &str, default: [f32; 3]| -> Result<[f32; 3]> {
        let numbers = preprocess.as_ref().map(|fields| fields.numbers(name));
        match numbers.transpose()?.unwrap_or_default()[..] {
            [a, b, c] => Ok([a as f32, b as f32, c as f32]),
            _ => Ok(default),
        }
    };
    Ok(VisionFamily {
        processor: ImageProcessor::Square {
            side: config.image_size,
            patch_size: config.patch_size,
            fit: Fit::ShortestEdgeThenCrop,
            filter: Filter::Bicubic,
            mean: three("mean", CLIP_MEAN)?,
            std: three("std", CLIP_STD)?,
        },
        config,
        names: names::OPEN_CLIP,
    })
}
