//! One dataset becomes several that share no picture: one to learn from, one to be tested on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::ThreadPool;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;

use crate::DataError;
use crate::digest::sha256;
use crate::shard::{Manifest, Recipe, Writer};
use crate::sources::{Address, Datasets, Layout, OnProgress};
use crate::ustar::name_is_plain;

/// Descriptions read at once.
const AT_ONCE: usize = 4096;
const MOST_PARTS: usize = 100;
/// Of a sample that no picture and no source ties to others.
const NO_NODE: u32 = u32::MAX;
/// How far fractions may be from adding up to 1.
const ROUNDING: f64 = 1e-6;

/// What decides on which side a sample falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitBy {
    /// Its picture, or its name if it has none.
    Image,
    /// Where it comes from: all samples of a source stay together.
    Source,
}

/// A share of the samples and the name of its folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitPart {
    /// Name of the folder, and start of the shards' names.
    pub name: String,
    /// Share of the samples, above 0 and below 1.
    pub fraction: f64,
}

/// Sides are decided by a hash of the samples, the seed and the fractions and by nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitOptions {
    /// The parts; their fractions add up to 1.
    pub parts: Vec<SplitPart>,
    /// What stays together.
    pub by: SplitBy,
    /// Another seed gives another division.
    pub seed: u64,
}

/// Divides the samples of `folders` into one dataset a part, in folders of `output`.
///
/// Samples that share a picture fall on the same side, and stay there as the datasets grow. A
/// group tied together by samples of several pictures goes where its smallest hash says: it moves
/// only when a new sample ties it to a smaller one. Needs about 90 bytes of memory a sample and
/// 60 a picture.
///
/// Errors if the parts are no division, or a dataset is damaged, or `output` cannot be written.
pub fn split(
    folders: &[PathBuf],
    output: &Path,
    options: &SplitOptions,
    layout: &Layout,
    progress: OnProgress<'_>,
) -> Result<Vec<Manifest>, DataError> {
    check(&options.parts)?;
    let datasets = Datasets::open(folders, output)?;
    let mut writers = Vec::new();
    for part in &options.parts {
        let settings = json!({"parts": options.parts, "by": options.by, "part": part.name});
        let recipe = Recipe {
            split: part.name.clone(),
            seed: options.seed,
            ..datasets.recipe("split", settings, layout)
        };
        writers.push(Writer::open(&output.join(&part.name), recipe)?);
    }
    if writers.iter().any(|writer| !writer.is_finished()) {
        write(&datasets, &mut writers, options, layout, progress)?;
    }
    writers.into_iter().map(Writer::finish).collect()
}

fn check(parts: &[SplitPart]) -> Result<(), DataError> {
    let wrong = |reason: String| Err(DataError::option("--parts", reason));
    if !(2..=MOST_PARTS).contains(&parts.len()) {
        let parts = parts.len();
        return wrong(format!("{parts} parts; 2 to {MOST_PARTS} can be made"));
    }
    for (index, SplitPart { name, fraction }) in parts.iter().enumerate() {
        if !name_is_plain(name) || name.len() > 40 {
            return wrong(format!("{name:?} cannot be the name of a folder"));
        }
        if parts[..index].iter().any(|earlier| earlier.name == *name) {
            return wrong(format!("{name} is there twice"));
        }
        if !(*fraction > 0.0 && *fraction < 1.0) {
            return wrong(format!("{name} is {fraction}, not above 0 and below 1"));
        }
    }
    let sum: f64 = parts.iter().map(|part| part.fraction).sum();
    if (sum - 1.0).abs() > ROUNDING {
        return wrong(format!("the fractions add up to {sum}, not to 1"));
    }
    Ok(())
}

fn write(
    datasets: &Datasets,
    writers: &mut [Writer],
    options: &SplitOptions,
    layout: &Layout,
    progress: OnProgress<'_>,
) -> Result<(), DataError> {
    let pool = layout.pool()?;
    let total = 2 * datasets.len() as u64;
    let mut done = 0;
    let sides = sides(datasets, options, &pool, &mut |some| {
        done += some;
        progress(done, total);
    })?;
    // The samples of each part that an earlier run did not write.
    let mut skip: Vec<u64> = writers.iter().map(Writer::num_inputs).collect();
    let left = |&(_, side): &(Address, usize)| {
        let written = skip[side] > 0;
        skip[side] = skip[side].saturating_sub(1);
        !written
    };
    let all = datasets.addresses().zip(sides.into_iter().map(usize::from));
    let left: Vec<(Address, usize)> = all.filter(left).collect();
    done = total - left.len() as u64;
    let mut sides = left.iter().map(|&(_, side)| side);
    let addresses = left.iter().map(|&(address, _)| address);
    let as_it_is = |stored| stored;
    datasets.read(&pool, addresses, as_it_is, |address, stored| {
        let side = sides.next().expect("a side for every address");
        writers[side].copy(&datasets.sample_name(address), &[stored])?;
        done += 1;
        progress(done, total);
        Ok(())
    })
}

/// For each sample which part it belongs to.
fn sides(
    datasets: &Datasets,
    options: &SplitOptions,
    pool: &ThreadPool,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<u8>, DataError> {
    let mut groups = Groups::default();
    // Of each sample a node of its group; a text that nothing ties to others has none.
    let mut nodes = Vec::with_capacity(datasets.len());
    for reader in datasets.readers() {
        for start in (0..reader.len()).step_by(AT_ONCE) {
            let some: Vec<usize> = (start..reader.len().min(start + AT_ONCE)).collect();
            let hashes: Vec<Vec<[u8; 32]>> = pool.install(|| {
                let hashes = some.par_iter().map(|&sample| reader.image_hashes(sample));
                hashes.collect::<Result<_, _>>()
            })?;
            progress(some.len() as u64);
            for (sample, hashes) in some.into_iter().zip(hashes) {
                let mut node = NO_NODE;
                if options.by == SplitBy::Source {
                    let key = sha256(reader.source(sample).as_bytes());
                    node = groups.node(b's', &key, true);
                }
                for hash in hashes {
                    let picture = groups.node(b'p', &hash, options.by == SplitBy::Image);
                    node = match node {
                        NO_NODE => picture,
                        node => groups.join(node, picture),
                    };
                }
                nodes.push(node);
            }
        }
    }
    groups.settle();
    let side = |((source, sample), node): (Address, u32)| match node {
        NO_NODE => side_of(datasets.readers()[source].id(sample).as_bytes(), options),
        node => side_of(&groups.key(node), options),
    };
    Ok(datasets.addresses().zip(nodes).map(side).collect())
}

/// The part in whose share of the line from 0 to 1 the hash of `key` falls.
fn side_of(key: &[u8], options: &SplitOptions) -> u8 {
    let hash = sha256(&[&options.seed.to_le_bytes(), key].concat());
    let word = u64::from_le_bytes(hash[..8].try_into().expect("8 of 32 bytes"));
    let place = (word >> 11) as f64 / (1u64 << 53) as f64;
    let mut end = 0.0;
    let ends = options.parts.iter().map(|part| {
        end += part.fraction;
        end
    });
    let passed = ends.take_while(|&end| end <= place).count();
    passed.min(options.parts.len() - 1) as u8
}

/// Which pictures and sources are tied together, by union and find.
#[derive(Default)]
struct Groups {
    numbers: HashMap<[u8; 16], u32>,
    parents: Vec<u32>,
    /// The smallest hash of each root's group among those that decide.
    keys: Vec<[u8; 16]>,
}

impl Groups {
    /// The node of a picture or source; `decides` if its hash may decide for its group.
    fn node(&mut self, what: u8, hash: &[u8; 32], decides: bool) -> u32 {
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        let mut name = key;
        // Pictures and sources are told apart even if someone makes their hashes equal.
        name[0] = what;
        let next = self.parents.len() as u32;
        let node = *self.numbers.entry(name).or_insert(next);
        if node == next {
            self.parents.push(node);
            self.keys.push(if decides { key } else { [0xff; 16] });
        }
        node
    }

    fn root(&mut self, mut node: u32) -> u32 {
        while self.parents[node as usize] != node {
            let above = self.parents[self.parents[node as usize] as usize];
            self.parents[node as usize] = above;
            node = above;
        }
        node
    }

    fn join(&mut self, a: u32, b: u32) -> u32 {
        let (a, b) = (self.root(a), self.root(b));
        let (root, child) = (a.min(b), a.max(b));
        self.parents[child as usize] = root;
        self.keys[root as usize] = self.keys[root as usize].min(self.keys[child as usize]);
        root
    }

    /// Ties every node to its root; roots come before their children.
    fn settle(&mut self) {
        for node in 0..self.parents.len() {
            self.parents[node] = self.parents[self.parents[node] as usize];
        }
    }

    /// The hash that decides for the group of `node`, once groups are settled.
    fn key(&self, node: u32) -> [u8; 16] {
        self.keys[self.parents[node as usize] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sample;
    use crate::fixture::{Folder, killed_at, samples_of};
    use crate::{Content, Truth};
    use avocet_text::Turn;
    use std::collections::HashSet;

    fn options(test: f64) -> SplitOptions {
        let part = |name: &str, fraction| SplitPart {
            name: name.into(),
            fraction,
        };
        SplitOptions {
            parts: vec![part("test", test), part("train", 1.0 - test)],
            by: SplitBy::Image,
            seed: 0,
        }
    }

    /// A question about `pictures`, each known by its number.
    fn about(pictures: &[u32], question: &str, source: &str) -> Sample {
        let image = |n: &u32| (n.to_le_bytes().to_vec(), None::<Truth>);
        let turns = vec![Turn::about(pictures.len(), question), Turn::assistant("x")];
        let images = pictures.iter().map(image).collect();
        Sample::new("vqa", source, "CC0-1.0", images, Content::Turns(turns)).unwrap()
    }

    fn divided(folder: &Folder, input: &str, output: &str, options: &SplitOptions) -> Vec<u64> {
        let (input, output) = ([folder.at(input)], folder.at(output));
        let made = split(&input, &output, options, &Layout::default(), &|_, _| {});
        samples_of(&made.unwrap())
    }

    #[test]
    fn a_sample_stays_on_its_side_as_the_set_and_the_tested_share_grow() {
        let folder = Folder::new();
        let samples: Vec<Sample> = (0..1000).map(|n| about(&[n], "?", "s")).collect();
        folder.dataset("small", &samples[..400]);
        folder.dataset("large", &samples);
        let small = divided(&folder, "small", "a", &options(0.1));
        let large = divided(&folder, "large", "b", &options(0.1));
        assert_eq!(small.iter().sum::<u64>(), 400);
        assert!((70..130).contains(&large[0]), "{large:?}");
        divided(&folder, "large", "c", &options(0.3));
        let ids = |name: &str| folder.ids(name).into_iter().collect::<HashSet<_>>();
        assert!(ids("a/test").is_subset(&ids("b/test")));
        assert!(ids("a/train").is_subset(&ids("b/train")));
        assert!(ids("b/test").is_subset(&ids("c/test")));
        assert!(ids("b/test").is_disjoint(&ids("b/train")));
    }

    #[test]
    fn samples_that_share_a_picture_fall_on_one_side() {
        let folder = Folder::new();
        let mut samples = Vec::new();
        for n in 0..200 {
            // A chain: the first and last of five pictures meet through those between.
            for (question, pictures) in [[0, 1], [1, 2], [3, 4], [2, 3]].iter().enumerate() {
                let pictures = pictures.map(|k| n * 5 + k);
                samples.push(about(&pictures, &question.to_string(), "s"));
            }
            samples.push(about(&[n * 5 + 4], "alone", "s"));
        }
        folder.dataset("in", &samples);
        divided(&folder, "in", "out", &options(0.5));
        let pictures = |side: &str| -> HashSet<Vec<u8>> {
            let reader = crate::shard::Reader::open(&folder.at(side)).unwrap();
            let images = (0..reader.len()).flat_map(|i| reader.get(i).unwrap().images);
            images.collect()
        };
        let (test, train) = (pictures("out/test"), pictures("out/train"));
        assert!(test.is_disjoint(&train));
        assert_eq!(test.len() + train.len(), 1000);
        assert!(test.len() > 350 && train.len() > 350, "{}", test.len());
    }

    #[test]
    fn samples_of_a_source_stay_together_with_all_who_share_their_pictures() {
        let folder = Folder::new();
        let sample = |n: u32| about(&[n / 2], &n.to_string(), &format!("source {}", n % 50));
        folder.dataset("in", &(0..300).map(sample).collect::<Vec<_>>());
        let by_source = SplitOptions {
            by: SplitBy::Source,
            ..options(0.5)
        };
        divided(&folder, "in", "out", &by_source);
        let sources = |side: &str| -> HashSet<String> {
            let reader = crate::shard::Reader::open(&folder.at(side)).unwrap();
            (0..reader.len())
                .map(|i| reader.source(i).to_string())
                .collect()
        };
        let (test, train) = (sources("out/test"), sources("out/train"));
        assert!(test.is_disjoint(&train) && !test.is_empty() && !train.is_empty());
    }

    #[test]
    fn a_split_killed_at_any_point_ends_with_the_same_bytes_on_any_number_of_threads() {
        let folder = Folder::new();
        let text = |n: u32| {
            let text = format!("text {n} {}", "word ".repeat(n as usize % 90));
            Sample::document(("text", "s", "CC0-1.0"), &text).unwrap()
        };
        let samples: Vec<Sample> = (0..150)
            .map(|n| {
                if n % 3 == 0 {
                    text(n)
                } else {
                    about(&[n], "?", "s")
                }
            })
            .collect();
        folder.dataset("in", &samples);
        let run = |output: &str, jobs, progress: OnProgress<'_>| {
            let layout = Layout {
                jobs,
                ..Layout::default()
            };
            split(
                &[folder.at("in")],
                &folder.at(output),
                &options(0.3),
                &layout,
                progress,
            )
        };
        run("whole", 1, &|_, _| {}).unwrap();
        assert!(folder.files("whole").len() >= 2 * 4);
        for stop in [1, 151, 190, 240, 299] {
            let output = format!("killed-{stop}");
            killed_at(stop - 1, |progress| run(&output, 2, progress));
            killed_at(stop, |progress| run(&output, 1, progress));
            run(&output, 2, &|_, _| {}).unwrap();
            assert_eq!(folder.files(&output), folder.files("whole"), "{output}");
        }
    }

    #[test]
    fn parts_that_are_no_division_are_refused() {
        let part = |name: &str, fraction| SplitPart {
            name: name.into(),
            fraction,
        };
        for (parts, word) in [
            (vec![part("a", 0.5)], "1 parts"),
            (vec![part("a", 0.5), part("b", 0.4)], "add up to 0.9"),
            (vec![part("a", 0.5), part("a", 0.5)], "twice"),
            (vec![part("a", 1.5), part("b", -0.5)], "not above 0"),
            (vec![part("a", f64::NAN), part("b", 0.5)], "not above 0"),
            (vec![part("../a", 0.5), part("b", 0.5)], "name of a folder"),
        ] {
            let error = check(&parts).unwrap_err().to_string();
            assert!(error.contains("--parts") && error.contains(word), "{error}");
        }
    }
}
