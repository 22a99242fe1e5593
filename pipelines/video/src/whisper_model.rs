//! Speech models: a name, a file or a folder becomes one file that Whisper reads.
