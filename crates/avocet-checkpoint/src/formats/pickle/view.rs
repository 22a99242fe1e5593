//! A tensor as a view of its storage: sizes and strides, checked before a number is touched.

use super::value::{Described, ElementType, Heap};
use candle_core::{Device, Tensor};
use half::{bf16, f16};
use std::borrow::Cow;
use std::ops::Range;

/// Most dimensions, as in PyTorch.
const MAX_DIMS: usize = 64;

/// Where a tensor's numbers lie; the last of them is inside the storage.
pub(super) struct View {
    pub dtype: ElementType,
    pub shape: Vec<usize>,
    /// Steps between neighbours, counted in numbers; 0 where there is only one.
    strides: Vec<usize>,
    /// The first number, counted in numbers.
    offset: usize,
    count: usize,
    /// The storage's bytes in the file.
    storage: Range<usize>,
}

impl View {
    /// Checks `described`, whose storage is the bytes `storage` of a file of `file_len` bytes.
    pub fn check(
        described: &Described,
        heap: &Heap,
        storage: Range<usize>,
        file_len: usize,
    ) -> Result<Self, String> {
        let stored = heap.storages[described.storage];
        let (key, dtype) = (stored.key, stored.dtype);
        if stored.count.checked_mul(dtype.size()) != Some(storage.len()) {
            let (count, bytes) = (stored.count, storage.len());
            return Err(format!(
                "storage {key:?} has {bytes} bytes, but should hold {count} numbers of {dtype}"
            ));
        }
        let shape = heap.sizes(described.size);
        let strides = heap.sizes(described.stride);
        let offset = usize::try_from(described.offset).ok();
        let (Some(shape), Some(mut strides), Some(offset)) = (shape, strides, offset) else {
            return Err("sizes, strides or offset are no whole numbers from 0 on".to_owned());
        };
        if shape.len() != strides.len() || shape.len() > MAX_DIMS {
            let (sizes, strides) = (shape.len(), strides.len());
            return Err(format!(
                "{sizes} sizes and {strides} strides; as many, and at most {MAX_DIMS}, can be"
            ));
        }
        // Zeros are left out so that a shape such as [2^40, 2^40, 0] is refused as well.
        let mut nonzero = shape.iter().filter(|&&size| size > 0);
        let most = nonzero.try_fold(1usize, |product, &size| product.checked_mul(size));
        let Some(most) = most else {
            return Err(format!("shape {shape:?} overflows"));
        };
        let count = if shape.contains(&0) { 0 } else { most };
        if count > file_len {
            return Err(format!(
                "shape {shape:?} repeats the numbers of a file of {file_len} bytes {count} times"
            ));
        }
        for (stride, size) in strides.iter_mut().zip(&shape) {
            if *size <= 1 {
                *stride = 0;
            }
        }
        let mut steps = strides.iter().zip(&shape);
        let last = steps.try_fold(offset, |last, (stride, size)| {
            last.checked_add(stride.checked_mul(size.saturating_sub(1))?)
        });
        if count > 0 && last.is_none_or(|last| last >= stored.count) {
            return Err(format!(
                "shape {shape:?} with strides {strides:?} from {offset} on leaves storage {key:?} of {} numbers",
                stored.count
            ));
        }
        Ok(Self {
            dtype,
            shape,
            strides,
            offset,
            count,
            storage,
        })
    }

    /// The tensor: BF16 as it is, other floating-point numbers in F32, whole numbers in I64, truth
    /// values as 0 and 1 in U8.
    pub fn tensor(&self, file: &[u8], device: &Device) -> candle_core::Result<Tensor> {
        let storage = &file[self.storage.clone()];
        let bytes = match self.dtype.size() {
            1 => self.numbers::<1>(storage),
            2 => self.numbers::<2>(storage),
            4 => self.numbers::<4>(storage),
            _ => self.numbers::<8>(storage),
        };
        let (bytes, shape) = (bytes.as_ref(), self.shape.as_slice());
        let floats = match self.dtype {
            ElementType::F64 => decode(bytes, |b| f64::from_le_bytes(b) as f32),
            ElementType::F32 => decode(bytes, f32::from_le_bytes),
            ElementType::F16 => decode(bytes, |b| f16::from_le_bytes(b).to_f32()),
            ElementType::Bf16 => {
                return Tensor::from_vec(decode(bytes, bf16::from_le_bytes), shape, device);
            }
            ElementType::Bool => {
                let truths = decode(bytes, |b: [u8; 1]| u8::from(b[0] != 0));
                return Tensor::from_vec(truths, shape, device);
            }
            _ => return Tensor::from_vec(self.whole(bytes), shape, device),
        };
        Tensor::from_vec(floats, shape, device)
    }

    /// Its bytes in the file, if its numbers lie there in row-major order.
    pub fn place(&self) -> Option<Range<usize>> {
        let size = self.dtype.size();
        let start = self.storage.start + self.offset * size;
        self.is_contiguous()
            .then_some(start..start + self.count * size)
    }

    fn whole(&self, bytes: &[u8]) -> Vec<i64> {
        match self.dtype.size() {
            8 => decode(bytes, i64::from_le_bytes),
            4 => decode(bytes, |b| i32::from_le_bytes(b).into()),
            2 => decode(bytes, |b| i16::from_le_bytes(b).into()),
            _ if self.dtype == ElementType::I8 => decode(bytes, |b| i8::from_le_bytes(b).into()),
            _ => decode(bytes, |b| u8::from_le_bytes(b).into()),
        }
    }

    fn is_contiguous(&self) -> bool {
        let mut wanted = 1;
        let mut dims = self.shape.iter().zip(&self.strides).rev();
        dims.all(|(&size, &stride)| {
            let follows = size <= 1 || stride == wanted;
            wanted *= size;
            follows
        })
    }

    /// The bytes of the numbers in row-major order, copied only if they do not lie so.
    fn numbers<'s, const N: usize>(&self, storage: &'s [u8]) -> Cow<'s, [u8]> {
        if self.count == 0 {
            return Cow::Borrowed(&[]);
        }
        if self.is_contiguous() {
            return Cow::Borrowed(&storage[self.offset * N..][..self.count * N]);
        }
        let (numbers, _) = storage.as_chunks::<N>();
        let outer = self.shape.len() - 1;
        let (inner, step) = (self.shape[outer], self.strides[outer]);
        let mut gathered = Vec::with_capacity(self.count);
        let mut index = vec![0; outer];
        let mut start = self.offset;
        'rows: loop {
            gathered.extend((0..inner).map(|i| numbers[start + i * step]));
            for dim in (0..outer).rev() {
                index[dim] += 1;
                start += self.strides[dim];
                if index[dim] < self.shape[dim] {
                    continue 'rows;
                }
                start -= self.strides[dim] * self.shape[dim];
                index[dim] = 0;
            }
            break;
        }
        Cow::Owned(gathered.into_flattened())
    }
}

fn decode<T, const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (numbers, _) = bytes.as_chunks::<N>();
    numbers.iter().map(|bytes| number(*bytes)).collect()
}
