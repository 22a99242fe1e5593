//! The house keeps its shape: who may depend on whom, what every source file must
//! and must not contain.

mod edges;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use edges::EDGES;

/// Third-party crates that belong to few packages: (crate, who uses it, none more and none less).
const KEPT_OUT: &[(&str, &[&str])] = &[
    (
        "clap",
        &[
            "avocet",
            "pipeline",
            "named-pictures",
            "plain-text",
            "video",
            "pages",
            "formulas",
            "textbooks",
            "other-hands",
        ],
    ),
    ("anyhow", &["avocet", "named-pictures", "avocet-tests"]),
    (
        "candle-core",
        &[
            "avocet-kernels",
            "avocet-model",
            "avocet-checkpoint",
            "avocet-infer",
            "avocet-train",
            "avocet",
            "avocet-tests",
        ],
    ),
    ("candle-nn", &["avocet-kernels"]),
    ("ffmpeg-next", &["avocet-worker"]),
    ("ureq", &["avocet-fetch"]),
    ("gemm", &["avocet-products"]),
    ("minijinja", &["avocet-report", "avocet-text"]),
    // Libraries tell of events; the binary alone listens.
    ("tracing-subscriber", &["avocet"]),
    ("whisper-rs", &["avocet-worker"]),
];

const BANNED_MODULES: &[&str] = &[
    "utils", "util", "helpers", "helper", "common", "base", "manager", "misc",
];

/// Calls of candle 0.11 that return a result without a gradient and without an error.
const GRADIENT_CUTTING: &[&str] = &[
    "candle_nn::rotary_emb",
    "rotary_emb::rope",
    "softmax_last_dim",
    "candle_nn::ops::rms_norm",
    "ops::rms_norm",
    "ops::layer_norm",
    "candle_nn::LayerNorm",
    "candle_nn::RmsNorm",
    "candle_nn::layer_norm",
    "candle_nn::rms_norm",
    "ops::sdpa",
    "QMatMul",
];

const MAX_LINES: usize = 500;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace")
        .to_path_buf()
}

/// The folders of all packages: crates/*, pipelines/* and tests.
pub fn packages() -> Result<Vec<PathBuf>> {
    let mut found = vec![root().join("tests")];
    for group in ["crates", "pipelines"] {
        for entry in std::fs::read_dir(root().join(group))? {
            let path = entry?.path();
            if path.join("Cargo.toml").is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

pub fn sources() -> Result<Vec<PathBuf>> {
    sources_in(packages()?)
}

/// All Rust files below `folders`.
fn sources_in(mut folders: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() && path.file_name().is_some_and(|n| n != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Package name and the names of everything in its dependency tables, dev and build included.
fn dependencies(package: &Path) -> Result<(String, BTreeSet<String>)> {
    let path = package.join("Cargo.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path:?}"))?;
    let manifest: toml::Table = text.parse().with_context(|| format!("parsing {path:?}"))?;
    let name = manifest["package"]["name"]
        .as_str()
        .context("package.name")?
        .to_owned();
    let mut names = BTreeSet::new();
    let mut tables = vec![&manifest];
    if let Some(targets) = manifest.get("target").and_then(|t| t.as_table()) {
        tables.extend(targets.values().filter_map(|t| t.as_table()));
    }
    for table in tables {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            if let Some(entries) = table.get(kind).and_then(|t| t.as_table()) {
                names.extend(entries.keys().cloned());
            }
        }
    }
    Ok((name, names))
}

fn workspace_names() -> BTreeSet<&'static str> {
    EDGES.iter().map(|(name, _)| *name).collect()
}

#[test]
fn the_table_of_edges_is_exact() -> Result<()> {
    let ours = workspace_names();
    let mut found = BTreeSet::new();
    for package in packages()? {
        let (name, used) = dependencies(&package)?;
        // The tests may use everything; nothing may use them.
        if name == "avocet-tests" {
            continue;
        }
        assert!(ours.contains(name.as_str()), "{name}: not in the table");
        for dependency in used {
            if ours.contains(dependency.as_str()) || dependency == "avocet-tests" {
                found.insert((name.clone(), dependency));
            }
        }
    }
    let table = EDGES.iter().flat_map(|(name, used)| edges(name, used));
    assert_exact(&found, &table.collect());
    Ok(())
}

/// A row of [`EDGES`] as single edges.
fn edges(name: &str, used: &[&str]) -> Vec<(String, String)> {
    let edge = |dependency: &&str| (name.to_owned(), (*dependency).to_owned());
    used.iter().map(edge).collect()
}

/// Errors are edges that the table does not know, and edges of the table that nobody uses.
fn assert_exact(found: &BTreeSet<(String, String)>, table: &BTreeSet<(String, String)>) {
    let new = found.difference(table);
    let new = new.map(|(name, dependency)| format!("{name} must not use {dependency}"));
    let old = table.difference(found);
    let old = old.map(|(name, dependency)| format!("{name} does not use {dependency}: strike it"));
    let wrong: Vec<String> = new.chain(old).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn arrows_never_turn_back() {
    for (row, (name, allowed)) in EDGES.iter().enumerate() {
        for dependency in *allowed {
            let above = EDGES[..row].iter().any(|(other, _)| other == dependency);
            assert!(
                above,
                "{name} may use {dependency}, which does not stand above it"
            );
        }
    }
}

#[test]
fn third_party_crates_stay_where_they_belong() -> Result<()> {
    let mut found = BTreeSet::new();
    for package in packages()? {
        let (name, used) = dependencies(&package)?;
        let kept_out = KEPT_OUT
            .iter()
            .filter(|(dependency, _)| used.contains(*dependency));
        found.extend(kept_out.flat_map(|(dependency, _)| edges(&name, &[*dependency])));
    }
    let rows = KEPT_OUT
        .iter()
        .flat_map(|(dependency, users)| users.iter().flat_map(|name| edges(name, &[*dependency])));
    assert_exact(&found, &rows.collect());
    Ok(())
}

#[test]
fn every_dependency_is_used_by_the_package_that_lists_it() -> Result<()> {
    let mut wrong = Vec::new();
    for package in packages()? {
        let mut code = String::new();
        for path in sources_in(vec![package.clone()])? {
            code.push_str(&std::fs::read_to_string(path)?);
        }
        let words: BTreeSet<&str> = code
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        let (name, listed) = dependencies(&package)?;
        let unused = listed
            .iter()
            .filter(|dependency| !words.contains(&*dependency.replace('-', "_")));
        wrong.extend(unused.map(|dependency| format!("{name} does not use {dependency}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn ffmpeg_and_whisper_can_be_left_out() -> Result<()> {
    let manifest = |package: &str| -> Result<toml::Table> {
        let path = root().join("crates").join(package).join("Cargo.toml");
        Ok(std::fs::read_to_string(path)?.parse()?)
    };
    let (avocet, worker) = (manifest("avocet")?, manifest("avocet-worker")?);
    // Only the worker may use them (see the tables above), so it is enough to leave that out.
    let optional = |table: &toml::Table, name: &str| {
        table["dependencies"][name]
            .get("optional")
            .and_then(toml::Value::as_bool)
    };
    assert_eq!(optional(&avocet, "avocet-worker"), Some(true));
    assert_eq!(optional(&worker, "whisper-rs"), Some(true));
    let default = toml::Value::from(vec!["video", "speech"]);
    assert_eq!(avocet["features"]["default"], default);
    Ok(())
}

#[test]
fn every_file_says_what_it_is_and_stays_short() -> Result<()> {
    let mut wrong = Vec::new();
    for path in sources()? {
        let text = std::fs::read_to_string(&path)?;
        if !text.starts_with("//!") {
            wrong.push(format!("{}: does not open with //!", path.display()));
        }
        let lines = text.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!(
                "{}: {lines} lines, at most {MAX_LINES}",
                path.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn no_module_has_a_name_that_says_nothing() -> Result<()> {
    let mut wrong = Vec::new();
    for path in sources()? {
        let relative = path.strip_prefix(root())?.with_extension("");
        for part in relative.iter().filter_map(|p| p.to_str()) {
            if BANNED_MODULES.contains(&part) {
                wrong.push(format!("{}: {part:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Lines of code with their numbers: comments are left out, as they may name what they warn of.
pub fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line.split(" // ").next().unwrap_or(line)))
}

#[test]
fn nothing_outside_the_kernels_cuts_a_gradient() -> Result<()> {
    let mut wrong = Vec::new();
    for path in sources()? {
        let relative = path.strip_prefix(root())?;
        if relative.starts_with("crates/avocet-kernels") || relative.ends_with("tests/tidy.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        for (number, line) in code_lines(&text) {
            for call in GRADIENT_CUTTING.iter().filter(|call| line.contains(**call)) {
                wrong.push(format!("{}:{number}: {call}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn no_test_is_switched_off_and_no_mark_is_left_behind() -> Result<()> {
    let mut wrong = Vec::new();
    for path in sources()? {
        let relative = path.strip_prefix(root())?;
        if relative.ends_with("tests/tidy.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        for (number, line) in text.lines().enumerate() {
            for mark in [
                "#[ignore",
                "#[should_panic",
                "TODO",
                "FIXME",
                "todo!(",
                "unimplemented!(",
                "dbg!(",
            ] {
                if line.contains(mark) {
                    wrong.push(format!("{}:{}: {mark}", relative.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
