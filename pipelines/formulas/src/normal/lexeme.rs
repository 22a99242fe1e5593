//! What the normal form is made of.

/// A part of the normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lexeme {
    /// Any single character that is none of the below.
    Char(char),
    /// A command with its backslash.
    Command(String),
    /// A command whose arguments are not math, printed as it stands.
    Raw(String),
    /// The beginning of an environment, its name, and its argument in braces or nothing.
    Begin(String, String),
    /// The end of an environment.
    End(String),
    /// `{`
    Open,
    /// `}`
    Close,
}
