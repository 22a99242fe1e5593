//! Golden data of ggml and of the `gguf` package, bit for bit.

use super::*;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

pub(super) fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(name)
}

fn expected() -> HashMap<String, Tensor> {
    candle_core::safetensors::load(golden("every_type.safetensors"), &Device::Cpu).unwrap()
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    let tensor = tensor.to_dtype(DType::F32).unwrap();
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn source() -> Vec<f32> {
    floats(&expected()["source"])
}

#[test]
fn every_type_is_read_bit_for_bit() {
    let file = Gguf::open(&golden("every_type.gguf")).unwrap();
    let expected = expected();
    let mut num_read = 0;
    for stored in file.tensors().filter(|t| t.name != "listed.q5_0") {
        let tensor = file.tensor(&stored.name, &Device::Cpu).unwrap().unwrap();
        let wanted = &expected[&stored.name];
        assert_eq!(tensor.dims(), wanted.dims(), "{}", stored.name);
        assert_eq!(stored.shape, wanted.dims(), "{}", stored.name);
        assert_eq!(
            bits(&floats(&tensor)),
            bits(&floats(wanted)),
            "{}",
            stored.name
        );
        let kept = stored.dtype == GgmlType::Bf16;
        assert_eq!(tensor.dtype() == DType::BF16, kept, "{}", stored.name);
        num_read += 1;
    }
    assert_eq!(num_read, 12);
    assert!(file.tensor("absent", &Device::Cpu).unwrap().is_none());
}

#[test]
fn a_type_that_is_only_listed_is_named_when_asked_for() {
    let file = Gguf::open(&golden("every_type.gguf")).unwrap();
    let listed = file.tensors().find(|t| t.name == "listed.q5_0").unwrap();
    assert_eq!((listed.dtype, listed.shape), (GgmlType::Q5_0, vec![3, 32]));
    let error = file.tensor("listed.q5_0", &Device::Cpu).unwrap_err();
    assert!(error.to_string().contains("of type Q5_0"), "{error}");
}

#[test]
fn every_kind_of_metadata_is_read() {
    let file = Gguf::open(&golden("every_type.gguf")).unwrap();
    let text = "a red bicycle – 自転車".to_owned();
    let texts = |list: &[&str]| Array::String(list.iter().map(|&s| s.to_owned()).collect());
    let nested = Array::Array(vec![texts(&["a", "b"]), texts(&["c"])]);
    let wanted = BTreeMap::from([
        ("one.uint8", Value::U8(200)),
        ("one.int8", Value::I8(-100)),
        ("one.uint16", Value::U16(60_000)),
        ("one.int16", Value::I16(-30_000)),
        ("one.uint32", Value::U32(4_000_000_000)),
        ("one.int32", Value::I32(-2_000_000_000)),
        ("one.float32", Value::F32(0.25)),
        ("one.bool", Value::Bool(true)),
        ("one.uint64", Value::U64(u64::MAX)),
        ("one.int64", Value::I64(i64::MIN)),
        ("one.float64", Value::F64(0.1)),
        ("one.string", Value::String(text.clone())),
        ("many.uint8", Value::Array(Array::U8(vec![200; 3]))),
        ("many.int8", Value::Array(Array::I8(vec![-100; 3]))),
        ("many.uint16", Value::Array(Array::U16(vec![60_000; 3]))),
        ("many.int16", Value::Array(Array::I16(vec![-30_000; 3]))),
        (
            "many.uint32",
            Value::Array(Array::U32(vec![4_000_000_000; 3])),
        ),
        (
            "many.int32",
            Value::Array(Array::I32(vec![-2_000_000_000; 3])),
        ),
        ("many.float32", Value::Array(Array::F32(vec![0.25; 3]))),
        ("many.bool", Value::Array(Array::Bool(vec![true; 3]))),
        ("many.uint64", Value::Array(Array::U64(vec![u64::MAX; 3]))),
        ("many.int64", Value::Array(Array::I64(vec![i64::MIN; 3]))),
        ("many.float64", Value::Array(Array::F64(vec![0.1; 3]))),
        ("many.string", Value::Array(Array::String(vec![text; 3]))),
        ("nested", Value::Array(nested)),
        ("general.alignment", Value::U32(64)),
        ("general.architecture", Value::String("made-up".to_owned())),
    ]);
    let found: BTreeMap<&str, Value> = file
        .metadata()
        .iter()
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    assert_eq!(found, wanted);
}

#[test]
fn blocks_are_made_byte_for_byte_as_ggml_makes_them() {
    let file = std::fs::read(golden("every_type.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    for (dtype, name) in [(GgmlType::Q8_0, "q8_0"), (GgmlType::Q4K, "q4_k")] {
        let wanted = file.tensor(&format!("bytes.{name}")).unwrap();
        let made = quantize(dtype, &source()).unwrap();
        assert_eq!(made, wanted.data(), "{name}");
    }
}

#[test]
fn a_round_trip_loses_no_more_than_candles_does() {
    let values = source();
    let tensor = Tensor::from_slice(&values, (3, 512), &Device::Cpu).unwrap();
    // Largest relative error (root of squares) that a format with 8 or 4 bits leaves here.
    for (dtype, theirs, most) in [
        (GgmlType::Q8_0, GgmlDType::Q8_0, 0.006),
        (GgmlType::Q4K, GgmlDType::Q4K, 0.08),
    ] {
        let blocks = quantize(dtype, &values).unwrap();
        let error = |read: &[f32]| -> f64 {
            let pairs = read.iter().zip(&values);
            pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum()
        };
        let ours = error(&dequantize::numbers(dtype, &blocks).unwrap());
        let other = QTensor::quantize(&tensor, theirs).unwrap();
        let other = error(&floats(&other.dequantize(&Device::Cpu).unwrap()));
        let whole: f64 = values.iter().map(|x| f64::from(*x).powi(2)).sum();
        assert!(
            (ours / whole).sqrt() < most,
            "{dtype}: {}",
            (ours / whole).sqrt()
        );
        assert!(ours <= other * 1.000_001, "{dtype}: {ours} against {other}");
    }
}

#[test]
fn what_no_block_can_hold_is_refused() {
    let mut values = vec![0.5; 256];
    assert_eq!(
        quantize(GgmlType::Q6K, &values).unwrap_err().to_string(),
        "blocks of type Q6_K are not made; Q8_0, Q4_K and BF16 are"
    );
    for wrong in [f32::NAN, f32::INFINITY, -1e7] {
        values[7] = wrong;
        let error = quantize(GgmlType::Q4K, &values).unwrap_err();
        assert!(error.to_string().starts_with("number 7 is"), "{error}");
    }
    let error = quantize(GgmlType::Q4K, &values[..255]).unwrap_err();
    assert!(error.to_string().contains("255 numbers"), "{error}");
}
