//! Facts about steps: whose tokens are in them, and how texts are cut, changes no bit.

use candle_core::{Result, Tensor};

use crate::cache::KvCache;
use crate::fixture::{Fixture, elements, images, keys_of, texts, tiny};
use crate::image_keys::ImageKeys;
use crate::input::TextBatch;
use crate::model::family_tests::{CHANGES, Change};
use crate::step::TextStep;
use avocet_kernels::StepRows;

const A: Option<u32> = Some(0);
const B: Option<u32> = Some(1);

/// A text, its images and what was read of it: rows behind the prompt are those of an answer.
struct Reading<'a> {
    text: &'a TextBatch,
    images: &'a [ImageKeys],
    prompt: usize,
    cache: KvCache,
    logits: Vec<f32>,
}

impl<'a> Reading<'a> {
    fn new(f: &Fixture, text: &'a TextBatch, images: &'a [ImageKeys]) -> Self {
        Self {
            text,
            images,
            prompt: text.ids.len() - 4,
            cache: f.model.new_cache(),
            logits: Vec::new(),
        }
    }

    fn left(&self) -> usize {
        self.text.ids.len() - self.cache.len()
    }

    /// As many of the next `most` tokens as a step may read.
    fn next(&mut self, most: usize) -> TextStep<'_> {
        let held = self.cache.len();
        let end = match held < self.prompt {
            true => self.prompt,
            false => self.text.ids.len(),
        };
        let new = held..end.min(held.saturating_add(most));
        TextStep {
            ids: &self.text.ids[new.clone()],
            visible_images: &self.text.visible_images[new],
            images: self.images.iter().collect(),
            cache: &mut self.cache,
            prompt: self.prompt,
        }
    }
}

/// Reads so many tokens of each, together.
fn step(f: &Fixture, readings: &mut [&mut Reading<'_>], counts: &[usize]) -> Result<()> {
    let steps = readings.iter_mut().zip(counts);
    let mut steps: Vec<TextStep<'_>> = steps.map(|(one, &count)| one.next(count)).collect();
    let rows = f.model.step(&mut steps)?;
    let (all, mut from) = (Tensor::cat(&rows, 0)?, 0);
    let of_answers = StepRows::answer(all.dim(0)?);
    let logits = f.model.infer_logits(&all, of_answers)?; // (T, V)
    for (one, rows) in readings.iter_mut().zip(rows) {
        let own = logits.narrow(0, from, rows.dim(0)?)?;
        one.logits.extend(elements(&own));
        from += rows.dim(0)?;
    }
    Ok(())
}

fn alone(f: &Fixture, text: &TextBatch, images: &[ImageKeys], count: usize) -> Result<Vec<f32>> {
    let mut reading = Reading::new(f, text, images);
    while reading.left() > 0 {
        step(f, &mut [&mut reading], &[count])?;
    }
    Ok(reading.logits)
}

#[test]
fn a_text_has_the_same_logits_alone_and_among_any_others_however_it_is_cut() -> Result<()> {
    let usual: (&str, Change) = ("as it is", |_| {});
    for (name, change) in [usual].into_iter().chain(CHANGES) {
        let f = tiny(change);
        let config = f.model.config();
        let grids: &[_] = if config.tiled_vision.is_some() {
            &[(2, 4), (2, 2)]
        } else if config.efficient_net.is_some() {
            &[(1, 1), (1, 1)]
        } else {
            &[(2, 2), (2, 2)]
        };
        let keys = keys_of(&f, &f.model.encode_images(&images(4, grids))?);
        let long = vec![A; 40];
        let [seeing, blind, longest] = [
            texts(&[&[None, A, A, A, B, B, B, B, B]]),
            texts(&[&[None; 7]]),
            texts(&[&long]),
        ];
        let all = [(&seeing, &keys[..]), (&blind, &[]), (&longest, &keys[1..])];
        let mut expected = Vec::new();
        for (text, images) in all {
            let whole = alone(&f, text, images, usize::MAX)?;
            for count in [1, 3, 17] {
                let cut = alone(&f, text, images, count)?;
                assert!(cut == whole, "{name}: in pieces of {count}");
            }
            expected.push(whole);
        }
        // The second joins later, the first leaves while the third is still reading.
        let mut readings = all.map(|(text, images)| Reading::new(&f, text, images));
        let [one, two, three] = &mut readings;
        step(&f, &mut [one, three], &[2, 1])?;
        step(&f, &mut [three, two, one], &[20, 5, 3])?;
        while two.left() > 0 || one.left() > 0 {
            step(&f, &mut [two, one, three], &[1, 1, 2])?;
        }
        while three.left() > 0 {
            step(&f, &mut [three], &[9])?;
        }
        for (reading, expected) in readings.iter().zip(expected) {
            assert!(reading.logits == expected, "{name}: together");
        }
    }
    Ok(())
}

#[test]
fn a_step_that_fails_leaves_the_caches_as_they_were() -> Result<()> {
    let f = tiny(|_| {});
    let (good, mut bad) = (texts(&[&[None; 9]]), texts(&[&[None; 9]]));
    bad.ids[4] = 48;
    let mut readings = [Reading::new(&f, &good, &[]), Reading::new(&f, &bad, &[])];
    let [one, two] = &mut readings;
    step(&f, &mut [one, two], &[2, 2])?;
    assert!(step(&f, &mut [one, two], &[3, 3]).is_err(), "no such id");
    assert_eq!((one.cache.len(), two.cache.len()), (2, 2));
    two.text = &good;
    while one.left() > 0 {
        step(&f, &mut [one, two], &[2, 2])?;
    }
    let expected = alone(&f, &good, &[], usize::MAX)?;
    assert_eq!(one.logits, expected);
    let mut beyond = one.next(0);
    (beyond.ids, beyond.visible_images) = (&[1], &[(0, 1)]);
    let error = f.model.step(&mut [beyond]).expect_err("it has no image");
    assert!(error.to_string().contains("there are 0"), "{error}");
    Ok(())
}

#[test]
fn a_step_of_nothing_is_nothing() -> Result<()> {
    let f = tiny(|_| {});
    assert!(f.model.step(&mut [])?.is_empty());
    let text = texts(&[&[None; 6]]);
    let (mut idle, mut other) = (Reading::new(&f, &text, &[]), Reading::new(&f, &text, &[]));
    let rows: Vec<Tensor> = f.model.step(&mut [idle.next(0), other.next(2)])?;
    assert_eq!(
        (rows[0].dims(), rows[1].dims()),
        (&[0, 32][..], &[2, 32][..])
    );
    assert_eq!(idle.cache.len(), 0);
    assert_eq!(f.model.step(&mut [idle.next(0)])?[0].dims(), [0, 32]);
    Ok(())
}
