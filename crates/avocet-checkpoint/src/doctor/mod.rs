//! What a model is, whether it would run here, and what stands against it.
//!
//! [`examine`] accounts for every tensor, builds the network over the files as they lie, reads the
//! tokenizer and adds up what answering needs in memory. [`memory`] is the last part alone.

mod available;
pub use available::available_bytes;
mod memory;
mod prompts;
#[cfg(test)]
mod tests;
mod verdict;

use crate::error::Result;
use crate::files::{MOST_NAMED, ModelFiles};
use crate::parameters::DifferenceKind;
use avocet_model::{ParameterCount, VisionLanguageModel};
use serde::Serialize;
use std::collections::BTreeMap;

pub use memory::{Memory, memory, size};
pub use prompts::{Prompts, Refused, Token};
pub use verdict::{Use, Verdict};

/// What an examination found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What the model is called.
    pub name: String,
    /// What family it is of.
    pub family: &'static str,
    /// What became of the stored tensors.
    pub tensors: Tensors,
    /// How many parameters it has.
    pub parameters: Parameters,
    /// Bytes of the tensors by their number type.
    pub stored_bytes: BTreeMap<String, u64>,
    /// What answering needs of memory.
    pub memory: Memory,
    /// How the model is spoken to; `None` if its tokenizer could not be read.
    pub prompts: Option<Prompts>,
    /// Whether it would run.
    pub verdict: Verdict,
    /// Why that is the verdict.
    pub reason: String,
}

/// What became of the stored tensors, and of the parameters that they should make.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Tensors {
    /// Tensors that the files hold under a name.
    pub stored: usize,
    /// Those that parameters are made of.
    pub used: usize,
    /// Those of the used ones that are called otherwise than the parameter.
    pub renamed: usize,
    /// Those known to be of no use, such as tables that are computed here.
    pub ignored: usize,
    /// Those that nothing is known of.
    pub unused: usize,
    /// Others in the files: second copies, and tensors that a later file replaces.
    pub replaced: usize,
    /// Parameters whose tensors are missing.
    pub missing: usize,
    /// Parameters whose tensors have other shapes.
    pub wrong_shape: usize,
    /// Parameters whose tensors hold numbers of a type that is not read.
    pub wrong_type: usize,
    /// The first of the problems in words, at most 20.
    pub problems: Vec<String>,
    /// How many problems there are in all.
    pub num_problems: usize,
}

/// How many parameters a model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Parameters {
    /// All of them.
    pub total: u64,
    /// Those that one text token meets.
    pub active: u64,
}

/// Examines an opened model for `use_for`; damage that does not keep it from being opened is in
/// the report.
///
/// Errors if the configuration makes no model at all.
pub fn examine(files: &ModelFiles, use_for: Use) -> Result<Report> {
    let tensors = tensors(files)?;
    let counted = ParameterCount::of(files.config())?;
    let memory = memory(files, use_for)?;
    let language = files.language();
    let (mut verdict, mut reason) = memory.verdict();
    let mut obstacles = Vec::new();
    match tensors.problems.first() {
        Some(first) => obstacles.push(obstacle(files, first, tensors.num_problems)),
        // A network that does not fit is not built to see whether it could be.
        None if verdict != Verdict::DoesNotRun => {
            let built = VisionLanguageModel::new(files.config(), files.builder()?);
            obstacles.extend(built.err().map(|error| error.to_string()));
        }
        None => {}
    }
    let prompts = match &language {
        Ok(language) => {
            let (known, rows) = (language.vocab_size(), files.config().decoder.vocab_size);
            if known > rows && language.is_own() {
                obstacles.push(format!(
                    "tokenizer.json has {known} tokens, but decoder.vocab_size is {rows}"
                ));
            }
            let prompts = prompts::prompts(files, language);
            match &prompts.refused {
                Some(refused) if refused.all => obstacles.push(refused.to_string()),
                Some(refused) => reason.push_str(&format!("; but {refused}")),
                None => {}
            }
            Some(prompts)
        }
        Err(error) => {
            obstacles.push(error.to_string());
            None
        }
    };
    if !obstacles.is_empty() {
        (verdict, reason) = (Verdict::DoesNotRun, obstacles.join("; "));
    }
    Ok(Report {
        name: files.config().name.clone(),
        family: files.family(),
        tensors,
        parameters: Parameters {
            total: counted.total,
            active: counted.active,
        },
        stored_bytes: stored_bytes(files),
        memory,
        prompts,
        verdict,
        reason,
    })
}

fn obstacle(files: &ModelFiles, first: &str, count: usize) -> String {
    let path = &files.weights;
    match count {
        1 => format!("{path:?}: {first}"),
        _ => format!("{path:?}: {first}, and {} more", count - 1),
    }
}

fn tensors(files: &ModelFiles) -> Result<Tensors> {
    let account = files.account()?;
    let count = |kind: DifferenceKind| {
        let kinds = account.differences.iter().map(|found| found.kind);
        kinds.filter(|found| *found == kind).count()
    };
    let words = account.differences.iter().map(|found| found.words.clone());
    Ok(Tensors {
        stored: files.tensors().count(),
        used: account.used,
        renamed: account.renamed,
        ignored: account.ignored,
        unused: count(DifferenceKind::Unused),
        replaced: files.stored.store.num_left_out(),
        missing: count(DifferenceKind::Missing),
        wrong_shape: count(DifferenceKind::WrongShape),
        wrong_type: count(DifferenceKind::WrongType),
        problems: words.take(MOST_NAMED).collect(),
        num_problems: account.differences.len(),
    })
}

fn stored_bytes(files: &ModelFiles) -> BTreeMap<String, u64> {
    let mut by_type = BTreeMap::new();
    for tensor in files.tensors() {
        let elements = tensor.shape.iter().map(|&size| size as u64);
        let elements = elements.fold(1, u64::saturating_mul);
        let name = tensor.dtype.to_string().to_uppercase();
        *by_type.entry(name).or_insert(0) += tensor.dtype.num_bytes(elements);
    }
    by_type
}
