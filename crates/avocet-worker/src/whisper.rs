//! Speech to text by whisper.cpp: one model, kept between requests.

mod heads;
mod passes;

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use avocet_media::audio::SAMPLE_RATE_HZ;
use avocet_media::child::SpeechRequest;
use avocet_media::child::{Refusal, Served, read_block};
use avocet_media::speech::{Heard, LONGEST_WINDOW_S};
use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState,
    get_lang_id, get_lang_str,
};

use crate::replies::Replies;
use passes::{Pass, Vocabulary};

/// The most samples in a window.
const MAX_SAMPLES: usize = (LONGEST_WINDOW_S * SAMPLE_RATE_HZ) as usize;
/// Whisper hears nothing in less than a tenth of a second; shorter windows are filled up to this.
const MIN_SAMPLES: usize = SAMPLE_RATE_HZ as usize / 2;
/// What a pass leaves unheard is heard in another, unless it is shorter than this.
const SHORTEST_REST_S: f64 = 1.0;
const MAX_THREADS: u32 = 64;
/// Whisper keeps at most so many hypotheses.
const MAX_BEAM: u32 = 8;

/// The model that was asked for last.
#[derive(Default)]
pub(crate) struct Whisper {
    loaded: Option<Loaded>,
}

struct Loaded {
    path: PathBuf,
    is_multilingual: bool,
    vocabulary: Vocabulary,
    state: WhisperState,
}

impl Whisper {
    /// Answers one request, whose samples are read from `input`.
    pub fn serve(
        &mut self,
        request: &SpeechRequest,
        input: &mut impl BufRead,
        replies: &mut Replies,
    ) -> Served {
        let samples = samples(input)?;
        let heard = with_signs_of_life(replies, || {
            let path = request.model.as_path();
            if self
                .loaded
                .as_ref()
                .is_none_or(|loaded| loaded.path != path)
            {
                self.loaded = None;
                self.loaded = Some(Loaded::open(path)?);
            }
            match &mut self.loaded {
                Some(loaded) => loaded.hear(request, samples),
                None => Err(Refusal::file("the model is not loaded")),
            }
        })?;
        replies.item(heard, &[])
    }
}

/// Reads the blocks of a request to their end, so that the next request is found.
fn samples(input: &mut impl BufRead) -> Result<Vec<f32>, Refusal> {
    let broken = |error: std::io::Error| Refusal::file(format!("samples do not arrive: {error}"));
    let (mut samples, mut block, mut too_many) = (Vec::new(), Vec::new(), false);
    while read_block(input, &mut block).map_err(broken)? {
        too_many |= samples.len() + block.len() / 4 > MAX_SAMPLES;
        if !too_many {
            let numbers = block.as_chunks::<4>().0;
            samples.extend(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        }
    }
    if too_many {
        let reason = format!("a window of more than {LONGEST_WINDOW_S} s was sent");
        return Err(Refusal::file(reason));
    }
    Ok(samples)
}

/// Computes on a thread of its own while this one tells the parent that work goes on.
fn with_signs_of_life<T: Send>(
    replies: &mut Replies,
    work: impl FnOnce() -> Result<T, Refusal> + Send,
) -> Result<T, Refusal> {
    std::thread::scope(|scope| {
        let (done, finished) = channel::<()>();
        let work = scope.spawn(move || {
            let result = work();
            drop(done);
            result
        });
        while finished.recv_timeout(Duration::from_millis(500)) == Err(RecvTimeoutError::Timeout) {
            replies.alive()?;
        }
        work.join()
            .unwrap_or_else(|_| Err(Refusal::file("Whisper panicked")))
    })
}

/// whisper.cpp is compiled with these instructions (`.cargo/config.toml`), and would end the
/// process on a processor without them.
#[cfg(target_arch = "x86_64")]
fn processor_is_enough() -> Result<(), Refusal> {
    let missing: Vec<&str> = [
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("FMA", is_x86_feature_detected!("fma")),
        ("F16C", is_x86_feature_detected!("f16c")),
        ("BMI2", is_x86_feature_detected!("bmi2")),
    ]
    .into_iter()
    .filter_map(|(name, is_there)| (!is_there).then_some(name))
    .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Refusal::file(format!(
        "Whisper needs a processor with {missing}, which this one lacks"
    )))
}

#[cfg(not(target_arch = "x86_64"))]
fn processor_is_enough() -> Result<(), Refusal> {
    Ok(())
}

impl Loaded {
    fn open(path: &Path) -> Result<Self, Refusal> {
        processor_is_enough()?;
        static SILENCE: Once = Once::new();
        SILENCE.call_once(whisper_rs::install_logging_hooks);
        let refused = |error| Refusal::file(format!("Whisper does not load it: {error}"));
        let mut parameters = WhisperContextParameters::default();
        parameters.use_gpu(false);
        parameters.flash_attn(false);
        parameters.dtw_parameters(heads::alignment(path));
        let context = WhisperContext::new_with_params(path, parameters).map_err(refused)?;
        Ok(Self {
            path: path.to_owned(),
            is_multilingual: context.is_multilingual(),
            vocabulary: Vocabulary {
                end_of_text: context.token_eot(),
                start_of_window: context.token_beg(),
            },
            state: context.create_state().map_err(refused)?,
        })
    }

    fn hear(&mut self, request: &SpeechRequest, mut samples: Vec<f32>) -> Result<Heard, Refusal> {
        if samples.len() < MIN_SAMPLES {
            samples.resize(MIN_SAMPLES, 0.0);
        }
        let asked = request.language.as_deref();
        if let Some(language) = asked.filter(|language| get_lang_id(language).is_none()) {
            return Err(Refusal::file(format!(
                "Whisper does not know the language {language:?}"
            )));
        }
        if !self.is_multilingual && asked.is_some_and(|language| language != "en") {
            let language = asked.unwrap_or_default();
            let reason = format!("knows English only, and not the language {language:?}");
            return Err(Refusal::file(reason));
        }
        let mut language = if self.is_multilingual {
            asked
        } else {
            Some("en")
        };
        let mut heard = Heard {
            language: language.unwrap_or("en").to_owned(),
            segments: Vec::new(),
        };
        let mut from = 0;
        loop {
            let rest = &samples[from..];
            self.state
                .full(parameters(request, language), rest)
                .map_err(|error| Refusal::file(format!("Whisper fails: {error}")))?;
            if language.is_none() {
                language = get_lang_str(self.state.full_lang_id_from_state());
                heard.language = language.unwrap_or("en").to_owned();
            }
            let (from_s, rest_s) = (seconds(from), seconds(rest.len()));
            let spoken = heard.language.as_str();
            let pass = Pass::of(&self.state, self.vocabulary, spoken, (from_s, rest_s));
            heard.segments.extend(pass.segments);
            let Some(at_s) = pass
                .rest_s
                .filter(|at_s| (SHORTEST_REST_S..=rest_s - SHORTEST_REST_S).contains(at_s))
            else {
                return Ok(heard);
            };
            from += (at_s * f64::from(SAMPLE_RATE_HZ)) as usize;
        }
    }
}

fn seconds(samples: usize) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE_HZ)
}

/// How one pass is made.
fn parameters<'a>(request: &SpeechRequest, language: Option<&'a str>) -> FullParams<'a, 'static> {
    let beam_size = request.beam_size.clamp(1, MAX_BEAM) as i32;
    let strategy = if beam_size == 1 {
        SamplingStrategy::Greedy { best_of: 5 }
    } else {
        SamplingStrategy::BeamSearch {
            beam_size,
            patience: -1.0,
        }
    };
    let mut parameters = FullParams::new(strategy);
    parameters.set_n_threads(request.num_threads.clamp(1, MAX_THREADS) as i32);
    parameters.set_language(language);
    parameters.set_translate(false);
    // Each window stands for itself: an error in one does not spread to the next.
    parameters.set_no_context(true);
    // Words are placed in all of the sound at once, and parts are told apart by their times.
    parameters.set_single_segment(true);
    parameters.set_print_progress(false);
    parameters.set_print_realtime(false);
    parameters.set_print_special(false);
    parameters.set_print_timestamps(false);
    parameters
}
