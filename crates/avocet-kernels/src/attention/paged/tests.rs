//! Facts about attention over pages.

use super::*;
use crate::gradient_check::random;
use crate::{KeyRanges, attention, attention_alibi};
use avocet_products::Precision;

const SCALE: f32 = 0.3;

fn pages_of(key: &Tensor, value: &Tensor) -> Result<KvPages> {
    let (rows, num_kv_heads, head_dim) = key.dims3()?;
    let mut pages = KvPages::new(num_kv_heads, head_dim);
    pages.append(key, value, 0..rows)?;
    Ok(pages)
}

fn bits(t: &Tensor) -> Result<Vec<u32>> {
    let numbers = t.flatten_all()?.to_vec1::<f32>()?;
    Ok(numbers.into_iter().map(f32::to_bits).collect())
}

fn assert_near(a: &Tensor, b: &Tensor) -> Result<()> {
    let apart = (a - b)?.abs()?.flatten_all()?.max(0)?;
    assert!(apart.to_scalar::<f32>()? < 1e-5, "{apart}");
    Ok(())
}

/// Causal ranges of the queries from `first` on, of at most `window` keys.
fn causal(first: usize, count: usize, window: usize) -> Vec<(u32, u32)> {
    let range = |row: usize| ((row + 1).saturating_sub(window) as u32, row as u32 + 1);
    (first..first + count).map(range).collect()
}

#[test]
fn keys_in_pages_are_attended_to_as_keys_in_a_row() -> Result<()> {
    for (rows, heads, kv_heads, width) in [(5, 4, 2, 8), (40, 6, 1, 20), (700, 2, 2, 16)] {
        let q = random((rows, heads, width), 1).detach();
        let key = random((rows, kv_heads, width), 2).detach();
        let value = random((rows, kv_heads, width), 3).detach();
        let pages = pages_of(&key, &value)?;
        let slopes: Vec<f32> = (1..=heads).map(|head| 0.1 * head as f32).collect();
        for window in [3, 530, 1000] {
            let mut ranges = causal(0, rows, window);
            ranges[1] = (0, 0);
            let text = PagedText {
                pages: vec![&pages],
                ranges: &ranges,
            };
            let paged = paged_attention(&q, std::slice::from_ref(&text), SCALE, None)?;
            let keys = KeyRanges::new(ranges.clone());
            assert_near(
                &paged,
                &attention(&q, &key, &value, &keys, SCALE, Precision::F32)?,
            )?;
            let biased = paged_attention(&q, &[text], SCALE, Some(&slopes))?;
            let expected =
                attention_alibi(&q, &key, &value, &keys, SCALE, &slopes, Precision::F32)?;
            assert_near(&biased, &expected)?;
        }
    }
    Ok(())
}

#[test]
fn a_query_gets_the_same_bits_alone_and_among_any_others() -> Result<()> {
    let (rows, width) = (600, 12);
    let q = random((2 * rows, 4, width), 1).detach();
    let texts = [2u64, 4].map(|seed| {
        let key = random((rows, 2, width), seed).detach();
        pages_of(&key, &random((rows, 2, width), seed + 1).detach())
    });
    let [one, other] = texts;
    let (one, other) = (one?, other?);
    fn text<'a>(pages: &'a KvPages, ranges: &'a [(u32, u32)]) -> PagedText<'a> {
        PagedText {
            pages: vec![pages],
            ranges,
        }
    }
    for window in [20, 1000] {
        let ranges = causal(0, rows, window);
        let both = [text(&one, &ranges), text(&other, &ranges)];
        let all = paged_attention(&q, &both, SCALE, None)?;
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let run = || paged_attention(&q, &both, SCALE, None);
            let out = pool.expect("threads start").install(run)?;
            assert!(bits(&out)? == bits(&all)?, "{threads} threads");
        }
        for (from, count) in [(0, 1), (599, 1), (511, 3), (100, 90)] {
            let ranges = causal(from, count, window);
            for (first, pages) in [(0, &one), (rows, &other)] {
                let q = q.narrow(0, first + from, count)?;
                let some = paged_attention(&q, &[text(pages, &ranges)], SCALE, None)?;
                assert_eq!(bits(&some)?, bits(&all.narrow(0, first + from, count)?)?);
            }
        }
    }
    Ok(())
}

#[test]
fn slots_without_rows_are_not_seen() -> Result<()> {
    let (q, key) = (
        random((2, 2, 8), 1).detach(),
        random((30, 2, 8), 2).detach(),
    );
    let (first, second) = (key.narrow(0, 0, 10)?, key.narrow(0, 10, 20)?);
    let (one, two) = (pages_of(&first, &first)?, pages_of(&second, &second)?);
    let slots = (one.num_slots() + two.num_slots()) as u32;
    let ranges = [(0, slots), (one.num_slots() as u32, slots)];
    let text = PagedText {
        pages: vec![&one, &two],
        ranges: &ranges,
    };
    let paged = paged_attention(&q, &[text], SCALE, None)?;
    let expected = KeyRanges::new(vec![(0, 30), (10, 30)]);
    let expected = attention(&q, &key, &key, &expected, SCALE, Precision::F32)?;
    assert_near(&paged, &expected)
}

#[test]
fn truncated_pages_go_on_as_if_the_rest_had_never_been() -> Result<()> {
    let key = random((40, 2, 8), 2).detach();
    let mut pages = pages_of(&key, &key)?;
    let bytes = pages.num_bytes();
    pages.truncate(17);
    pages.truncate(30);
    assert_eq!((pages.len(), pages.num_slots()), (17, 32));
    assert!(pages.num_bytes() < bytes);
    pages.append(&key, &key, 17..40)?;
    let q = random((1, 2, 8), 1).detach();
    let seen = |pages| {
        let text = PagedText {
            pages: vec![pages],
            ranges: &[(0, 40)],
        };
        bits(&paged_attention(&q, &[text], SCALE, None)?)
    };
    assert_eq!(seen(&pages)?, seen(&pages_of(&key, &key)?)?);
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_gives_nothing() -> Result<()> {
    let key = random((3, 2, 8), 2).detach();
    let mut pages = pages_of(&key, &key)?;
    let refused = |q: &Tensor, ranges: &[(u32, u32)]| {
        let text = PagedText {
            pages: vec![&pages],
            ranges,
        };
        paged_attention(q, &[text], SCALE, None).is_err()
    };
    let q = random((1, 4, 8), 1).detach();
    assert!(!refused(&q, &[(0, 3)]));
    assert!(refused(&q, &[(0, 17)]), "slots behind the pages");
    assert!(refused(&q, &[(0, 3), (0, 3)]), "a range without a query");
    assert!(refused(&random((1, 3, 8), 1).detach(), &[(0, 3)]), "heads");
    assert!(refused(&random((1, 4, 7), 1).detach(), &[(0, 3)]), "widths");
    assert!(pages.append(&key, &key, 2..4).is_err(), "no such rows");
    let none = paged_attention(&q.narrow(0, 0, 0)?, &[], SCALE, None)?;
    assert_eq!(none.dims(), [0, 4, 8]);
    let blind = PagedText {
        pages: Vec::new(),
        ranges: &[(0, 0)],
    };
    let blind = paged_attention(&q, &[blind], SCALE, None)?;
    assert_eq!(blind.flatten_all()?.to_vec1::<f32>()?, [0.0; 32]);
    Ok(())
}
