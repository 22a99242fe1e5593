//! The engine: a loaded model that looks at images and answers.

use std::time::Instant;

use avocet_checkpoint::ModelFiles;
use avocet_config::ModelConfig;
use avocet_media::{
    Blank, ImageError, ImageProcessor, Limits, Picture, decode_damaged, decode_transparent,
};
use avocet_model::{Glance, Images, VisionLanguageModel};
use avocet_text::{ChatTokenizer, Prompt, Role, Turn};
use candle_core::{Device, Tensor};
use sha2::{Digest, Sha256};
use tracing::info;

use crate::error::InferError;
use crate::images::{CachedImage, Image, ImageCache};
use crate::likelihood::log_likelihood;
use crate::onlooker::Onlooker;
use crate::sampler::Sampler;

/// Patches, keys and values of images that may be asked about again.
const IMAGE_CACHE_BYTES: usize = 64 << 20;

/// A loaded model with its tokenizer and the images it has seen.
pub struct Engine {
    model: VisionLanguageModel,
    config: ModelConfig,
    tokenizer: ChatTokenizer,
    processor: Option<ImageProcessor>,
    onlooker: Option<Onlooker>,
    images: ImageCache,
}

impl Engine {
    /// Builds the network over the weights as they are stored.
    ///
    /// Errors if a tensor is missing or of another shape than the configuration says, or if
    /// tokenizer and network disagree about the number of tokens.
    pub fn load(files: &ModelFiles) -> Result<Self, InferError> {
        let config = files.config().clone();
        let tokenizer = files.language()?;
        if tokenizer.vocab_size() > config.decoder.vocab_size && tokenizer.is_own() {
            return Err(InferError::VocabularySize {
                tokenizer: tokenizer.vocab_size(),
                model: config.decoder.vocab_size,
            });
        }
        let model = VisionLanguageModel::new(&config, files.builder()?)?;
        let onlooker = Onlooker::new(&model, files.concepts()?);
        Ok(Self {
            onlooker,
            model,
            config,
            tokenizer,
            processor: files.processor().cloned(),
            images: ImageCache::new(IMAGE_CACHE_BYTES),
        })
    }

    /// The model's configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// How the model is spoken to.
    pub fn tokenizer(&self) -> &ChatTokenizer {
        &self.tokenizer
    }

    /// How pictures are prepared for the model, if it sees them.
    pub fn processor(&self) -> Option<&ImageProcessor> {
        self.processor.as_ref()
    }

    /// What looks at pictures before the network is asked about them, if the model recognises
    /// things.
    pub fn onlooker(&self) -> Option<&Onlooker> {
        self.onlooker.as_ref()
    }

    /// What the model's recogniser makes of a picture, as the decoder is shown it.
    fn glance(&self, picture: &Picture) -> Result<Option<Glance>, InferError> {
        let Some(onlooker) = &self.onlooker else {
            return Ok(None);
        };
        Ok(Some(onlooker.glance(&onlooker.recognise(picture)?)))
    }

    /// What the vision tower makes of an image on average over its patches (D_v): pictures that
    /// look alike point the same way.
    ///
    /// Errors if the model has no vision tower.
    pub fn features(&self, image: &Image) -> Result<Vec<f32>, InferError> {
        let rows = self.model.encode_patches(&patches(image)?)?.rows;
        Ok(rows.mean(0)?.to_vec1::<f32>()?)
    }

    /// The network itself.
    pub fn model(&self) -> &VisionLanguageModel {
        &self.model
    }

    fn seeing(&self) -> Result<&ImageProcessor, InferError> {
        let blind = || InferError::Blind {
            model: self.config.name.clone(),
        };
        self.processor.as_ref().ok_or_else(blind)
    }

    /// Cuts a picture into what the vision tower reads; one with the same pixels as before is
    /// remembered.
    ///
    /// Errors if the model has no vision tower.
    pub fn preprocess(&self, picture: &Picture) -> Result<Image, InferError> {
        let processor = self.seeing()?;
        self.images.get_or_see(picture.content_hash(), || {
            let patches = processor.patches(picture);
            let seen = CachedImage::new(picture, patches, picture.blank(), None);
            Ok(seen.with_glance(self.glance(picture)?))
        })
    }

    /// Decodes an image file and does as [`preprocess`](Self::preprocess); one with the same bytes
    /// as before is remembered.
    ///
    /// A file that lacks less than half of its picture passes: see [`Image::damage`]. Errors if the
    /// model has no vision tower or the bytes are no image within the limits.
    pub fn read_image(&self, bytes: &[u8]) -> Result<Image, InferError> {
        let processor = self.seeing()?;
        self.images.get_or_see(Sha256::digest(bytes).into(), || {
            let limits = Limits::default();
            let decoded = decode_damaged(bytes, &limits)?;
            let picture = decoded.picture;
            let transparent = match processor.drops_alpha() && decoded.damage.is_none() {
                true => decode_transparent(bytes, &limits)?,
                false => None,
            };
            let blank = match picture.blank() {
                // Laid over white it is white: it may be that nothing was there, or nothing else.
                Some(Blank::OneColour(colour))
                    if decoded.damage.is_none() && colour.iter().all(|channel| *channel >= 250) =>
                {
                    Some(white(bytes, &limits)?)
                }
                other => other,
            };
            // A model that is shown the colours below the transparency sees something.
            let blank = blank.filter(|_| transparent.is_none());
            let patches = match &transparent {
                Some(transparent) => processor.patches_without_alpha(transparent),
                None => processor.patches(&picture),
            };
            let seen = CachedImage::new(&picture, patches, blank, decoded.damage);
            Ok(seen.with_glance(self.glance(&picture)?))
        })
    }

    /// As [`read_image`](Self::read_image), for data: what lacks a part of its picture is wrong.
    ///
    /// Errors as it does, and if the picture is damaged.
    pub fn read_whole_image(&self, bytes: &[u8]) -> Result<Image, InferError> {
        let image = self.read_image(bytes)?;
        match image.damage() {
            Some(damage) => Err(InferError::Damaged(damage)),
            None => Ok(image),
        }
    }

    /// Encodes those of `images` that are not yet.
    ///
    /// Each goes through the tower by itself, so that its keys and values have the same bits
    /// whatever it is asked about with.
    pub fn encode(&self, images: &[Image]) -> Result<(), InferError> {
        for image in images.iter().filter(|image| !image.is_encoded()) {
            let began = Instant::now();
            let mut latents = self.model.encode_images(&patches(image)?)?;
            if let Some(glance) = &image.0.glance {
                latents = self.model.with_glances(latents, &[glance])?;
            }
            let keys = self.model.image_keys(&latents)?;
            let seconds = began.elapsed().as_secs_f64();
            info!(
                width = image.width(),
                height = image.height(),
                seconds,
                "image encoded"
            );
            // Another thread may have been faster; what it computed is the same.
            let _ = image.0.keys.set(keys);
        }
        Ok(())
    }

    /// Rows of latents that a text can attend to for a picture of `width` x `height` pixels.
    ///
    /// Errors if the model has no vision tower.
    pub fn vision_tokens(&self, width: usize, height: usize) -> Result<usize, InferError> {
        let grid = self.seeing()?.grid((width, height));
        Ok(self.config.num_latents(grid))
    }

    /// Checks a conversation and turns it into ids, before any work is done on it.
    pub(crate) fn prompt(&self, turns: &[Turn], images: usize) -> Result<Prompt, InferError> {
        let last = turns
            .last()
            .filter(|turn| turn.role == Role::User)
            .ok_or(InferError::NothingToAnswer)?;
        if last.text().trim().is_empty() {
            return Err(InferError::EmptyQuestion);
        }
        let markers = turns.iter().map(Turn::num_images).sum();
        if markers != images {
            return Err(InferError::MarkerCount { markers, images });
        }
        self.check_text_length(turns.iter().map(|turn| turn.text().len()).sum())?;
        let prompt = self.tokenizer.question(turns)?;
        self.check_ids(&prompt.ids)?;
        // One place must be left for the answer.
        self.check_length(prompt.ids.len() + 1)?;
        Ok(prompt)
    }

    /// Refuses a text of `bytes` that cannot fit, however well it encodes.
    pub(crate) fn check_text_length(&self, bytes: usize) -> Result<(), InferError> {
        let longest = self.tokenizer.longest_token_bytes().max(1);
        let (tokens, context) = (bytes / longest, self.config.decoder.max_context);
        if tokens > context {
            Err(InferError::FarTooLong { tokens, context })
        } else {
            Ok(())
        }
    }

    /// Refuses ids that the network has no embedding for.
    pub(crate) fn check_ids(&self, ids: &[u32]) -> Result<(), InferError> {
        let vocab_size = self.config.decoder.vocab_size;
        match ids.iter().position(|id| *id as usize >= vocab_size) {
            Some(index) => Err(InferError::UnknownToken {
                index,
                id: ids[index],
                vocab_size,
            }),
            None => Ok(()),
        }
    }

    /// The next id by `logits` (V), none of those that the model must never say, and the logarithm
    /// of its probability.
    pub(crate) fn choose(&self, sampler: &mut Sampler, logits: &mut [f32]) -> (u32, f64) {
        for &id in self.tokenizer.banned() {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit = f32::NEG_INFINITY;
            }
        }
        // Rows behind the vocabulary fill the table up.
        let known = self.tokenizer.vocab_size().min(logits.len());
        let id = sampler.next(&logits[..known]);
        (id, log_likelihood(&logits[..known], id))
    }

    pub(crate) fn check_length(&self, tokens: usize) -> Result<(), InferError> {
        let context = self.config.decoder.max_context;
        if tokens > context {
            Err(InferError::TooLong { tokens, context })
        } else {
            Ok(())
        }
    }
}

/// Why a picture is white when laid over white: its colours may all be transparent.
fn white(bytes: &[u8], limits: &Limits) -> Result<Blank, ImageError> {
    let alpha = match decode_transparent(bytes, limits)? {
        Some(transparent) => transparent.alpha.rgb,
        None => vec![u8::MAX],
    };
    Ok(match (alpha.iter().min(), alpha.iter().max()) {
        (_, Some(..=6)) => Blank::Transparent,
        (Some(..250), _) => Blank::WhiteOnTransparent,
        _ => Blank::OneColour([u8::MAX; 3]),
    })
}

/// The patches of an image as the tower takes them.
fn patches(image: &Image) -> candle_core::Result<Images> {
    let patches = &image.0.patches;
    let count = patches.rows * patches.cols;
    let shape = (count, patches.data.len() / count.max(1));
    Ok(Images {
        patches: Tensor::from_slice(&patches.data, shape, &Device::Cpu)?, // (P, 3*p*p)
        grids: vec![(patches.rows, patches.cols)],
    })
}
