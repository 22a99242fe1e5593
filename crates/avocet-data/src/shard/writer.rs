//! Writes a dataset so that being killed at any point costs time and nothing else.
//!
//! A shard and its part are closed together, at a place that depends only on the inputs; a
//! restarted writer keeps the closed ones, says how many inputs they cover, and goes on.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use avocet_files::{NewFile, gone, kill_point, remove_folder, remove_partials};
use tracing::info;

use super::index::IndexWriter;
use super::manifest::{INDEX, LEDGER, MANIFEST, Manifest, Recipe, ShardInfo};
use super::part::{LedgerLine, Outcome, PARTS, Part, Row, part_name};
use super::reader::Stored;
use crate::digest::{Hashing, hex, sha256, unhex};
use crate::{DataError, Sample, SampleError, ustar};

const RECIPE: &str = ".recipe.json";
const LOCK: &str = ".lock";
const SCRATCH: &str = "scratch";
/// A part is closed after this many inputs even if few were kept, so that their work is not lost.
const MAX_PART_INPUTS: usize = 65_536;
/// Why an input whose samples are all there already is rejected.
const DUPLICATE: &str = "duplicate of an earlier sample";

/// What became of an input given to [`Writer::keep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// That many of its samples are new and were written.
    New(usize),
    /// All of its samples were there already; the ledger says rejected.
    Duplicate,
}

/// Writes one dataset folder, input by input.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    manifest: Manifest,
    finished: bool,
    seen: HashSet<[u8; 16]>,
    num_parts: usize,
    part: Part,
    tar: Vec<u8>,
    _lock: File,
}

impl Writer {
    /// Begins a dataset in `folder`, or goes on with the one that was begun there.
    ///
    /// Errors if the folder was begun with another recipe, is being written, or is damaged.
    pub fn open(folder: &Path, recipe: Recipe) -> Result<Self, DataError> {
        if !ustar::name_is_plain(&recipe.split) || recipe.split.len() > 40 {
            let reason = format!("field `split`: {:?} cannot begin a file name", recipe.split);
            return Err(DataError::broken(folder, reason));
        }
        fs::create_dir_all(folder).map_err(DataError::io(folder))?;
        let _lock = lock(folder)?;
        let mut writer = Self {
            folder: folder.to_path_buf(),
            manifest: Manifest::empty(recipe),
            finished: false,
            seen: HashSet::new(),
            num_parts: 0,
            part: Part::default(),
            tar: Vec::new(),
            _lock,
        };
        writer.resume()?;
        Ok(writer)
    }

    /// A folder for what is dear to work out again, such as what was heard in a long film: it
    /// outlives a kill, and goes when the dataset is finished.
    ///
    /// Errors if it cannot be made.
    pub fn scratch(&self) -> Result<PathBuf, DataError> {
        let path = self.folder.join(PARTS).join(SCRATCH);
        fs::create_dir_all(&path).map_err(DataError::io(&path))?;
        Ok(path)
    }

    fn resume(&mut self) -> Result<(), DataError> {
        let manifest_path = self.folder.join(MANIFEST);
        if manifest_path.exists() {
            let manifest = Manifest::read(&manifest_path)?;
            self.same_recipe(&manifest.recipe)?;
            self.manifest = manifest;
            self.finished = true;
            return self.remove_scaffolding();
        }
        let recipe_path = self.folder.join(RECIPE);
        if recipe_path.exists() {
            let bytes = fs::read(&recipe_path).map_err(DataError::io(&recipe_path))?;
            let found =
                serde_json::from_slice(&bytes).map_err(|e| DataError::broken(&recipe_path, e))?;
            self.same_recipe(&found)?;
        } else {
            let recipe = serde_json::to_vec(&self.manifest.recipe)
                .map_err(|e| DataError::broken(&recipe_path, e))?;
            avocet_files::write(&recipe_path, &recipe)?;
        }
        let parts = self.folder.join(PARTS);
        fs::create_dir_all(&parts).map_err(DataError::io(&parts))?;
        self.remove_partials()?;
        remove_partials(&parts, |_| true)?;
        while let Some(part) = self.read_part(self.num_parts)? {
            self.count(&part);
            self.num_parts += 1;
        }
        Ok(())
    }

    fn same_recipe(&self, found: &Recipe) -> Result<(), DataError> {
        let asked = &self.manifest.recipe;
        if asked == found {
            return Ok(());
        }
        let json = |recipe| serde_json::to_string(recipe).unwrap_or_default();
        let (found, asked) = (json(found), json(asked));
        Err(DataError::OtherRecipe {
            path: self.folder.clone(),
            found,
            asked,
        })
    }

    /// Reads the part of that number if it and its shard are there and whole.
    fn read_part(&self, number: usize) -> Result<Option<Part>, DataError> {
        let path = self.folder.join(PARTS).join(part_name(number));
        let bytes = match fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(DataError::io(&path))?,
        };
        let Ok(part) = serde_json::from_slice::<Part>(&bytes) else {
            return Ok(None);
        };
        if let Some(shard) = &part.shard {
            let file = self.folder.join(&shard.file);
            if fs::metadata(&file).map(|m| m.len()).ok() != Some(shard.bytes) {
                return Ok(None);
            }
        }
        Ok(Some(part))
    }

    fn count(&mut self, part: &Part) {
        let manifest = &mut self.manifest;
        manifest.images += part.images;
        manifest.samples += part.rows.len() as u64;
        manifest.inputs += part.ledger.len() as u64;
        manifest.shards.extend(part.shard.clone());
        for line in &part.ledger {
            match &line.outcome {
                Outcome::Kept(_) => manifest.kept += 1,
                Outcome::Rejected(why) => *manifest.rejected.entry(why.clone()).or_default() += 1,
            }
        }
        self.seen
            .extend(part.rows.iter().filter_map(|row| unhex::<16>(&row.id)));
    }

    /// Whether the dataset was finished by an earlier run; then nothing is left to do.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Inputs already accounted for: skip this many and give the rest, in the same order.
    pub fn num_inputs(&self) -> u64 {
        self.manifest.inputs + self.part.ledger.len() as u64
    }

    /// Accounts for an input that gave samples.
    ///
    /// Errors if a sample is inconsistent or the disk refuses.
    pub fn keep(&mut self, input: &str, samples: &[Sample]) -> Result<Kept, DataError> {
        self.keep_each(input, samples, |sample| sample, Sample::to_members)
    }

    /// Writes samples of another dataset as they lie there; otherwise as [`Writer::keep`].
    pub fn copy(&mut self, input: &str, samples: &[Stored]) -> Result<Kept, DataError> {
        let write = |stored: &Stored, tar: &mut Vec<u8>| {
            tar.extend_from_slice(stored.bytes());
            Ok(())
        };
        self.keep_each(input, samples, Stored::sample, write)
    }

    fn keep_each<T>(
        &mut self,
        input: &str,
        items: &[T],
        sample: impl Fn(&T) -> &Sample,
        write: impl Fn(&T, &mut Vec<u8>) -> Result<(), SampleError>,
    ) -> Result<Kept, DataError> {
        let mut names = Vec::new();
        for item in items {
            let sample = sample(item);
            let index = self.num_inputs() as usize;
            let named = |cause| DataError::Sample {
                path: self.folder.clone(),
                index,
                cause,
            };
            let offset = self.tar.len();
            let id = unhex::<16>(&sample.id);
            if id.is_some_and(|id| self.seen.contains(&id)) {
                continue;
            }
            write(item, &mut self.tar).map_err(named)?;
            self.seen.extend(id);
            let bytes = &self.tar[offset..];
            self.part.images += sample.images.len() as u64;
            self.part.rows.push(Row {
                id: sample.id.clone(),
                offset: offset as u64,
                length: bytes.len() as u64,
                sha256: hex(&sha256(bytes)),
                kind: sample.kind.clone(),
                text: sample.text(),
                source: sample.source.clone(),
                licence: sample.licence.clone(),
            });
            names.push(sample.id.clone());
        }
        let kept = names.len();
        if kept == 0 {
            let of = items.first().map(|item| sample(item).id.clone());
            let rejected = LedgerLine::new(input, Outcome::Rejected(DUPLICATE.to_string()));
            self.account(LedgerLine { of, ..rejected })?;
            return Ok(Kept::Duplicate);
        }
        self.account(LedgerLine::new(input, Outcome::Kept(names)))?;
        Ok(Kept::New(kept))
    }

    /// Accounts for an input that gave nothing; `reason` is counted, so keep it general.
    pub fn reject(&mut self, input: &str, reason: &str) -> Result<(), DataError> {
        self.account(LedgerLine::new(
            input,
            Outcome::Rejected(reason.to_string()),
        ))
    }

    /// As [`Writer::reject`]; the ledger also keeps what was found in this very input.
    pub fn reject_with_detail(
        &mut self,
        input: &str,
        reason: &str,
        detail: &str,
    ) -> Result<(), DataError> {
        self.account(LedgerLine {
            detail: Some(detail.to_string()),
            ..LedgerLine::new(input, Outcome::Rejected(reason.to_string()))
        })
    }

    /// Accounts for an input that is rejected because of the sample named `of`.
    pub fn reject_for(&mut self, input: &str, reason: &str, of: &str) -> Result<(), DataError> {
        self.account(LedgerLine {
            of: Some(of.to_string()),
            ..LedgerLine::new(input, Outcome::Rejected(reason.to_string()))
        })
    }

    /// Accounts for an input as another dataset's ledger did, with what is left of its samples.
    pub(crate) fn repeat(&mut self, line: LedgerLine) -> Result<(), DataError> {
        self.account(line)
    }

    fn account(&mut self, line: LedgerLine) -> Result<(), DataError> {
        self.part.ledger.push(line);
        kill_point("input accounted");
        let full = self.tar.len() as u64 >= self.manifest.recipe.shard_bytes
            || self.part.ledger.len() >= MAX_PART_INPUTS;
        if full { self.close_part() } else { Ok(()) }
    }

    fn close_part(&mut self) -> Result<(), DataError> {
        let mut part = std::mem::take(&mut self.part);
        let mut tar = std::mem::take(&mut self.tar);
        if !part.rows.is_empty() {
            tar.resize(tar.len() + 2 * ustar::BLOCK, 0);
            let split = &self.manifest.recipe.split;
            let file = format!("{split}-{:05}.tar", self.manifest.shards.len());
            avocet_files::write(&self.folder.join(&file), &tar)?;
            let (bytes, samples) = (tar.len() as u64, part.rows.len() as u64);
            info!(file, samples, bytes, "shard written");
            kill_point("shard written");
            part.shard = Some(ShardInfo {
                file,
                bytes,
                samples,
                sha256: hex(&sha256(&tar)),
            });
        }
        let path = self.folder.join(PARTS).join(part_name(self.num_parts));
        let json = serde_json::to_vec(&part).map_err(|e| DataError::broken(&path, e))?;
        avocet_files::write(&path, &json)?;
        kill_point("part closed");
        self.num_parts += 1;
        self.count(&part);
        tar.clear();
        self.tar = tar;
        Ok(())
    }

    /// Closes the last shard, writes ledger, index and manifest, and tells what is in it all.
    pub fn finish(mut self) -> Result<Manifest, DataError> {
        if self.finished {
            return Ok(self.manifest);
        }
        if !self.part.ledger.is_empty() {
            self.close_part()?;
        }
        let ledger_path = self.folder.join(LEDGER);
        let index_path = self.folder.join(INDEX);
        let mut ledger = Hashing::new(NewFile::create(&ledger_path)?);
        let unreadable = |e| DataError::broken(&index_path, e);
        let index = Hashing::new(NewFile::create(&index_path)?);
        let mut index = IndexWriter::new(index).map_err(unreadable)?;
        for number in 0..self.num_parts {
            let part = self.read_part(number)?.ok_or_else(|| {
                let path = self.folder.join(PARTS).join(part_name(number));
                DataError::broken(&path, "it was there before and is now damaged or gone")
            })?;
            for line in &part.ledger {
                let mut json =
                    serde_json::to_vec(line).map_err(|e| DataError::broken(&ledger_path, e))?;
                json.push(b'\n');
                let written = ledger.write_all(&json);
                written.map_err(DataError::io(&ledger_path))?;
            }
            if let Some(shard) = &part.shard {
                index.append(&shard.file, &part.rows).map_err(unreadable)?;
            }
        }
        let index = index.finish().map_err(unreadable)?;
        for (written, sha256) in [
            (ledger, &mut self.manifest.ledger_sha256),
            (index, &mut self.manifest.index_sha256),
        ] {
            let (file, hash) = written.finish();
            file.commit()?;
            *sha256 = hex(&hash);
        }
        kill_point("index complete");
        let path = self.folder.join(MANIFEST);
        let mut json =
            serde_json::to_vec_pretty(&self.manifest).map_err(|e| DataError::broken(&path, e))?;
        json.push(b'\n');
        avocet_files::write(&path, &json)?;
        let (inputs, samples) = (self.manifest.inputs, self.manifest.samples);
        info!(folder = %self.folder.display(), inputs, samples, "dataset finished");
        kill_point("manifest written");
        self.remove_scaffolding()?;
        Ok(self.manifest)
    }

    /// Removes what a kill left of files of the dataset.
    fn remove_partials(&self) -> Result<(), DataError> {
        let shard = format!("{}-", self.manifest.recipe.split);
        let is_ours = |name: &str| {
            name.starts_with(&shard) || [RECIPE, INDEX, LEDGER, MANIFEST].contains(&name)
        };
        Ok(remove_partials(&self.folder, is_ours)?)
    }

    /// Removes what only an unfinished dataset needs.
    fn remove_scaffolding(&self) -> Result<(), DataError> {
        self.remove_partials()?;
        let parts = self.folder.join(PARTS);
        let recipe = self.folder.join(RECIPE);
        remove_folder(&parts)?;
        gone(fs::remove_file(&recipe)).map_err(DataError::io(&recipe))?;
        let lock = self.folder.join(LOCK);
        gone(fs::remove_file(&lock)).map_err(DataError::io(&lock))
    }
}

/// Takes away what [`Writer::open`] left in `folder`, if no part of the dataset was done.
///
/// Errors if it cannot be taken away.
pub fn abandon(folder: &Path) -> Result<(), DataError> {
    let recipe = folder.join(RECIPE);
    let parts = folder.join(PARTS);
    let done = fs::read_dir(&parts).is_ok_and(|mut entries| entries.next().is_some());
    if done || !recipe.exists() || folder.join(MANIFEST).exists() {
        return Ok(());
    }
    let _lock = lock(folder)?;
    gone(fs::remove_dir(&parts)).map_err(DataError::io(&parts))?;
    gone(fs::remove_file(&recipe)).map_err(DataError::io(&recipe))?;
    let lock = folder.join(LOCK);
    gone(fs::remove_file(&lock)).map_err(DataError::io(&lock))
}

fn lock(folder: &Path) -> Result<File, DataError> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(DataError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(DataError::Busy {
            path: folder.to_path_buf(),
        }),
        Err(fs::TryLockError::Error(e)) => Err(DataError::io(&path)(e)),
    }
}
