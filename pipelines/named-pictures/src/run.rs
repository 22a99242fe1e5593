//! The pipeline: sample numbers to pictures, on all cores, and in order into shards.

use std::io::Write;

use avocet_data::shard::{Manifest, Writer};
use avocet_data::{Content, Sample};
use avocet_fetch::Sources;
use avocet_text::Turn;
use drawing::{Package, TYPEFACES};
use pipeline::{Outcome, in_order};
use rayon::ThreadPool;
use rayon::prelude::*;
use serde_json::json;

use crate::args::Args;
use crate::drawn::{Drawing, Drawn};
use crate::error::NamedPicturesError;
use crate::generator::PictureGenerator;
use crate::kinds::Kind;

/// Samples drawn at once before they are written.
const DRAWN_AT_ONCE: usize = 512;
/// The longest line that can be asked for.
const MOST_CHARS: usize = 64;

/// Makes the dataset, or the rest of one that was begun.
///
/// Errors if a flag is out of range, a package cannot be fetched or is not what it should
/// be, or the dataset cannot be written.
pub fn make(args: &Args) -> Result<Manifest, NamedPicturesError> {
    args.run.check()?;
    check(args)?;
    let sources = Sources::open(args.manifest.as_deref())?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.jobs)
        .build()?;
    let mut generators = Vec::new();
    for kind in kinds(args) {
        let mut names = kind.packages(args.split);
        if kind.draws_in_every_typeface(args.split) {
            names.extend(sources.named(TYPEFACES));
        }
        let open = |name: &&str| Package::open(&sources, name);
        let packages =
            pool.install(|| names.par_iter().map(open).collect::<Result<Vec<_>, _>>())?;
        let generator =
            pool.install(|| PictureGenerator::load(kind, args.split, args.max_chars, &packages))?;
        if !generator.left_out.is_empty() {
            let (kind, left_out) = (kind.name(), generator.left_out.len());
            if tracing::enabled!(tracing::Level::INFO) {
                tracing::info!(kind, left_out, "things left out");
            } else {
                // Nobody is left to tell when stderr is closed.
                let _ = writeln!(std::io::stderr(), "{kind}: {left_out} things left out");
            }
        }
        generators.push(generator);
    }
    let mut settings = json!({
        "kinds": generators.iter().map(|generator| generator.kind().name()).collect::<Vec<_>>(),
        "count": args.count, "max_chars": args.max_chars,
    });
    sources.record(&mut settings);
    let inputs = inputs(&generators, args.count);
    let writer = args.run.open("named-pictures", args.split, settings)?;
    let mine = &inputs[args.run.share(inputs.len())];
    write(writer, mine, args.run.seed, &pool)
}

fn check(args: &Args) -> Result<(), NamedPicturesError> {
    if (1..=MOST_CHARS).contains(&args.max_chars) {
        return Ok(());
    }
    Err(NamedPicturesError::Flag {
        flag: "max-chars",
        got: args.max_chars,
        range: format!("1 to {MOST_CHARS}"),
    })
}

/// The kinds asked for, each once, or all that the split has.
fn kinds(args: &Args) -> Vec<Kind> {
    let all = Kind::ALL.into_iter();
    if args.kinds.is_empty() {
        all.filter(|kind| kind.has(args.split) && !kind.needs_browser())
            .collect()
    } else {
        all.filter(|kind| args.kinds.contains(kind)).collect()
    }
}

/// A sample to draw: by whom and its number.
type Input<'a> = (&'a PictureGenerator, usize);

/// The first `count` samples of every generator, or all that there are.
fn inputs(generators: &[PictureGenerator], count: usize) -> Vec<Input<'_>> {
    let numbers = |generator: &PictureGenerator| {
        let count = count.div_ceil(generator.at_once());
        0..generator.limit().map_or(count, |limit| limit.min(count))
    };
    generators
        .iter()
        .flat_map(|generator| numbers(generator).map(move |n| (generator, n)))
        .collect()
}

/// Draws the inputs that are not yet accounted for and writes them in order.
fn write(
    writer: Writer,
    inputs: &[Input<'_>],
    seed: u64,
    pool: &ThreadPool,
) -> Result<Manifest, NamedPicturesError> {
    let name = |(generator, index): &Input<'_>| format!("{}/{index:07}", generator.kind().name());
    let draw = |(generator, index): &Input<'_>| outcome(generator, seed, *index);
    in_order(writer, inputs, (pool, DRAWN_AT_ONCE), name, draw)
}

fn outcome(
    generator: &PictureGenerator,
    seed: u64,
    index: usize,
) -> Result<Outcome, NamedPicturesError> {
    let all = match generator.draw(seed, index)? {
        Drawing::Done(drawn) => vec![drawn],
        Drawing::Several(all) if all.is_empty() => {
            return Ok(Outcome::Rejected("the browser shows none of the page"));
        }
        Drawing::Several(all) => all,
        Drawing::Unfit(_) => {
            return Ok(Outcome::Rejected("the face lacks a character of the line"));
        }
    };
    let samples = all.into_iter().map(|drawn| sample(generator.kind(), drawn));
    Ok(Outcome::Samples(samples.collect::<Result<_, _>>()?))
}

fn sample(kind: Kind, drawn: Drawn) -> Result<Sample, NamedPicturesError> {
    let asked = std::iter::once((drawn.question, drawn.answer)).chain(drawn.more);
    let mut turns = Vec::new();
    for (number, (question, answer)) in asked.enumerate() {
        turns.push(Turn::about(usize::from(number == 0), question));
        turns.push(if kind.is_transcribed() {
            Turn::transcription(answer)
        } else {
            Turn::assistant(answer)
        });
    }
    let sample = Sample::new(
        kind.name(),
        &drawn.source,
        &drawn.licence,
        vec![(drawn.image, drawn.truth)],
        Content::Turns(turns),
    )?;
    Ok(if drawn.also_right.is_empty() {
        sample
    } else {
        sample.accepting(drawn.also_right)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use avocet_data::shard::{Reader, Recipe};
    use pipeline::{RunArgs, Split, account};
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    fn pool(jobs: usize) -> ThreadPool {
        rayon::ThreadPoolBuilder::new()
            .num_threads(jobs)
            .build()
            .unwrap()
    }

    fn run(rank: usize, world: usize) -> RunArgs {
        RunArgs {
            output: "nowhere".into(),
            seed: 0,
            rank,
            world,
            shard_bytes: 64 << 20,
        }
    }

    fn recipe() -> Recipe {
        Recipe {
            shard_bytes: 100_000,
            ..Recipe::new("named-pictures", "train", 7, json!({}))
        }
    }

    fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let entry = |entry: std::io::Result<fs::DirEntry>| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            path.is_file().then(|| (name, fs::read(&path).unwrap()))
        };
        fs::read_dir(folder).unwrap().filter_map(entry).collect()
    }

    #[test]
    fn bytes_do_not_depend_on_the_number_of_threads() {
        let fixture = fixture::packages();
        let generators = fixture.generators(Split::Train);
        let inputs = inputs(&generators, 40);
        let made = |name: &str, jobs| {
            let folder = fixture.folder().join(name);
            let writer = Writer::open(&folder, recipe()).unwrap();
            write(writer, &inputs, 7, &pool(jobs)).unwrap();
            files(&folder)
        };
        let one = made("one", 1);
        assert_eq!(one, made("two", 2));
        assert!(one.keys().filter(|name| name.ends_with(".tar")).count() >= 3);
    }

    #[test]
    fn ranks_laid_one_after_another_are_the_single_run() {
        let fixture = fixture::packages();
        let generators = fixture.generators(Split::Train);
        let inputs = inputs(&generators, 15);
        let samples = |rank, world| -> Vec<Sample> {
            let folder = fixture.folder().join(format!("part-{rank}-of-{world}"));
            let writer = Writer::open(&folder, recipe()).unwrap();
            let share = run(rank, world).share(inputs.len());
            let made = write(writer, &inputs[share.clone()], 7, &pool(1));
            assert_eq!(made.unwrap().inputs as usize, share.len());
            let reader = Reader::open(&folder).unwrap();
            (0..reader.len())
                .map(|index| reader.get(index).unwrap())
                .collect()
        };
        let parts: Vec<Sample> = (0..3).flat_map(|rank| samples(rank, 3)).collect();
        assert_eq!(parts, samples(0, 1));

        let merged = fixture.folder().join("merged");
        let together = [fixture.folder()];
        let single = fixture.folder().join("part-0-of-1");
        fs::rename(&single, fixture.folder().join("single")).unwrap();
        let layout = avocet_data::Layout::default();
        avocet_data::merge(&together, &merged, &layout, &|_, _| {}).unwrap();
        let (mut one, mut other) = (files(&merged), files(&fixture.folder().join("single")));
        one.remove("manifest.json");
        other.remove("manifest.json");
        assert_eq!(one, other);
    }

    #[test]
    fn a_run_killed_at_any_point_ends_with_the_same_bytes() {
        let fixture = fixture::packages();
        let generators = fixture.generators(Split::Train);
        let inputs = inputs(&generators, 20);
        let clean = fixture.folder().join("clean");
        write(
            Writer::open(&clean, recipe()).unwrap(),
            &inputs,
            7,
            &pool(2),
        )
        .unwrap();
        for killed_after in [0, 1, 33, 60, inputs.len()] {
            let folder = fixture.folder().join(format!("killed-{killed_after}"));
            let mut writer = Writer::open(&folder, recipe()).unwrap();
            for (generator, index) in &inputs[..killed_after] {
                let input = format!("{}/{index:07}", generator.kind().name());
                account(&mut writer, &input, outcome(generator, 7, *index).unwrap()).unwrap();
            }
            drop(writer);
            // A shard cut short by the kill, beside the whole ones.
            if let Some(last) = files(&folder).keys().rfind(|name| name.ends_with(".tar")) {
                let shard = fs::OpenOptions::new()
                    .write(true)
                    .open(folder.join(last))
                    .unwrap();
                shard.set_len(777).unwrap();
            }
            write(
                Writer::open(&folder, recipe()).unwrap(),
                &inputs,
                7,
                &pool(2),
            )
            .unwrap();
            assert_eq!(files(&folder), files(&clean), "killed after {killed_after}");
        }
    }

    #[test]
    fn in_is_kept_plus_rejected_and_text_is_spelled() {
        let fixture = fixture::packages();
        let generators = fixture.generators(Split::Test);
        let inputs = inputs(&generators, 30);
        let folder = fixture.folder().join("out");
        let made = write(
            Writer::open(&folder, recipe()).unwrap(),
            &inputs,
            7,
            &pool(2),
        )
        .unwrap();
        assert_eq!(made.inputs as usize, inputs.len());
        assert_eq!(made.inputs, made.kept + made.rejected.values().sum::<u64>());
        let reader = Reader::open(&folder).unwrap();
        for index in 0..reader.len() {
            let sample = reader.get(index).unwrap();
            let Content::Turns(turns) = &sample.content else {
                panic!("a document")
            };
            assert_eq!(
                turns[1].spelled,
                sample.kind.starts_with("text") || sample.kind == "prices",
                "{}",
                sample.kind
            );
            assert!(image::load_from_memory(&sample.images[0]).is_ok());
        }
    }

    #[test]
    fn flags_out_of_range_are_named_with_their_value() {
        let args = Args {
            kinds: vec![Kind::Shapes],
            split: Split::Train,
            count: 1,
            run: run(0, 1),
            max_chars: 24,
            jobs: 1,
            manifest: Some("none.toml".into()),
        };
        let refused = |args: &Args| make(args).unwrap_err().to_string();
        let rank = refused(&Args {
            run: run(3, 2),
            ..args.clone()
        });
        assert!(
            rank.contains("--rank is 3") && rank.contains("which is 2"),
            "{rank}"
        );
        let chars = refused(&Args {
            max_chars: 0,
            ..args.clone()
        });
        assert!(
            chars.contains("--max-chars is 0") && chars.contains("1 to 64"),
            "{chars}"
        );
        assert!(refused(&args).contains("none.toml"));
    }
}
