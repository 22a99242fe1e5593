//! What stands in a LaTeX file as it is written: code, examples, addresses, columns of tables.

use super::found::Finder;
use crate::macros::pass_branch;
use crate::tokens::{Token, print};

/// Environments whose content is shown as it is written, or not at all.
const VERBATIM: [&str; 26] = [
    "verbatim",
    "verbatim*",
    "Verbatim",
    "Verbatim*",
    "BVerbatim",
    "LVerbatim",
    "SaveVerbatim",
    "VerbatimOut",
    "spverbatim",
    "verbatimtab",
    "alltt",
    "lstlisting",
    "minted",
    "comment",
    "filecontents",
    "filecontents*",
    "tcblisting",
    "tcboutputlisting",
    "LTXexample",
    "macrocode",
    "macrocode*",
    "pycode",
    "luacode",
    "luacode*",
    "asy",
    "asydef",
];

/// Whether what follows a command is code.
pub(super) fn is_code(name: &str) -> bool {
    let code = [
        "verb",
        "Verb",
        "spverb",
        "lstinline",
        "mintinline",
        "mint",
        "MakeShortVerb",
        "DefineShortVerb",
        "lstMakeShortInline",
        "DeleteShortVerb",
        "UndefineShortVerb",
        "lstDeleteShortInline",
        "ExplSyntaxOn",
    ];
    code.contains(&name)
}

/// Whether it is a date: in Markdown a backslash before brackets may be there to keep them.
pub(super) fn is_date(tokens: &[Token]) -> bool {
    let text = print(tokens);
    let parts: Vec<&str> = text.trim().split(['/', '-', '.']).collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(number) && parts.iter().any(|part| part.len() == 4)
}

/// Whether what stands between two dollars is what a program that keeps versions put there.
pub(super) fn is_keyword(tokens: &[Token]) -> bool {
    let keywords = [
        "Id",
        "HeadURL",
        "URL",
        "LastChangedDate",
        "LastChangedRevision",
        "Revision",
        "Date",
        "Header",
        "Author",
        "RCSfile",
        "Source",
        "Rev",
        "Log",
    ];
    let letter = |token: &Token| match token {
        Token::Char(letter) => Some(*letter),
        _ => None,
    };
    let start: String = tokens.iter().map_while(letter).take(24).collect();
    let word = start.split(':').next().unwrap_or_default();
    keywords.contains(&word) && (start.contains(':') || word.len() == tokens.len())
}

impl Finder<'_> {
    /// Whether an environment's content is shown as it is written.
    pub(super) fn is_verbatim(&self, name: &str) -> bool {
        VERBATIM.contains(&name) || self.out.macros.is_verbatim(name)
    }

    /// Passes an environment by whose beginning was read, if its content is code.
    pub(super) fn pass_verbatim(&mut self, name: &str) -> bool {
        if !self.is_verbatim(name) {
            return false;
        }
        if let Some(rest) = self.source.raw() {
            let end = format!("\\end{{{name}}}");
            let length = rest.find(&end).map_or(rest.len(), |at| at + end.len());
            self.source.skip(length);
        }
        true
    }

    /// Passes by what follows a command, if that is no text.
    pub(super) fn pass_code(&mut self, name: &str) -> bool {
        match name {
            "verb" | "Verb" | "spverb" => {
                self.source.take(&Token::Char('*'));
                self.pass_between();
            }
            "lstinline" => {
                self.source.brackets(500);
                self.pass_between();
            }
            "mintinline" | "mint" => {
                self.source.brackets(500);
                self.source.group(60);
                self.pass_between();
            }
            "MakeShortVerb" | "DefineShortVerb" | "lstMakeShortInline" => {
                self.source.take(&Token::Char('*'));
                self.source.brackets(500);
                if let Some(sign) = self.sign() {
                    self.short_verbs.push(sign);
                }
            }
            "DeleteShortVerb" | "UndefineShortVerb" | "lstDeleteShortInline" => {
                let sign = self.sign();
                self.short_verbs.retain(|own| Some(*own) != sign);
            }
            "ExplSyntaxOn" => {
                if let Some(rest) = self.source.raw() {
                    let end = "\\ExplSyntaxOff";
                    let length = rest.find(end).map_or(rest.len(), |at| at + end.len());
                    self.source.skip(length);
                }
            }
            "url" | "nolinkurl" | "path" | "href" | "includegraphics" | "input" | "include"
            | "label" | "ref" | "cite" => {
                self.source.brackets(500);
                self.source.group(2000);
            }
            "catcode" | "char" | "mathcode" | "lccode" | "uccode" | "delcode" => {
                self.source.blanks();
                if self.source.take(&Token::Char('`')) {
                    self.source.token();
                }
            }
            "iffalse" | "ifmmode" => pass_branch(&mut self.source),
            "string" | "noexpand" => drop(self.source.token()),
            _ => return false,
        }
        true
    }

    /// The sign that `\MakeShortVerb` is given: `{\|}`, `\|` or `|`.
    fn sign(&mut self) -> Option<char> {
        let tokens = self.source.argument(4)?;
        match tokens.first()? {
            Token::Command(name) => name.chars().next().filter(|_| name.chars().count() == 1),
            Token::Char(sign) => Some(*sign),
            _ => None,
        }
    }

    /// Passes by what stands between the next sign and its second, or in the next braces.
    fn pass_between(&mut self) {
        if self.source.group(2000).is_some() {
            return;
        }
        // A sign that was looked at already is no longer part of the text.
        let sign = match self.source.token() {
            Some(Token::Char(sign)) => sign,
            Some(Token::Command(name)) => {
                // A backslash is the sign.
                self.source
                    .put_back(name.chars().map(Token::Char).collect::<Vec<_>>());
                '\\'
            }
            _ => return,
        };
        self.pass_short_verb(sign);
    }

    /// Passes by the rest of the line up to `sign`.
    pub(super) fn pass_short_verb(&mut self, sign: char) {
        // As it is written: a percent sign in it begins no comment.
        if let Some(rest) = self.source.raw() {
            let end = rest.find([sign, '\n']).unwrap_or(rest.len());
            let found = if rest[end..].starts_with(sign) {
                sign.len_utf8()
            } else {
                0
            };
            self.source.skip(end + found);
            return;
        }
        while let Some(token) = self.source.token() {
            if token == Token::Char(sign) || token == Token::Paragraph {
                return;
            }
        }
    }

    /// Passes by what says how a table's columns are set: there may be a lone `$` in it.
    pub(super) fn pass_columns(&mut self, name: &str) {
        let has_width = ["tabular*", "tabularx", "tabulary"].contains(&name);
        if has_width || ["tabular", "array", "longtable", "supertabular"].contains(&name) {
            self.source.brackets(20);
            if has_width {
                self.source.group(200);
            }
            self.source.group(500);
        }
    }
}
