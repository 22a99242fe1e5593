//! The engine: a loaded model that looks at images and answers.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use avocet_checkpoint::ModelFiles;
use avocet_config::ModelConfig;
use avocet_media::{
    Blank, ImageError, ImageProcessor, Limits, Picture, decode_damaged, decode_transparent,
};
use avocet_model::{CrossAttentionCache, Images, VisionLanguageModel};
use avocet_text::{ChatTokenizer, Prompt, Role, Turn};
use candle_core::{Device, Tensor};
use sha2::{Digest, Sha256};
use tracing::info;

use crate::error::InferError;
use crate::images::{CachedImage, Image, ImageCache, distinct};
use crate::sampler::{Sampler, SamplingOptions};

/// Pixels and latents of images that may be asked about again.
const IMAGE_CACHE_BYTES: usize = 64 << 20;

/// A loaded model with its tokenizer and the images it has seen.
pub struct Engine {
    model: VisionLanguageModel,
    config: ModelConfig,
    language: ChatTokenizer,
    processor: Option<ImageProcessor>,
    images: ImageCache,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// The model said that it is done.
    Stop,
    /// The most tokens asked for, or the end of the context, was reached.
    Length,
    /// The caller wanted no more.
    Cancelled,
}

/// What an answer used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// Tokens of the conversation, special ones included.
    pub prompt_tokens: usize,
    /// Tokens of the answer, its end included.
    pub completion_tokens: usize,
    /// Rows of image latents the text could attend to.
    pub vision_tokens: usize,
}

/// How long an answer took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Timing {
    /// Encoding images that were not remembered.
    pub vision: Duration,
    /// From the question to the first token of the answer, vision included.
    pub first_token: Duration,
    /// From the first token to the last.
    pub decode: Duration,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What the model says.
    pub text: String,
    /// The tokens of it, its end included if it was said.
    pub token_ids: Vec<u32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// What it used.
    pub usage: Usage,
    /// How long it took.
    pub timing: Timing,
}

impl Answer {
    /// Tokens a second after the first; `None` if there was no second token.
    pub fn decode_tokens_per_s(&self) -> Option<f64> {
        let (tokens, seconds) = (
            self.usage.completion_tokens,
            self.timing.decode.as_secs_f64(),
        );
        (tokens > 1 && seconds > 0.0).then(|| (tokens - 1) as f64 / seconds)
    }
}

impl Engine {
    /// Builds the network over the weights as they are stored.
    ///
    /// Errors if a tensor is missing or of another shape than the configuration says, or if
    /// tokenizer and network disagree about the number of tokens.
    pub fn load(files: &ModelFiles) -> Result<Self, InferError> {
        let config = files.config().clone();
        let language = files.language()?;
        if language.vocab_size() > config.decoder.vocab_size && language.is_own() {
            return Err(InferError::VocabularySize {
                tokenizer: language.vocab_size(),
                model: config.decoder.vocab_size,
            });
        }
        let model = VisionLanguageModel::new(&config, files.builder()?)?;
        Ok(Self {
            model,
            config,
            language,
            processor: files.processor().cloned(),
            images: ImageCache::new(IMAGE_CACHE_BYTES),
        })
    }

    /// The model's configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// How the model is spoken to.
    pub fn language(&self) -> &ChatTokenizer {
        &self.language
    }

    /// How pictures are prepared for the model, if it sees them.
    pub fn processor(&self) -> Option<&ImageProcessor> {
        self.processor.as_ref()
    }

    /// What the vision tower makes of an image on average over its patches (D_v): pictures that
    /// look alike point the same way.
    ///
    /// Errors if the model has no vision tower.
    pub fn features(&self, image: &Image) -> Result<Vec<f32>, InferError> {
        let rows = self.model.encode_patches(&packed(&[image])?)?.rows;
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
            Ok(CachedImage::new(picture, patches, picture.blank(), None))
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
            Ok(CachedImage::new(&picture, patches, blank, decoded.damage))
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

    /// Encodes those of `images` that are not yet, all in one packed batch.
    pub fn encode(&self, images: &[Image]) -> Result<(), InferError> {
        let fresh = distinct(images.iter().filter(|image| !image.is_encoded()));
        if fresh.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let latents = self.model.encode_images(&packed(&fresh)?)?;
        for (index, image) in fresh.iter().enumerate() {
            let keys = self.model.cross_keys(Some(&latents.image(index)?))?;
            // Another thread may have been faster; what it computed is the same.
            let _ = image.0.keys.set(keys);
        }
        let seconds = began.elapsed().as_secs_f64();
        info!(images = fresh.len(), seconds, "images encoded");
        Ok(())
    }

    /// Rows of latents that a text can attend to for a picture of `width` x `height` pixels.
    ///
    /// Errors if the model has no vision tower.
    pub fn vision_tokens(&self, width: usize, height: usize) -> Result<usize, InferError> {
        let grid = self.seeing()?.grid((width, height));
        Ok(self.config.num_latents(grid))
    }

    /// Keys and values of `images`, one image after another.
    pub(crate) fn keys(&self, images: &[Image]) -> Result<CrossAttentionCache, InferError> {
        self.encode(images)?;
        let parts: Vec<&CrossAttentionCache> =
            images.iter().filter_map(|i| i.0.keys.get()).collect();
        Ok(CrossAttentionCache::concat(&parts)?)
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
        let prompt = self.language.question(turns)?;
        self.check_ids(&prompt.ids)?;
        // One place must be left for the answer.
        self.check_length(prompt.ids.len() + 1)?;
        Ok(prompt)
    }

    /// Refuses a text of `bytes` that cannot fit, however well it encodes.
    pub(crate) fn check_text_length(&self, bytes: usize) -> Result<(), InferError> {
        let longest = self.language.longest_token_bytes().max(1);
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

    /// The next id by `logits` (V), none of those that the model must never say.
    pub(crate) fn choose(&self, sampler: &mut Sampler, logits: &mut [f32]) -> u32 {
        for &id in self.language.banned() {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit = f32::NEG_INFINITY;
            }
        }
        // Rows behind the vocabulary fill the table up.
        let known = self.language.vocab_size().min(logits.len());
        sampler.next(&logits[..known])
    }

    pub(crate) fn check_length(&self, tokens: usize) -> Result<(), InferError> {
        let context = self.config.decoder.max_context;
        if tokens > context {
            Err(InferError::TooLong { tokens, context })
        } else {
            Ok(())
        }
    }

    /// Answers the last turn; `on_text` gets each whole piece of text as it comes and may stop the
    /// answer.
    ///
    /// Errors before any work if the question is empty, markers and images differ in number, or
    /// the conversation does not fit into the context.
    pub fn answer(
        &self,
        images: &[Image],
        turns: &[Turn],
        options: &SamplingOptions,
        on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Answer, InferError> {
        let start = Instant::now();
        let prompt = self.prompt(turns, images.len())?;
        self.generate(start, prompt.ids, images, options, on_text)
    }

    /// Goes on with `text`, which is nothing but text, without the frame of a conversation;
    /// otherwise as [`answer`](Self::answer).
    ///
    /// Errors before any work if the text is empty or does not fit into the context.
    pub fn complete(
        &self,
        text: &str,
        options: &SamplingOptions,
        on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Answer, InferError> {
        let start = Instant::now();
        self.check_text_length(text.len())?;
        let ids = self.language.opening(text)?;
        if ids.is_empty() {
            return Err(InferError::EmptyQuestion);
        }
        self.check_ids(&ids)?;
        self.check_length(ids.len() + 1)?;
        self.generate(start, ids, &[], options, on_text)
    }

    /// Goes on behind `ids` (T), which were checked and began at `start`.
    fn generate(
        &self,
        start: Instant,
        mut ids: Vec<u32>,
        images: &[Image],
        options: &SamplingOptions,
        mut on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Answer, InferError> {
        let keys = self.keys(images)?;
        let vision = start.elapsed();

        let room = self.config.decoder.max_context - ids.len();
        let most = options.max_tokens.min(room);
        let mut cache = self.model.new_cache(ids.len() + most)?;
        let mut seen = self.language.visible_images(&ids);
        let mut sampler = Sampler::new(options);
        let mut stream = self.language.stream();
        let mut answer = Answer {
            text: String::new(),
            token_ids: Vec::new(),
            finish_reason: FinishReason::Length,
            usage: Usage {
                prompt_tokens: ids.len(),
                completion_tokens: 0,
                vision_tokens: (images.iter())
                    .map(|image| self.config.num_latents(image.grid()))
                    .sum(),
            },
            timing: Timing {
                vision,
                ..Timing::default()
            },
        };
        let mut first_at = None;
        while answer.usage.completion_tokens < most {
            let hidden = self.model.forward_cached(&ids, &seen, &keys, &mut cache)?; // (n, D)
            let last = hidden.narrow(0, ids.len() - 1, 1)?; // (1, D)
            let mut logits = self.model.logits(&last)?.flatten_all()?.to_vec1::<f32>()?; // (V)
            let id = self.choose(&mut sampler, &mut logits);
            answer.usage.completion_tokens += 1;
            answer.token_ids.push(id);
            let first_at = *first_at.get_or_insert_with(Instant::now);
            answer.timing.decode = first_at.elapsed();
            answer.timing.first_token = first_at - start;
            if self.language.is_stop(id) {
                answer.finish_reason = FinishReason::Stop;
                break;
            }
            let piece = stream.push(id);
            answer.text.push_str(&piece);
            if on_text(&piece).is_break() {
                answer.finish_reason = FinishReason::Cancelled;
                break;
            }
            seen = vec![seen.last().copied().unwrap_or((0, 0))];
            ids = vec![id];
        }
        info!(
            prompt_tokens = answer.usage.prompt_tokens,
            prefill_s = (answer.timing.first_token - vision).as_secs_f64(),
            tokens = answer.usage.completion_tokens,
            tokens_per_s = answer.decode_tokens_per_s(),
            "answered"
        );
        Ok(answer)
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

/// Patches of images, one image after another.
fn packed(images: &[&Image]) -> candle_core::Result<Images> {
    let grid = |image: &&Image| (image.0.patches.rows, image.0.patches.cols);
    let grids: Vec<(usize, usize)> = images.iter().map(grid).collect();
    let rows: usize = grids.iter().map(|(rows, cols)| rows * cols).sum();
    let data: Vec<f32> = images
        .iter()
        .flat_map(|image| image.0.patches.data.iter().copied())
        .collect();
    let patches = Tensor::from_vec(data, (rows, data_width(images, &grids)), &Device::Cpu)?;
    Ok(Images { patches, grids }) // (P, 3*p*p)
}

fn data_width(images: &[&Image], grids: &[(usize, usize)]) -> usize {
    let first = images.first().zip(grids.first());
    first.map_or(0, |(image, (rows, cols))| {
        image.0.patches.data.len() / (rows * cols).max(1)
    })
}
