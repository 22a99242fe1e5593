//! The pipeline: inputs to pages in browsers, one browser a job, and in order into shards.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use avocet_browser::request_policy::{self, RequestPolicy};
use avocet_browser::snapshot::PageSnapshot;
use avocet_browser::{
    BrowserError, Extent, Fonts, RenderError, RenderLimits, Rendered, Renderer, View, web_policy,
};
use avocet_data::shard::{Manifest, Writer};
use avocet_fetch::Sources;
use avocet_fetch::web::{Fetcher, WebLimits};
use pipeline::{Outcome, Split, account, progress, rest};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::args::Args;
use crate::crops;
use crate::error::PagesError;
use crate::fonts;
use crate::inputs::{self, Input, Place, What};
use crate::manuals;
use crate::questions::{self, Asked};
use crate::split::split_of;
use crate::synthetic;

/// Pages that may be in work or wait for an earlier one, for each job.
const AHEAD: usize = 8;
/// What a bar says.
const BAR: &str = "pages {bar:30} {pos}/{len}, {eta} left";
/// Where made-up pages come from, and their licence.
const OURS: (&str, &str) = ("synthetic", "CC0-1.0");

/// Makes the dataset, or the rest of one that was begun.
///
/// Errors if a flag is out of range, an input is not what it should be, there is no Chromium, or
/// the dataset cannot be written.
pub fn make(args: &Args) -> Result<Manifest, PagesError> {
    args.run.check()?;
    check(args)?;
    let mut inputs = inputs::all(args)?;
    let mut typefaces = Fonts::default();
    let wants_fonts = args.synthetic > 0 && !args.system_fonts;
    let sources = match wants_fonts || args.manuals > 0 {
        true => Some(Sources::open(args.manifest.as_deref())?),
        false => None,
    };
    if let Some(sources) = &sources {
        if wants_fonts {
            typefaces = fonts::load(sources, args.split.unwrap_or(Split::Train))?;
        }
        if args.manuals > 0 {
            inputs.extend(manuals::inputs(sources, args.manuals, args.run.seed)?);
        }
    }
    if inputs.is_empty() {
        return Err(PagesError::NoInput);
    }
    let sizes: Vec<&str> = args
        .viewports
        .iter()
        .map(|viewport| viewport.name.as_str())
        .collect();
    let names: Vec<_> = args
        .inputs
        .iter()
        .map(|name| name.to_string_lossy())
        .collect();
    let mut settings = json!({
        "inputs": names, "synthetic": args.synthetic, "viewports": sizes, "scale": args.scale,
        "extent": extent_name(args), "licence": args.licence, "split": args.split.map(Split::name),
        "fonts": typefaces.names(),
    });
    if args.manuals > 0 {
        settings["manuals"] = args.manuals.into();
    }
    if let Some(sources) = &sources {
        sources.record(&mut settings);
    }
    let split = args.split.unwrap_or(Split::Train);
    let writer = args.run.open("pages", split, settings)?;
    let job = Job {
        names: typefaces.names(),
        fonts: Arc::new(typefaces),
        fetcher: Arc::new(Fetcher::new(WebLimits::default())),
        args: args.clone(),
    };
    write(writer, &inputs[args.run.share(inputs.len())], &job)
}

fn check(args: &Args) -> Result<(), PagesError> {
    let wrong = |flag, got: String, range: String| PagesError::Flag { flag, got, range };
    if !(0.5..=4.0).contains(&args.scale) {
        return Err(wrong("scale", args.scale.to_string(), "0.5 to 4".into()));
    }
    Ok(())
}

fn extent_name(args: &Args) -> &'static str {
    match (args.full, args.tiles) {
        (_, true) => "tiles",
        (true, _) => "whole",
        _ => "screen",
    }
}

/// What every job knows.
struct Job {
    args: Args,
    fonts: Arc<Fonts>,
    names: Vec<String>,
    fetcher: Arc<Fetcher>,
}

/// Renders the inputs that are not yet accounted for and writes them in order.
fn write(mut writer: Writer, inputs: &[Input], job: &Job) -> Result<Manifest, PagesError> {
    let rest = rest(&writer, inputs);
    if rest.is_empty() {
        return Ok(writer.finish()?);
    }
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let jobs = if job.args.jobs == 0 {
        cores
    } else {
        job.args.jobs
    }
    .min(rest.len());
    let bar = progress(BAR, inputs.len(), inputs.len() - rest.len());
    let (give, tasks) = channel::<usize>();
    let (tasks, tell) = (Mutex::new(tasks), channel());
    let (tell, told) = tell;
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (tasks, tell) = (&tasks, tell.clone());
            scope.spawn(move || work(job, rest, tasks, &tell));
        }
        drop(tell);
        let mut given = 0;
        let mut waiting: BTreeMap<usize, Outcome> = BTreeMap::new();
        for next in 0..rest.len() {
            while given < rest.len() && given < next + jobs * AHEAD {
                // A job that has ended says why below.
                let _ = give.send(given);
                given += 1;
            }
            let outcome = loop {
                if let Some(outcome) = waiting.remove(&next) {
                    break outcome;
                }
                // All jobs gone without a word cannot be: each sends what ended it.
                let (index, outcome) = told.recv().map_err(|_| lost())?;
                waiting.insert(index, outcome?);
            };
            account(&mut writer, &rest[next].name, outcome)?;
            bar.inc(1);
        }
        drop(give);
        Ok::<(), PagesError>(())
    })?;
    bar.finish_and_clear();
    Ok(writer.finish()?)
}

fn lost() -> PagesError {
    let said = ": every job ended early".to_owned();
    BrowserError::Died { said }.into()
}

/// One job: a browser of its own, and pages as they come.
fn work(
    job: &Job,
    inputs: &[Input],
    tasks: &Mutex<Receiver<usize>>,
    tell: &Sender<(usize, Result<Outcome, PagesError>)>,
) {
    // A browser that does not even start is no page's fault.
    let started = Renderer::new(RenderLimits::default()).and_then(|mut renderer| {
        renderer.start()?;
        Ok(renderer)
    });
    let mut renderer = match started {
        Ok(renderer) => renderer,
        Err(error) => {
            let _ = tell.send((usize::MAX, Err(error.into())));
            return;
        }
    };
    loop {
        let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(index) = task else {
            return;
        };
        let outcome = job.samples(&inputs[index], &mut renderer);
        if tell.send((index, outcome)).is_err() {
            return;
        }
    }
}

impl Job {
    fn samples(&self, input: &Input, renderer: &mut Renderer) -> Result<Outcome, PagesError> {
        let named = |cause| PagesError::Sample {
            input: input.name.clone(),
            cause,
        };
        let name = format!("{}/questions/{}", self.args.run.seed, input.name);
        let mut rng = ChaCha8Rng::from_seed(Sha256::digest(name).into());
        match &input.what {
            What::Synthetic(number) => {
                let split = self.args.split.unwrap_or(Split::Train);
                let made = synthetic::draw(self.args.run.seed, *number, split, &self.names);
                let (html, fonts) = (made.html.clone().into_bytes(), Arc::clone(&self.fonts));
                let policy = RequestPolicy::Page {
                    html,
                    media_type: "text/html",
                    fonts,
                    ours: true,
                };
                let rendered = match renderer.render(&Arc::new(policy), made.view, made.extent) {
                    Ok(rendered) => rendered,
                    Err(error) => return Ok(Outcome::Rejected(error.reason())),
                };
                let mut asked = questions::about_made(&made.asks, &rendered.seen, &mut rng);
                let Ok(picture) = rendered.picture.to_png() else {
                    return Ok(Outcome::Rejected("the page crashed"));
                };
                if asked.is_empty() {
                    return Ok(Outcome::Rejected("nothing to read on it"));
                }
                // Any question may come first, and be the one asked of a picture just shown.
                asked.shuffle(&mut rng);
                let kind_of = match split {
                    Split::Train => conversation,
                    Split::Test => |one: &Asked| one.kind,
                };
                let mut samples =
                    questions::samples(OURS, &picture, &asked, kind_of).map_err(named)?;
                if split == Split::Train {
                    for closer in crops::looks(&made, &rendered, &mut rng) {
                        let Ok(picture) = closer.picture.to_png() else {
                            continue;
                        };
                        let more = questions::samples(OURS, &picture, &closer.asked, conversation);
                        samples.extend(more.map_err(named)?);
                    }
                }
                Ok(Outcome::Samples(samples))
            }
            What::Page {
                source,
                place,
                viewport,
                manual,
            } => {
                if self
                    .args
                    .split
                    .is_some_and(|split| split != split_of(source))
                {
                    return Ok(Outcome::Rejected("belongs to the other split"));
                }
                let view = viewport.at(self.args.scale);
                let rendered = self.policy(place).and_then(|policy| {
                    let extent = if self.args.full || self.args.tiles {
                        Extent::Whole
                    } else {
                        Extent::Screen
                    };
                    renderer.render(&Arc::new(policy), view, extent)
                });
                let rendered = match rendered {
                    Ok(rendered) => rendered,
                    Err(error) => return Ok(Outcome::Rejected(error.reason())),
                };
                let mut samples = Vec::new();
                if let Some(licence) = manual {
                    for (picture, asked) in manuals::looks(&rendered, &mut rng) {
                        let Ok(picture) = picture.to_png() else {
                            continue;
                        };
                        let from = (source.as_str(), licence.as_str());
                        let more = questions::samples(from, &picture, &asked, conversation);
                        samples.extend(more.map_err(named)?);
                    }
                    return Ok(match samples.is_empty() {
                        true => Outcome::Rejected("nothing to read on it"),
                        false => Outcome::Samples(samples),
                    });
                }
                for (picture, seen) in self.pieces(rendered, view) {
                    if questions::is_empty(&seen) {
                        continue;
                    }
                    let asked = questions::about_given(&seen, &mut rng);
                    let from = (source.as_str(), self.args.licence.as_str());
                    samples.extend(
                        questions::samples(from, &picture, &asked, conversation).map_err(named)?,
                    );
                }
                Ok(if samples.is_empty() {
                    Outcome::Rejected("nothing to read on it")
                } else {
                    Outcome::Samples(samples)
                })
            }
        }
    }

    fn policy(&self, place: &Place) -> Result<RequestPolicy, RenderError> {
        let file_error = |name: String| move |reason| RenderError::File { name, reason };
        match place {
            Place::Url(url) => {
                let answer = self.fetcher.get(url)?;
                web_policy(Arc::clone(&self.fetcher), url, answer)
            }
            Place::File(path) => {
                RequestPolicy::file(path).map_err(file_error(path.display().to_string()))
            }
            Place::InFolder { root, page } => {
                let path = root.join(page);
                request_policy::read(&path, Some(root))
                    .map_err(file_error(path.display().to_string()))?;
                Ok(RequestPolicy::Folder {
                    root: root.clone(),
                    page: page.clone(),
                })
            }
        }
    }

    /// The picture, or its tiles, as PNG files with what is seen on each.
    fn pieces(&self, rendered: Rendered, view: View) -> Vec<(Vec<u8>, PageSnapshot)> {
        let Rendered { picture, seen } = rendered;
        let tall = f64::from(view.height) * view.scale;
        let cuts = if self.args.tiles {
            seen.cuts(tall)
        } else {
            vec![0.0, picture.height as f64]
        };
        let piece = |pair: &[f64]| {
            let (top, bottom) = (
                pair[0].round() as usize,
                (pair[1].round() as usize).min(picture.height),
            );
            if bottom <= top {
                return None;
            }
            let part = picture.part([0, top, picture.width, bottom])?;
            let seen = seen.part([0.0, top as f64, seen.width, bottom as f64]);
            Some((part.to_png().ok()?, seen))
        };
        cuts.windows(2).filter_map(piece).collect()
    }
}

/// A page's questions are one conversation, so that learning from them looks at the picture once;
/// its text and its elements stand alone, and so do made-up pages' test questions.
fn conversation(asked: &Asked) -> &'static str {
    match asked.kind {
        "page-text" | "page-elements" => asked.kind,
        _ => "page",
    }
}
