//! A network can be placed on any device: the processor is named where files and pictures are
//! read, and nothing in a forward pass is read back.

use std::path::Path;

use anyhow::Result;

use crate::tidy::{code_lines, root, sources};

/// Where the processor is named outside tests.
const NAME_THE_PROCESSOR: &[&str] = &[
    "crates/avocet-kernels/src/placement.rs",
    // Pictures come from files.
    "crates/avocet-infer/src/engine.rs",
];

/// Where the kernels and the network read numbers of a tensor back to the host.
const READ_BACK: &[&str] = &[
    // Who goes to which expert, once a layer, where a device chose.
    "crates/avocet-kernels/src/router/routing.rs",
    // How long the gradient is, once a step.
    "crates/avocet-kernels/src/accumulate/mod.rs",
    // How far gates are open, for people.
    "crates/avocet-model/src/cross_attention.rs",
];

/// Code for tests alone, by a part of its path.
const TEST_CODE: &[&str] = &[
    "tests",
    "benches",
    "examples",
    "fixture",
    "gradient_check",
    "hostile",
    "golden",
    "family_tests",
];

/// Lines outside tests that hold one of `calls`, in files below `folders` that no one of `allowed`
/// names.
fn found(folders: &[&str], calls: &[&str], allowed: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in sources()? {
        let relative = path.strip_prefix(root())?;
        let within = |of: &[&str]| of.iter().any(|folder| relative.starts_with(folder));
        let is_test = |path: &Path| {
            let stem = path.with_extension("");
            let mut parts = stem.iter().filter_map(|part| part.to_str());
            parts.any(|part| TEST_CODE.contains(&part))
        };
        if !within(folders) || within(allowed) || is_test(relative) {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let code = text.split("#[cfg(test)]\nmod tests {").next();
        for (number, line) in code_lines(code.unwrap_or_default()) {
            for call in calls.iter().filter(|call| line.contains(**call)) {
                found.push(format!("{}:{number}: {call}", relative.display()));
            }
        }
    }
    Ok(found)
}

#[test]
fn the_processor_is_named_where_something_is_placed() -> Result<()> {
    let found = found(
        &["crates", "pipelines"],
        &["Device::Cpu"],
        NAME_THE_PROCESSOR,
    )?;
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

#[test]
fn a_forward_pass_reads_nothing_back() -> Result<()> {
    let calls = [".to_vec0", ".to_vec1", ".to_vec2", ".to_vec3", ".to_scalar"];
    let folders = ["crates/avocet-kernels/src", "crates/avocet-model/src"];
    let found = found(&folders, &calls, READ_BACK)?;
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}
