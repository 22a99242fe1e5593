//! How a model is spoken to and shown pictures, as its files say: tokenizer, prompt form, the tokens
//! that end an answer or may never be one, and what becomes of a picture.

use crate::error::{CheckpointError, Result};
use crate::formats::gguf::Metadata;
use crate::io;
use crate::layout::{
    GENERATION, MAX_SETTINGS, MAX_TOKENIZER, SPECIAL_TOKENS, TEMPLATE_JINJA, TEMPLATE_JSON,
    TOKENIZER, TOKENIZER_CONFIG,
};
use avocet_media::ImageProcessor;
use avocet_text::turn::IMAGE_MARKER;
use avocet_text::{
    BosRule, ChatTemplate, ChatTokenizer, Content, Gpt2Parts, ImageRule, PromptForm, SideFiles,
    SpmParts, Tokenizer, TokenizerConfig, TokenizerError,
};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// How a model is spoken to and shown pictures.
pub(crate) struct Interface {
    pub processor: Option<ImageProcessor>,
    pub speech: Speech,
}

/// Where a model's language is described.
pub(crate) enum Speech {
    /// Our own tokenizer, whose file has these bytes.
    Own {
        path: PathBuf,
        bytes: Cow<'static, [u8]>,
    },
    /// The files of a public model's folder.
    Hub(HubSpeech),
    /// The metadata of a GGUF file.
    Gguf(Box<GgufSpeech>),
    /// A text model's, with a token behind all others that stands for an image.
    Seeing { text: Box<Self>, image: u32 },
}

/// The prompt form and image rule of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptFamily {
    /// A decoder without images.
    Text,
    Idefics,
    Mllama {
        image_token: u32,
    },
    Flamingo,
}

/// The files of a public model's folder.
#[derive(Debug, Clone)]
pub(crate) struct HubSpeech {
    folder: PathBuf,
    prompt_family: PromptFamily,
    /// Ids that end an answer by the model's own configuration.
    stops: Vec<u32>,
}

impl Speech {
    /// That of the public model in `folder`, whose configuration says that `stops` end an answer.
    pub fn hub(folder: &Path, prompt_family: PromptFamily, stops: Vec<u32>) -> Self {
        Self::Hub(HubSpeech {
            folder: folder.to_owned(),
            prompt_family,
            stops,
        })
    }

    /// Reads what is described.
    ///
    /// Errors name the file, and the field in it.
    pub fn language(&self) -> Result<ChatTokenizer> {
        self.language_with(None)
    }

    fn language_with(&self, image: Option<u32>) -> Result<ChatTokenizer> {
        match self {
            Self::Own { path, bytes } => ChatTokenizer::own(bytes).map_err(wrong(path)),
            Self::Hub(hub) => hub.language(image),
            Self::Gguf(gguf) => gguf.language(image),
            Self::Seeing { text, image } => text.language_with(Some(*image)),
        }
    }
}

fn wrong(path: &Path) -> impl Fn(TokenizerError) -> CheckpointError {
    move |source| CheckpointError::Tokenizer {
        path: path.to_owned(),
        source,
    }
}

/// Appends the token that stands for an image, called as people mark images, if there is one.
fn see(tokenizer: &mut Tokenizer, image: Option<u32>) -> Result<(), TokenizerError> {
    match image {
        Some(id) => tokenizer.append(IMAGE_MARKER, id),
        None => Ok(()),
    }
}

/// The settings beside a tokenizer; each file may be absent.
fn settings(folder: &Path) -> Result<TokenizerConfig> {
    let read = |name: &str| {
        let path = folder.join(name);
        let bytes = path.is_file().then(|| io::read(&path, MAX_SETTINGS));
        bytes.transpose()
    };
    let tokenizer_config = read(TOKENIZER_CONFIG)?;
    let special_tokens_map = read(SPECIAL_TOKENS)?;
    let chat_template_json = read(TEMPLATE_JSON)?;
    let chat_template_jinja = read(TEMPLATE_JINJA)?;
    let generation_config = read(GENERATION)?;
    TokenizerConfig::parse(SideFiles {
        tokenizer_config: tokenizer_config.as_deref(),
        special_tokens_map: special_tokens_map.as_deref(),
        chat_template_json: chat_template_json.as_deref(),
        chat_template_jinja: chat_template_jinja.as_deref(),
        generation_config: generation_config.as_deref(),
    })
    .map_err(wrong(folder))
}

impl HubSpeech {
    fn language(&self, image: Option<u32>) -> Result<ChatTokenizer> {
        let path = self.folder.join(TOKENIZER);
        let bytes = io::read(&path, MAX_TOKENIZER)?;
        let mut tokenizer = Tokenizer::from_json(&bytes).map_err(wrong(&path))?;
        let settings = settings(&self.folder)?;
        let id = |tokenizer: &Tokenizer, name: &str| -> Result<u32> {
            tokenizer.id(name).ok_or_else(|| CheckpointError::Family {
                path: path.clone(),
                reason: format!("token {name} is missing"),
            })
        };
        let bos = settings.bos.clone().unwrap_or_default();
        let eos = settings.eos.clone().unwrap_or_default();
        let mut stops = self.stops.clone();
        stops.extend(settings.stops(&tokenizer));
        let (form, image_token, rule, banned, bos_rule);
        match self.prompt_family {
            PromptFamily::Text | PromptFamily::Mllama { .. } => {
                let content = match (self.prompt_family, image) {
                    (PromptFamily::Text, None) => Content::Text,
                    (PromptFamily::Text, Some(_)) => Content::Marked,
                    _ => Content::Parts,
                };
                form = match &settings.chat_template {
                    Some(source) => {
                        let template = ChatTemplate::new(source, &bos, &eos, content);
                        PromptForm::Template(template.map_err(wrong(&path))?)
                    }
                    None => PromptForm::Plain,
                };
                (image_token, rule, bos_rule, banned) = match self.prompt_family {
                    PromptFamily::Mllama { image_token } => {
                        let opening = BosRule::AfterImages(id(&tokenizer, &bos)?);
                        (
                            Some(image_token),
                            ImageRule::AdjacentRuns,
                            opening,
                            vec![image_token],
                        )
                    }
                    _ => {
                        see(&mut tokenizer, image).map_err(wrong(&path))?;
                        (image, ImageRule::Latest, BosRule::PostProcessor, Vec::new())
                    }
                };
            }
            PromptFamily::Idefics => {
                let end = tokenizer.id("<end_of_utterance>");
                stops.extend(end);
                let image = id(&tokenizer, "<image>")?;
                form = PromptForm::Idefics {
                    instruct: end.is_some(),
                };
                image_token = Some(image);
                rule = ImageRule::LatestUntil(id(&tokenizer, &eos)?);
                banned = vec![id(&tokenizer, "<fake_token_around_image>")?, image];
                bos_rule = BosRule::Spelled;
            }
            PromptFamily::Flamingo => {
                let mut names = vec!["<|endofchunk|>", "<image>"];
                if settings.pad.is_none() {
                    names.push("<PAD>");
                }
                tokenizer.add_special(&names).map_err(wrong(&path))?;
                let image = id(&tokenizer, "<image>")?;
                // The model ends with this token alone; the language model's own end is not seen
                // in its data.
                stops = vec![id(&tokenizer, "<|endofchunk|>")?];
                form = PromptForm::Flamingo;
                image_token = Some(image);
                rule = ImageRule::Latest;
                banned = [Some(image), tokenizer.id("<PAD>")]
                    .into_iter()
                    .flatten()
                    .collect();
                bos_rule = BosRule::PostProcessor;
            }
        }
        stops.retain(|id| tokenizer.token(*id).is_some());
        let banned: Vec<u32> = banned;
        let banned = banned
            .into_iter()
            .filter(|id| tokenizer.token(*id).is_some())
            .collect();
        ChatTokenizer::new(tokenizer, form, image_token, rule, stops, banned, bos_rule)
            .map_err(wrong(&path))
    }
}

/// The metadata of a GGUF file that say how it is spoken to.
pub(crate) struct GgufSpeech {
    path: PathBuf,
    parts: Parts,
    template: Option<String>,
    stops: Vec<u32>,
    bos: Option<u32>,
    eos: Option<u32>,
}

enum Parts {
    Gpt2(Gpt2Parts),
    Spm(SpmParts),
}

impl GgufSpeech {
    pub fn read(path: &Path, metadata: &Metadata<'_>) -> Result<Self> {
        const MODEL: &str = "tokenizer.ggml.model";
        let key = |name: &str| format!("tokenizer.ggml.{name}");
        let id = |name: &str| metadata.id(&key(name));
        let tokens = metadata.texts(&key("tokens"))?;
        let types = metadata.numbers(&key("token_type"))?;
        let types: Vec<i32> = types.into_iter().map(|kind| kind as i32).collect();
        let (bos, eos) = (id("bos_token_id")?, id("eos_token_id")?);
        let add_bos = metadata.flag(&key("add_bos_token"))?;
        let add_eos = metadata.flag(&key("add_eos_token"))?;
        let parts = match metadata.text(MODEL)?.as_deref() {
            Some("gpt2") => Parts::Gpt2(Gpt2Parts {
                tokens,
                merges: metadata.texts(&key("merges"))?,
                types,
                pre: metadata
                    .text(&key("pre"))?
                    .unwrap_or_else(|| "default".into()),
                bos,
                eos,
                add_bos,
                add_eos,
            }),
            Some("llama") => {
                let scores = metadata.numbers(&key("scores"))?;
                Parts::Spm(SpmParts {
                    tokens,
                    scores: scores.into_iter().map(|score| score as f32).collect(),
                    types,
                    bos,
                    eos,
                    unk: id("unknown_token_id")?,
                    add_bos,
                    add_eos,
                    add_space_prefix: metadata.flag(&key("add_space_prefix"))?,
                })
            }
            Some(other) => {
                let reason = format!("is {other:?}; gpt2 and llama are read");
                return Err(metadata.refuse(MODEL, reason));
            }
            None => return Err(metadata.refuse(MODEL, "is missing")),
        };
        let stops = [eos, id("eot_token_id")?, id("eom_token_id")?];
        Ok(Self {
            path: path.to_owned(),
            parts,
            template: metadata.text("tokenizer.chat_template")?,
            stops: stops.into_iter().flatten().collect(),
            bos,
            eos,
        })
    }

    fn language(&self, image: Option<u32>) -> Result<ChatTokenizer> {
        let wrong = wrong(&self.path);
        let tokenizer = match &self.parts {
            Parts::Gpt2(parts) => Tokenizer::from_gpt2_parts(parts.clone()),
            Parts::Spm(parts) => Tokenizer::from_spm_parts(parts.clone()),
        };
        let mut tokenizer = tokenizer.map_err(&wrong)?;
        see(&mut tokenizer, image).map_err(&wrong)?;
        let name = |id: Option<u32>| id.and_then(|id| tokenizer.token(id)).unwrap_or_default();
        let form = match &self.template {
            Some(source) => {
                let (bos, eos) = (name(self.bos), name(self.eos));
                let content = image.map_or(Content::Text, |_| Content::Marked);
                let template = ChatTemplate::new(source, &bos, &eos, content);
                PromptForm::Template(template.map_err(&wrong)?)
            }
            None => PromptForm::Plain,
        };
        let mut stops = self.stops.clone();
        stops.retain(|id| tokenizer.token(*id).is_some());
        let (rule, bos) = (ImageRule::Latest, BosRule::PostProcessor);
        ChatTokenizer::new(tokenizer, form, image, rule, stops, Vec::new(), bos).map_err(&wrong)
    }
}
