//! Files of a package never import each other in a circle: whatever a file names lies below it.
//!
//! What a file names is read off its tokens: the paths that it imports and those that it writes
//! out, each followed to the file that defines the name. Handing a name on (`pub use`) and
//! declaring a module are no imports, and code for tests alone is left out. A method that is called
//! on a value is not seen, since only its name is there to be read.

mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::tidy::{packages, root};
use modules::{Arrows, Crate};

/// The first files of all crates of a package: library, programs, tests, examples, benchmarks.
fn crate_roots(package: &Path) -> Vec<PathBuf> {
    let named = ["src/lib.rs", "src/main.rs", "build.rs", "lib.rs", "main.rs"];
    let mut found: Vec<PathBuf> = named.iter().map(|name| package.join(name)).collect();
    for folder in ["src/bin", "tests", "examples", "benches"] {
        let entries = std::fs::read_dir(package.join(folder))
            .into_iter()
            .flatten();
        found.extend(entries.flatten().map(|entry| entry.path()));
    }
    found.retain(|path| path.is_file() && path.extension().is_some_and(|ending| ending == "rs"));
    found
}

/// Groups of files of which each leads to each.
fn circles(arrows: &Arrows) -> BTreeSet<BTreeSet<&Path>> {
    let files: BTreeSet<&Path> = arrows.keys().map(|(from, _)| from.as_path()).collect();
    let reached = |file| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![file]);
        while let Some(from) = open.pop() {
            let next = arrows.keys().filter(|(tail, _)| tail == from);
            open.extend(
                next.map(|(_, head)| head.as_path())
                    .filter(|head| seen.insert(*head)),
            );
        }
        seen
    };
    let reach: BTreeMap<&Path, BTreeSet<&Path>> =
        files.iter().map(|file| (*file, reached(file))).collect();
    let circle = |file: &&Path| {
        let leads_back =
            |other: &&&Path| reach.get(**other).is_some_and(|back| back.contains(file));
        reach[file]
            .iter()
            .filter(leads_back)
            .copied()
            .collect::<BTreeSet<&Path>>()
    };
    let all = files.iter().map(circle);
    all.filter(|circle| circle.len() > 1).collect()
}

/// Every circle of a package in words.
fn circles_of(package: &Path) -> Result<Vec<String>> {
    let mut arrows = Arrows::new();
    for file in crate_roots(package) {
        Crate::read(&file)?.add_arrows(&mut arrows);
    }
    let top = root();
    let shown = |path: &Path| {
        path.strip_prefix(&top)
            .unwrap_or(path)
            .display()
            .to_string()
    };
    let describe = |circle: &BTreeSet<&Path>| {
        let mut text = format!("a circle of {} files:", circle.len());
        for ((from, to), names) in &arrows {
            if circle.contains(from.as_path()) && circle.contains(to.as_path()) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let arrow = format!("{} -> {}", shown(from), shown(to));
                text.push_str(&format!("\n  {arrow}: {}", names.join(", ")));
            }
        }
        text
    };
    Ok(circles(&arrows).iter().map(describe).collect())
}

#[test]
fn files_of_a_package_import_each_other_in_no_circle() -> Result<()> {
    let mut wrong = Vec::new();
    for package in packages()? {
        wrong.extend(circles_of(&package)?);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn a_circle_is_found_through_any_kind_of_path() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, text: &str| {
        let path = folder.path().join("src").join(name);
        std::fs::create_dir_all(path.parent().context("below src")?)?;
        anyhow::Ok(std::fs::write(path, text)?)
    };
    write(
        "lib.rs",
        "mod a; mod b; mod c; mod d; mod e; pub use b::Two; pub use c::three;",
    )?;
    write("c/deep.rs", "pub fn four() { super::super::a::one() }")?;
    // Every way forward, and only through one of them a way back.
    write(
        "c.rs",
        "mod deep; pub use deep::four as three; #[cfg(test)] mod tests { use crate::a; fn f() { a::one() } }",
    )?;
    write("b.rs", "pub struct Two; // crate::a::one\n")?;
    write(
        "d.rs",
        "use crate::b::Two; impl Two { pub fn new() -> Self { super::a::one(); Two } }",
    )?;
    write(
        "e.rs",
        "pub fn name() -> &'static str { \"crate::a::one\" }",
    )?;
    let among = |text: &str| -> Result<Vec<String>> {
        write("a.rs", text)?;
        circles_of(folder.path())
    };
    assert_eq!(
        among("pub fn one() { crate::e::name(); } use crate::{b::Two, e};")?.len(),
        0
    );
    for text in [
        "use crate::three; pub fn one() { three() }",
        "pub fn one() { super::c::three() }",
        "use super::c; pub fn one() { vec![c::three()]; }",
        "use crate::c::*; pub fn one() { three() }",
        "use crate::c::{self as sea}; pub fn one() { sea::three() }",
        "pub fn one() { crate::Two::new(); }",
    ] {
        let found = among(text)?;
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with("a circle of 2 files:"), "{found:?}");
    }
    Ok(())
}
