//! Samples become the packed rows that a training step reads.
//!
//! Texts and pictures of different lengths are laid one after another without padding;
//! `offsets` says where each text begins. Row i predicts `targets[i]`, weighed by `weights[i]`.

mod rows;

use std::sync::Arc;

use avocet_media::{
    ImageProcessor, Limits, Picture, Recognition, Variation, decode, decode_transparent,
};
use avocet_text::ChatTokenizer;

use crate::{Sample, SampleError, Truth};
use rows::Rows;

/// A picture enlarged further is a blur.
const MOST_ENLARGED: f32 = 3.0;

/// What the network can take.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchShape {
    /// How pictures become patches.
    pub processor: ImageProcessor,
    /// Most rows of one text.
    pub max_context: usize,
}

/// Packed rows of several samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Tokens of all texts (T).
    pub ids: Vec<u32>,
    /// Token that follows each (T).
    pub targets: Vec<u32>,
    /// 1 where the target is to be learned, else 0 (T).
    pub weights: Vec<f32>,
    /// Where each text begins, and the end: one more than there are texts.
    pub offsets: Vec<usize>,
    /// Pictures of the batch, first and end, that each token may look at (T).
    pub visible_images: Vec<(u32, u32)>,
    /// Patches of all pictures (P, 3 * p * p).
    pub patches: Vec<f32>,
    /// Rows and columns of each picture.
    pub grids: Vec<(usize, usize)>,
    /// What each picture shows, where that is known.
    pub truths: Vec<Option<Truth>>,
    /// What a recogniser makes of each picture; empty where nobody lent one.
    pub recognitions: Vec<Arc<Recognition>>,
    /// Task of each text.
    pub kinds: Vec<String>,
}

/// How the pictures of a sample are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Showing {
    /// How much larger: 0 is their own size, 1 the largest that the network takes without shrinking
    /// them.
    pub zoom: f32,
    /// What is changed of each; nothing for networks that are shown the colours below transparency.
    pub variation: Option<Variation>,
}

/// A sample ready to be packed.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// Each text, and its task.
    texts: Vec<(String, Rows)>,
    patches: Vec<f32>,
    grids: Vec<(usize, usize)>,
    truths: Vec<Option<Truth>>,
    recognitions: Vec<Arc<Recognition>>,
}

impl BatchShape {
    /// Of a network with our own vision tower.
    pub fn native(patch_size: usize, max_patches: usize, max_context: usize) -> Self {
        Self {
            processor: ImageProcessor::Native {
                patch_size,
                max_patches,
            },
            max_context,
        }
    }

    /// How many times its own size a picture may have before it is shrunk again; 1 for networks
    /// that show every picture at one size.
    fn most_enlarged(&self, picture: &Picture) -> f32 {
        let ImageProcessor::Native {
            patch_size,
            max_patches,
        } = self.processor
        else {
            return 1.0;
        };
        let room = (patch_size * patch_size * max_patches) as f32;
        let area = (picture.width * picture.height) as f32;
        (room / area).sqrt().clamp(1.0, MOST_ENLARGED)
    }

    /// Of a network without eyes, which is shown nothing larger than a patch.
    pub fn blind(max_context: usize) -> Self {
        Self::native(16, 1, max_context)
    }
}

impl Prepared {
    /// Encodes the text and decodes the pictures of a sample.
    ///
    /// A document longer than the context is cut into several texts, the first tokens of each
    /// still looking at the picture before them; a conversation is cut off.
    /// Errors if a picture does not decode, or the language cannot say what the sample holds.
    pub fn new(
        sample: &Sample,
        language: &ChatTokenizer,
        shape: &BatchShape,
    ) -> Result<Self, SampleError> {
        Self::shown(sample, language, shape, &Showing::default())
    }

    /// As [`Prepared::new`], its pictures shown otherwise than they are.
    ///
    /// Errors as [`Prepared::new`] does.
    pub fn shown(
        sample: &Sample,
        language: &ChatTokenizer,
        shape: &BatchShape,
        showing: &Showing,
    ) -> Result<Self, SampleError> {
        let kind = sample.kind.clone();
        let texts = Rows::of(sample, language, shape.max_context)?.into_iter();
        let mut prepared = Self {
            texts: texts.map(|rows| (kind.clone(), rows)).collect(),
            patches: Vec::new(),
            grids: Vec::new(),
            truths: sample.truths.clone(),
            recognitions: Vec::new(),
        };
        for (index, image) in sample.images.iter().enumerate() {
            let broken = |error: avocet_media::ImageError| SampleError::Image {
                index,
                reason: error.to_string(),
            };
            let limits = Limits::default();
            let transparent = match shape.processor.drops_alpha() {
                true => decode_transparent(image, &limits).map_err(broken)?,
                false => None,
            };
            let patches = match &transparent {
                Some(transparent) => shape.processor.patches_without_alpha(transparent),
                None => {
                    let mut picture = decode(image, &limits).map_err(broken)?;
                    if let Some(variation) = &showing.variation {
                        picture = picture.varied(variation);
                    }
                    let most = shape.most_enlarged(&picture);
                    let picture = picture.enlarged(1.0 + showing.zoom * (most - 1.0));
                    shape.processor.patches(&picture)
                }
            };
            prepared.grids.push((patches.rows, patches.cols));
            if prepared.patches.is_empty() {
                prepared.patches = patches.data;
            } else {
                prepared.patches.extend(patches.data);
            }
        }
        Ok(prepared)
    }

    /// The same with what a recogniser makes of each of its pictures.
    pub fn recognised(self, recognitions: Vec<Arc<Recognition>>) -> Self {
        Self {
            recognitions,
            ..self
        }
    }

    /// The same with what another sample says of the same pictures, a text by itself.
    ///
    /// Errors if the language cannot say it.
    pub fn and_said(
        mut self,
        sample: &Sample,
        language: &ChatTokenizer,
        shape: &BatchShape,
    ) -> Result<Self, SampleError> {
        let texts = Rows::of(sample, language, shape.max_context)?.into_iter();
        let texts = texts.map(|rows| (sample.kind.clone(), rows));
        self.texts.extend(texts);
        Ok(self)
    }

    /// Tokens of its texts.
    pub fn num_tokens(&self) -> usize {
        self.texts.iter().map(|(_, rows)| rows.ids.len()).sum()
    }

    /// Patches of its pictures.
    pub fn num_patches(&self) -> usize {
        self.grids.iter().map(|(rows, cols)| rows * cols).sum()
    }
}

impl Batch {
    /// A batch with nothing in it.
    pub fn new() -> Self {
        Self {
            offsets: vec![0],
            ..Self::default()
        }
    }

    /// Appends one sample.
    pub fn push(&mut self, sample: Prepared) {
        let first_image = self.grids.len() as u32;
        for (kind, rows) in sample.texts {
            self.ids.extend(rows.ids);
            self.targets.extend(rows.targets);
            self.weights.extend(rows.weights);
            let shift = |(first, end): (u32, u32)| match first == end {
                true => (0, 0),
                false => (first + first_image, end + first_image),
            };
            self.visible_images
                .extend(rows.visible_images.into_iter().map(shift));
            self.offsets.push(self.ids.len());
            self.kinds.push(kind);
        }
        self.patches.extend(sample.patches);
        self.grids.extend(sample.grids);
        self.truths.extend(sample.truths);
        self.recognitions.extend(sample.recognitions);
    }

    /// Texts in the batch.
    pub fn num_texts(&self) -> usize {
        self.kinds.len()
    }

    /// Patches of all pictures.
    pub fn num_patches(&self) -> usize {
        self.grids.iter().map(|(rows, cols)| rows * cols).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Piece};
    use avocet_text::{Part, Special, Turn, train_bpe};

    const FROM: (&str, &str, &str) = ("vqa", "made-up", "CC0-1.0");
    const SHAPE: BatchShape = BatchShape {
        processor: ImageProcessor::Native {
            patch_size: 4,
            max_patches: 6,
        },
        max_context: 40,
    };

    fn language() -> ChatTokenizer {
        ChatTokenizer::own(&train_bpe(["what is this? a red bicycle"], 262).unwrap()).unwrap()
    }

    fn special(special: Special) -> u32 {
        language().encode_raw(special.name()).unwrap()[0]
    }

    fn packed(samples: &[Sample]) -> Batch {
        let mut batch = Batch::new();
        for sample in samples {
            batch.push(Prepared::new(sample, &language(), &SHAPE).unwrap());
        }
        batch
    }

    fn picture(width: usize, height: usize, shade: u8) -> Vec<u8> {
        let rgb = vec![shade; width * height * 3];
        Picture::from_rgb(width, height, rgb)
            .unwrap()
            .to_png()
            .unwrap()
    }

    fn question(shade: u8, answer: &str) -> Sample {
        let truth = Some(Truth::Name(answer.into()));
        let image = picture(8, 4, shade);
        Sample::question(FROM, image, truth, "What?", Turn::assistant(answer)).unwrap()
    }

    #[test]
    fn a_small_picture_may_be_shown_as_large_as_the_network_takes() {
        let grid = |zoom: f32, width, height| {
            let image = picture(width, height, 90);
            let sample = Sample::question(FROM, image, None, "What?", Turn::assistant("cat"));
            let showing = Showing {
                zoom,
                variation: None,
            };
            let prepared = Prepared::shown(&sample.unwrap(), &language(), &SHAPE, &showing);
            let prepared = prepared.unwrap();
            assert!(prepared.patches.iter().all(|value| value.is_finite()));
            prepared.grids[0]
        };
        assert_eq!(grid(0.0, 4, 4), (1, 1));
        assert_eq!(grid(1.0, 4, 4), (2, 2)); // 2.4 times as large is cut to whole patches that fit
        assert_eq!(grid(1.0, 8, 12), (3, 2));
        assert_eq!(grid(1.0, 80, 40), grid(0.0, 80, 40));
    }

    #[test]
    fn a_picture_is_shown_as_it_is_changed() {
        let rgb = (0..8 * 4 * 3).map(|n| if n / 3 % 8 < 4 { 0 } else { 200 });
        let halves = Picture::from_rgb(8, 4, rgb.collect()).unwrap().to_png();
        let sample = Sample::question(FROM, halves.unwrap(), None, "?", Turn::assistant("x"));
        let sample = sample.unwrap();
        let patches = |variation| {
            let showing = Showing {
                zoom: 0.0,
                variation,
            };
            let prepared = Prepared::shown(&sample, &language(), &SHAPE, &showing);
            prepared.unwrap().patches
        };
        let mirrored = Variation {
            mirrored: true,
            ..Variation::NONE
        };
        let (plain, changed) = (patches(None), patches(Some(mirrored)));
        assert_eq!(plain, patches(Some(Variation::NONE)));
        assert_eq!(
            (&plain[..48], &plain[48..]),
            (&changed[48..], &changed[..48])
        );
    }

    #[test]
    fn rows_predict_the_next_token_and_only_answers_are_learned() {
        let batch = packed(&[question(0, "cat")]);
        assert_eq!(batch.ids[1..], batch.targets[..batch.ids.len() - 1]);
        let learned: Vec<u32> = batch
            .targets
            .iter()
            .zip(&batch.weights)
            .filter_map(|(&id, &w)| (w > 0.0).then_some(id))
            .collect();
        let mut expected = language().opening("cat").unwrap();
        expected.push(special(Special::End));
        assert_eq!(learned, expected);
    }

    #[test]
    fn every_token_looks_at_the_latest_picture_of_its_own_text() {
        let images = vec![(picture(4, 4, 9), None), (picture(4, 8, 8), None)];
        let turns = vec![
            Turn::marked("hi <image> and <image>?"),
            Turn::assistant("no"),
        ];
        let two = Sample::new("k", "s", "l", images, Content::Turns(turns)).unwrap();
        let document = Sample::document(FROM, "plain").unwrap();
        let samples = [question(1, "cat"), document, two];
        let batch = packed(&samples);
        assert_eq!(batch.grids, [(1, 2), (1, 1), (2, 1)]);
        assert_eq!(batch.truths, [Some(Truth::Name("cat".into())), None, None]);
        assert_eq!(batch.kinds, ["vqa", "vqa", "k"]);
        assert_eq!(batch.patches.len(), batch.num_patches() * 48);
        let image = special(Special::Image);
        let mut count = 0;
        for text in 0..batch.num_texts() {
            let mut expected = None;
            for row in batch.offsets[text]..batch.offsets[text + 1] {
                if batch.ids[row] == image {
                    expected = Some(count);
                    count += 1;
                }
                assert_eq!(
                    batch.visible_images[row],
                    expected.map_or((0, 0), |at| (at, at + 1))
                );
            }
        }
        assert_eq!(count, 3);
    }

    #[test]
    fn a_long_document_is_cut_and_every_token_of_it_is_learned_once() {
        let text = "0123456789".repeat(20);
        let sample = Sample::document(FROM, &text).unwrap();
        let batch = packed(&[sample]);
        let all = language().document(&[Part::Text(text)]).unwrap().ids;
        assert_eq!(batch.targets, all[1..]);
        assert_eq!(batch.ids, all[..all.len() - 1]);
        assert!(batch.weights.iter().all(|&w| w == 1.0));
        assert!(batch.offsets.windows(2).all(|w| w[1] - w[0] <= 40));
        assert_eq!(batch.num_texts(), (all.len() - 1).div_ceil(40));
    }

    #[test]
    fn an_interleaved_document_is_learned_around_its_pictures_wherever_it_is_cut() {
        let said = ["0123456789".repeat(5), "red".repeat(9), "z".repeat(70)];
        let pieces = said.iter().enumerate().flat_map(|(n, text)| {
            let image = picture(4, 4 + 4 * n, n as u8);
            [Piece::Image(image, None), Piece::Text(text.clone())]
        });
        let sample = Sample::interleaved(FROM, pieces.collect()).unwrap();
        let samples = [question(1, "cat"), sample];
        let batch = packed(&samples);
        assert_eq!(batch.grids, [(1, 2), (1, 1), (2, 1), (3, 1)]);
        let start = batch.offsets[1];
        assert!(batch.num_texts() > 4);
        let image = special(Special::Image);
        let (mut latest, mut learned) = (0, Vec::new());
        for row in start..batch.ids.len() {
            latest += u32::from(batch.ids[row] == image);
            assert_eq!(batch.visible_images[row], (latest, latest + 1));
            assert_eq!(batch.weights[row] == 0.0, batch.targets[row] == image);
            learned.extend((batch.weights[row] > 0.0).then_some(batch.targets[row]));
        }
        assert_eq!(latest, 3);
        let end = special(Special::End);
        let expected = said
            .iter()
            .flat_map(|text| language().opening(text).unwrap());
        assert_eq!(learned, expected.chain([end]).collect::<Vec<_>>());
    }

    #[test]
    fn a_plain_text_may_speak_of_the_marker() {
        let sample = Sample::document(FROM, "an <image> tag").unwrap();
        let batch = packed(&[sample]);
        assert!(!batch.ids.contains(&special(Special::Image)));
        assert!(batch.visible_images.iter().all(|seen| *seen == (0, 0)));
        assert!(batch.weights.iter().all(|&w| w > 0.0));
    }

    #[test]
    fn a_marker_that_words_spell_beside_a_picture_is_learned_as_words() {
        let pieces = vec![
            Piece::Image(picture(4, 4, 9), None),
            Piece::Text("an <image> tag".into()),
        ];
        let document = Sample::interleaved(FROM, pieces).unwrap();
        let answer = Turn::assistant("<image>");
        let image = picture(4, 4, 8);
        let asked = Sample::question(FROM, image, None, "<image>?", answer).unwrap();
        let batch = packed(&[document, asked]);
        let image = special(Special::Image);
        let places = batch.ids.iter().filter(|&&id| id == image).count();
        assert_eq!((places, batch.grids.len()), (2, 2));
        assert_eq!(
            language().decode(&batch.ids),
            "an <image> tag<image>?<image>"
        );
    }

    #[test]
    fn a_conversation_is_cut_off_at_the_context() {
        let long = question(3, &"z".repeat(500));
        let batch = packed(&[long]);
        assert_eq!(batch.offsets, [0, 40]);
    }

    #[test]
    fn a_picture_that_does_not_decode_is_named() {
        let answer = Turn::assistant("x");
        let bad = Sample::question(FROM, b"GIF89a?".to_vec(), None, "?", answer).unwrap();
        let error = Prepared::new(&bad, &language(), &SHAPE)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("image 0") && error.contains("GIF"),
            "{error}"
        );
    }
}
