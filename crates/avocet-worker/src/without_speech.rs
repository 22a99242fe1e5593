//! Stands where `whisper` does in a worker that was built without its feature `speech`.

use std::io::BufRead;

use avocet_media::child::SpeechRequest;
use avocet_media::child::{Refusal, Served, read_block};

use crate::replies::Replies;

/// No model.
#[derive(Default)]
pub(crate) struct Whisper;

impl Whisper {
    /// Refuses one request, whose samples are read from `input` so that the next is found.
    pub fn serve(
        &mut self,
        _request: &SpeechRequest,
        input: &mut impl BufRead,
        _replies: &mut Replies,
    ) -> Served {
        let mut block = Vec::new();
        while matches!(read_block(input, &mut block), Ok(true)) {}
        Err(Refusal::file(
            "cannot be used, since avocet-worker was built without its feature `speech`",
        ))
    }
}
