//! A faster-whisper folder becomes a ggml file with the same numbers, to the last bit.
//!
//! 16-bit matrices stay as they are; small tensors are widened to 32 bits, as Whisper's runtime
//! wants them. Nothing is rounded: a model in 8-bit integers is refused.

use std::io::Write;
use std::path::Path;

use half::{bf16, f16};

use super::ctranslate2::{Ct2, NumberType, Variable};
use super::dimensions::{Dimensions, Expected, Role};
use super::error::WhisperModelError;
use super::{mel, vocabulary};

type Result<T> = std::result::Result<T, WhisperModelError>;

/// First four bytes of a ggml file, as a number.
pub(super) const MAGIC: u32 = 0x6767_6d6c;
/// Bytes read at a time.
const BLOCK: u64 = 1 << 20;

/// A third or a half of the rows of a variable, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rows {
    pub variable: String,
    pub index: u64,
    pub of: u64,
}

/// Where the tensor of that name is found in CTranslate2's naming; queries, keys and values lie
/// behind one another there.
pub(super) fn source(name: &str) -> Rows {
    let all = |variable: String| Rows {
        variable,
        index: 0,
        of: 1,
    };
    match name {
        "decoder.token_embedding.weight" => return all("decoder/embeddings/weight".into()),
        "encoder.ln_post.weight" => return all("encoder/layer_norm/gamma".into()),
        "encoder.ln_post.bias" => return all("encoder/layer_norm/beta".into()),
        "decoder.ln.weight" => return all("decoder/layer_norm/gamma".into()),
        "decoder.ln.bias" => return all("decoder/layer_norm/beta".into()),
        _ => {}
    }
    if let Some(tower) = name.strip_suffix(".positional_embedding") {
        return all(format!("{tower}/position_encodings/encodings"));
    }
    let parts: Vec<&str> = name.split('.').collect();
    let [tower, "blocks", layer, rest @ ..] = &parts[..] else {
        return all(name.replace('.', "/"));
    };
    let (module, kind) = (&rest[..rest.len() - 1], rest[rest.len() - 1]);
    let norm = if kind == "weight" { "gamma" } else { "beta" };
    let (place, index, of) = match module {
        ["attn", "query"] => (format!("self_attention/linear_0/{kind}"), 0, 3),
        ["attn", "key"] => (format!("self_attention/linear_0/{kind}"), 1, 3),
        ["attn", "value"] => (format!("self_attention/linear_0/{kind}"), 2, 3),
        ["attn", "out"] => (format!("self_attention/linear_1/{kind}"), 0, 1),
        ["cross_attn", "query"] => (format!("attention/linear_0/{kind}"), 0, 1),
        ["cross_attn", "key"] => (format!("attention/linear_1/{kind}"), 0, 2),
        ["cross_attn", "value"] => (format!("attention/linear_1/{kind}"), 1, 2),
        ["cross_attn", "out"] => (format!("attention/linear_2/{kind}"), 0, 1),
        ["mlp", "0"] => (format!("ffn/linear_0/{kind}"), 0, 1),
        ["mlp", "2"] => (format!("ffn/linear_1/{kind}"), 0, 1),
        ["attn_ln"] => (format!("self_attention/layer_norm/{norm}"), 0, 1),
        ["cross_attn_ln"] => (format!("attention/layer_norm/{norm}"), 0, 1),
        _ => (format!("ffn/layer_norm/{norm}"), 0, 1),
    };
    Rows {
        variable: format!("{tower}/layer_{layer}/{place}"),
        index,
        of,
    }
}

/// The shape of the network, as its variables have it.
///
/// Errors, naming the variable, if it is none of Whisper's.
pub(super) fn dimensions(model: &Ct2) -> Result<Dimensions> {
    let shape = |name: &str, rank: usize| -> Result<Vec<u32>> {
        let shape = &model.get(name)?.shape;
        if shape.len() == rank {
            return Ok(shape.clone());
        }
        Err(model.wrong(name, format!("has {} axes, not {rank}", shape.len())))
    };
    let convolution = shape("encoder/conv1/weight", 3)?;
    let audio = shape("encoder/position_encodings/encodings", 2)?;
    let text = shape("decoder/position_encodings/encodings", 2)?;
    let vocab = shape("decoder/embeddings/weight", 2)?;
    let width = convolution[0];
    // Every head of every Whisper is 64 wide.
    let heads = |name: &str| -> Result<u32> { Ok(model.number(name)?.unwrap_or(width / 64)) };
    let dimensions = Dimensions {
        vocab: vocab[0],
        audio_context: audio[0],
        width,
        audio_heads: heads("encoder/num_heads")?,
        audio_layers: model.layers("encoder/layer_"),
        text_context: text[0],
        text_width: text[1],
        text_heads: heads("decoder/num_heads")?,
        text_layers: model.layers("decoder/layer_"),
        mels: convolution[1],
    };
    dimensions.validate(model.file.path())?;
    Ok(dimensions)
}

/// Writes the ggml file of `model` and the tokens of `vocabulary_path`.
///
/// Errors, naming the variable, if the model lacks something, has another shape than Whisper, or
/// numbers that ggml cannot hold unchanged.
pub(super) fn convert(model: &Ct2, vocabulary_path: &Path, out: &mut impl Write) -> Result<()> {
    let dimensions = dimensions(model)?;
    let expected = dimensions.tensors();
    let io = |cause| WhisperModelError::io(Path::new("the converted model"))(cause);
    let text =
        std::fs::read_to_string(vocabulary_path).map_err(WhisperModelError::io(vocabulary_path))?;
    let tokens = vocabulary::tokens(vocabulary_path, &text)?;
    if tokens.len() >= dimensions.vocab as usize {
        let reason = format!("{}, but the model has {}", tokens.len(), dimensions.vocab);
        return Err(WhisperModelError::model(
            vocabulary_path,
            "the number of tokens",
            reason,
        ));
    }
    let mut is_half = true;
    for tensor in &expected {
        let rows = source(&tensor.name);
        let variable = model.get(&rows.variable)?;
        check(model, tensor, &rows, variable)?;
        is_half &= tensor.role == Role::Small || variable.kind == NumberType::F16;
    }
    keys_have_no_bias(model, &expected)?;
    let mut header: Vec<u8> = Vec::new();
    let mut put = |value: u32| header.extend(value.to_le_bytes());
    put(MAGIC);
    for value in [
        dimensions.vocab,
        dimensions.audio_context,
        dimensions.width,
        dimensions.audio_heads,
        dimensions.audio_layers,
        dimensions.text_context,
        dimensions.text_width,
        dimensions.text_heads,
        dimensions.text_layers,
        dimensions.mels,
        u32::from(is_half),
        dimensions.mels,
        mel::BINS as u32,
    ] {
        put(value);
    }
    for value in mel::filters(dimensions.mels as usize) {
        header.extend(value.to_le_bytes());
    }
    header.extend((tokens.len() as u32).to_le_bytes());
    for token in &tokens {
        header.extend((token.len() as u32).to_le_bytes());
        header.extend(token);
    }
    out.write_all(&header).map_err(io)?;
    for tensor in &expected {
        let half = is_half && tensor.role != Role::Small;
        out.write_all(&tensor_header(tensor, half)).map_err(io)?;
        let rows = source(&tensor.name);
        let variable = model.get(&rows.variable)?;
        let count = variable.bytes / rows.of;
        let (mut at, end) = (count * rows.index, count * (rows.index + 1));
        while at < end {
            let bytes = model.read(variable, at, BLOCK.min(end - at))?;
            at += bytes.len() as u64;
            if half {
                out.write_all(&bytes).map_err(io)?;
            } else {
                out.write_all(&widen(&bytes, variable.kind)).map_err(io)?;
            }
        }
    }
    Ok(())
}

/// What stands before the numbers of a tensor; sizes fastest axis first.
pub(super) fn tensor_header(tensor: &Expected, is_half: bool) -> Vec<u8> {
    let head = [
        tensor.shape.len() as u32,
        tensor.name.len() as u32,
        u32::from(is_half),
    ];
    let mut bytes: Vec<u8> = head
        .into_iter()
        .chain(tensor.shape.iter().rev().copied())
        .flat_map(u32::to_le_bytes)
        .collect();
    bytes.extend(tensor.name.as_bytes());
    bytes
}

fn check(model: &Ct2, tensor: &Expected, rows: &Rows, variable: &Variable) -> Result<()> {
    if !matches!(
        variable.kind,
        NumberType::F16 | NumberType::F32 | NumberType::Bf16
    ) {
        let reason = format!(
            "is stored as {:?}, which has lost numbers already: take a folder in float16 or float32",
            variable.kind
        );
        return Err(model.wrong(&rows.variable, reason));
    }
    // A convolution's bias has an axis of length one more in ggml.
    let mut wanted: Vec<u64> = tensor.shape.iter().map(|&size| u64::from(size)).collect();
    if tensor.role == Role::Small && wanted.last() == Some(&1) {
        wanted.pop();
    }
    wanted[0] *= rows.of;
    let found: Vec<u64> = variable.shape.iter().map(|&size| u64::from(size)).collect();
    if found == wanted {
        return Ok(());
    }
    let reason = format!("has the shape {found:?}, not {wanted:?}");
    Err(model.wrong(&rows.variable, reason))
}

/// ggml has no place for a bias of the keys; Whisper has none, and the format fills it with zeros.
fn keys_have_no_bias(model: &Ct2, expected: &[Expected]) -> Result<()> {
    for tensor in expected {
        let Some(attention) = tensor.name.strip_suffix(".key.weight") else {
            continue;
        };
        let rows = source(&format!("{attention}.key.bias"));
        let variable = model.get(&rows.variable)?;
        let count = variable.bytes / rows.of;
        let bytes = model.read(variable, count * rows.index, count)?;
        if bytes.iter().any(|&byte| byte != 0) {
            return Err(model.wrong(
                &rows.variable,
                "gives the keys a bias, as no Whisper does".into(),
            ));
        }
    }
    Ok(())
}

/// The numbers in 32 bits, which hold all of them exactly.
pub(super) fn widen(bytes: &[u8], kind: NumberType) -> Vec<u8> {
    let pairs = bytes.as_chunks::<2>().0.iter();
    match kind {
        NumberType::F16 => pairs
            .flat_map(|&pair| f16::from_le_bytes(pair).to_f32().to_le_bytes())
            .collect(),
        NumberType::Bf16 => pairs
            .flat_map(|&pair| bf16::from_le_bytes(pair).to_f32().to_le_bytes())
            .collect(),
        _ => bytes.to_vec(),
    }
}
