//! What can be wrong with a file of `torch.save`.

/// Why a file of `torch.save` is not read.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum PickleError {
    /// A tar archive, or a pickle without tensors' storages.
    #[error(
        "neither a zip archive nor pickles with storages behind them, as torch.save writes; where it is trusted, convert it: torch.save(torch.load(FILE), NEW_FILE)"
    )]
    Foreign,
    /// A file of before PyTorch 1.6 is damaged.
    #[error("format from before PyTorch 1.6, at byte {offset}: {problem}")]
    Legacy {
        /// Where in the file.
        offset: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The zip archive is damaged, or of a kind that `torch.save` does not write.
    #[error("zip archive, at byte {offset}: {problem}")]
    Archive {
        /// Where in the file.
        offset: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The archive lacks a member.
    #[error("the archive has no member {0:?}")]
    Missing(String),
    /// The archive's numbers have their high bytes first.
    #[error("byte order {0:?} is not read; little is")]
    ByteOrder(String),
    /// An instruction that tensors do not need.
    #[error("the pickle, at its byte {offset}: opcode {opcode:#04x} is not run")]
    Opcode {
        /// Where in the pickle.
        offset: usize,
        /// The instruction.
        opcode: u8,
    },
    /// A function or class that tensors do not need.
    #[error("the pickle, at its byte {offset}: global {module}.{name} is refused")]
    Global {
        /// Where in the pickle.
        offset: usize,
        /// Its module in Python.
        module: String,
        /// Its name there.
        name: String,
    },
    /// The pickle is damaged, or beyond a limit.
    #[error("the pickle, at its byte {offset}: {problem}")]
    Damaged {
        /// Where in the pickle.
        offset: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A tensor does not fit the storage that it lies in.
    #[error("tensor {name:?}: {problem}")]
    Tensor {
        /// Its dotted path.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The containers do not give every tensor a name of its own.
    #[error("at {path:?}: {problem}")]
    Names {
        /// The dotted path.
        path: String,
        /// What is wrong there.
        problem: String,
    },
}
