//! Reads any sample of a finished dataset, checking it on the way.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::index::{Entry, read_index};
use super::manifest::{INDEX, LEDGER, MANIFEST, Manifest};
use super::parts;
use crate::digest::{hex, sha256, unhex};
use crate::{DataError, Sample, SampleError, ustar};

/// Longest sample that is read, against damaged or hostile indexes.
const MAX_SAMPLE_BYTES: u64 = 1 << 30;

#[derive(Debug)]
struct SampleEntry {
    id: [u8; 16],
    sha256: [u8; 32],
    offset: u64,
    length: u64,
    shard: u32,
    kind: u32,
    source: u32,
    licence: u32,
}

/// Words that many samples share, stored once.
#[derive(Debug, Default)]
struct Words {
    numbers: HashMap<String, u32>,
    list: Vec<String>,
}

impl Words {
    fn number(&mut self, word: String) -> u32 {
        let next = self.list.len() as u32;
        *self.numbers.entry(word).or_insert_with_key(|word| {
            self.list.push(word.clone());
            next
        })
    }
}

/// A sample with its bytes as they lie in the dataset, checked against each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    sample: Sample,
    bytes: Vec<u8>,
}

impl Stored {
    /// What the bytes say.
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    /// Its tar members.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A folder of the dataset, what it says about itself, and which samples are in it.
#[derive(Debug)]
pub(crate) struct PartOfReader {
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Manifest,
    pub(crate) samples: Range<usize>,
}

impl PartOfReader {
    /// Checks index and ledger against the manifest.
    pub(crate) fn verify_lists(&self) -> Result<(), DataError> {
        expect_hash(&self.folder.join(INDEX), &self.manifest.index_sha256)?;
        expect_hash(&self.folder.join(LEDGER), &self.manifest.ledger_sha256)
    }
}

/// A finished dataset; samples are read by position, from many threads if need be.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    /// The dataset itself, or each of its parts.
    parts: Vec<PartOfReader>,
    /// Opened for each sample: a large dataset has more shards than a process may have files.
    shards: Vec<PathBuf>,
    entries: Vec<SampleEntry>,
    words: Words,
}

impl Reader {
    /// Opens the dataset in `folder`, or all the parts `part-R-of-N` of one made by N processes.
    ///
    /// Errors if it is unfinished, or if index, manifest and shards do not agree.
    pub fn open(folder: &Path) -> Result<Self, DataError> {
        let mut reader = Self {
            folder: folder.to_path_buf(),
            parts: Vec::new(),
            shards: Vec::new(),
            entries: Vec::new(),
            words: Words::default(),
        };
        for part in parts::folders(folder)? {
            let manifest = Manifest::read(&part.join(MANIFEST))?;
            let first = reader.entries.len();
            reader.read_part(&part, &manifest)?;
            reader.parts.push(PartOfReader {
                folder: part,
                manifest,
                samples: first..reader.entries.len(),
            });
        }
        Ok(reader)
    }

    fn read_part(&mut self, part: &Path, manifest: &Manifest) -> Result<(), DataError> {
        let mut numbers = HashMap::new();
        for shard in &manifest.shards {
            let path = part.join(&shard.file);
            let file = File::open(&path).map_err(DataError::io(&path))?;
            let found = file.metadata().map_err(DataError::io(&path))?.len();
            if found != shard.bytes {
                let reason = format!("{found} bytes long, the manifest says {}", shard.bytes);
                return Err(DataError::broken(&path, reason));
            }
            numbers.insert(shard.file.clone(), (self.shards.len() as u32, found));
            self.shards.push(path);
        }
        let path = part.join(INDEX);
        let before = self.entries.len();
        let mut wrong = None;
        let (entries, words) = (&mut self.entries, &mut self.words);
        read_index(&path, manifest.samples, |entry| {
            match checked(entry, &numbers, words) {
                Ok(entry) => entries.push(entry),
                Err(reason) => {
                    wrong.get_or_insert(format!("row {}: {reason}", entries.len() - before));
                }
            }
        })?;
        if let Some(reason) = wrong {
            return Err(DataError::broken(&path, reason));
        }
        let (found, expected) = (self.entries.len() - before, manifest.samples);
        if found as u64 != expected {
            let reason = format!("{found} rows, the manifest counts {expected} samples");
            return Err(DataError::broken(&path, reason));
        }
        Ok(())
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no sample at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the dataset says about itself; of one made in parts, what each part says.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.parts.iter().map(|part| &part.manifest)
    }

    /// The folders that hold it.
    pub(crate) fn parts(&self) -> &[PartOfReader] {
        &self.parts
    }

    /// The folder it is in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Task the sample belongs to; the empty string past the end.
    pub fn kind(&self, index: usize) -> &str {
        self.word(index, |entry| entry.kind)
    }

    /// Where the sample comes from; the empty string past the end.
    pub fn source(&self, index: usize) -> &str {
        self.word(index, |entry| entry.source)
    }

    /// Under which licence; the empty string past the end.
    pub fn licence(&self, index: usize) -> &str {
        self.word(index, |entry| entry.licence)
    }

    fn word(&self, index: usize, number: impl Fn(&SampleEntry) -> u32) -> &str {
        self.entries
            .get(index)
            .and_then(|entry| self.words.list.get(number(entry) as usize))
            .map_or("", String::as_str)
    }

    /// Position of the sample of that name.
    pub fn find(&self, id: &str) -> Option<usize> {
        let id = unhex::<16>(id)?;
        self.entries.iter().position(|entry| entry.id == id)
    }

    /// Bytes of the sample in its shard; 0 past the end.
    pub(crate) fn sample_bytes(&self, index: usize) -> u64 {
        self.entries.get(index).map_or(0, |entry| entry.length)
    }

    /// Reads the sample at `index` and checks it against the index.
    pub fn get(&self, index: usize) -> Result<Sample, DataError> {
        Ok(self.stored(index)?.sample)
    }

    /// Reads the sample at `index` with its bytes, checked as [`Reader::get`] does.
    pub fn stored(&self, index: usize) -> Result<Stored, DataError> {
        let (path, entry) = self.entry(index)?;
        let bytes = read_at(path, entry.offset, entry.length)?;
        let wrong = |cause| DataError::Sample {
            path: path.clone(),
            index,
            cause,
        };
        let found = sha256(&bytes);
        if found != entry.sha256 {
            let (found, expected) = (hex(&found), hex(&entry.sha256));
            let reason = format!("they hash to {found}, the index says {expected}");
            return Err(wrong(SampleError::Members(reason)));
        }
        let sample = Sample::from_members(&bytes).map_err(wrong)?;
        if unhex::<16>(&sample.id) != Some(entry.id) {
            let (expected, found) = (hex(&entry.id), sample.id);
            return Err(wrong(SampleError::Id { expected, found }));
        }
        Ok(Stored { sample, bytes })
    }

    /// SHA-256 of each picture of the sample at `index`, without reading the pictures.
    pub(crate) fn image_hashes(&self, index: usize) -> Result<Vec<[u8; 32]>, DataError> {
        let (path, entry) = self.entry(index)?;
        let wrong = |cause| DataError::Sample {
            path: path.clone(),
            index,
            cause,
        };
        let header = read_at(path, entry.offset, entry.length.min(ustar::BLOCK as u64))?;
        let size = ustar::first_size(&header).map_err(|e| wrong(SampleError::Members(e)))?;
        let size = (size as u64).min(entry.length.saturating_sub(ustar::BLOCK as u64));
        let json = read_at(path, entry.offset + ustar::BLOCK as u64, size)?;
        Sample::image_hashes(&json, &hex(&entry.id)).map_err(wrong)
    }

    /// Name of the sample at `index`; the empty string past the end.
    pub fn id(&self, index: usize) -> String {
        self.entries
            .get(index)
            .map_or(String::new(), |entry| hex(&entry.id))
    }

    fn entry(&self, index: usize) -> Result<(&PathBuf, &SampleEntry), DataError> {
        let samples = self.entries.len();
        let entry = self
            .entries
            .get(index)
            .ok_or_else(|| DataError::NoSuchSample {
                path: self.folder.clone(),
                samples,
                index,
            })?;
        Ok((&self.shards[entry.shard as usize], entry))
    }

    /// Reads every byte of the dataset and checks it against its manifest.
    #[cfg(test)]
    pub(crate) fn verify(&self) -> Result<(), DataError> {
        for part in &self.parts {
            part.verify_lists()?;
            for shard in &part.manifest.shards {
                expect_hash(&part.folder.join(&shard.file), &shard.sha256)?;
            }
        }
        (0..self.len()).try_for_each(|index| self.get(index).map(drop))
    }
}

fn checked(
    entry: Entry,
    shards: &HashMap<String, (u32, u64)>,
    words: &mut Words,
) -> Result<SampleEntry, String> {
    let id = unhex(&entry.id).ok_or_else(|| format!("{:?} is no sample name", entry.id))?;
    let sha256 = unhex(&entry.sha256).ok_or_else(|| format!("{:?} is no hash", entry.sha256))?;
    let &(shard, bytes) = shards
        .get(&entry.shard)
        .ok_or_else(|| format!("shard {:?} is not in the manifest", entry.shard))?;
    let end = entry.offset.checked_add(entry.length);
    if end.is_none_or(|end| end > bytes) || entry.length > MAX_SAMPLE_BYTES {
        return Err(format!(
            "{} bytes at {} of {:?}, which has {bytes}",
            entry.length, entry.offset, entry.shard
        ));
    }
    let kind = words.number(entry.kind);
    let source = words.number(entry.source);
    let licence = words.number(entry.licence);
    let (offset, length) = (entry.offset, entry.length);
    Ok(SampleEntry {
        id,
        sha256,
        offset,
        length,
        shard,
        kind,
        source,
        licence,
    })
}

fn read_at(path: &Path, offset: u64, length: u64) -> Result<Vec<u8>, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, offset)
        .map_err(DataError::io(path))?;
    Ok(bytes)
}

fn expect_hash(path: &Path, expected: &str) -> Result<(), DataError> {
    let mut file = File::open(path).map_err(DataError::io(path))?;
    let mut hasher = Sha256::new();
    std::io::copy(&mut file, &mut hasher).map_err(DataError::io(path))?;
    let found = hex(&hasher.finalize());
    if found == expected {
        return Ok(());
    }
    Err(DataError::broken(
        path,
        format!("hashes to {found}, the manifest says {expected}"),
    ))
}
