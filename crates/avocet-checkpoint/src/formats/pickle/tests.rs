//! Files that PyTorch wrote, and what PyTorch says is in them.

use super::*;
use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::path::PathBuf;

pub(super) fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(name)
}

fn refused(name: &str) -> String {
    let error = Pickle::open(&golden(name)).map(drop).unwrap_err();
    error.to_string()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.flatten_all().unwrap();
    flat.to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}

/// Compares the file `stem` with the tensors expected under `group`; returns how many there are.
fn compare(stem: &str, group: &str) -> usize {
    let expected = golden("pickle_expected.safetensors");
    let expected: HashMap<String, Tensor> =
        candle_core::safetensors::load(expected, &Device::Cpu).unwrap();
    let prefix = format!("{group}/");
    let names = expected
        .keys()
        .filter_map(|name| name.strip_prefix(&prefix));
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let file = Pickle::open(&golden(&format!("pickle_{stem}.pt"))).unwrap();
    let stored: Vec<_> = file.tensors().collect();
    let found: Vec<&str> = stored.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(found, names, "{stem}");
    for stored in &stored {
        let tensor = file.tensor(&stored.name, &Device::Cpu).unwrap().unwrap();
        let wanted = &expected[&format!("{prefix}{}", stored.name)];
        assert_eq!(stored.shape, wanted.dims(), "{}", stored.name);
        assert_eq!(tensor.dims(), wanted.dims(), "{}", stored.name);
        assert_eq!(numbers(&tensor), numbers(wanted), "{}", stored.name);
        let dtype = match stored.dtype {
            ElementType::Bf16 => DType::BF16,
            ElementType::F64 | ElementType::F32 | ElementType::F16 => DType::F32,
            ElementType::Bool => DType::U8,
            _ => DType::I64,
        };
        assert_eq!(tensor.dtype(), dtype, "{}", stored.name);
    }
    assert!(file.tensor("absent", &Device::Cpu).unwrap().is_none());
    stored.len()
}

#[test]
fn nested_containers_give_dotted_names() {
    assert_eq!(compare("nested", "nested"), 6);
}

#[test]
fn every_number_type_is_read() {
    assert_eq!(compare("types", "types"), 10);
}

#[test]
fn views_are_laid_out_row_by_row() {
    assert_eq!(compare("views", "views"), 7);
    assert_eq!(compare("protocol4", "views"), 7);
}

#[test]
fn parameters_and_state_dicts_are_read() {
    assert_eq!(compare("parameters", "parameters"), 2);
    assert_eq!(compare("wrapped", "wrapped"), 8);
}

#[test]
fn a_call_of_anything_else_is_refused_by_name() {
    let message = refused("pickle_malicious.pt");
    assert!(
        message.contains("global posix.system is refused"),
        "{message}"
    );
}

#[test]
fn a_file_of_before_pytorch_1_6_is_read() {
    let file = Pickle::open(&golden("pickle_legacy.pt")).unwrap();
    let names: Vec<String> = file.tensors().map(|tensor| tensor.name).collect();
    assert_eq!(names, ["weight"]);
    let weight = file.tensor("weight", &Device::Cpu).unwrap().unwrap();
    assert_eq!(numbers(&weight), [1.0, 1.0]);
}

#[test]
fn a_pickle_without_storages_is_refused_with_a_way_out() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"\x80\x02}q\x00.").unwrap();
    let message = Pickle::open(file.path()).map(drop).unwrap_err().to_string();
    assert!(
        message.contains("torch.save(torch.load(FILE), NEW_FILE)"),
        "{message}"
    );
}

#[test]
fn a_tensor_larger_than_its_file_is_refused() {
    let message = refused("pickle_expanded.pt");
    assert!(
        message.contains("tensor \"huge\": shape [1000, 1000] repeats"),
        "{message}"
    );
}
