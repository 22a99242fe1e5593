//! The pipeline: every input to samples, every sample into a shard.

use crate::args::Args;
use crate::documents::join;
use crate::error::PlainTextError;
use crate::inputs::{self, Input, Material};
use crate::questions;
use crate::wordnet::{Kinds, Speech, Synset};
use avocet_data::shard::{Manifest, Writer};
use avocet_data::{Content, Sample};
use avocet_fetch::Sources;
use avocet_text::Turn;
use pipeline::{Outcome, Split, account, fnv1a, rest};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::path::Path;

/// Pages that list others; they hold no sentences.
const LISTS: [&str; 6] = [
    "genindex",
    "py-modindex",
    "search.html",
    "contents.html",
    "index.html",
    "changelog",
];

/// Makes the dataset, or the rest of one that was begun.
///
/// Errors if a source cannot be fetched, a file cannot be read, or the dataset cannot be written.
pub fn make(args: &Args) -> Result<Manifest, PlainTextError> {
    args.run.check()?;
    let files = inputs::files(&args.files)?;
    let mut maker = Maker {
        seed: args.run.seed,
        longest: args.longest as usize,
        kinds: Kinds::default(),
        origins: Vec::new(),
    };
    let (mut all, mut fetched) = (Vec::new(), None);
    if !args.files_only {
        let sources = &*fetched.insert(Sources::open(args.manifest.as_deref())?);
        let (synsets, kinds) = inputs::wordnet(&sources.folder("wordnet")?)?;
        maker.kinds = kinds;
        all.extend(synsets);
        all.extend(inputs::python_pages(&sources.folder("python-doc")?)?);
        for name in ["wordnet", "python-doc"] {
            maker
                .origins
                .push((name.into(), sources.get(name)?.licence.clone()));
        }
    }
    all.extend(files);
    maker.origins.push(("file".into(), args.licence.clone()));
    let names: Vec<&str> = args.files.iter().filter_map(|path| path.to_str()).collect();
    let mut settings = json!({
        "files": names, "files_only": args.files_only, "licence": args.licence,
        "longest": args.longest, "origins": maker.origins,
    });
    if let Some(sources) = &fetched {
        sources.record(&mut settings);
    }
    all.retain(|input| Split::of_name(&input.name) == args.split);
    let writer = args.run.open("plain-text", args.split, settings)?;
    write(writer, &maker, &all[args.run.share(all.len())])
}

fn write(mut writer: Writer, maker: &Maker, inputs: &[Input]) -> Result<Manifest, PlainTextError> {
    for input in rest(&writer, inputs) {
        account(&mut writer, &input.name, maker.outcome(input)?)?;
    }
    Ok(writer.finish()?)
}

struct Maker {
    seed: u64,
    /// Bytes of the longest document.
    longest: usize,
    kinds: Kinds,
    /// Licences by the first part of inputs' names.
    origins: Vec<(String, String)>,
}

impl Maker {
    fn outcome(&self, input: &Input) -> Result<Outcome, PlainTextError> {
        match &input.material {
            Material::NoSynset => Ok(Outcome::Rejected("not a synset")),
            Material::Synsets(speech, synsets) => self
                .of_synsets(input, *speech, synsets)
                .map(Outcome::Samples),
            Material::Page(_) if LISTS.iter().any(|list| input.name.contains(list)) => {
                Ok(Outcome::Rejected("a list of other pages"))
            }
            Material::Page(path) => self.of_text(input, path, reading::blocks),
            Material::File(path) => self.of_text(input, path, reading::paragraphs),
        }
    }

    fn of_text(
        &self,
        input: &Input,
        path: &Path,
        blocks: impl Fn(&str) -> Vec<String>,
    ) -> Result<Outcome, PlainTextError> {
        let text = match reading::read(path).map_err(PlainTextError::io(path))? {
            Ok(text) => text,
            Err(reason) => return Ok(Outcome::Rejected(reason)),
        };
        let documents = join(&blocks(&reading::keyboard(&text)), self.longest);
        if documents.is_empty() {
            return Ok(Outcome::Rejected("hardly any text"));
        }
        let made = documents
            .into_iter()
            .map(|document| self.document(input, "document", document));
        made.collect::<Result<_, _>>().map(Outcome::Samples)
    }

    fn of_synsets(
        &self,
        input: &Input,
        speech: Speech,
        synsets: &[Synset],
    ) -> Result<Vec<Sample>, PlainTextError> {
        let entries: Vec<String> = synsets
            .iter()
            .map(|synset| questions::entry(speech, synset))
            .collect();
        let documents = join(&entries, self.longest).into_iter();
        let mut samples: Vec<Sample> = documents
            .map(|document| self.document(input, "gloss", document))
            .collect::<Result<_, _>>()?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ fnv1a(&input.name));
        for synset in synsets {
            let asked = questions::ask((speech, synset), &self.kinds, synsets, &mut rng);
            let turns = vec![Turn::user(asked.question), Turn::assistant(asked.answer)];
            samples.push(self.sample(input, asked.kind, Content::Turns(turns))?);
        }
        Ok(samples)
    }

    fn document(&self, input: &Input, kind: &str, text: String) -> Result<Sample, PlainTextError> {
        self.sample(input, kind, Content::text(text))
    }

    fn sample(
        &self,
        input: &Input,
        kind: &str,
        content: Content,
    ) -> Result<Sample, PlainTextError> {
        let origin = input.name.split('/').next().unwrap_or_default();
        let licence = self.origins.iter().find(|(name, _)| name == origin);
        let licence = licence.map_or("unstated", |(_, licence)| licence);
        Sample::new(kind, origin, licence, Vec::new(), content).map_err(|cause| {
            PlainTextError::Sample {
                input: input.name.clone(),
                cause,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wordnet::tests::NOUNS;
    use avocet_data::shard::{Reader, Recipe};
    use pipeline::RunArgs;
    use std::fs;
    use std::path::PathBuf;

    fn fixture() -> (tempfile::TempDir, Maker, Vec<Input>) {
        let folder = tempfile::tempdir().unwrap();
        let wordnet = folder.path().join("usr/share/wordnet");
        fs::create_dir_all(&wordnet).unwrap();
        let nouns = format!("  1 a licence\n{}\nno synset\n", NOUNS.join("\n"));
        fs::write(wordnet.join("data.noun"), nouns).unwrap();
        for name in ["data.verb", "data.adj", "data.adv"] {
            fs::write(wordnet.join(name), "").unwrap();
        }
        let pages = folder.path().join("usr/share/doc/python3.11/html/library");
        fs::create_dir_all(&pages).unwrap();
        let page =
            "<div role=\"main\"><h1>bisect</h1><p>This keeps a list in order, cheaply.</p></div>";
        fs::write(pages.join("bisect.html"), page).unwrap();
        fs::write(pages.join("genindex.html"), page).unwrap();
        fs::write(pages.join("empty.html"), "<p></p>").unwrap();
        let (mut inputs, kinds) = inputs::wordnet(folder.path()).unwrap();
        inputs.extend(inputs::python_pages(folder.path()).unwrap());
        let origins = vec![
            ("wordnet".into(), "WordNet-3.0".into()),
            ("python-doc".into(), "PSF-2.0".into()),
        ];
        (
            folder,
            Maker {
                seed: 7,
                longest: 1200,
                kinds,
                origins,
            },
            inputs,
        )
    }

    fn writer(output: &Path) -> Writer {
        Writer::open(output, Recipe::new("plain-text", "train", 7, json!({}))).unwrap()
    }

    fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
            .iter()
            .map(|path| (path.file_name().unwrap().into(), fs::read(path).unwrap()))
            .collect()
    }

    #[test]
    fn every_input_is_kept_or_rejected_with_a_reason() {
        let (folder, maker, inputs) = fixture();
        let output = folder.path().join("out");
        let made = write(writer(&output), &maker, &inputs).unwrap();
        assert_eq!(made.inputs, inputs.len() as u64);
        assert_eq!(made.inputs, made.kept + made.rejected.values().sum::<u64>());
        assert_eq!((made.inputs, made.kept), (5, 2));
        let reasons: Vec<&str> = made.rejected.keys().map(String::as_str).collect();
        assert_eq!(
            reasons,
            ["a list of other pages", "hardly any text", "not a synset"]
        );
        // One document and a question a synset, and one page.
        assert_eq!(made.samples, 1 + 3 + 1);
        let reader = Reader::open(&output).unwrap();
        let texts: Vec<String> = (0..reader.len())
            .map(|i| reader.get(i).unwrap().text())
            .collect();
        assert!(
            texts
                .iter()
                .any(|text| text == "bisect\nThis keeps a list in order, cheaply."),
            "{texts:?}"
        );
        assert!(
            texts
                .iter()
                .any(|text| text.starts_with("animal (noun): a living thing"))
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let (folder, maker, inputs) = fixture();
        let made = |name: &str| {
            let output = folder.path().join(name);
            write(writer(&output), &maker, &inputs).unwrap();
            tree(&output)
        };
        assert_eq!(made("a"), made("b"));
    }

    fn args(files: Vec<PathBuf>, output: PathBuf) -> Args {
        Args {
            files,
            run: RunArgs {
                output,
                seed: 1,
                rank: 0,
                world: 1,
                shard_bytes: 64 << 20,
            },
            split: Split::Train,
            files_only: true,
            longest: 1200,
            licence: "CC0-1.0".into(),
            manifest: Some("none.toml".into()),
        }
    }

    #[test]
    fn given_files_become_documents_of_their_licence() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("story.md");
        fs::write(
            &text,
            "# A story\n\nIt was a dark and stormy night; the rain fell.",
        )
        .unwrap();
        let broken = folder.path().join("broken.txt");
        fs::write(&broken, b"\xFF\xFE").unwrap();
        let output = folder.path().join("out");
        let made = make(&args(vec![text, broken], output.clone())).unwrap();
        assert_eq!(
            (made.samples, made.kept, made.rejected["not UTF-8"]),
            (1, 1, 1)
        );
        let sample = Reader::open(&output).unwrap().get(0).unwrap();
        assert_eq!(sample.licence, "CC0-1.0");
        assert!(
            sample.text().starts_with("# A story\nIt was"),
            "{}",
            sample.text()
        );
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |args: &Args| make(args).unwrap_err().to_string();
        let picture = args(vec!["picture.png".into()], folder.path().join("out"));
        assert!(refused(&picture).contains("picture.png"));
        let gone = args(vec!["gone.txt".into()], folder.path().join("out"));
        assert!(refused(&gone).contains("gone.txt"));
        let mut ranks = args(Vec::new(), folder.path().join("out"));
        (ranks.run.rank, ranks.run.world) = (2, 2);
        assert!(refused(&ranks).contains("--rank is 2, but must be below --world, which is 2"));
    }

    #[test]
    fn the_ranks_share_the_inputs_out_and_merge_to_the_single_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = |index: usize| {
            let path = folder.path().join(format!("{index}.txt"));
            fs::write(
                &path,
                format!("{index} is a number that stands in this little text"),
            )
            .unwrap();
            path
        };
        let files: Vec<PathBuf> = (0..7).map(file).collect();
        let mut inputs = 0;
        for rank in 0..3 {
            let mut args = args(files.clone(), folder.path().join("out"));
            (args.run.rank, args.run.world) = (rank, 3);
            inputs += make(&args).unwrap().inputs;
        }
        let taken = files.iter().filter(|path| {
            Split::of_name(&format!("file/{}", path.file_name().unwrap().display())) == Split::Train
        });
        assert_eq!(inputs, taken.count() as u64);

        make(&args(files, folder.path().join("single"))).unwrap();
        let (parts, merged) = (folder.path().join("out"), folder.path().join("merged"));
        let layout = avocet_data::Layout::default();
        avocet_data::merge(&[parts], &merged, &layout, &|_, _| {}).unwrap();
        for file in ["train-00000.tar", "index.parquet", "ledger.jsonl"] {
            let read = |name: &str| fs::read(folder.path().join(name).join(file)).unwrap();
            assert_eq!(read("merged"), read("single"), "{file}");
        }
    }
}
