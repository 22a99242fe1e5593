//! `avocet chat`: a conversation, line by line.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, IsTerminal};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;

use anyhow::Result;
use avocet_infer::{Engine, Image, InferError};
use avocet_text::{Role, Turn};
use clap::Args;

use crate::args::AnswerArgs;
use crate::input::media::Source;
use crate::input::{blank, clip, model};
use crate::ui::{failure, output};

/// `avocet chat`.
#[derive(Debug, Args)]
pub struct ChatArgs {
    /// How to answer.
    #[command(flatten)]
    pub answer: AnswerArgs,
    /// Image and video files, URLs or HTML files the conversation starts with.
    #[arg(value_name = "MEDIA")]
    pub media: Vec<OsString>,
}

/// A line longer than this is no question a person types.
const MAX_LINE_BYTES: u64 = 1 << 20;

struct Conversation {
    images: Vec<Image>,
    turns: Vec<Turn>,
    /// Images added since the last question.
    waiting: usize,
}

/// Answers line after line until the input ends or `/quit`.
pub fn run(args: &ChatArgs) -> Result<()> {
    let engine = model::load(&args.answer.model, &args.answer.settings)?;
    let mut talk = Conversation {
        images: Vec::new(),
        turns: args.answer.system.iter().map(Turn::system).collect(),
        waiting: 0,
    };
    for name in &args.media {
        talk.add(clip::read(&engine, name)?);
    }
    let at_terminal = std::io::stdin().is_terminal();
    if at_terminal {
        output::note("/image FILE adds an image, /quit or Ctrl-D ends\n");
    }
    let mut input = std::io::stdin().lock();
    loop {
        if at_terminal {
            output::note("> ");
        }
        let mut line = Vec::new();
        let read = std::io::Read::take(&mut input, MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let line = line.trim_ascii();
        let outcome = match line.strip_prefix(b"/image ") {
            // A file's name need not be text.
            Some(name) => clip::read(&engine, OsStr::from_bytes(name.trim_ascii()))
                .map(|sources| talk.add(sources)),
            None => {
                let line = String::from_utf8_lossy(line);
                let line = line.trim();
                if line == "/quit" {
                    return Ok(());
                }
                talk.take_line(&engine, args, line)
            }
        };
        // A mistake ends nothing: the conversation goes on.
        if let Err(error) = outcome {
            if failure::is_broken_pipe(&error) {
                return Err(error);
            }
            output::note(&format!("error: {error:#}\n"));
        }
    }
}

impl Conversation {
    fn add(&mut self, sources: Vec<Source>) {
        self.waiting += sources.len();
        for source in &sources {
            blank::warn(&source.name, &source.image);
        }
        self.images
            .extend(sources.into_iter().map(|source| source.image));
    }

    fn take_line(&mut self, engine: &Engine, args: &ChatArgs, line: &str) -> Result<()> {
        if line.is_empty() {
            return Ok(());
        }
        if line.starts_with('/') {
            anyhow::bail!("{line:?} is no command; there are /image FILE and /quit");
        }
        self.turns.push(Turn::about(self.waiting, line));
        let mut answered = self.answer(engine, args);
        while answered.as_ref().is_err_and(is_too_long) && self.forget_oldest() {
            output::note(
                "(the conversation is longer than the context: its oldest turn is forgotten)\n",
            );
            answered = self.answer(engine, args);
        }
        match answered {
            Ok(text) => {
                self.turns.push(Turn::assistant(text));
                self.waiting = 0;
                Ok(())
            }
            Err(error) => {
                self.turns.pop();
                Err(error)
            }
        }
    }

    /// Drops the oldest question with its images and its answer; false if there is only the last.
    fn forget_oldest(&mut self) -> bool {
        let is_question = |turn: &Turn| turn.role == Role::User;
        let Some(oldest) = self.turns.iter().position(is_question) else {
            return false;
        };
        if oldest + 1 >= self.turns.len() {
            return false;
        }
        let images = self.turns[oldest].num_images();
        self.images.drain(..images);
        self.turns.drain(oldest..oldest + 2);
        true
    }

    fn answer(&self, engine: &Engine, args: &ChatArgs) -> Result<String> {
        let mut printed = Ok(());
        let (options, threshold) = (args.answer.sampling(), args.answer.sureness.threshold);
        let print = |piece: &str| {
            printed = output::print(piece);
            if printed.is_ok() {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let reply = engine.reply(&self.images, &self.turns, &options, threshold, print)?;
        printed?;
        output::print("\n")?;
        Ok(reply.text)
    }
}

fn is_too_long(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(InferError::TooLong { .. } | InferError::FarTooLong { .. })
    )
}
