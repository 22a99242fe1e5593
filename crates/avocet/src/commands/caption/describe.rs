//! Frames to captions: the model is asked about each, and its surest answer stands.

use std::ops::ControlFlow;

use anyhow::{Result, bail};
use avocet_infer::{Answer, Engine, Image, SamplingOptions, ScoreOptions};
use avocet_text::Turn;
use video::VideoError;
use video::timeline::Frame;
use video::watch::{Still, jpeg};

use super::args::CaptionArgs;
use super::round;
use crate::input::blank;
use crate::ui::progress::Stage;

/// What a model is asked that was taught to describe photographs.
const DESCRIBE: &str = "Describe the picture in one sentence.";
/// What `mini` is asked: it was taught names, flags and lines of text by questions of their own.
const MINI: [&str; 3] = [
    "What is in the picture?",
    "Which flag do you see?",
    "What does the text say?",
];
/// The longest caption.
const LONGEST: usize = 400;

/// A model with the questions it is asked about every frame.
pub(super) struct Describer<'a> {
    engine: &'a Engine,
    questions: Vec<String>,
    options: SamplingOptions,
}

impl<'a> Describer<'a> {
    /// Errors if a question is empty.
    pub(super) fn new(engine: &'a Engine, args: &CaptionArgs) -> Result<Self> {
        let mut questions = args.question.clone();
        if questions.is_empty() {
            questions = match is_mini(engine) {
                true => MINI.map(str::to_owned).to_vec(),
                false => vec![DESCRIBE.to_owned()],
            };
        }
        if questions.iter().any(|question| question.trim().is_empty()) {
            bail!("--question is empty");
        }
        Ok(Self {
            engine,
            questions,
            options: SamplingOptions {
                max_tokens: args.max_tokens as usize,
                temperature: 0.0,
                top_p: 1.0,
                seed: 0,
            },
        })
    }

    /// The questions asked.
    pub(super) fn questions(&self) -> &[String] {
        &self.questions
    }

    /// The model's name.
    pub(super) fn model(&self) -> &str {
        &self.engine.config().name
    }

    /// Whether it is the built-in model, which knows no photographs.
    pub(super) fn is_mini(&self) -> bool {
        is_mini(self.engine)
    }

    /// The frames with their captions, and each as a JPEG file; `count` is how many there are.
    pub(super) fn describe(
        &self,
        stills: impl Iterator<Item = Result<Still, VideoError>>,
        count: usize,
    ) -> Result<(Vec<Frame>, Vec<Vec<u8>>)> {
        let stage = Stage::begin("describing");
        let (mut frames, mut files) = (Vec::new(), Vec::new());
        for still in stills {
            let Still { time_s, picture } = still?;
            let image = self.engine.preprocess(&picture)?;
            frames.push(Frame {
                time_s: round(time_s),
                caption: match blank::caption(&image) {
                    Some(caption) => caption,
                    None => self.caption(&image)?,
                },
                image: String::new(),
            });
            files.push(jpeg(&picture)?);
            stage.at(frames.len() as f64, count as f64);
        }
        stage.end();
        Ok((frames, files))
    }

    fn caption(&self, image: &Image) -> Result<String> {
        let mut best: Option<(f64, String)> = None;
        for question in &self.questions {
            let turns = [Turn::about(1, question.as_str())];
            let images = std::slice::from_ref(image);
            let answer = (self.engine)
                .answer(images, &turns, &self.options, |_| ControlFlow::Continue(()))?;
            let sureness = match self.questions.len() {
                1 => 0.0,
                _ => self.sureness(images, &turns, &answer)?,
            };
            if best.as_ref().is_none_or(|(surest, _)| sureness > *surest) {
                best = Some((sureness, one_line(&answer.text)));
            }
        }
        Ok(best.map(|(_, caption)| caption).unwrap_or_default())
    }

    /// Mean log-probability of the answer's tokens, its end included.
    fn sureness(&self, images: &[Image], turns: &[Turn], answer: &Answer) -> Result<f64> {
        let mut ids = self.engine.language().question(turns)?.ids;
        let asked = ids.len();
        ids.extend(&answer.token_ids);
        let score = self.engine.score(&ids, images, ScoreOptions::default())?;
        let said: Vec<f64> = score.logprobs[asked..].iter().flatten().copied().collect();
        Ok(said.iter().sum::<f64>() / said.len().max(1) as f64)
    }
}

fn is_mini(engine: &Engine) -> bool {
    engine.config().name == "mini"
}

/// A caption is one line, and not endless.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_is_one_line_of_bounded_length() {
        assert_eq!(one_line(" a\n\nred  circle "), "a red circle");
        let long = one_line(&"ü ".repeat(1000));
        assert_eq!(long.chars().count(), LONGEST + 1);
    }
}
