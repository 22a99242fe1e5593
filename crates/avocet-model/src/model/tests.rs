//! What must hold of the joined model.

use candle_core::{DType, Result, Tensor};

use super::*;
use crate::blockwise::Decoded;
use crate::fixture::{
    Fixture, difference, elements, images, keys_of, noise, read, texts, tiny, tiny_in,
};
use crate::input::TextBatch;
use avocet_config::{MoeConfig, StemConfig};

const A: Option<u32> = Some(0);
const B: Option<u32> = Some(1);
/// A token's sight of no image.
const BLIND: (u32, u32) = (0, 0);

fn shut(config: &mut ModelConfig) {
    config.cross_attention.as_mut().unwrap().initial_gate = 0.0;
}

fn moe(config: &mut ModelConfig) -> &mut MoeConfig {
    config.decoder.moe.as_mut().unwrap()
}

fn dense(config: &mut ModelConfig) {
    (config.decoder.ff_dim, config.decoder.moe) = (Some(16), None);
}

fn hidden(f: &Fixture, text: &TextBatch, seen: Option<&Images>) -> Result<Tensor> {
    let latents = seen
        .map(|images| f.model.encode_images(images))
        .transpose()?;
    Ok(f.model.forward(text, latents.as_ref())?.hidden)
}

#[test]
fn closed_gates_give_exactly_the_text_model() -> Result<()> {
    let joined = tiny(shut);
    let text_only = tiny(|config| {
        config.cross_attention = None;
        config.vision = None;
        config.resampler = None;
    });
    let text = texts(&[&[None, A, A, A], &[B; 6]]);
    let blind = TextBatch {
        visible_images: vec![(0, 0); 10],
        ..text.clone()
    };
    let seen = hidden(&joined, &text, Some(&images(1, &[(2, 3), (1, 4)])))?;
    let unseen = hidden(&text_only, &blind, None)?;
    assert_eq!(elements(&seen), elements(&unseen));
    assert!(
        joined
            .model
            .gates()?
            .iter()
            .all(|&gates| gates == (0.0, 0.0))
    );
    Ok(())
}

#[test]
fn open_gates_let_the_image_through() -> Result<()> {
    let f = tiny(|_| {});
    let text = texts(&[&[A; 5]]);
    let one = hidden(&f, &text, Some(&images(1, &[(2, 2)])))?;
    let other = hidden(&f, &text, Some(&images(2, &[(2, 2)])))?;
    assert!(difference(&one, &other) > 1e-3);
    Ok(())
}

#[test]
fn a_token_before_the_first_image_is_untouched_by_any_image() -> Result<()> {
    let f = tiny(|_| {});
    let text = texts(&[&[None, None, None, A, A, B]]);
    let one = hidden(&f, &text, Some(&images(1, &[(2, 2), (3, 1)])))?;
    let other = hidden(&f, &text, Some(&images(2, &[(4, 4), (1, 1)])))?;
    let blind = TextBatch {
        visible_images: vec![(0, 0); 6],
        ..text
    };
    let none = hidden(&f, &blind, None)?;
    let before = |t: &Tensor| Ok::<_, candle_core::Error>(elements(&t.narrow(0, 0, 3)?));
    assert_eq!(before(&one)?, before(&other)?);
    // Fewer latents pass through other products, but none of them reaches these rows.
    assert_eq!(before(&one)?, before(&none)?);
    assert!(difference(&one.narrow(0, 3, 3)?, &other.narrow(0, 3, 3)?) > 1e-3);
    Ok(())
}

#[test]
fn a_token_sees_its_latest_image_and_no_other() -> Result<()> {
    let f = tiny(|config| config.decoder.num_layers = 1);
    let text = texts(&[&[A, A, B, B]]);
    let (first, second) = (images(1, &[(2, 2)]), images(2, &[(1, 3)]));
    let pair = |a: &Images, b: &Images| -> Result<Images> {
        let patches = Tensor::cat(&[&a.patches, &b.patches], 0)?;
        Ok(Images {
            patches,
            grids: [a.grids.clone(), b.grids.clone()].concat(),
        })
    };
    let one = hidden(&f, &text, Some(&pair(&first, &second)?))?;
    let other = hidden(&f, &text, Some(&pair(&first, &images(3, &[(1, 3)]))?))?;
    assert_eq!(
        elements(&one.narrow(0, 0, 2)?),
        elements(&other.narrow(0, 0, 2)?)
    );
    assert!(difference(&one.narrow(0, 2, 2)?, &other.narrow(0, 2, 2)?) > 1e-3);
    Ok(())
}

/// One to three images anywhere in the text, and texts without any.
fn mixed_batch() -> (TextBatch, Images) {
    let text = texts(&[
        &[A; 5],
        &[None, None, B, B, Some(2), Some(2), Some(3)],
        &[None; 4],
        &[None, Some(4), Some(4)],
    ]);
    (text, images(5, &[(2, 3), (1, 1), (4, 4), (1, 7), (3, 2)]))
}

#[test]
fn a_packed_batch_equals_its_texts_one_by_one() -> Result<()> {
    for with_resampler in [false, true] {
        let f = tiny(|config| {
            if !with_resampler {
                config.resampler = None;
            }
        });
        let (text, seen) = mixed_batch();
        let packed = hidden(&f, &text, Some(&seen))?;
        let latents = f.model.encode_images(&seen)?;
        for (index, span) in text.offsets.windows(2).enumerate() {
            let (from, to) = (span[0], span[1]);
            let named: Vec<u32> = text.visible_images[from..to]
                .iter()
                .filter(|(first, end)| first < end)
                .map(|(first, _)| *first)
                .collect();
            let first = named.first().copied().unwrap_or(0);
            let alone = TextBatch {
                ids: text.ids[from..to].to_vec(),
                offsets: vec![0, to - from],
                visible_images: text.visible_images[from..to]
                    .iter()
                    .map(|(a, b)| (a.saturating_sub(first), b.saturating_sub(first)))
                    .collect(),
            };
            let mut own = Vec::new();
            for image in named
                .first()
                .into_iter()
                .flat_map(|&f| f..=*named.last().unwrap())
            {
                let patches_before: usize = seen.grids[..image as usize]
                    .iter()
                    .map(|(r, c)| r * c)
                    .sum();
                let grid = seen.grids[image as usize];
                let patches = seen.patches.narrow(0, patches_before, grid.0 * grid.1)?;
                let image_alone = Images {
                    patches: patches.contiguous()?,
                    grids: vec![grid],
                };
                own.push(f.model.encode_images(&image_alone)?);
                let within = latents.image(image as usize)?.rows;
                assert!(
                    difference(&within, &own[own.len() - 1].rows) < 1e-5,
                    "image {image}"
                );
            }
            let own = match own.iter().collect::<Vec<_>>().as_slice() {
                [] => None,
                parts => Some(concat(parts)?),
            };
            let one = f.model.forward(&alone, own.as_ref())?.hidden;
            let within = packed.narrow(0, from, to - from)?;
            // Only the order of sums in the products differs.
            assert!(difference(&one, &within) < 2e-5, "text {index}");
        }
    }
    Ok(())
}

#[test]
fn cached_decoding_equals_the_full_forward() -> Result<()> {
    let f = tiny(|_| {});
    let text = texts(&[&[None, None, A, A, A, B, B, B, B, B, B]]);
    let seen = f.model.encode_images(&images(4, &[(2, 3), (1, 2)]))?;
    let full = f.model.forward(&text, Some(&seen))?.hidden;
    let keys = keys_of(&f, &seen);
    for steps in [vec![11], vec![4, 1, 1, 1, 1, 1, 1, 1], vec![1, 7, 3]] {
        let mut cache = f.model.new_cache();
        let mut rows = Vec::new();
        for n in steps {
            rows.push(read(&f, &text, n, &keys, &mut cache)?);
        }
        assert_eq!(cache.len(), 11);
        assert!(difference(&Tensor::cat(&rows, 0)?, &full) < 2e-5);
    }
    Ok(())
}

#[test]
fn a_dense_decoder_is_one_whose_only_expert_takes_every_token() -> Result<()> {
    let f = tiny(dense);
    let one_expert = tiny(|config| {
        (moe(config).num_experts, moe(config).top_k) = (1, 1);
    });
    for (name, var) in f.vars.iter().filter(|(n, _)| n.starts_with("decoder.")) {
        match name.split_once(".ff.") {
            Some((layer, matrix)) => {
                let expert = format!("{layer}.moe.experts.{matrix}");
                one_expert.vars[&expert].set(&var.unsqueeze(0)?)?;
            }
            None => one_expert.vars[&name.replace("ff_norm", "moe_norm")].set(var)?,
        }
    }
    let text = texts(&[&[None, A, A, A], &[None; 6]]);
    let seen = images(3, &[(2, 3)]);
    let ours = hidden(&f, &text, Some(&seen))?;
    assert!(difference(&ours, &hidden(&one_expert, &text, Some(&seen))?) < 2e-5);
    let alone = TextBatch {
        ids: text.ids[4..].to_vec(),
        offsets: vec![0, 6],
        visible_images: vec![BLIND; 6],
    };
    let mut cache = f.model.new_cache();
    let first = read(&f, &alone, 4, &[], &mut cache)?;
    let then = read(&f, &alone, 2, &[], &mut cache)?;
    let full = ours.narrow(0, 4, 6)?;
    assert!(difference(&Tensor::cat(&[first, then], 0)?, &full) < 2e-5);
    Ok(())
}

#[test]
fn a_truncated_cache_continues_as_if_the_rest_had_never_been() -> Result<()> {
    let f = tiny(|_| {});
    let (text, other) = (texts(&[&[None; 40]]), texts(&[&[None], &[None; 40]]));
    let other = TextBatch {
        ids: other.ids[1..].to_vec(),
        ..text.clone()
    };
    let mut cache = f.model.new_cache();
    read(&f, &text, 3, &[], &mut cache)?;
    let bytes = cache.num_bytes();
    let straight = read(&f, &text, 37, &[], &mut cache)?;
    cache.truncate(3);
    assert_eq!(
        (cache.len(), cache.num_bytes()),
        (3, bytes),
        "pages are given back"
    );
    read(&f, &other, 30, &[], &mut cache)?;
    cache.truncate(3);
    let again = read(&f, &text, 37, &[], &mut cache)?;
    assert_eq!(elements(&straight), elements(&again));
    Ok(())
}

#[test]
fn every_variable_gets_a_gradient() -> Result<()> {
    for (stem, resampler) in [
        (StemConfig::Linear, true),
        (tiny_conv(), false),
        (tiny_conv(), true),
    ] {
        let f = tiny(|config| {
            if stem == StemConfig::Linear {
                dense(config);
            }
            config.decoder.tied_embeddings = resampler;
            config.vision.as_mut().unwrap().stem = stem;
            if !resampler {
                config.resampler = None;
            }
        });
        let (text, seen) = mixed_batch();
        let latents = f.model.encode_images(&seen)?;
        let decoded = f.model.forward(&text, Some(&latents))?;
        let logits = f.model.logits(&decoded.hidden)?;
        let pull = Tensor::from_vec(
            noise(9, logits.elem_count()),
            logits.dims(),
            logits.device(),
        )?;
        let mut loss = (logits * pull)?.mean_all()?;
        for router in &decoded.routers {
            assert_eq!(router.load.iter().sum::<u32>(), 2 * text.ids.len() as u32);
            loss = ((loss + &router.balance)? + &router.z)?;
        }
        let grads = loss.backward()?;
        let untouched: Vec<&String> = f
            .vars
            .iter()
            .filter(|(_, var)| match grads.get(var) {
                None => true,
                Some(grad) => elements(grad).iter().all(|&g| g == 0.0),
            })
            .map(|(name, _)| name)
            .collect();
        assert!(untouched.is_empty(), "no gradient reaches {untouched:#?}");
        let broken: Vec<&String> = f
            .vars
            .iter()
            .filter(|(_, var)| {
                elements(grads.get(var).unwrap())
                    .iter()
                    .any(|g| !g.is_finite())
            })
            .map(|(name, _)| name)
            .collect();
        assert!(broken.is_empty(), "gradients are not finite: {broken:#?}");
    }
    Ok(())
}

fn tiny_conv() -> StemConfig {
    StemConfig::Conv {
        channels: vec![8, 24],
    }
}

#[test]
fn a_loss_free_bias_moves_the_choice_of_experts_only() -> Result<()> {
    let f = tiny(|config| moe(config).loss_free_bias = true);
    let text = texts(&[&[None; 12]]);
    let load = |f: &Fixture| -> Result<Vec<u32>> {
        Ok(f.model.forward(&text, None)?.routers[0].load.clone())
    };
    f.vars["decoder.layers.0.moe.router.load_bias"].set(&Tensor::new(
        &[-9f32, 0.0, 0.0, 9.0],
        &candle_core::Device::Cpu,
    )?)?;
    let steered = load(&f)?;
    assert_eq!((steered[0], steered[3]), (0, 12));
    Ok(())
}

#[test]
fn wrong_inputs_are_refused_with_both_numbers() -> Result<()> {
    let f = tiny(|_| {});
    let refused = |result: Result<Decoded>| result.unwrap_err().to_string();
    let long = texts(&[&[None; 65]]);
    let message = refused(f.model.forward(&long, None));
    assert!(
        message.contains("text 0 has 65 tokens, but the context holds 64"),
        "{message}"
    );
    let message = refused(f.model.forward(&texts(&[&[B, B]]), None));
    assert!(
        message.contains("names images 1 to 2, but there are 0"),
        "{message}"
    );
    let mut beyond = texts(&[&[None]]);
    beyond.ids[0] = 48;
    assert!(refused(f.model.forward(&beyond, None)).contains("48"));
    let short = TextBatch {
        offsets: vec![0, 3],
        ..texts(&[&[None; 4]])
    };
    assert!(refused(f.model.forward(&short, None)).contains("4 ids"));

    let too_many = f
        .model
        .encode_images(&images(1, &[(2, 2), (17, 1)]))
        .unwrap_err();
    assert!(
        too_many
            .to_string()
            .contains("image 1 has 17 x 1 patches, must be 1 to 16")
    );
    let none = f.model.encode_images(&Images {
        grids: vec![],
        ..images(1, &[(1, 1)])
    });
    assert!(
        none.unwrap_err()
            .to_string()
            .contains("hold 0 patches, but there are 1")
    );

    let (long, mut cache) = (texts(&[&[None; 65]]), f.model.new_cache());
    read(&f, &long, 60, &[], &mut cache)?;
    let full = read(&f, &long, 5, &[], &mut cache).unwrap_err();
    assert!(
        full.to_string().contains("5 tokens after 60 do not fit"),
        "{full}"
    );
    assert_eq!(cache.len(), 60);
    Ok(())
}

#[test]
fn matrices_in_bfloat16_give_nearly_the_same_and_decode_alike() -> Result<()> {
    let (exact, rounded) = (tiny(|_| {}), tiny_in(DType::BF16, |_| {}));
    let kept_in = |f: &Fixture, name: &str| f.vars[name].dtype();
    assert_eq!(
        kept_in(&rounded, "decoder.layers.0.moe.experts.gate_up"),
        DType::BF16
    );
    assert_eq!(
        kept_in(&rounded, "decoder.layers.0.moe.router.weight"),
        DType::F32
    );
    let text = texts(&[&[None, None, A, A, A, B, B]]);
    let seen = images(4, &[(2, 3), (1, 2)]);
    let full = hidden(&rounded, &text, Some(&seen))?;
    // bfloat16 keeps 8 bits of a weight; a dozen layers' rounding adds up to a few per cent.
    assert!(difference(&full, &hidden(&exact, &text, Some(&seen))?) < 0.2);
    let latents = rounded.model.encode_images(&seen)?;
    let (keys, mut cache) = (keys_of(&rounded, &latents), rounded.model.new_cache());
    let mut rows = Vec::new();
    for _ in &text.ids {
        rows.push(read(&rounded, &text, 1, &keys, &mut cache)?);
    }
    assert!(difference(&Tensor::cat(&rows, 0)?, &full) < 2e-5);
    let logits = rounded.model.logits(&full)?;
    assert_eq!((logits.dims(), logits.dtype()), (&[7, 48][..], DType::F32));
    Ok(())
}

#[test]
fn a_capacity_bounds_what_an_expert_takes_in_training_only() -> Result<()> {
    let bounded = tiny(|config| moe(config).capacity_factor = Some(0.5));
    let free = tiny(|_| {});
    let text = texts(&[&[None; 12]]);
    let (cut, whole) = (hidden(&bounded, &text, None)?, hidden(&free, &text, None)?);
    assert!(difference(&cut, &whole) > 1e-3);
    let decoded = read(&bounded, &text, 12, &[], &mut bounded.model.new_cache())?;
    assert!(difference(&decoded, &whole) < 2e-5);
    Ok(())
}

#[test]
fn nothing_in_is_nothing_out() -> Result<()> {
    let f = tiny(|_| {});
    let latents = f.model.encode_images(&images(1, &[]))?;
    assert_eq!(
        (latents.num_images(), latents.rows.dims()),
        (0, &[0, 24][..])
    );
    let empty = texts(&[]);
    let decoded = f.model.forward(&empty, Some(&latents))?;
    assert_eq!(decoded.hidden.dims(), [0, 32]);
    let text = texts(&[&[None; 3], &[]]);
    let none = hidden(&f, &text, None)?;
    assert_eq!(
        elements(&f.model.forward(&text, Some(&latents))?.hidden),
        elements(&none)
    );
    Ok(())
}

/// The images of several encodings one after another.
fn concat(parts: &[&Latents]) -> Result<Latents> {
    let (mut rows, mut offsets) = (Vec::new(), vec![0]);
    for part in parts {
        let start = offsets[offsets.len() - 1];
        offsets.extend(part.offsets.iter().skip(1).map(|end| start + end));
        let end = part.offsets.last().copied().unwrap_or(0);
        rows.push(part.rows.narrow(0, 0, end)?);
    }
    Ok(Latents::new(Tensor::cat(&rows, 0)?, offsets))
}
