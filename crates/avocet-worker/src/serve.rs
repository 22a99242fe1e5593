//! Reads requests and has them answered, one after another.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Stdin};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use avocet_media::child::{ChildLimits, MAX_HEADER_BYTES, Refusal, Request, Served, read_block};
use serde::de::DeserializeOwned;

use crate::replies::Replies;
use crate::whisper::Whisper;
use crate::{limits, probe, sound, svg, video};

/// Bytes of files that come with one request.
const MAX_SENT_BYTES: usize = 256 << 20;

/// All of the binary: serves stdin until it closes.
pub fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("avocet-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    // What a library prints must not land among the replies.
    let replies = rustix::io::dup(io::stdout())?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    let mut replies = Replies::new(File::from(replies))?;
    let mut input = BufReader::new(io::stdin());
    let Some(allowed) = read_line::<ChildLimits>(&mut input)? else {
        return Ok(());
    };
    limits::end_with_parent(io::stdin())?;
    limits::hold_to(&allowed)?;
    ffmpeg_next::init().map_err(io::Error::other)?;
    ffmpeg_next::log::set_level(ffmpeg_next::log::Level::Error);
    let mut whisper = Whisper::default();
    while let Some(request) = read_line::<Request>(&mut input)? {
        let served = catch_unwind(AssertUnwindSafe(|| {
            answer(request, &mut input, &mut replies, &mut whisper)
        }));
        let served = served.unwrap_or_else(|_| Err(Refusal::file("the decoder panicked")));
        replies
            .close(served)
            .map_err(|refusal| io::Error::other(format!("{refusal:?}")))?;
    }
    Ok(())
}

/// Answers one request; `input` holds the blocks of those that send some.
fn answer(
    request: Request,
    input: &mut BufReader<Stdin>,
    replies: &mut Replies,
    whisper: &mut Whisper,
) -> Served {
    match request {
        Request::Probe(request) => probe::probe(&request, replies),
        Request::Frames(request) => video::frames(&request, replies),
        Request::Scan(request) => video::scan(&request, replies),
        Request::Audio(request) => sound::blocks(&request, replies),
        Request::Still(request) => video::stills(&request, &blocks(input)?, replies),
        Request::Svg => svg::svg(&blocks(input)?, replies),
        Request::Speech(request) => whisper.serve(&request, input, replies),
    }
}

/// The blocks of a request, read to their end so that the next request is found.
fn blocks(input: &mut BufReader<Stdin>) -> Result<Vec<Vec<u8>>, Refusal> {
    let broken = |error: io::Error| Refusal::file(format!("it does not arrive: {error}"));
    let (mut blocks, mut held) = (Vec::new(), 0);
    let mut block = Vec::new();
    while read_block(input, &mut block).map_err(broken)? {
        held += block.len();
        if held <= MAX_SENT_BYTES {
            blocks.push(std::mem::take(&mut block));
        }
    }
    match held <= MAX_SENT_BYTES {
        true => Ok(blocks),
        false => Err(Refusal::file(format!("it has {held} bytes"))),
    }
}

/// One line of JSON; `None` when the parent has closed the pipe.
fn read_line<T: DeserializeOwned>(input: &mut BufReader<Stdin>) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    input
        .by_ref()
        .take(MAX_HEADER_BYTES as u64)
        .read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}
