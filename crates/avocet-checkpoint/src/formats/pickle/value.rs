//! What the machine's stack, memo and containers hold.

use std::fmt;

/// A number type of PyTorch's storages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are the names of the types")]
pub enum ElementType {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl ElementType {
    /// The type that a class of `torch` stores, such as `FloatStorage`.
    pub(super) fn of_storage(class: &str) -> Option<Self> {
        Some(match class {
            "DoubleStorage" => Self::F64,
            "FloatStorage" => Self::F32,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::Bf16,
            "LongStorage" => Self::I64,
            "IntStorage" => Self::I32,
            "ShortStorage" => Self::I16,
            "CharStorage" => Self::I8,
            "ByteStorage" => Self::U8,
            "BoolStorage" => Self::Bool,
            _ => return None,
        })
    }

    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        fmt::Debug::fmt(self, out)
    }
}

/// What may be called.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Size,
    Device,
    Storage(ElementType),
}

impl Global {
    pub fn find(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch", "Size") => Self::Size,
            ("torch", "device") => Self::Device,
            ("torch", class) => Self::Storage(ElementType::of_storage(class)?),
            _ => return None,
        })
    }
}

/// A value of the pickle; containers are places in [`Heap`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// A whole number beyond 64 bits, a floating-point number, a device: nothing asks for it.
    Other,
    Text(&'a str),
    /// First item in [`Heap::items`], and how many.
    Tuple(usize, usize),
    List(usize),
    Dict(usize),
    Global(Global),
    /// Places in [`Heap::storages`] and [`Heap::tensors`].
    Storage(usize),
    Tensor(usize),
}

/// A member of the archive that holds numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Storage<'a> {
    pub dtype: ElementType,
    pub key: &'a str,
    pub count: usize,
}

/// A tensor as the pickle describes it; sizes and strides are ranges of [`Heap::items`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Described {
    pub storage: usize,
    pub offset: i64,
    pub size: (usize, usize),
    pub stride: (usize, usize),
}

/// Everything that a pickle made. Containers may hold each other and themselves.
#[derive(Default)]
pub(super) struct Heap<'a> {
    pub items: Vec<Value<'a>>,
    pub lists: Vec<Vec<Value<'a>>>,
    pub dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    pub storages: Vec<Storage<'a>>,
    pub tensors: Vec<Described>,
}

impl<'a> Heap<'a> {
    /// The items of a tuple.
    pub fn tuple(&self, (start, count): (usize, usize)) -> &[Value<'a>] {
        &self.items[start..start + count]
    }

    /// The whole numbers of a tuple; `None` if there is anything else in it.
    pub fn sizes(&self, tuple: (usize, usize)) -> Option<Vec<usize>> {
        let sizes = self.tuple(tuple).iter().map(|value| match value {
            Value::Int(size) => usize::try_from(*size).ok(),
            _ => None,
        });
        sizes.collect()
    }
}
