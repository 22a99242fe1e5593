//! What a stage starts from: the model's shape, the tokenizer and the first values.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use avocet_checkpoint::{CONCEPTS, ConceptTable, Concepts};
use avocet_config::ModelConfig;
use avocet_data::shard::Reader;
use avocet_data::{BatchShape, Content, Recognise};
use avocet_text::turn::stretches;
use avocet_text::{ChatTokenizer, Turn, train_bpe};
use candle_core::{Device, Tensor};

use crate::base_model::BaseModel;
use crate::checkpoint::{self, Loaded, RunState};
use crate::concept_start;
use crate::config::{InitFrom, StageConfig, TokenizerRecipe, TrainConfig};
use crate::error::{Result, TrainError};
use crate::params::is_auxiliary;
use crate::pattern::matches_any;
use crate::progress;
use crate::recogniser_init;

/// What a stage starts from.
pub(crate) struct StageInit {
    pub(crate) model: ModelConfig,
    pub(crate) language: Arc<ChatTokenizer>,
    pub(crate) shape: BatchShape,
    /// The files that say what the model is, in every checkpoint.
    pub(crate) described: BTreeMap<String, Vec<u8>>,
    pub(crate) values: HashMap<String, Tensor>,
    /// Names in the order of their places in the auxiliary head.
    pub(crate) names: Vec<String>,
    /// What the classes of the model's recogniser are called, if it has one.
    pub(crate) concepts: Option<Concepts>,
    /// What looks at the pictures for the loader, once the model is made.
    pub(crate) recognise: Option<Recognise>,
}

/// The parts of a model folder that a stage may start from.
struct Folder {
    config: String,
    tokenizer: Option<Vec<u8>>,
    concepts: Option<Vec<u8>>,
    values: HashMap<String, Tensor>,
    names: Vec<String>,
}

impl StageInit {
    /// What the stage that `state` stands in starts from; `previous` is the checkpoint of the
    /// stage before, or of this one when it is continued. Values are read to `device`.
    pub(crate) fn of(
        config: &TrainConfig,
        state: &RunState,
        previous: Option<&Loaded>,
        device: &Device,
    ) -> Result<Self> {
        let stage = &config.stages[state.stage];
        let mut values = previous
            .map(|loaded| loaded.parameters.clone())
            .unwrap_or_default();
        let mut names = state.names.clone();
        let mut folders = Vec::new();
        if state.stage_step == 0 {
            for init in &stage.init {
                match recogniser_init::is_network(&init.from) {
                    true => values.extend(recogniser_init::values(&init.from, device)?),
                    false => folders.push(taken(init, device, &mut values, &mut names)?),
                }
            }
        }
        let model = model(stage, previous, &folders)?;
        if state.stage_step == 0 {
            concept_start::start(&model, config.seed, &mut values)?;
        }
        let (tokenizer, from) = tokenizer(config, stage, previous, &folders)?;
        let language = ChatTokenizer::own(&tokenizer)
            .map_err(|error| TrainError::Model(format!("{from}: {error}")))?;
        let (tokens, rows) = (language.vocab_size(), model.decoder.vocab_size);
        if tokens > rows {
            let field = format!("stage {:?}: tokenizer", stage.name);
            let message = format!("it has {tokens} tokens, the model's vocab_size is {rows}");
            return Err(TrainError::config(field, message));
        }
        let mut described = vec![
            (checkpoint::CONFIG, model.to_toml().into_bytes()),
            (checkpoint::TOKENIZER, tokenizer),
        ];
        let table = table(&model, stage, previous, &folders)?;
        let concepts = match &table {
            Some(table) => concepts(&model, table, &language)?,
            None => None,
        };
        described.extend(table.map(|table| (CONCEPTS, table)));
        let described = described.into_iter();
        Ok(Self {
            shape: shape(&model),
            model,
            language: Arc::new(language),
            described: described
                .map(|(file, bytes)| (file.to_owned(), bytes))
                .collect(),
            values,
            names,
            concepts,
            recognise: None,
        })
    }

    /// What fine-tuning `base` starts from; `previous` is the checkpoint to go on from.
    ///
    /// Errors if what the base's recogniser tells apart cannot be read.
    pub(crate) fn over(
        base: &BaseModel,
        state: &RunState,
        previous: Option<&Loaded>,
    ) -> Result<Self> {
        let loaded = previous.map(|loaded| loaded.parameters.clone());
        let concepts = base.files().concepts();
        Ok(Self {
            concepts: concepts.map_err(|error| TrainError::Model(error.to_string()))?,
            model: base.files().config().clone(),
            language: base.language(),
            shape: base.shape(),
            described: BTreeMap::new(),
            values: loaded.unwrap_or_default(),
            names: state.names.clone(),
            recognise: None,
        })
    }
}

/// Reads the folder of `init` and moves the values that it names; with the auxiliary heads come
/// the names that they know.
fn taken(
    init: &InitFrom,
    device: &Device,
    values: &mut HashMap<String, Tensor>,
    names: &mut Vec<String>,
) -> Result<Folder> {
    let mut folder = read(&init.from, device)?;
    let chosen = std::mem::take(&mut folder.values).into_iter();
    let chosen: HashMap<_, _> = chosen
        .filter(|(name, _)| matches_any(&init.names, name))
        .collect();
    if chosen.is_empty() {
        let message = format!("no tensor of it matches {:?}", init.names);
        return Err(TrainError::damaged(&init.from, message));
    }
    if chosen.keys().any(|name| is_auxiliary(name)) {
        names.clone_from(&folder.names);
    }
    values.extend(chosen);
    Ok(folder)
}

/// Reads a model folder, a checkpoint, or the newest checkpoint of a run folder.
fn read(folder: &Path, device: &Device) -> Result<Folder> {
    if checkpoint::is_checkpoint(folder) {
        return of_checkpoint(checkpoint::load(folder, device)?);
    }
    if !checkpoint::list(folder)?.is_empty() {
        let none = || TrainError::damaged(folder, "none of its checkpoints is whole");
        let newest = checkpoint::newest(folder, device, progress::line)?;
        return of_checkpoint(newest.ok_or_else(none)?);
    }
    let path = folder.join(checkpoint::CONFIG);
    let config = std::fs::read_to_string(&path).map_err(TrainError::io(&path))?;
    Ok(Folder {
        config,
        tokenizer: std::fs::read(folder.join(checkpoint::TOKENIZER)).ok(),
        concepts: std::fs::read(folder.join(CONCEPTS)).ok(),
        values: tensors(&folder.join(checkpoint::MODEL), device)?,
        names: Vec::new(),
    })
}

/// What the network can take; one without eyes is shown nothing larger than a patch.
fn shape(model: &ModelConfig) -> BatchShape {
    let context = model.decoder.max_context;
    match &model.vision {
        Some(vision) => BatchShape::native(vision.patch_size, vision.max_patches, context),
        None => BatchShape::blind(context),
    }
}

fn of_checkpoint(loaded: Loaded) -> Result<Folder> {
    let adapter = || {
        let message = "is an adapter; write the whole model first, with `avocet models export`";
        TrainError::damaged(&loaded.folder, message)
    };
    Ok(Folder {
        config: loaded.config().ok_or_else(adapter)?,
        tokenizer: loaded.tokenizer().map(<[u8]>::to_vec),
        concepts: loaded.described.get(CONCEPTS).cloned(),
        values: loaded.parameters,
        names: loaded.state.names,
    })
}

fn tensors(path: &Path, device: &Device) -> Result<HashMap<String, Tensor>> {
    let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
    candle_core::safetensors::load_buffer(&bytes, device)
        .map_err(|error| TrainError::damaged(path, error.to_string()))
}

fn model(
    stage: &StageConfig,
    previous: Option<&Loaded>,
    folders: &[Folder],
) -> Result<ModelConfig> {
    if let Some(source) = &stage.model {
        return stage.shape.applied(source.resolve()?);
    }
    let before = previous.and_then(Loaded::config);
    let text = before.or_else(|| folders.first().map(|folder| folder.config.clone()));
    let none = || TrainError::config(format!("stage {:?}: model", stage.name), "is not given");
    let parsed = ModelConfig::from_toml(&text.ok_or_else(none)?);
    let parsed = parsed.map_err(|error| TrainError::Model(error.to_string()))?;
    stage.shape.applied(parsed)
}

/// The table of the classes of a stage's recogniser, if it has one.
///
/// Errors if it has one and there is no table.
fn table(
    model: &ModelConfig,
    stage: &StageConfig,
    previous: Option<&Loaded>,
    folders: &[Folder],
) -> Result<Option<Vec<u8>>> {
    if model.concepts.is_none() {
        return Ok(None);
    }
    if let Some(path) = &stage.concepts {
        return std::fs::read(path).map_err(TrainError::io(path)).map(Some);
    }
    let before = previous.and_then(|loaded| loaded.described.get(CONCEPTS));
    let found = before.or_else(|| folders.iter().find_map(|folder| folder.concepts.as_ref()));
    let none = || {
        let field = format!("stage {:?}: concepts", stage.name);
        TrainError::config(
            field,
            "the model recognises things; give the table of their names",
        )
    };
    found.cloned().map(Some).ok_or_else(none)
}

/// The classes of the model's recogniser, by their table.
fn concepts(
    model: &ModelConfig,
    table: &[u8],
    language: &ChatTokenizer,
) -> Result<Option<Concepts>> {
    let (Some(config), Some(tower)) = (&model.concepts, &model.efficient_net) else {
        return Ok(None);
    };
    let wrong = |reason: String| TrainError::Model(format!("{CONCEPTS}: {reason}"));
    let text = std::str::from_utf8(table).map_err(|error| wrong(error.to_string()))?;
    let table = ConceptTable::parse(text, tower.num_classes).map_err(&wrong)?;
    let concepts = Concepts::new(table, config, language);
    concepts.map(Some).map_err(|error| wrong(error.to_string()))
}

/// The `tokenizer.json` of a stage, and where it is from.
fn tokenizer(
    config: &TrainConfig,
    stage: &StageConfig,
    previous: Option<&Loaded>,
    folders: &[Folder],
) -> Result<(Vec<u8>, String)> {
    if let Some(path) = &stage.tokenizer {
        let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
        return Ok((bytes, path.display().to_string()));
    }
    if let Some(loaded) = previous {
        let bytes = loaded.tokenizer().unwrap_or_default();
        return Ok((bytes.to_vec(), loaded.folder.display().to_string()));
    }
    let mut found = folders.iter().zip(&stage.init);
    let found = found.find_map(|(folder, init)| Some((folder.tokenizer.as_ref()?, init)));
    if let Some((bytes, init)) = found {
        return Ok((bytes.clone(), init.from.display().to_string()));
    }
    match &config.tokenizer {
        Some(recipe) => Ok((train_tokenizer(recipe)?, "[tokenizer]".into())),
        None => {
            let field = format!("stage {:?}: tokenizer", stage.name);
            Err(TrainError::config(
                field,
                "give a file, an init folder that has one, or [tokenizer]",
            ))
        }
    }
}

/// The `tokenizer.json` learned from the texts of datasets, evenly chosen.
fn train_tokenizer(recipe: &TokenizerRecipe) -> Result<Vec<u8>> {
    let mut texts = Vec::new();
    for path in &recipe.data {
        let reader = Reader::open(path).map_err(TrainError::data)?;
        let stride = reader.len().div_ceil(recipe.samples.max(1)).max(1);
        for index in (0..reader.len()).step_by(stride) {
            let sample = reader.get(index).map_err(TrainError::data)?;
            match sample.content {
                Content::Document(parts) => texts.extend(stretches(&parts)),
                Content::Turns(turns) => texts.extend(turns.iter().map(Turn::shown)),
            }
        }
    }
    train_bpe(texts, recipe.vocab_size)
        .map_err(|error| TrainError::Data(format!("tokenizer: {error}")))
}
