//! The public model families: what their files say, in our terms.
//!
//! A family reads `config.json` (or the metadata of a GGUF file) into a
//! [`ModelConfig`], says in a table where our parameters lie in its files, and how the model is
//! spoken to and shown pictures. The network itself has no code of any family's own.

mod decoders;
mod efficient_net;
mod family;
mod fields;
mod flamingo;
mod gguf;
mod idefics;
mod mllama;
mod names;
mod rope;
mod vision;

use crate::error::{CheckpointError, Result};
use crate::interface::{Interface, PromptFamily, Speech};
use crate::layout::{PUBLIC_CONFIG, name_of};
use crate::parameters::Section;
use crate::tensors::Store;
use avocet_config::{ClipConfig, ModelConfig};
use avocet_media::ImageProcessor;
use family::{Family, decoder_alone};
use fields::Fields;
use std::path::{Path, PathBuf};

pub(crate) use efficient_net::is_classifier;
pub use efficient_net::is_efficient_net;
pub use efficient_net::{EfficientNetFiles, HeadNorm};
pub(crate) use names::is_ignored;

/// A public vision encoder, read but not loaded.
pub(crate) struct Encoder {
    pub config: ClipConfig,
    pub store: Store,
    pub names: &'static [Section],
    pub processor: ImageProcessor,
}

/// Whether `folder` holds a public model.
pub(crate) fn is_folder(folder: &Path) -> bool {
    folder.join(PUBLIC_CONFIG).is_file() || folder.join(flamingo::SETTINGS).is_file()
}

/// Whether `folder` holds a public vision encoder alone.
pub(crate) fn is_encoder(folder: &Path) -> Result<bool> {
    match Fields::read_if_there(&folder.join(PUBLIC_CONFIG))? {
        Some(fields) => Ok(vision::read(folder, &fields)?.is_some()),
        None => Ok(false),
    }
}

/// The file that says what shape the model at `path` has.
pub(crate) fn settings(path: &Path) -> PathBuf {
    let flamingo = path.join(flamingo::SETTINGS);
    match path.is_file() {
        true => path.to_owned(),
        false if flamingo.is_file() => flamingo,
        false => path.join(PUBLIC_CONFIG),
    }
}

/// The public model in `folder`, or in the GGUF file of this path.
///
/// Errors name the file and the field.
pub(crate) fn read(path: &Path) -> Result<Family> {
    if is_efficient_net(path) {
        // Whether it is whole is said first.
        EfficientNetFiles::open(path)?;
        return Err(CheckpointError::Family {
            path: path.to_owned(),
            reason: "is an EfficientNet-Lite, a vision tower alone; join it with a decoder: \
                     avocet graft --vision"
                .into(),
        });
    }
    if path.is_file() {
        return gguf::read(path);
    }
    if path.join(flamingo::SETTINGS).is_file() {
        return flamingo::read(path);
    }
    let fields = Fields::read(&path.join(PUBLIC_CONFIG))?;
    let kind = fields.text_or("model_type", "")?;
    match kind.as_str() {
        "idefics" => return idefics::read(path, &fields),
        "mllama" => return mllama::read(path, &fields),
        _ => {}
    }
    if let Some(decoder) = decoders::read(&fields)? {
        return text(path, &fields, decoder);
    }
    if vision::read(path, &fields)?.is_some() {
        let reason = "is a vision encoder alone; join it with a decoder: avocet graft --vision";
        return Err(fields.refuse("model_type", reason));
    }
    let reason = format!(
        "is {kind:?}; there are idefics, mllama, {}, and OpenFlamingo by its {}",
        decoders::KNOWN,
        flamingo::SETTINGS
    );
    Err(fields.refuse("model_type", reason))
}

/// The shape of the text model that a public `config.json` describes, without any weights: what a
/// plan needs.
///
/// Errors name the file and the field.
pub fn shape_alone(path: &Path) -> Result<ModelConfig> {
    let fields = Fields::read(path)?;
    let Some(family) = decoders::read(&fields)? else {
        let kind = fields.text_or("model_type", "")?;
        let reason = format!(
            "is {kind:?}; of a file alone {} are read, others from their whole folder",
            decoders::KNOWN
        );
        return Err(fields.refuse("model_type", reason));
    };
    let name = name_of(path.parent().unwrap_or(path));
    Ok(decoder_alone(name, family.config))
}

fn text(folder: &Path, fields: &Fields, family: decoders::DecoderFamily) -> Result<Family> {
    let mut decoder = family.config;
    let store = Store::folder(folder)?;
    // Vocabularies are padded and extended; the tensors are what counts.
    let rows = |name: &str| store.get(name).and_then(|t| t.shape.first().copied());
    let embedding = family.names.iter().find_map(|section| {
        let line = section
            .lines
            .iter()
            .find(|(ours, _)| *ours == "embedding")?;
        match section.theirs {
            "" => rows(&format!("{}.weight", line.1)),
            below => rows(&format!("{below}.{}.weight", line.1)),
        }
    });
    decoder.vocab_size = embedding.unwrap_or(decoder.vocab_size);
    let head = rows("lm_head.weight").or(rows("embed_out.weight"));
    match head {
        Some(outputs) if !decoder.tied_embeddings => {
            decoder.head_size = (outputs != decoder.vocab_size).then_some(outputs);
        }
        // A head that should be there and is not is missing; files that say nothing mean the other.
        None if fields.get("tie_word_embeddings") == Some(&false.into()) => {}
        _ => decoder.tied_embeddings = true,
    }
    // Files of `torch.save` keep a tied head as well.
    let store = match decoder.tied_embeddings {
        true => store.renamed(|name| {
            let is_head = name == "lm_head.weight" || name == "embed_out.weight";
            (!is_head).then(|| name.to_owned())
        }),
        false => store,
    };
    let stops = fields.ids("eos_token_id")?;
    Ok(Family {
        name: "decoder",
        config: decoder_alone(name_of(folder), decoder),
        store,
        names: family.names.to_vec(),
        interface: Interface {
            processor: None,
            speech: Speech::hub(folder, PromptFamily::Text, stops),
        },
    })
}

/// The vision encoder in `folder`: CLIP or SigLIP as the hub has them, or open_clip's.
///
/// Errors name the file and the field.
pub(crate) fn encoder(folder: &Path) -> Result<Encoder> {
    let fields = Fields::read(&folder.join(PUBLIC_CONFIG))?;
    let Some(family) = vision::read(folder, &fields)? else {
        let kind = fields.text_or("model_type", "")?;
        let reason = format!(
            "is {kind:?}; clip, clip_vision_model, siglip and siglip_vision_model are vision encoders"
        );
        return Err(fields.refuse("model_type", reason));
    };
    let pictures = |error| fields.refuse("image_size", format!("for pictures: {error}"));
    family.processor.validate().map_err(pictures)?;
    Ok(Encoder {
        config: family.config,
        store: Store::folder(folder)?,
        names: family.names,
        processor: family.processor,
    })
}
