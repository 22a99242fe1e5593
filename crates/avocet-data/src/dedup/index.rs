//! What has been seen so far, in tables that give the few samples worth comparing.

use std::collections::HashMap;

use super::scramble;
use super::text::{self, Shingles};
use super::thumbnail::{self, Thumbnail};

/// Samples of one table entry that are compared, the latest first: it bounds the time that sets
/// of a million alike pictures take.
const MOST_COMPARED: usize = 256;
/// Texts that are read again and compared in full, at most.
const MOST_READ: usize = 16;
/// How far the estimate of a text's similarity may fall below the truth: three deviations.
const ESTIMATE_ERROR: f64 = 0.13;
/// Ends a chain.
const NONE: u32 = u32::MAX;

/// Tables from keys to the items that have them; a key's items form a chain, the latest first.
#[derive(Debug, Default)]
struct Tables {
    latest: Vec<HashMap<u32, u32>>,
    /// For each item and table the item before it in the same chain.
    earlier: Vec<u32>,
}

impl Tables {
    fn new(tables: usize) -> Self {
        Self {
            latest: vec![HashMap::new(); tables],
            earlier: Vec::new(),
        }
    }

    /// Adds the next item.
    fn insert(&mut self, keys: &[u64], salt: u64) {
        let item = (self.earlier.len() / keys.len()) as u32;
        for (table, key) in self.latest.iter_mut().zip(keys) {
            let before = table.insert(fold(*key, salt), item);
            self.earlier.push(before.unwrap_or(NONE));
        }
    }

    /// Items that share a key, those of each table from the latest on; some come more than once.
    fn candidates<'a>(&'a self, keys: &[u64], salt: u64) -> impl Iterator<Item = usize> + use<'a> {
        let tables = self.latest.len();
        let starts: Vec<Option<u32>> = self
            .latest
            .iter()
            .zip(keys)
            .map(|(table, key)| table.get(&fold(*key, salt)).copied())
            .collect();
        let chain = move |(table, start): (usize, Option<u32>)| {
            let before = move |item: &u32| {
                let before = self.earlier[*item as usize * tables + table];
                (before != NONE).then_some(before)
            };
            std::iter::successors(start, before).take(MOST_COMPARED)
        };
        starts
            .into_iter()
            .enumerate()
            .flat_map(chain)
            .map(|item| item as usize)
    }
}

/// A key in 32 bits; two that meet by chance cost a comparison and nothing else.
fn fold(key: u64, salt: u64) -> u32 {
    let mut state = key ^ salt;
    (scramble(&mut state) >> 32) as u32
}

/// Pictures from afar: lists of them, found by the first.
#[derive(Debug)]
pub(crate) struct PictureIndex {
    least: f64,
    tables: Tables,
    /// Which sample a list belongs to, and where it ends.
    lists: Vec<(u32, usize)>,
    thumbnails: Vec<Thumbnail>,
}

impl PictureIndex {
    /// Pictures are nearly the same from a similarity of `least` on.
    pub(crate) fn new(least: f64) -> Self {
        Self {
            least,
            tables: Tables::new(thumbnail::BANDS),
            lists: Vec::new(),
            thumbnails: Vec::new(),
        }
    }

    /// Adds the pictures of a sample; only lists of the same salt are compared.
    pub(crate) fn insert(&mut self, sample: u32, pictures: &[Vec<Thumbnail>], salt: u64) {
        let Some(first) = pictures.first() else {
            return;
        };
        self.tables.insert(&first[0].keys(), salt);
        let own = pictures.iter().map(|looks| looks[0].clone());
        self.thumbnails.extend(own);
        self.lists.push((sample, self.thumbnails.len()));
    }

    /// A sample with as many pictures, each nearly the same.
    pub(crate) fn find(&self, pictures: &[Vec<Thumbnail>], salt: u64) -> Option<u32> {
        let looks = pictures.first()?;
        let candidates = looks
            .iter()
            .flat_map(|look| self.tables.candidates(&look.keys(), salt));
        let same = |item: usize| {
            let start = item.checked_sub(1).map_or(0, |before| self.lists[before].1);
            let (sample, end) = self.lists[item];
            let list = &self.thumbnails[start..end];
            let near = |(looks, known): (&Vec<Thumbnail>, &Thumbnail)| {
                looks
                    .iter()
                    .any(|look| look.similarity(known) >= self.least)
            };
            (list.len() == pictures.len() && pictures.iter().zip(list).all(near)).then_some(sample)
        };
        candidates.into_iter().find_map(same)
    }
}

/// Texts by their smallest hashes.
#[derive(Debug)]
pub(crate) struct TextIndex {
    least: f64,
    tables: Tables,
    samples: Vec<u32>,
    smallest: Vec<u32>,
}

impl TextIndex {
    /// Texts are nearly the same from a similarity of `least` on.
    pub(crate) fn new(least: f64) -> Self {
        Self {
            least,
            tables: Tables::new(text::BANDS),
            samples: Vec::new(),
            smallest: Vec::new(),
        }
    }

    /// Adds the text of a sample.
    pub(crate) fn insert(&mut self, sample: u32, text: &Shingles) {
        self.tables.insert(&text.keys(), 0);
        self.samples.push(sample);
        self.smallest.extend(text.smallest());
    }

    /// A sample whose text is nearly the same; `read` gives the text of a sample again.
    pub(crate) fn find<E>(
        &self,
        text: &Shingles,
        read: impl Fn(u32) -> Result<Option<Shingles>, E>,
    ) -> Result<Option<u32>, E> {
        let width = text.smallest().len();
        let mut likely: Vec<(u32, usize)> = Vec::new();
        for item in self.tables.candidates(&text.keys(), 0) {
            let known = &self.smallest[item * width..][..width];
            let estimate = text::estimate(text.smallest(), known);
            if estimate >= self.least - ESTIMATE_ERROR {
                likely.push(((estimate * width as f64).round() as u32, item));
            }
        }
        likely.sort_unstable_by_key(|&(agree, item)| (std::cmp::Reverse(agree), item));
        likely.dedup();
        for (_, item) in likely.into_iter().take(MOST_READ) {
            let sample = self.samples[item];
            let known = read(sample)?;
            if known.is_some_and(|known| text.similarity(&known) >= self.least) {
                return Ok(Some(sample));
            }
        }
        Ok(None)
    }
}
