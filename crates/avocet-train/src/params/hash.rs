//! SHA-256 over parameters: what two runs that should be the same are compared by.

use std::collections::BTreeMap;

use candle_core::Tensor;
use sha2::{Digest, Sha256};

use crate::error::Result;

/// Numbers that are copied at once.
const AT_ONCE: usize = 1 << 18;

/// SHA-256 over names and f32 values, in the order of the names.
pub(crate) fn hash<'a>(tensors: impl Iterator<Item = (&'a String, &'a Tensor)>) -> Result<String> {
    let sorted: BTreeMap<&String, &Tensor> = tensors.collect();
    let mut digest = ParameterDigest::default();
    for (name, tensor) in sorted {
        digest.add(name, tensor)?;
    }
    Ok(digest.finish())
}

/// SHA-256 over parameters that are given one after another.
#[derive(Default)]
pub(super) struct ParameterDigest(Sha256);

impl ParameterDigest {
    /// Takes the next name with its f32 values.
    pub(super) fn add(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        self.0.update(name.as_bytes());
        self.0.update([0]);
        let all = tensor.flatten_all()?;
        for start in (0..all.elem_count()).step_by(AT_ONCE) {
            let count = AT_ONCE.min(all.elem_count() - start);
            let values = all.narrow(0, start, count)?.to_vec1::<f32>()?;
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            self.0.update(bytes.collect::<Vec<u8>>());
        }
        Ok(())
    }

    /// The hash in hexadecimal digits.
    pub(super) fn finish(self) -> String {
        format!("{:x}", self.0.finalize())
    }
}
