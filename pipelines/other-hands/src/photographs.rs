//! Photographs out of the resources of GCompris: what they show, and whether they show a thing of
//! some sort.

use std::sync::Arc;

use drawing::{Package, PackageError};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::asked::{Asked, Made, Maker, yes_or_no};
use crate::error::OtherHandsError;
use crate::licences::free_files;
use crate::names::{Sort, name};
use crate::order::shuffled;
use crate::rcc::{Entry, RccError, Resources};

const WHAT: [&str; 6] = [
    "What is this?",
    "What does the picture show?",
    "What is in the picture?",
    "What do you see?",
    "What is shown here?",
    "Name the thing in the picture.",
];
const SORTS: [(Sort, [&str; 3]); 3] = [
    (
        Sort::Animal,
        [
            "Is this an animal?",
            "Is there an animal in the picture?",
            "Does the picture show an animal?",
        ],
    ),
    (
        Sort::Tool,
        [
            "Is this a tool?",
            "Is there a tool in the picture?",
            "Does the picture show a tool?",
        ],
    ),
    (
        Sort::Building,
        [
            "Is this a building?",
            "Is there a building in the picture?",
            "Does the picture show a building?",
        ],
    ),
];

/// Most bytes that the free photographs of a package and what is said of them unpack to, each as
/// often as it is named.
const MAX_ALL: usize = 256 << 20;

/// Bytes of what is said of a folder of them.
const MAX_README: usize = 1 << 20;

/// A photograph that anybody may use; unpacked when it is shown.
#[derive(Debug, Clone)]
pub(crate) struct Photograph {
    /// Its path in the program's sources.
    pub path: String,
    /// Its licence.
    pub licence: String,
    archive: Arc<Archive>,
    entry: Entry,
}

/// A member of a package with photographs in it.
#[derive(Debug)]
struct Archive {
    package: Package,
    member: String,
    resources: Resources,
}

impl Archive {
    fn unpacked(&self, entry: &Entry) -> Result<Vec<u8>, PackageError> {
        let contents = self.resources.contents(entry);
        contents.map_err(|error| self.package.broken(&self.member, error))
    }
}

impl Photograph {
    /// The file.
    ///
    /// Errors if it does not unpack, which was tried when it was found.
    pub fn file(&self) -> Result<Vec<u8>, PackageError> {
        self.archive.unpacked(&self.entry)
    }
}

/// All photographs of a package that are in the public domain or under CC0, by their paths.
///
/// Errors if resources of it cannot be read or unpack to too much, or there is no such photograph.
pub(crate) fn free_photographs(package: &Package) -> Result<Vec<Photograph>, OtherHandsError> {
    free_within(package, MAX_ALL)
}

/// As [`free_photographs`], of no more than so many bytes.
fn free_within(package: &Package, most: usize) -> Result<Vec<Photograph>, OtherHandsError> {
    let (mut found, mut left) = (Vec::new(), most);
    for member in package.files(&[".rcc"])? {
        let broken = |error: RccError| package.broken(&member, error);
        let archive = Arc::new(Archive {
            resources: Resources::read(package.read(&member)?).map_err(broken)?,
            package: package.clone(),
            member: member.clone(),
        });
        let mut unpacked = |entry: &Entry| -> Result<Vec<u8>, PackageError> {
            let file = archive.unpacked(entry)?;
            // Its path is kept for each time that it is named.
            let rest = left
                .checked_sub(file.len() + entry.path.len())
                .ok_or_else(|| {
                    package.broken(
                        &member,
                        format!("its photographs unpack to more than {most} bytes"),
                    )
                })?;
            left = rest;
            Ok(file)
        };
        let entries = &archive.resources.entries;
        let is_readme = |path: &str| path == "README" || path.ends_with("/README");
        for readme in entries.iter().filter(|one| is_readme(&one.path)) {
            let text = unpacked(readme)?;
            if text.len() > MAX_README {
                let reason = format!("{} has more than {MAX_README} bytes", readme.path);
                return Err(package.broken(&member, reason).into());
            }
            let folder = readme.path.trim_end_matches("README");
            for (file, licence) in free_files(&String::from_utf8_lossy(&text)) {
                let path = format!("{folder}{file}");
                let photograph = |path: &str| path.ends_with(".webp") || path.ends_with(".jpg");
                let entry = entries.iter().find(|one| one.path == path);
                if let Some(entry) = entry.filter(|one| photograph(&one.path)) {
                    unpacked(entry)?;
                    found.push(Photograph {
                        path,
                        licence: licence.to_owned(),
                        archive: archive.clone(),
                        entry: entry.clone(),
                    });
                }
            }
        }
    }
    if found.is_empty() {
        return Err(package.broken("", "no free photograph in it").into());
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The set: names and yes or no by turns.
pub(crate) struct Photographs {
    source: String,
    named: Vec<Photograph>,
    sorted: Vec<Photograph>,
}

impl Photographs {
    /// Reads the photographs that have names here.
    ///
    /// Errors as [`free_photographs`] does.
    pub fn load(package: &Package, rng: &mut ChaCha8Rng) -> Result<Self, OtherHandsError> {
        let known = free_photographs(package)?.into_iter();
        let known: Vec<_> = known.filter(|one| name(&one.path).is_some()).collect();
        let has_name = |one: &&Photograph| name(&one.path).is_some_and(|(n, _)| !n.is_empty());
        let named: Vec<_> = known.iter().filter(has_name).cloned().collect();
        if named.is_empty() {
            return Err(package
                .broken("", "no photograph of a thing with a name")
                .into());
        }
        Ok(Self {
            source: package.name.clone(),
            named: shuffled(named, rng),
            sorted: shuffled(known, rng),
        })
    }

    fn asked(
        &self,
        of: &Photograph,
        kind: &'static str,
        question: &str,
        answers: Vec<String>,
    ) -> Result<Made, OtherHandsError> {
        Ok(Made::Asked(vec![Asked {
            kind,
            source: self.source.clone(),
            licence: of.licence.clone(),
            picture: of.file()?,
            question: question.to_owned(),
            answers,
            spelled: false,
        }]))
    }

    /// Whether it is of a sort, as often yes as no.
    fn yes_no(&self, number: usize, rng: &mut ChaCha8Rng) -> Result<Made, OtherHandsError> {
        let yes = number.is_multiple_of(2);
        let (sort, wordings) = SORTS.choose(rng).expect("there are sorts");
        let start = rng.random_range(0..self.sorted.len());
        let mut turned = (self.sorted[start..].iter()).chain(&self.sorted[..start]);
        let fits = |one: &&Photograph| {
            name(&one.path).is_some_and(|(_, other)| match yes {
                true => other == *sort,
                // A dam may be a building and a pan a tool; neither is an animal.
                false => other != *sort && (*sort == Sort::Animal || other != Sort::Other),
            })
        };
        let question = wordings.choose(rng).expect("there are wordings");
        match turned.find(fits) {
            Some(one) => self.asked(one, "photograph-yes-no", question, yes_or_no(yes)),
            None => Ok(Made::Unfit("no photograph of that sort")),
        }
    }
}

impl Maker for Photographs {
    fn len(&self) -> usize {
        2 * self.named.len()
    }

    fn make(&self, index: usize, rng: &mut ChaCha8Rng) -> Result<Made, OtherHandsError> {
        if index % 2 == 1 {
            return self.yes_no(index / 2, rng);
        }
        let one = &self.named[index / 2];
        let names = name(&one.path).map_or(&[][..], |(names, _)| names);
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let question = WHAT.choose(rng).expect("there are wordings");
        self.asked(one, "photograph-name", question, names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use rand::SeedableRng;

    #[test]
    fn names_have_synonyms_and_yes_is_as_frequent_as_no() {
        let fixture = fixture::packages();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let set = Photographs::load(&fixture.gcompris, &mut rng).unwrap();
        let (mut yes, mut no, mut named) = (0, 0, 0);
        for index in 0..set.len() {
            let Made::Asked(asked) = set.make(index, &mut rng).unwrap() else {
                continue;
            };
            assert!(asked[0].licence.contains("public-domain") || asked[0].licence == "CC0-1.0");
            match asked[0].answers[0].as_str() {
                "yes" => yes += 1,
                "no" => no += 1,
                _ => named += 1,
            }
            assert!(!asked[0].picture.is_empty());
        }
        assert_eq!(named, set.named.len());
        assert!(yes > 0 && no > 0, "{yes} {no}");
        assert!(set.named.iter().all(|one| !one.path.contains("owl")));
    }

    #[test]
    fn photographs_that_unpack_to_too_much_are_refused_and_are_not_held() {
        let fixture = fixture::packages();
        let found = free_photographs(&fixture.gcompris).unwrap();
        for one in &found {
            assert!(image::load_from_memory(&one.file().unwrap()).is_ok());
        }
        // What is said of them counts as well, so that so much is too little.
        let bytes: usize = found.iter().map(|one| one.file().unwrap().len()).sum();
        let error = free_within(&fixture.gcompris, bytes)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("gcompris") && error.contains(&format!("more than {bytes} bytes")),
            "{error}"
        );
    }
}
