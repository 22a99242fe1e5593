//! A checked file of `torch.save`, and tensors out of it.

use super::value::{ElementType, Heap, Value};
use super::view::View;
use super::{PickleError, archive, legacy, machine, names};
use crate::error::{CheckpointError, Result};
use crate::io::Bytes;
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Longest pickle that is run; one of 100 000 tensors takes 20 MB.
const MAX_PICKLE: usize = 64 << 20;
/// Values and bytes of names that a byte of the pickle may stand for.
const NAMES_PER_BYTE: usize = 16;
/// First byte of a pickle, and so of a file without an archive around it.
const PROTOCOL: u8 = 0x80;
/// Where tar archives, of which the oldest files are made, say so.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// What a file of `torch.save` says of one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct PickledTensor {
    /// The keys of the containers that it lies in, with dots between.
    pub name: String,
    /// Its number type in the file.
    pub dtype: ElementType,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// A file of `torch.save` whose pickle was run, and whose tensors were checked, when it was opened.
pub struct Pickle {
    bytes: Arc<Bytes>,
    views: BTreeMap<String, View>,
}

impl Pickle {
    /// Maps and checks the file `path`; nothing in it is executed.
    ///
    /// Errors name what is wrong and where: the byte, the global or the tensor.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = Bytes::map(path)?;
        let views = parse(bytes.get()).map_err(|reason| CheckpointError::Pickle {
            path: path.to_owned(),
            reason,
        })?;
        Ok(Self {
            bytes: Arc::new(bytes),
            views,
        })
    }

    /// Every tensor, by name.
    pub fn tensors(&self) -> impl Iterator<Item = PickledTensor> {
        self.views.iter().map(|(name, view)| PickledTensor {
            name: name.clone(),
            dtype: view.dtype,
            shape: view.shape.clone(),
        })
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> &Arc<Bytes> {
        &self.bytes
    }

    /// Where the tensor `name` lies in the file, if its numbers lie there in row-major order.
    pub(crate) fn place(&self, name: &str) -> Option<Range<usize>> {
        self.views.get(name)?.place()
    }

    /// The tensor `name`, contiguous: BF16 as it is, other floating-point numbers in F32, whole
    /// numbers in I64, truth values as 0 and 1 in U8; `None` if there is none.
    pub fn tensor(&self, name: &str, device: &Device) -> candle_core::Result<Option<Tensor>> {
        let view = self.views.get(name);
        view.map(|view| view.tensor(self.bytes.get(), device))
            .transpose()
    }
}

fn parse(file: &[u8]) -> Result<BTreeMap<String, View>, PickleError> {
    let tar = file
        .get(TAR.0..)
        .is_some_and(|rest| rest.starts_with(TAR.1));
    if legacy::is_legacy(file) {
        let read = legacy::read(file, MAX_PICKLE)?;
        let budget = read.program_len * NAMES_PER_BYTE;
        return views(file, read.result, &read.heap, budget, |key| {
            let storage = read.storages.get(key).cloned();
            storage.ok_or_else(|| PickleError::Missing(key.to_owned()))
        });
    }
    if tar || file.first() == Some(&PROTOCOL) {
        return Err(PickleError::Foreign);
    }
    let members = archive::members(file)?;
    let root = members.keys().find_map(|name| {
        let root = name.strip_suffix("/data.pkl")?;
        (!root.contains('/')).then_some(root)
    });
    let root = root.ok_or_else(|| PickleError::Missing("data.pkl".to_owned()))?;
    if let Some(order) = members.get(format!("{root}/byteorder").as_str()) {
        let order = &file[order.clone()];
        if order != b"little" {
            let order = String::from_utf8_lossy(&order[..order.len().min(20)]).into_owned();
            return Err(PickleError::ByteOrder(order));
        }
    }
    let place = members[format!("{root}/data.pkl").as_str()].clone();
    if place.len() > MAX_PICKLE {
        let problem = format!("a pickle of {} bytes; {MAX_PICKLE} are read", place.len());
        let offset = place.start;
        return Err(PickleError::Archive { offset, problem });
    }
    let budget = place.len() * NAMES_PER_BYTE;
    let (result, heap, _) = machine::run(&file[place])?;
    views(file, result, &heap, budget, |key| {
        let member = format!("{root}/data/{key}");
        let storage = members.get(member.as_str()).cloned();
        storage.ok_or(PickleError::Missing(member))
    })
}

/// The tensors that `result` holds, each checked against its storage's bytes in the file.
fn views(
    file: &[u8],
    result: Value<'_>,
    heap: &Heap<'_>,
    budget: usize,
    storage: impl Fn(&str) -> Result<Range<usize>, PickleError>,
) -> Result<BTreeMap<String, View>, PickleError> {
    let mut views = BTreeMap::new();
    for (name, tensor) in names::paths(result, heap, budget)? {
        let described = &heap.tensors[tensor];
        let storage = storage(heap.storages[described.storage].key)?;
        match View::check(described, heap, storage, file.len()) {
            Ok(view) => drop(views.insert(name, view)),
            Err(problem) => return Err(PickleError::Tensor { name, problem }),
        }
    }
    Ok(views)
}
