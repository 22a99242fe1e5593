//! What a recogniser makes of a picture beside its patches: rows, their order, their gradients.

use super::*;
use crate::fixture::{Fixture, images, noise, texts, tiny};
use crate::recogniser::RECOGNISER;
use avocet_config::{EfficientNetConfig, EfficientNetStage};

const WIDTH: usize = 12;
const WINDOWS: usize = 2 * 2 + 1;

fn recognising() -> Fixture {
    tiny(|config| {
        config.resampler = None;
        config.efficient_net = Some(EfficientNetConfig {
            image_size: 8,
            stem_dim: 4,
            head_dim: WIDTH,
            num_classes: 5,
            stages: vec![EfficientNetStage {
                kernel: 3,
                stride: 1,
                expand: 1,
                dim: 6,
                num_blocks: 1,
            }],
        });
        config.concepts = Some(ConceptsConfig {
            windows: 2,
            num_names: 2,
            num_kinds: 1,
            least_kind: 0.3,
            max_name_tokens: 3,
            initial_gate: 0.5,
        });
    })
}

fn name(ids: &[u32], probability: f32, rank: usize, sort: NameSort) -> SpelledName {
    SpelledName {
        ids: ids.to_vec(),
        probability,
        rank,
        sort,
    }
}

fn glances() -> [Glance; 3] {
    let features = noise(4, WINDOWS * WIDTH);
    let names = vec![
        name(&[5, 6, 7, 8], 0.6, 0, NameSort::Name),
        name(&[9], 0.0, 1, NameSort::Exact),
        name(&[10, 11], 0.7, 0, NameSort::Kind),
    ];
    let all = Glance { features, names };
    let hidden = Glance {
        features: Vec::new(),
        ..all.clone()
    };
    [all, Glance::default(), hidden]
}

#[test]
fn what_is_recognised_stands_behind_the_rows_of_its_own_image() -> Result<()> {
    let f = recognising();
    let seen = images(1, &[(1, 2), (2, 2), (1, 1)]);
    let plain = f.model.encode_images(&seen)?;
    let glances = glances();
    let shown: Vec<&Glance> = glances.iter().collect();
    let beside = f.model.with_glances(plain.clone(), &shown)?;
    // Names of at most three tokens: 3 + 1 + 2.
    let counts = [2 + WINDOWS + 6, 4, 1 + 6];
    let ends: Vec<usize> = beside.offsets.windows(2).map(|w| w[1] - w[0]).collect();
    assert_eq!(ends, counts);
    for index in 0..3 {
        let (own, with) = (plain.image(index)?.rows, beside.image(index)?.rows);
        let rows = own.dim(0)?;
        assert_eq!(
            own.to_vec2::<f32>()?,
            with.narrow(0, 0, rows)?.to_vec2::<f32>()?
        );
        // Alone it has the same rows.
        let alone = f
            .model
            .with_glances(plain.image(index)?, &shown[index..=index])?;
        assert_eq!(alone.rows.to_vec2::<f32>()?, with.to_vec2::<f32>()?);
    }
    Ok(())
}

#[test]
fn a_gradient_reaches_all_that_makes_rows_and_nothing_of_the_recogniser() -> Result<()> {
    let f = recognising();
    let seen = images(1, &[(1, 2), (2, 2), (1, 1)]);
    let glances = glances();
    let shown: Vec<&Glance> = glances.iter().collect();
    let latents = f
        .model
        .with_glances(f.model.encode_images(&seen)?, &shown)?;
    let text = texts(&[&[Some(0), Some(0)], &[Some(1), Some(2), Some(2)]]);
    let hidden = f.model.forward(&text, Some(&latents))?.hidden;
    let pull = Tensor::from_vec(
        noise(9, hidden.elem_count()),
        hidden.dims(),
        hidden.device(),
    )?;
    let grads = (hidden * pull)?.mean_all()?.backward()?;
    for (name, var) in &f.vars {
        let moved = match grads.get(var) {
            Some(grad) => grad.abs()?.sum_all()?.to_scalar::<f32>()? > 0.0,
            None => false,
        };
        if name.starts_with(RECOGNISER) {
            // It is run before, and its statistics are measured.
            assert!(!name.contains("tower") || !moved, "{name}");
        } else if name.starts_with("concepts") {
            assert!(moved, "no gradient reaches {name}");
        }
    }
    Ok(())
}

#[test]
fn a_fresh_models_rows_are_as_small_as_its_gates() -> Result<()> {
    let f = recognising();
    let seen = images(1, &[(1, 2)]);
    let all = glances();
    let rows = |gate: f32| -> Result<f32> {
        for name in ["concepts.name_gate", "concepts.semantic_gate"] {
            f.vars[name].set(&Tensor::new(&[gate], f.vars[name].device())?)?;
        }
        let latents = f
            .model
            .with_glances(f.model.encode_images(&seen)?, &[&all[0]])?;
        let new = latents.rows.narrow(0, 2, latents.rows.dim(0)? - 2)?;
        new.abs()?.max_all()?.to_scalar()
    };
    let (open, closed) = (rows(1.0)?, rows(1e-4)?);
    assert!(
        open > 0.5 && (closed / open / 1e-4 - 1.0).abs() < 1e-3,
        "{open} {closed}"
    );
    Ok(())
}

#[test]
fn glances_of_another_recogniser_or_number_are_refused() -> Result<()> {
    let f = recognising();
    let latents = f.model.encode_images(&images(1, &[(1, 2)]))?;
    let [all, ..] = glances();
    let refused = |shown: &[&Glance]| f.model.with_glances(latents.clone(), shown).is_err();
    assert!(refused(&[]) && refused(&[&all, &all]));
    let short = Glance {
        features: vec![0.0; 3],
        ..all
    };
    assert!(refused(&[&short]));
    Ok(())
}

#[test]
fn a_picture_is_recognised_over_windows_and_the_whole() -> Result<()> {
    let f = recognising();
    let recogniser = f.model.recogniser().expect("there is one");
    let pixels = Tensor::from_vec(noise(3, 2 * 8 * 8 * 3), (2, 8, 8, 3), &recogniser.device())?;
    let (features, logits) = recogniser.recognise(&pixels)?;
    assert_eq!(features.dims(), [2, WINDOWS, WIDTH]);
    let whole = features
        .narrow(1, WINDOWS - 1, 1)?
        .squeeze(1)?
        .contiguous()?;
    let again = recogniser.classify(&whole)?;
    assert_eq!(logits.to_vec2::<f32>()?, again.to_vec2::<f32>()?);
    let (alone, _) = recogniser.recognise(&pixels.narrow(0, 1, 1)?.contiguous()?)?;
    let same = features.narrow(0, 1, 1)?.contiguous()?;
    let apart = (alone - same)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(apart < 1e-6, "{apart}");
    Ok(())
}
