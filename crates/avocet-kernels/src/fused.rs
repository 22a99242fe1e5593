//! The frame of the operations: what each says of itself, and the one place that picks its form.
//!
//! An operation is a struct that implements [`FusedOp`]; [`apply`] runs it. Whatever the struct
//! holds (ids, ranges, an epsilon) gets no gradient.

use std::sync::OnceLock;

use avocet_products::Values;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Error, Layout, Result, Shape, Storage,
    Tensor, bail,
};

use crate::placement::HOST;
use crate::slices::{f32_slice, operand};

/// A differentiable operation on N tensors: over plain slices on the CPU, composed of candle's
/// differentiable operations elsewhere.
pub(crate) trait FusedOp<const N: usize>: Send + Sync + 'static {
    /// What errors call it.
    const NAME: &'static str;

    /// What the forward keeps for the backward; `()` where nothing is.
    type Saved: Send + Sync + 'static;

    /// The shape of the result: that of the first input unless it says otherwise.
    fn shape(&self, inputs: [&Shape; N]) -> Result<Shape> {
        Ok(inputs[0].clone())
    }

    /// The numbers of the result.
    fn forward(&self, inputs: Inputs<'_, N>) -> Result<(Vec<f32>, Self::Saved)>;

    /// The gradients of the inputs, in their order.
    fn backward(&self, inputs: Inputs<'_, N>, result: Outcome<'_, Self::Saved>) -> Gradients<N>;

    /// The same from differentiable operations of candle, on any device; what has no such form
    /// runs on the CPU alone.
    fn composed(&self, inputs: [&Tensor; N]) -> Result<Tensor> {
        let (device, dtype) = (inputs[0].device().location(), inputs[0].dtype());
        bail!("{}: no form for {dtype:?} on {device:?}", Self::NAME)
    }
}

/// Runs `op`: fused where the first input is f32 on the CPU, composed otherwise.
pub(crate) fn apply<F, const N: usize>(op: F, inputs: [&Tensor; N]) -> Result<Tensor>
where
    F: FusedOp<N>,
    Node<F, N>: OnTensors<N>,
{
    if !is_fused(inputs[0]) {
        return op.composed(inputs);
    }
    let node = Node {
        op,
        wanted: inputs.map(Tensor::track_op),
        saved: OnceLock::new(),
    };
    node.on(inputs)
}

/// Whether operations on `x` take their fused form.
pub(crate) fn is_fused(x: &Tensor) -> bool {
    #[cfg(test)]
    if COMPOSED.get() {
        return false;
    }
    x.device().is_cpu() && x.dtype() == DType::F32
}

#[cfg(test)]
thread_local! {
    static COMPOSED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs `f` with every operation in its composed form, as on another device.
#[cfg(test)]
pub(crate) fn composed<R>(f: impl FnOnce() -> R) -> R {
    COMPOSED.set(true);
    let result = f();
    COMPOSED.set(false);
    result
}

/// The inputs of an operation.
pub(crate) type Inputs<'a, const N: usize> = [Input<'a>; N];

/// The gradients of the inputs, in their order.
pub(crate) type Gradients<const N: usize> = Result<[Gradient; N]>;

/// One input of an operation.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    /// Its numbers, row-major.
    pub(crate) values: Values<'a>,
    /// Its shape.
    pub(crate) shape: &'a Shape,
    /// Whether anything asks for its gradient.
    pub(crate) wanted: bool,
    op: &'static str,
}

impl<'a> Input<'a> {
    /// Its last dimension.
    pub(crate) fn width(self) -> usize {
        self.shape.dims().last().copied().unwrap_or(0)
    }

    /// The product of its other dimensions.
    pub(crate) fn num_rows(self) -> usize {
        let outer = self.shape.dims().split_last().map(|(_, outer)| outer);
        outer.unwrap_or_default().iter().product()
    }

    /// Its numbers in f32.
    ///
    /// Errors if they are of another type.
    pub(crate) fn f32(self) -> Result<&'a [f32]> {
        match self.values {
            Values::F32(numbers) => Ok(numbers),
            Values::Bf16(_) => bail!("{}: takes F32 where it was given BF16", self.op),
        }
    }

    /// Itself as a tensor of its own, cut off from whatever it was computed from.
    pub(crate) fn to_tensor(self) -> Result<Tensor> {
        Tensor::from_slice(self.f32()?, self.shape, &HOST)
    }
}

/// The numbers of several inputs, all in f32.
///
/// Errors as [`Input::f32`] does.
pub(crate) fn f32s<const N: usize>(inputs: Inputs<'_, N>) -> Result<[&[f32]; N]> {
    let mut all = [&[][..]; N];
    for (numbers, input) in all.iter_mut().zip(inputs) {
        *numbers = input.f32()?;
    }
    Ok(all)
}

/// What became of a forward, as its backward sees it.
pub(crate) struct Outcome<'a, Saved> {
    /// The numbers of the result.
    pub(crate) out: &'a [f32],
    /// The gradient of the result.
    pub(crate) grad: &'a [f32],
    /// The same as a tensor.
    pub(crate) grad_tensor: &'a Tensor,
    /// What the forward kept.
    pub(crate) saved: &'a Saved,
}

/// The gradient of an input.
pub(crate) enum Gradient {
    /// It gets none.
    None,
    /// Its numbers, as many as the input has.
    Numbers(Vec<f32>),
    /// A tensor of the input's shape.
    Tensor(Tensor),
}

impl From<Vec<f32>> for Gradient {
    fn from(numbers: Vec<f32>) -> Self {
        Self::Numbers(numbers)
    }
}

/// An operation in candle's graph.
pub(crate) struct Node<F: FusedOp<N>, const N: usize> {
    op: F,
    /// Which inputs a gradient is asked of.
    wanted: [bool; N],
    saved: OnceLock<F::Saved>,
}

impl<F: FusedOp<N>, const N: usize> Node<F, N> {
    fn inputs<'a>(&self, of: [(&'a CpuStorage, &'a Layout); N]) -> Result<Inputs<'a, N>> {
        let mut wanted = self.wanted.into_iter();
        each(of, |(storage, layout)| {
            Ok(Input {
                values: operand(storage, layout, F::NAME)?,
                shape: layout.shape(),
                wanted: wanted.next().unwrap_or(false),
                op: F::NAME,
            })
        })
    }

    fn forward(&self, of: [(&CpuStorage, &Layout); N]) -> Result<(CpuStorage, Shape)> {
        let shape = self.op.shape(of.map(|(_, layout)| layout.shape()))?;
        let (numbers, saved) = self.op.forward(self.inputs(of)?)?;
        // A second forward of one node would keep the same.
        let _ = self.saved.set(saved);
        Ok((CpuStorage::F32(numbers), shape))
    }

    fn backward(
        &self,
        of: [&Tensor; N],
        out: &Tensor,
        grad: &Tensor,
    ) -> Result<[Option<Tensor>; N]> {
        let Some(saved) = self.saved.get() else {
            bail!("{}: backward before forward", F::NAME);
        };
        let grad = grad.contiguous()?;
        let held = of.map(Tensor::storage_and_layout);
        let (out, out_layout) = out.storage_and_layout();
        let (upstream, upstream_layout) = grad.storage_and_layout();
        let result = Outcome {
            out: f32_slice(on_cpu(&out, F::NAME)?, out_layout, F::NAME)?,
            grad: f32_slice(on_cpu(&upstream, F::NAME)?, upstream_layout, F::NAME)?,
            grad_tensor: &grad,
            saved,
        };
        let inputs = each(held.each_ref(), |(storage, layout)| {
            Ok((on_cpu(storage, F::NAME)?, *layout))
        })?;
        let gradients = self.op.backward(self.inputs(inputs)?, result)?;
        let mut of = of.into_iter();
        each(gradients, |gradient| match (gradient, of.next()) {
            (Gradient::Numbers(numbers), Some(input)) => {
                Tensor::from_vec(numbers, input.shape(), input.device()).map(Some)
            }
            (Gradient::Tensor(tensor), _) => Ok(Some(tensor)),
            _ => Ok(None),
        })
    }
}

fn on_cpu<'a>(storage: &'a Storage, op: &'static str) -> Result<&'a CpuStorage> {
    match storage {
        Storage::Cpu(storage) => Ok(storage),
        _ => bail!("{op}: a tensor of the backward is not on the CPU"),
    }
}

fn each<T, U, const N: usize>(of: [T; N], f: impl FnMut(T) -> Result<U>) -> Result<[U; N]> {
    let all: Vec<U> = of.into_iter().map(f).collect::<Result<_>>()?;
    all.try_into()
        .map_err(|all: Vec<U>| Error::msg(format!("{} results of {N}", all.len())))
}

/// An operation on as many tensors as candle's custom operations of that number take.
pub(crate) trait OnTensors<const N: usize> {
    /// Runs it on `inputs`, which are on the CPU.
    fn on(self, inputs: [&Tensor; N]) -> Result<Tensor>;
}

impl<F: FusedOp<1>> OnTensors<1> for Node<F, 1> {
    fn on(self, [a]: [&Tensor; 1]) -> Result<Tensor> {
        a.contiguous()?.apply_op1(self)
    }
}

impl<F: FusedOp<2>> OnTensors<2> for Node<F, 2> {
    fn on(self, [a, b]: [&Tensor; 2]) -> Result<Tensor> {
        a.contiguous()?.apply_op2(&b.contiguous()?, self)
    }
}

impl<F: FusedOp<3>> OnTensors<3> for Node<F, 3> {
    fn on(self, [a, b, c]: [&Tensor; 3]) -> Result<Tensor> {
        let (b, c) = (b.contiguous()?, c.contiguous()?);
        a.contiguous()?.apply_op3(&b, &c, self)
    }
}

impl<F: FusedOp<1>> CustomOp1 for Node<F, 1> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(&self, a: &CpuStorage, a_layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward([(a, a_layout)])
    }

    fn bwd(&self, a: &Tensor, out: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        self.backward([a], out, grad).map(|[a]| a)
    }
}

type Two = (Option<Tensor>, Option<Tensor>);

impl<F: FusedOp<2>> CustomOp2 for Node<F, 2> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward([(a, a_layout), (b, b_layout)])
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, out: &Tensor, grad: &Tensor) -> Result<Two> {
        self.backward([a, b], out, grad).map(Into::into)
    }
}

type Three = (Option<Tensor>, Option<Tensor>, Option<Tensor>);

impl<F: FusedOp<3>> CustomOp3 for Node<F, 3> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
        c: &CpuStorage,
        c_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward([(a, a_layout), (b, b_layout), (c, c_layout)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        out: &Tensor,
        grad: &Tensor,
    ) -> Result<Three> {
        self.backward([a, b, c], out, grad).map(Into::into)
    }
}
