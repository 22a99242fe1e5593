//! What must hold of every way in which public families differ from our own models.
//!
//! That each computes what its reference does is proved by golden models; here it is that decoding
//! in steps, packing and gradients hold for it as they do for our own.

use candle_core::{DType, Result, Tensor};

use super::*;
use crate::fixture::{Fixture, difference, elements, images, keys_of, noise, read, texts, tiny};
use crate::input::TextBatch;
use avocet_config::{
    ClipConfig, EfficientNetConfig, EfficientNetStage, FeedForwardKind, NormKind, QkNorm,
    RopeScaling, Routing, TiledVisionConfig,
};

const A: Option<u32> = Some(0);

pub(crate) type Change = fn(&mut ModelConfig);

fn cross(config: &mut ModelConfig) -> &mut avocet_config::CrossAttentionConfig {
    config.cross_attention.as_mut().unwrap()
}

fn clip(config: &mut ModelConfig) {
    config.vision = None;
    config.clip = Some(ClipConfig {
        image_size: 8,
        patch_size: 4,
        dim: 24,
        num_layers: 1,
        num_heads: 3,
        ff_dim: 16,
        norm_eps: 1e-5,
        ff: FeedForwardKind::QuickGelu,
        patch_bias: true,
        class_token: true,
        keep_class: true,
        pre_norm: true,
        post_norm: true,
    });
}

fn tiled(config: &mut ModelConfig) {
    config.vision = None;
    config.resampler = None;
    config.tiled_vision = Some(TiledVisionConfig {
        image_size: 8,
        patch_size: 4,
        max_tiles: 2,
        dim: 24,
        num_layers: 2,
        num_global_layers: 1,
        num_heads: 3,
        ff_dim: 16,
        norm_eps: 1e-5,
        ff: FeedForwardKind::Gelu,
        intermediate_layers: vec![0, 1],
        arrangements: vec![(1, 1), (1, 2), (2, 1)],
        output_dim: 20,
    });
}

/// Squares of 4 x 4 pixels, of which one row of features is made.
fn efficient_net(config: &mut ModelConfig) {
    let stage = |kernel, stride, expand, dim, num_blocks| EfficientNetStage {
        kernel,
        stride,
        expand,
        dim,
        num_blocks,
    };
    config.vision = None;
    config.efficient_net = Some(EfficientNetConfig {
        image_size: 4,
        stem_dim: 20,
        head_dim: 24,
        num_classes: 5,
        stages: vec![stage(3, 1, 1, 12, 1), stage(5, 1, 3, 16, 2)],
    });
}

/// Every option at least once, in groups as families have them.
pub(crate) const CHANGES: [(&str, Change); 11] = [
    ("alibi, as MPT", |c| {
        c.decoder.alibi_max_bias = Some(8.0);
        (c.decoder.norm, c.decoder.ff) = (NormKind::LayerUnbiased, FeedForwardKind::Gelu);
        (c.decoder.moe, c.decoder.ff_dim) = (None, Some(24));
        c.decoder.attention.clip_qkv = Some(2.0);
    }),
    ("parallel and partly turning, as GPT-NeoX", |c| {
        c.decoder.parallel_residual = true;
        c.decoder.rope.dims = Some(4);
        (c.decoder.norm, c.decoder.ff) = (NormKind::Layer, FeedForwardKind::Gelu);
        (c.decoder.moe, c.decoder.ff_dim, c.decoder.ff_bias) = (None, Some(24), true);
        (c.decoder.attention.bias, c.decoder.attention.output_bias) = (true, true);
    }),
    (
        "multipliers and interleaved pairs, as Granite in GGUF",
        |c| {
            c.decoder.multipliers.embedding = 3.0;
            c.decoder.multipliers.residual = 0.5;
            c.decoder.multipliers.logits_divisor = 2.0;
            c.decoder.attention.scale = Some(0.2);
            c.decoder.rope.interleaved = true;
        },
    ),
    ("norms over all heads and plain routing, as OLMoE", |c| {
        c.decoder.attention.qk_norm = Some(QkNorm::Full);
        c.decoder.moe.as_mut().unwrap().routing = Routing::Plain;
    }),
    ("a shared expert and dense layers, as Qwen", |c| {
        c.decoder.attention.qk_norm = Some(QkNorm::Head);
        c.decoder.moe.as_mut().unwrap().shared_dim = Some(12);
        (c.decoder.dense_layers, c.decoder.ff_dim) = (vec![1], Some(20));
    }),
    (
        "a window and stretched positions, as Mistral and Llama 3.1",
        |c| {
            c.decoder.attention.window = Some(4);
            c.decoder.rope.scaling = Some(RopeScaling::Llama3 {
                factor: 8.0,
                low_freq_factor: 1.0,
                high_freq_factor: 4.0,
                original_max_position: 16,
            });
        },
    ),
    ("a biased and smaller head", |c| {
        c.decoder.tied_embeddings = false;
        (c.decoder.head_size, c.decoder.head_bias) = (Some(40), true);
        c.decoder.rope.scaling = Some(RopeScaling::Linear { factor: 2.0 });
    }),
    ("CLIP and gates by channel, as IDEFICS", |c| {
        clip(c);
        (
            cross(c).vector_gates,
            cross(c).qk_norm,
            cross(c).latent_norm,
        ) = (true, true, false);
        (cross(c).every, cross(c).before) = (None, Some(vec![0]));
        let resampler = c.resampler.as_mut().unwrap();
        (resampler.norm, resampler.ff) = (NormKind::Layer, FeedForwardKind::Relu);
        (resampler.qk_norm, resampler.head_dim) = (true, Some(6));
    }),
    ("layer norms in cross-attention, as OpenFlamingo", |c| {
        clip(c);
        (cross(c).norm, cross(c).ff) = (NormKind::Layer, FeedForwardKind::GeluTanh);
        cross(c).norm_eps = Some(1e-6);
    }),
    ("tiles and cross-attention at the end, as Mllama", |c| {
        tiled(c);
        cross(c).without_image = WithoutImage::Everything;
        (cross(c).every, cross(c).before) = (None, Some(vec![1, 2]));
    }),
    ("an EfficientNet-Lite as the tower", efficient_net),
];

/// An image of two by two patches, or two tiles of that.
fn image(f: &Fixture) -> Result<Latents> {
    let config = f.model.config();
    let grid = if config.tiled_vision.is_some() {
        (2, 4)
    } else if config.efficient_net.is_some() {
        (1, 1)
    } else {
        (2, 2)
    };
    f.model.encode_images(&images(4, &[grid]))
}

#[test]
fn latents_are_counted_without_encoding() -> Result<()> {
    for (name, change) in CHANGES {
        let f = tiny(change);
        let config = f.model.config();
        let grids: &[_] = if config.tiled_vision.is_some() {
            &[(2, 4), (2, 2), (4, 2)]
        } else if config.efficient_net.is_some() {
            &[(1, 1)]
        } else {
            &[(2, 2)]
        };
        for &grid in grids {
            let latents = f.model.encode_images(&images(4, &[grid]))?;
            let counted = f.model.config().num_latents(grid);
            assert_eq!(latents.offsets, [0, counted], "{name}: {grid:?}");
        }
    }
    Ok(())
}

#[test]
fn decoding_in_steps_equals_the_full_forward() -> Result<()> {
    for (name, change) in CHANGES {
        let f = tiny(change);
        let text = texts(&[&[None, None, A, A, A, A, A, A, A, A, A]]);
        let seen = image(&f)?;
        let full = f.model.forward(&text, Some(&seen))?.hidden;
        let (keys, mut cache) = (keys_of(&f, &seen), f.model.new_cache());
        let mut rows = Vec::new();
        for n in [3, 1, 5, 1, 1] {
            rows.push(read(&f, &text, n, &keys, &mut cache)?);
        }
        let apart = difference(&Tensor::cat(&rows, 0)?, &full);
        assert!(apart < 2e-5, "{name}: {apart}");
    }
    Ok(())
}

#[test]
fn packed_texts_equal_their_own() -> Result<()> {
    for (name, change) in CHANGES {
        let f = tiny(change);
        let text = texts(&[&[None; 6], &[None; 7]]);
        let packed = f.model.forward(&text, None)?.hidden;
        for span in text.offsets.windows(2) {
            let alone = TextBatch {
                ids: text.ids[span[0]..span[1]].to_vec(),
                offsets: vec![0, span[1] - span[0]],
                visible_images: vec![(0, 0); span[1] - span[0]],
            };
            let alone = f.model.forward(&alone, None)?.hidden;
            let apart = difference(&packed.narrow(0, span[0], span[1] - span[0])?, &alone);
            assert!(apart < 2e-5, "{name}: {apart}");
        }
    }
    Ok(())
}

#[test]
fn a_gradient_reaches_every_variable() -> Result<()> {
    for (name, change) in CHANGES {
        let f = tiny(change);
        // A closed gate lets nothing through to what is behind it.
        for (_, gate) in f.vars.iter().filter(|(name, _)| name.ends_with("gate")) {
            gate.set(&gate.as_tensor().affine(0.0, 0.4)?)?;
        }
        let text = texts(&[&[None, None, A, A, A, A], &[None; 3]]);
        let decoded = f.model.forward(&text, Some(&image(&f)?))?;
        let logits = f.model.logits(&decoded.hidden)?;
        let pull = Tensor::from_vec(
            noise(9, logits.elem_count()),
            logits.dims(),
            logits.device(),
        )?;
        let grads = (logits * pull)?.mean_all()?.backward()?;
        let untouched: Vec<&String> = f
            .vars
            .iter()
            .filter(|(_, var)| match grads.get(var) {
                None => true,
                Some(grad) => elements(grad).iter().all(|&g| g == 0.0 || !g.is_finite()),
            })
            .map(|(name, _)| name)
            .collect();
        assert!(
            untouched.is_empty(),
            "{name}: no gradient reaches {untouched:#?}"
        );
    }
    Ok(())
}

#[test]
fn a_token_without_an_image_is_treated_as_the_family_says() -> Result<()> {
    let hidden = |rule: WithoutImage| -> Result<Tensor> {
        let f = tiny(|config| {
            tiled(config);
            config.decoder.num_layers = 1;
            cross(config).without_image = rule;
        });
        let text = texts(&[&[None, None, A, A]]);
        Ok(f.model.forward(&text, Some(&image(&f)?))?.hidden)
    };
    let without = {
        let f = tiny(|config| {
            tiled(config);
            config.decoder.num_layers = 1;
            (config.cross_attention, config.tiled_vision) = (None, None);
        });
        f.model.forward(&texts(&[&[None; 4]]), None)?.hidden
    };
    let blind = |t: &Tensor| Ok::<_, candle_core::Error>(elements(&t.narrow(0, 0, 2)?));
    let nothing = hidden(WithoutImage::Nothing)?;
    assert_eq!(blind(&nothing)?, blind(&without)?);
    for rule in [WithoutImage::FeedForward, WithoutImage::Everything] {
        assert_ne!(blind(&hidden(rule)?)?, blind(&without)?, "{rule:?}");
    }
    assert_ne!(
        elements(&nothing.narrow(0, 2, 2)?),
        elements(&without.narrow(0, 2, 2)?)
    );
    Ok(())
}

#[test]
fn a_run_of_images_is_seen_as_one() -> Result<()> {
    let f = tiny(|config| {
        config.resampler = None;
        config.decoder.num_layers = 1;
        cross(config).every = Some(1);
    });
    let two = f.model.encode_images(&images(4, &[(2, 2), (1, 3)]))?;
    let joined = Latents::new(two.rows.clone(), vec![0, 7]);
    let seen = |spans: Vec<(u32, u32)>, latents: &Latents| -> Result<Tensor> {
        let text = TextBatch {
            visible_images: spans,
            ..texts(&[&[None; 4]])
        };
        Ok(f.model.forward(&text, Some(latents))?.hidden)
    };
    let run = seen(vec![(0, 2); 4], &two)?;
    let one = seen(vec![(0, 1); 4], &joined)?;
    assert_eq!(elements(&run), elements(&one));
    Ok(())
}

#[test]
fn options_survive_writing() {
    for (name, change) in CHANGES {
        let mut config = avocet_config::preset("tiny").unwrap();
        change(&mut config);
        let written = config.to_toml();
        assert_eq!(ModelConfig::from_toml(&written).unwrap(), config, "{name}");
    }
}

#[test]
fn tiles_that_a_picture_lacks_are_padding() -> Result<()> {
    let f = tiny(tiled);
    let one = f.model.encode_images(&images(4, &[(2, 2), (2, 4)]))?;
    assert_eq!(one.offsets, [0, 5, 15]);
    assert_eq!(one.padding, [15, 20, 20]);
    assert_eq!(one.rows.dtype(), DType::F32);
    assert_eq!(one.image(0)?.padding, [5, 10]);
    let wrong = f.model.encode_images(&images(4, &[(4, 4)])).unwrap_err();
    assert!(
        wrong
            .to_string()
            .contains("4 x 4 patches is no known arrangement"),
        "{wrong}"
    );
    Ok(())
}
