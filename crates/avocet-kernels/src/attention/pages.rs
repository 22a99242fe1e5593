//! Keys and values that are kept in pages, as inference reads them.

use std::ops::Range;

use avocet_products::LANES;
use candle_core::{Result, Tensor, bail};

use crate::slices::with_f32;

/// Rows of a page: one vector holds a channel of all their keys.
pub(super) const PAGE_ROWS: usize = LANES;

/// Keys and values of one layer, of a text that grows or of an image, in pages that never move.
///
/// PagedAttention, arXiv:2309.06180.
#[derive(Debug, Clone)]
pub struct KvPages {
    num_kv_heads: usize,
    head_dim: usize,
    len: usize,
    pages: Vec<Page>,
}

/// Up to [`PAGE_ROWS`] rows, laid out so that a vector is 16 neighbours.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// (KV, K, rows)
    keys: Vec<f32>,
    /// (KV, K / 16 rounded up, rows, 16)
    values: Vec<f32>,
}

impl Page {
    /// The keys of one head (K, rows).
    pub(super) fn keys(&self, head: usize, head_dim: usize) -> &[f32] {
        &self.keys[head * head_dim * PAGE_ROWS..][..head_dim * PAGE_ROWS]
    }

    /// The values of one head, channels in groups of 16 (K / 16 rounded up, rows, 16).
    pub(super) fn values(&self, head: usize, head_dim: usize) -> &[f32] {
        let size = padded(head_dim) * PAGE_ROWS;
        &self.values[head * size..][..size]
    }
}

/// The channels of a head in whole groups of 16.
pub(super) fn padded(head_dim: usize) -> usize {
    head_dim.next_multiple_of(PAGE_ROWS)
}

impl KvPages {
    /// No rows yet, for `num_kv_heads` heads of width `head_dim`.
    pub fn new(num_kv_heads: usize, head_dim: usize) -> Self {
        Self {
            num_kv_heads,
            head_dim,
            len: 0,
            pages: Vec::new(),
        }
    }

    /// Bytes that `rows` rows occupy.
    pub fn bytes(num_kv_heads: usize, head_dim: usize, rows: usize) -> usize {
        let row = num_kv_heads * (head_dim + padded(head_dim));
        rows.next_multiple_of(PAGE_ROWS) * row * size_of::<f32>()
    }

    /// Bytes occupied.
    pub fn num_bytes(&self) -> usize {
        Self::bytes(self.num_kv_heads, self.head_dim, self.len)
    }

    /// Rows held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no row is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Places that the pages take up in what a query sees: rows, the last page rounded up.
    pub fn num_slots(&self) -> usize {
        self.pages.len() * PAGE_ROWS
    }

    /// Puts the rows `rows` of `key` and `value` (S, KV, K) behind those held.
    ///
    /// Errors if the shapes are others, or there are no such rows.
    pub fn append(&mut self, key: &Tensor, value: &Tensor, rows: Range<usize>) -> Result<()> {
        let (given, num_kv_heads, head_dim) = key.dims3()?;
        let held = (self.num_kv_heads, self.head_dim);
        if key.dims() != value.dims() || (num_kv_heads, head_dim) != held || rows.end > given {
            bail!(
                "pages: rows {rows:?} of keys of shape {:?} and values of {:?} for {held:?}",
                key.dims(),
                value.dims()
            );
        }
        with_f32(key, "pages", |keys| {
            with_f32(value, "pages", |values| {
                let width = num_kv_heads * head_dim;
                for row in rows {
                    let at = row * width..(row + 1) * width;
                    self.push(&keys[at.clone()], &values[at]);
                }
                Ok(())
            })
        })
    }

    fn push(&mut self, key: &[f32], value: &[f32]) {
        let (dim, padded) = (self.head_dim, padded(self.head_dim));
        let row = self.len % PAGE_ROWS;
        if row == 0 {
            self.pages.push(Page {
                keys: vec![0.0; self.num_kv_heads * dim * PAGE_ROWS],
                values: vec![0.0; self.num_kv_heads * padded * PAGE_ROWS],
            });
        }
        let page = self.pages.len() - 1;
        let Page { keys, values } = &mut self.pages[page];
        for (i, (&key, &value)) in key.iter().zip(value).enumerate() {
            let (head, channel) = (i / dim, i % dim);
            keys[i * PAGE_ROWS + row] = key;
            let group = (head * padded + channel) / PAGE_ROWS;
            values[(group * PAGE_ROWS + row) * PAGE_ROWS + channel % PAGE_ROWS] = value;
        }
        self.len += 1;
    }

    /// Forgets all but the first `len` rows, and the pages that held only others. More than are
    /// held changes nothing.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.pages.truncate(self.len.div_ceil(PAGE_ROWS));
    }

    /// Key heads and their width.
    pub(super) fn heads(&self) -> (usize, usize) {
        (self.num_kv_heads, self.head_dim)
    }

    /// The pages, each with its number of rows.
    pub(super) fn pages(&self) -> impl Iterator<Item = (&Page, usize)> {
        let rows = |page: usize| PAGE_ROWS.min(self.len - page * PAGE_ROWS);
        let pages = self.pages.iter().enumerate();
        pages.map(move |(index, page)| (page, rows(index)))
    }
}
