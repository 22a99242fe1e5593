//! What must hold of mappings.

use super::*;
use crate::formats::safetensors::Safetensors;
use crate::io::Bytes;
use proptest::prelude::*;
use safetensors::{Dtype, tensor::TensorView};

const NUMBERS: Numbers = Numbers {
    heads: 2,
    experts: 3,
};

const TABLE: &[Section] = &[Section {
    ours: "decoder.layers.*",
    theirs: "l.{0}",
    lines: &[
        ("experts", "e.{e}.w1 + e.{e}.w3"),
        ("key", "qkv[1/3 of {heads}]"),
        ("gate", "=alpha"),
    ],
}];

/// A store of tensors of one number each.
fn store(names: impl IntoIterator<Item = String>) -> Store {
    let view = |name| (name, TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap());
    let bytes = safetensors::serialize(names.into_iter().map(view), None).unwrap();
    Store::carried(Safetensors::check(Bytes::Carried(bytes.leak())).unwrap()).unwrap()
}

fn found(name: &str) -> Option<Vec<TensorSlice>> {
    let experts = (0..3).flat_map(|e| ["w1", "w3"].map(|w| format!("l.7.e.{e}.{w}.weight")));
    let store = store(experts);
    WeightMapping::find(name, TABLE, NUMBERS, &store).map(|mapping| mapping.terms)
}

#[test]
fn experts_are_repeated_and_indices_filled_in() {
    let terms = found("decoder.layers.7.experts").unwrap();
    let names: Vec<String> = terms.into_iter().map(|term| term.tensor).collect();
    let wanted = (0..3).flat_map(|e| ["w1", "w3"].map(|w| format!("l.7.e.{e}.{w}.weight")));
    assert_eq!(names, wanted.collect::<Vec<_>>());
}

#[test]
fn experts_that_no_file_has_are_not_named() {
    let numbers = Numbers {
        heads: 2,
        experts: usize::MAX,
    };
    let mapping = WeightMapping::find("decoder.layers.0.experts", TABLE, numbers, &Store::empty());
    assert_eq!(mapping.unwrap().terms.len(), 1);
}

#[test]
fn a_share_of_each_head_is_taken() {
    let terms = found("decoder.layers.0.key_bias").unwrap();
    assert_eq!(terms[0].tensor, "l.0.qkv.bias");
    assert_eq!(
        terms[0].rows(&[12, 5], 2, 5).unwrap(),
        [2..4, 8..10],
        "keys of two heads of width 2"
    );
    assert_eq!(terms[0].rows(&[12], 1, 1).unwrap(), [2..4, 8..10]);
    assert_eq!(terms[0].rows(&[13, 5], 2, 5), None, "13 rows have no sixth");
    assert_eq!(terms[0].rows(&[12, 4], 2, 5), None, "another width");
}

#[test]
fn only_whole_names_are_found() {
    assert_eq!(
        found("decoder.layers.3.gate").unwrap()[0].tensor,
        "l.3.alpha"
    );
    for other in [
        "decoder.layers.gate",
        "decoder.layers.3.gates",
        "layers.3.gate",
    ] {
        assert_eq!(found(other), None, "{other}");
    }
}

proptest! {
    #[test]
    fn the_shares_of_a_tensor_are_each_of_its_rows_once(
        (parts, groups, height, cols) in (1..6usize, 1..5usize, 1..5usize, 1..4usize),
    ) {
        let rows = parts * groups * height;
        let share = |part| TensorSlice::parse(&format!("w[{part}/{parts} of {groups}]")).unwrap();
        let mut taken: Vec<usize> = Vec::new();
        for part in 0..parts {
            let ranges = share(part).rows(&[rows, cols], 2, cols).unwrap();
            // Each share has a run in every group.
            prop_assert_eq!(ranges.iter().map(ExactSizeIterator::len).sum::<usize>(), groups * height);
            for range in &ranges {
                prop_assert_eq!(range.start / height % parts, part);
            }
            taken.extend(ranges.into_iter().flatten());
        }
        taken.sort_unstable();
        prop_assert!(taken.into_iter().eq(0..rows));
        if rows > 1 {
            let odd = share(0).rows(&[rows + 1, cols], 2, cols);
            prop_assert_eq!(odd.is_none(), (rows + 1) % (parts * groups) != 0);
        }
    }
}
