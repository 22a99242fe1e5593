//! The pipe: messages of JSON, each ended by a zero byte.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::mpsc::SyncSender;

use serde_json::Value;

use crate::request_policy::Fetched;

/// A message longer than this ends the connection; screenshots are the longest.
const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// What a browser's owner hears.
#[derive(Debug)]
pub enum Incoming {
    /// A message of the DevTools protocol.
    Message(Value),
    /// A request that was paused has been answered by the web.
    Fetched(Fetched),
    /// The browser is gone.
    Closed,
}

/// Writes one message.
pub(super) fn write(pipe: &mut File, message: &Value) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(message)?;
    bytes.push(0);
    pipe.write_all(&bytes)
}

/// Reads messages until the browser closes the pipe or nobody listens, then says so.
pub(super) fn read_all(mut pipe: File, inbox: &SyncSender<Incoming>) {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 1 << 16];
    let mut searched = 0;
    loop {
        let read = match pipe.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        bytes.extend_from_slice(&piece[..read]);
        if bytes.len() > MAX_MESSAGE_BYTES {
            break;
        }
        while let Some(end) = bytes[searched..].iter().position(|&byte| byte == 0) {
            let end = searched + end;
            let message = serde_json::from_slice(&bytes[..end]);
            bytes.drain(..=end);
            searched = 0;
            // What is no JSON is no message of the protocol.
            let Ok(message) = message else { continue };
            if inbox.send(Incoming::Message(message)).is_err() {
                return;
            }
        }
        searched = bytes.len();
    }
    // Nobody may be listening any more.
    let _ = inbox.send(Incoming::Closed);
}
