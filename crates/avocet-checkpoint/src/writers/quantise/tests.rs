//! Models in blocks, opened again.

use super::*;
use crate::WeightFormat;
use crate::fixture::model;

#[test]
fn an_own_model_in_blocks_has_the_same_parameters_but_for_rounding() {
    let source = model().saved(WeightFormat::F32);
    let before = ModelFiles::open(source.path()).unwrap();
    let target = tempfile::tempdir().unwrap();
    let folder = target.path().join("small");
    let count = before.quantise(BlockFormat::Q8_0, &folder).unwrap();
    assert!(count.converted > 0 && count.kept > 0, "{count:?}");
    // Most of so small a model is norms, convolutions and rows that blocks do not divide.
    assert!(count.bytes_after * 3 < count.bytes_before * 2, "{count:?}");
    let after = ModelFiles::open(&folder).unwrap();
    assert_eq!(after.config(), before.config());
    let (before, after) = (before.parameters().unwrap(), after.parameters().unwrap());
    for (name, tensor) in &before {
        let flat = |t: &candle_core::Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let pairs = flat(tensor).into_iter().zip(flat(&after[name]));
        // Numbers lie within 1 of 0: half a step of 1/127, and the rounding of the scale.
        let most = pairs.fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(most < 0.006, "{name}: {most}");
    }
}

#[test]
fn sensitive_tensors_and_partial_rows_keep_their_type() {
    let used = |sensitive, table, width| Use {
        sensitive,
        table,
        widths: BTreeSet::from([width]),
        convolution: false,
    };
    let to = |format, from, shape: &[usize], used: Use| target(format, from, shape, &used);
    let (q8, q4) = (BlockFormat::Q8_0, BlockFormat::Q4K);
    let f32 = GgmlType::F32;
    assert_eq!(
        to(q8, f32, &[4, 64], used(false, false, 64)),
        GgmlType::Q8_0
    );
    assert_eq!(to(q8, f32, &[4, 64], used(true, false, 64)), f32);
    assert_eq!(to(q8, f32, &[4, 48], used(false, false, 48)), f32);
    let kernels = |width| Use {
        convolution: true,
        ..used(false, false, width)
    };
    assert_eq!(to(q8, f32, &[4, 48], kernels(48)), GgmlType::Bf16);
    assert_eq!(to(q8, f32, &[4, 64], kernels(64)), GgmlType::Q8_0);
    assert_eq!(to(q8, GgmlType::F16, &[4, 48], kernels(48)), GgmlType::F16);
    assert_eq!(to(q8, f32, &[64], used(false, false, 1)), f32);
    assert_eq!(
        to(q4, f32, &[4, 64], used(false, false, 64)),
        GgmlType::Q8_0
    );
    assert_eq!(
        to(q4, f32, &[4, 512], used(false, false, 512)),
        GgmlType::Q4K
    );
    assert_eq!(
        to(q4, f32, &[4, 512], used(false, true, 512)),
        GgmlType::Q8_0
    );
    let smaller = to(q8, GgmlType::Q4K, &[4, 512], used(false, false, 512));
    assert_eq!(smaller, GgmlType::Q4K, "blocks never grow");
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let source = model().saved(WeightFormat::F32);
    let files = ModelFiles::open(source.path()).unwrap();
    let error = files
        .quantise(BlockFormat::Q8_0, source.path())
        .unwrap_err();
    assert!(error.to_string().contains("not empty"), "{error}");
    ModelFiles::open(source.path()).unwrap().check().unwrap();
}
