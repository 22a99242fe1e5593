//! The pass over the datasets: each sample is compared with those kept before it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use avocet_text::turn::shown;
use serde_json::{Value, json};

use super::DedupOptions;
use super::fingerprint::Fingerprint;
use super::index::{PictureIndex, TextIndex};
use super::text::Shingles;
use crate::digest::sha256;
use crate::shard::{Manifest, Stored, Writer};
use crate::sources::{Address, Datasets, Layout, OnProgress};
use crate::{Content, DataError};

/// Copies `folders` to a dataset in `output` without what repeats, is held out, or opted out.
///
/// Of samples that are the same the first is kept; the ledger says of each other one which that
/// was. Needs about 150 bytes of memory a sample, 600 more a picture that is compared from afar
/// and 900 more a text of 30 words or more; held-out datasets count the same.
///
/// Errors if an option is out of range, a dataset is damaged, or `output` cannot be written.
pub fn dedup(
    folders: &[PathBuf],
    output: &Path,
    options: &DedupOptions,
    layout: &Layout,
    progress: OnProgress<'_>,
) -> Result<Manifest, DataError> {
    for (option, value) in [
        ("--picture-similarity", options.picture_similarity),
        ("--text-similarity", options.text_similarity),
    ] {
        if !(value > 0.0 && value <= 1.0) {
            let reason = format!("{value} is not above 0 and at most 1");
            return Err(DataError::option(option, reason));
        }
    }
    let datasets = Datasets::open(folders, output)?;
    let against = match options.against.is_empty() {
        true => None,
        false => Some(Datasets::open(&options.against, output)?),
    };
    let recipe = datasets.recipe("dedup", settings(options, against.as_ref()), layout);
    let mut writer = Writer::open(output, recipe)?;
    if writer.is_finished() {
        return writer.finish();
    }
    let pool = layout.pool()?;
    let held_out_samples = against.as_ref().map_or(0, Datasets::len);
    let total = (held_out_samples + datasets.len()) as u64;
    let mut done = 0;
    let look = |stored: Stored| {
        let fingerprint = Fingerprint::of(stored.sample(), options);
        (stored, fingerprint)
    };
    let mut held_out = Known::new(options);
    if let Some(against) = &against {
        let look = |stored| look(stored).1;
        against.read(&pool, against.addresses(), look, |address, print| {
            held_out.hold_out(address, &print);
            done += 1;
            progress(done, total);
            Ok(())
        })?;
    }
    let mut known = Known::new(options);
    let mut to_skip = writer.num_inputs();
    datasets.read(
        &pool,
        datasets.addresses(),
        look,
        |address, (stored, print)| {
            let name = datasets.sample_name(address);
            let repeats = repeats(
                (&stored, &print),
                (&known, &datasets),
                against.as_ref().map(|against| (&held_out, against)),
                options,
            )?;
            if repeats.is_none() {
                known.keep(address, &print, options);
            }
            // What an earlier run wrote is decided again, but not written.
            if to_skip > 0 {
                to_skip -= 1;
            } else if let Some((reason, of)) = repeats {
                writer.reject_for(&name, reason, &of)?;
            } else {
                writer.copy(&name, &[stored])?;
            }
            done += 1;
            progress(done, total);
            Ok(())
        },
    )?;
    writer.finish()
}

/// What decides the bytes; the lists by their content.
fn settings(options: &DedupOptions, against: Option<&Datasets>) -> Value {
    let against = against.map(|against| {
        let manifests = against
            .readers()
            .iter()
            .flat_map(|reader| reader.manifests());
        let hash = |manifest: &Manifest| manifest.index_sha256.clone();
        manifests.map(hash).collect::<Vec<_>>()
    });
    json!({
        "pictures": options.pictures, "picture_similarity": options.picture_similarity,
        "said": options.said, "texts": options.texts,
        "text_similarity": options.text_similarity, "against_index_sha256": against,
        "opt_out_sha256": options.opt_out.as_ref().map(super::OptOut::hash),
    })
}

/// Why a sample is left out, and because of which other or which entry of the list.
fn repeats(
    (stored, print): (&Stored, &Fingerprint),
    (known, datasets): (&Known, &Datasets),
    held_out: Option<(&Known, &Datasets)>,
    options: &DedupOptions,
) -> Result<Option<(&'static str, String)>, DataError> {
    if let Some(list) = &options.opt_out
        && let Some(entry) = list.names(stored.sample(), &print.files)
    {
        return Ok(Some(("on the opt-out list", entry)));
    }
    let name =
        |datasets: &Datasets, (source, sample): Address| datasets.readers()[source].id(sample);
    if let Some((held_out, datasets)) = held_out
        && let Some((how, of)) = held_out.is_held_out(print, datasets)?
    {
        return Ok(Some((how, name(datasets, of))));
    }
    let found = known.find(print, datasets, options)?;
    Ok(found.map(|(how, of)| (how, name(datasets, of))))
}

/// What has been kept, or is held out.
struct Known {
    addresses: Vec<(u32, u32)>,
    /// By what all pictures show and, if that counts, what is said; or by a text alone.
    exact: HashMap<[u8; 16], u32>,
    pictures: PictureIndex,
    texts: TextIndex,
}

impl Known {
    fn new(options: &DedupOptions) -> Self {
        Self {
            addresses: Vec::new(),
            exact: HashMap::new(),
            pictures: PictureIndex::new(options.picture_similarity),
            texts: TextIndex::new(options.text_similarity),
        }
    }

    fn add(&mut self, (source, sample): Address) -> u32 {
        self.addresses.push((source as u32, sample as u32));
        self.addresses.len() as u32 - 1
    }

    fn address(&self, number: u32) -> Address {
        let (source, sample) = self.addresses[number as usize];
        (source as usize, sample as usize)
    }

    /// Holds out every picture and the text of a sample, whatever else is said.
    fn hold_out(&mut self, address: Address, print: &Fingerprint) {
        let number = self.add(address);
        for (index, pixels) in print.pixels.iter().enumerate() {
            self.exact.entry(of_picture(pixels)).or_insert(number);
            if let Some(looks) = print.thumbnails.get(index) {
                self.pictures.insert(number, std::slice::from_ref(looks), 0);
            }
        }
        if print.text_alone {
            self.exact.entry(print.said).or_insert(number);
        }
        if let Some(text) = &print.text {
            self.texts.insert(number, text);
        }
    }

    /// How the sample touches what is held out, and where.
    fn is_held_out(
        &self,
        print: &Fingerprint,
        datasets: &Datasets,
    ) -> Result<Option<(&'static str, Address)>, DataError> {
        for (index, pixels) in print.pixels.iter().enumerate() {
            if let Some(&number) = self.exact.get(&of_picture(pixels)) {
                return Ok(Some(("shows a held-out picture", self.address(number))));
            }
            let looks = print.thumbnails.get(index);
            let near = |looks| self.pictures.find(std::slice::from_ref(looks), 0);
            if let Some(number) = looks.and_then(near) {
                let how = "shows nearly a held-out picture";
                return Ok(Some((how, self.address(number))));
            }
        }
        if print.text_alone
            && let Some(&number) = self.exact.get(&print.said)
        {
            return Ok(Some(("says a held-out text", self.address(number))));
        }
        let near = self.near_text(print, datasets)?;
        Ok(near.map(|number| ("says nearly a held-out text", self.address(number))))
    }

    fn keep(&mut self, address: Address, print: &Fingerprint, options: &DedupOptions) {
        let number = self.add(address);
        if let Some(key) = print.exact(options.said) {
            self.exact.entry(key).or_insert(number);
        }
        self.pictures
            .insert(number, &print.thumbnails, salt(print, options));
        if let Some(text) = &print.text {
            self.texts.insert(number, text);
        }
    }

    /// Which sample this one repeats, and how.
    fn find(
        &self,
        print: &Fingerprint,
        datasets: &Datasets,
        options: &DedupOptions,
    ) -> Result<Option<(&'static str, Address)>, DataError> {
        let seen = !print.pixels.is_empty();
        let exact = print
            .exact(options.said)
            .and_then(|key| self.exact.get(&key));
        if let Some(&number) = exact {
            let how = match (seen, options.said) {
                (true, true) => "the same pictures and words as an earlier sample",
                (true, false) => "the same pictures as an earlier sample",
                (false, _) => "the same text as an earlier sample",
            };
            return Ok(Some((how, self.address(number))));
        }
        if let Some(number) = self.pictures.find(&print.thumbnails, salt(print, options)) {
            let how = match options.said {
                true => "nearly the same pictures and the same words as an earlier sample",
                false => "nearly the same pictures as an earlier sample",
            };
            return Ok(Some((how, self.address(number))));
        }
        let near = self.near_text(print, datasets)?;
        let how = "nearly the same text as an earlier sample";
        Ok(near.map(|number| (how, self.address(number))))
    }

    fn near_text(
        &self,
        print: &Fingerprint,
        datasets: &Datasets,
    ) -> Result<Option<u32>, DataError> {
        let Some(text) = &print.text else {
            return Ok(None);
        };
        self.texts.find(text, |number| {
            let (source, sample) = self.address(number);
            let sample = datasets.readers()[source].get(sample)?;
            Ok(match sample.content {
                Content::Document(parts) => Shingles::of(&shown(&parts)),
                Content::Turns(_) => None,
            })
        })
    }
}

fn of_picture(pixels: &[u8; 32]) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&sha256(pixels)[..16]);
    key
}

/// Pictures are only compared among samples that say the same, if that counts.
fn salt(print: &Fingerprint, options: &DedupOptions) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = print.said;
    match options.said {
        true => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        false => 0,
    }
}
