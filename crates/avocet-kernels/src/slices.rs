//! Plain slices of tensors: how custom ops read their arguments and hand back gradients.

use std::cell::Cell;

use avocet_products::Values;
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, Tensor, bail};

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

/// The contiguous elements of a custom op's argument, as a product reads them.
///
/// Errors if the layout skips elements or the type is neither F32 nor BF16.
pub(crate) fn operand<'a>(
    storage: &'a CpuStorage,
    layout: &Layout,
    op: &'static str,
) -> Result<Values<'a>> {
    let Some((from, to)) = layout.contiguous_offsets() else {
        bail!(
            "{op}: an argument of shape {:?} is not contiguous",
            layout.shape()
        )
    };
    match storage {
        CpuStorage::F32(all) => Ok(Values::F32(&all[from..to])),
        CpuStorage::BF16(all) => Ok(Values::Bf16(&all[from..to])),
        _ => bail!("{op}: a weight is neither F32 nor BF16"),
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
        _ => bail!("{op}: a tensor is not on the CPU"),
    }
}

/// Runs `f` on the f32 elements of a CPU tensor, to be written over where they lie, whoever else
/// holds them.
///
/// Errors if they are not contiguous, or as [`with_f32`] does.
pub(crate) fn with_f32_mut(
    tensor: &Tensor,
    op: &'static str,
    f: impl FnOnce(&mut [f32]) -> Result<()>,
) -> Result<()> {
    let f = Cell::new(Some(f));
    tensor.inplace_op1(&Write { op, f })
}

struct Write<F> {
    op: &'static str,
    f: Cell<Option<F>>,
}

impl<F: FnOnce(&mut [f32]) -> Result<()>> InplaceOp1 for Write<F> {
    fn name(&self) -> &'static str {
        self.op
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        match (storage, layout.contiguous_offsets(), self.f.take()) {
            (CpuStorage::F32(all), Some((from, to)), Some(f)) => f(&mut all[from..to]),
            _ => bail!(
                "{}: what is written, of shape {:?}, must be f32 and contiguous",
                self.op,
                layout.shape()
            ),
        }
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
