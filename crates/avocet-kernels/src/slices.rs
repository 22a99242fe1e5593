//! Plain slices of tensors: how custom ops read their arguments and hand back gradients.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// Elements one task handles; fixed, so that results do not depend on the threads.
pub(crate) const CHUNK_ELEMENTS: usize = 1 << 14;

/// The contiguous f32 elements of a custom op's argument.
///
/// Errors if the storage holds another type or the layout skips elements.
pub(crate) fn f32_slice<'a>(
    storage: &'a CpuStorage,
    layout: &Layout,
    op: &'static str,
) -> Result<&'a [f32]> {
    let all = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&all[from..to]),
        None => bail!(
            "{op}: an argument of shape {:?} is not contiguous",
            layout.shape()
        ),
    }
}

/// As [`f32_slice`], of an argument that the op writes to.
pub(crate) fn f32_slice_mut<'a>(
    storage: &'a mut CpuStorage,
    layout: &Layout,
    op: &'static str,
) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(all), Some((from, to))) => Ok(&mut all[from..to]),
        _ => bail!(
            "{op}: what is written, of shape {:?}, must be f32 and contiguous",
            layout.shape()
        ),
    }
}

/// Runs `f` on the f32 elements of a CPU tensor, copying them first if they are not contiguous.
///
/// Errors if the tensor is on another device or of another type.
pub(crate) fn with_f32<R>(
    tensor: &Tensor,
    op: &'static str,
    f: impl FnOnce(&[f32]) -> Result<R>,
) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(f32_slice(storage, layout, op)?),
        _ => bail!("{op}: the gradient is not on the CPU"),
    }
}

/// Adds `parts`, all of one length, in their order: the deterministic end of a parallel sum.
pub(crate) fn sum_in_order(parts: Vec<Vec<f32>>, len: usize) -> Vec<f32> {
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_else(|| vec![0.0; len]);
    for part in parts {
        for (t, p) in total.iter_mut().zip(&part) {
            *t += p;
        }
    }
    total
}
