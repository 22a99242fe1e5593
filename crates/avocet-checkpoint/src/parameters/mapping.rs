//! How parameters of ours are put together from stored tensors.
//!
//! Public files name, fuse and split the same matrices in different ways. A [`Section`] maps the
//! fields below one of our paths to the names below one of theirs; in a path of ours a `*` stands
//! for an index. Behind a name of theirs stands `.weight`, or `.bias` for our field with `_bias`,
//! unless it begins with `=`. A name may be a sum of terms, put one below another:
//!
//! ```text
//! a.{0}.b                 the tensor; {0} is the first index of ours
//! b[1/3]                  the second third of its rows
//! b[1/3 of {heads}]       the second third of the rows of each head
//! a.{e}.b + a.{e}.c       repeated for every expert e of {experts}
//! x | y                   y where the file has no x
//! ```

use crate::tensors::{NumberType, Store};
use candle_core::Shape;
use std::collections::BTreeMap;
use std::ops::Range;

/// Fields below one of our paths, and the names below one of theirs that hold them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section {
    pub ours: &'static str,
    pub theirs: &'static str,
    /// (ours, theirs)
    pub lines: &'static [(&'static str, &'static str)],
}

/// Where a parameter of ours is said to lie.
struct Found<'n> {
    theirs: &'static str,
    below: &'static str,
    ending: &'static str,
    indices: Vec<&'n str>,
}

impl Section {
    /// The line for `name`, if there is one.
    fn find<'n>(&self, name: &'n str) -> Option<Found<'n>> {
        let (indices, field) = below(self.ours, name)?;
        let line = |field: &str| self.lines.iter().find(|(ours, _)| *ours == field);
        let (theirs, ending) = match line(field) {
            Some((_, theirs)) => (*theirs, ".weight"),
            None => (line(field.strip_suffix("_bias")?)?.1, ".bias"),
        };
        Some(Found {
            theirs,
            below: self.theirs,
            ending,
            indices,
        })
    }
}

impl Found<'_> {
    /// The name of the tensor of one term.
    fn name(&self, term: &str) -> String {
        let (name, take) = term.split_at(term.find('[').unwrap_or(term.len()));
        let whole = match name.strip_prefix('=') {
            Some(name) => format!("{name}{take}"),
            None => format!("{name}{}{take}", self.ending),
        };
        let mut whole = match self.below {
            "" => whole,
            below => format!("{below}.{whole}"),
        };
        for (place, index) in self.indices.iter().enumerate() {
            whole = whole.replace(&format!("{{{place}}}"), index);
        }
        whole
    }
}

/// What stands for names in braces, beside indices and `{e}`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Numbers {
    pub heads: usize,
    pub experts: usize,
}

/// One parameter: rows of stored tensors, put one below another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WeightMapping {
    pub terms: Vec<TensorSlice>,
}

/// Rows of a stored tensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TensorSlice {
    pub tensor: String,
    take: RowSelection,
}

/// Of each of `groups` equal runs of rows, the part `part` of `parts`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct RowSelection {
    part: usize,
    parts: usize,
    groups: usize,
}

const ALL: RowSelection = RowSelection {
    part: 0,
    parts: 1,
    groups: 1,
};

impl WeightMapping {
    /// The tensor of the same name, as it is.
    pub fn same(name: &str) -> Self {
        Self {
            terms: vec![TensorSlice {
                tensor: name.to_owned(),
                take: ALL,
            }],
        }
    }

    /// The one tensor that is the parameter as it is, if there is one.
    pub fn whole(&self) -> Option<&str> {
        match &self.terms[..] {
            [term] if term.take == ALL => Some(&term.tensor),
            _ => None,
        }
    }

    /// The same of tensors that go by longer names.
    pub fn below(&self, prefix: &str) -> Self {
        let term = |term: &TensorSlice| TensorSlice {
            tensor: format!("{prefix}{}", term.tensor),
            take: term.take,
        };
        Self {
            terms: self.terms.iter().map(term).collect(),
        }
    }

    /// This one's rows and below them those of `other`.
    pub fn above(mut self, other: Self) -> Self {
        self.terms.extend(other.terms);
        self
    }

    /// The rows `times` times over.
    pub fn repeated(&self, times: usize) -> Self {
        Self {
            terms: std::iter::repeat_n(&self.terms, times)
                .flatten()
                .cloned()
                .collect(),
        }
    }

    /// The mapping of the parameter `name`, if a section has a line for it: the first alternative
    /// that `store` has, or the first of all.
    pub fn find(name: &str, map: &[Section], numbers: Numbers, store: &Store) -> Option<Self> {
        let found = map.iter().find_map(|section| section.find(name))?;
        let mut alternatives = found
            .theirs
            .split(" | ")
            .filter_map(|expression| Self::expand(expression, &found, numbers, store));
        let first = alternatives.next()?;
        let there = |mapping: &Self| mapping.terms.iter().all(|t| store.get(&t.tensor).is_some());
        if there(&first) {
            return Some(first);
        }
        Some(alternatives.find(there).unwrap_or(first))
    }

    /// What `expression` stands for, up to the first tensor that `store` lacks: a file may claim
    /// more experts than memory can name.
    fn expand(
        expression: &str,
        found: &Found<'_>,
        numbers: Numbers,
        store: &Store,
    ) -> Option<Self> {
        let repeats = if expression.contains("{e}") {
            numbers.experts
        } else {
            1
        };
        let mut terms = Vec::new();
        for e in 0..repeats {
            for term in expression.split(" + ") {
                let text = found
                    .name(term.trim())
                    .replace("{e}", &e.to_string())
                    .replace("{heads}", &numbers.heads.to_string())
                    .replace("{experts}", &numbers.experts.to_string());
                let term = TensorSlice::parse(&text)?;
                let is_there = store.get(&term.tensor).is_some();
                terms.push(term);
                if !is_there {
                    return Some(Self { terms });
                }
            }
        }
        Some(Self { terms })
    }

    /// What is wrong with making a parameter of this shape; `None` if nothing is.
    pub fn problem(&self, name: &str, shape: &Shape, store: &Store) -> Option<Difference> {
        let cols = cols(shape);
        let mut rows = 0;
        for term in &self.terms {
            let Some(stored) = store.get(&term.tensor) else {
                let words = match self.terms.len() == 1 && term.tensor == name {
                    true => format!("tensor {name:?} of shape {:?} is missing", shape.dims()),
                    false => format!("tensor {:?}, for {name}, is missing", term.tensor),
                };
                return Some(Difference::new(DifferenceKind::Missing, words));
            };
            if !stored.dtype.is_float() {
                return Some(unread(&term.tensor, stored.dtype));
            }
            match term.rows(&stored.shape, shape.rank(), cols) {
                Some(ranges) => rows += ranges.iter().map(ExactSizeIterator::len).sum::<usize>(),
                None => return Some(self.misshapen(name, shape, store)),
            }
        }
        (rows * cols != shape.elem_count()).then(|| self.misshapen(name, shape, store))
    }

    fn misshapen(&self, name: &str, shape: &Shape, store: &Store) -> Difference {
        let words = self.misshapen_words(name, shape, store);
        Difference::new(DifferenceKind::WrongShape, words)
    }

    fn misshapen_words(&self, name: &str, shape: &Shape, store: &Store) -> String {
        let wanted = shape.dims();
        if let [term] = &self.terms[..] {
            let stored = store.get(&term.tensor).map(|s| s.shape.clone());
            let stored = stored.unwrap_or_default();
            let tensor = &term.tensor;
            return if *tensor == name {
                format!(
                    "tensor {tensor:?} has shape {stored:?}, but the configuration says {wanted:?}"
                )
            } else {
                format!(
                    "tensor {tensor:?} has shape {stored:?}, but {name} of shape {wanted:?} is to be made of it"
                )
            };
        }
        let mut parts: Vec<String> = self
            .terms
            .iter()
            .take(4)
            .filter_map(|term| store.get(&term.tensor))
            .map(|stored| format!("{:?} of shape {:?}", stored.name, stored.shape))
            .collect();
        if self.terms.len() > parts.len() {
            parts.push(format!("{} more", self.terms.len() - parts.len()));
        }
        format!(
            "tensors {} do not make {name} of shape {wanted:?}",
            parts.join(", ")
        )
    }
}

fn unread(tensor: &str, dtype: NumberType) -> Difference {
    let words = format!("tensor {tensor:?} is stored as {dtype}, which is not read as a parameter");
    Difference::new(DifferenceKind::WrongType, words)
}

/// How stored tensors and wanted parameters differ in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DifferenceKind {
    /// A parameter has no tensor.
    Missing,
    /// A parameter's tensors have other shapes than it needs.
    WrongShape,
    /// A parameter's tensor holds what is not read as numbers of a model.
    WrongType,
    /// A tensor serves no parameter.
    Unused,
}

/// One difference between stored tensors and wanted parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Difference {
    pub kind: DifferenceKind,
    pub words: String,
}

impl Difference {
    pub fn new(kind: DifferenceKind, words: String) -> Self {
        Self { kind, words }
    }
}

/// Numbers of a row of a parameter: those of its last dimension, or one if it is a vector.
pub(crate) fn cols(shape: &Shape) -> usize {
    match shape.dims() {
        [] | [_] => 1,
        [.., last] => *last,
    }
}

impl TensorSlice {
    fn parse(text: &str) -> Option<Self> {
        let Some((tensor, take)) = text.strip_suffix(']').and_then(|text| text.split_once('['))
        else {
            return Some(Self {
                tensor: text.to_owned(),
                take: ALL,
            });
        };
        let (share, groups) = take.split_once(" of ").unwrap_or((take, "1"));
        let (part, parts) = share.split_once('/')?;
        Some(Self {
            tensor: tensor.to_owned(),
            take: RowSelection {
                part: part.parse().ok()?,
                parts: parts.parse().ok()?,
                groups: groups.parse().ok()?,
            },
        })
    }

    /// The rows of `cols` numbers that are taken of a tensor of shape `stored`, for a parameter
    /// of `rank` dimensions; `None` if it does not have such rows.
    pub fn rows(&self, stored: &[usize], rank: usize, cols: usize) -> Option<Vec<Range<usize>>> {
        let elements = stored.iter().try_fold(1usize, |n, &d| n.checked_mul(d))?;
        let inner: usize = stored.iter().skip(1).product();
        let last = stored.last().copied().unwrap_or(1);
        if rank > 1 && inner != cols && last != cols {
            return None;
        }
        let RowSelection {
            part,
            parts,
            groups,
        } = self.take;
        let rows = elements.checked_div(cols)?;
        let runs = groups.checked_mul(parts)?;
        if rows * cols != elements || runs == 0 || !rows.is_multiple_of(runs) {
            return None;
        }
        let each = rows / runs;
        let start = |group| (group * parts + part) * each;
        Some(
            (0..groups)
                .map(|group| start(group)..start(group) + each)
                .collect(),
        )
    }
}

/// The indices that stand where `path` has stars, and what of `name` lies below it.
fn below<'n>(path: &str, name: &'n str) -> Option<(Vec<&'n str>, &'n str)> {
    let mut indices = Vec::new();
    let mut rest = name;
    for wanted in path.split('.') {
        let (field, after) = rest.split_once('.')?;
        if wanted == "*" {
            indices.push(field);
        } else if wanted != field {
            return None;
        }
        rest = after;
    }
    Some((indices, rest))
}

/// The mappings of all parameters of a model.
pub(crate) type WeightMappings = BTreeMap<String, WeightMapping>;

#[cfg(test)]
mod tests;
