//! LaTeX as tokens, cut as TeX cuts it: the one text that all stages read, from the file to
//! the picture and its answer.

/// Once so many tokens were read in vain for ends that do not come, an end is looked for in the
/// next few only.
const MOST_IN_VAIN: usize = 1 << 20;
const FEW: usize = 60;

/// What a source is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A command by its name without the backslash: letters, or a single other sign.
    Command(String),
    /// `{`
    Open,
    /// `}`
    Close,
    /// White space without an empty line.
    Space,
    /// An empty line.
    Paragraph,
    /// Any other character.
    Char(char),
}

impl Token {
    /// The command of a name.
    pub fn command(name: &str) -> Self {
        Self::Command(name.to_owned())
    }

    /// Whether it is the command of this name.
    pub fn is(&self, name: &str) -> bool {
        matches!(self, Self::Command(own) if own == name)
    }

    /// Whether it is white space.
    pub fn is_blank(&self) -> bool {
        matches!(self, Self::Space | Self::Paragraph)
    }
}

/// Tokens in their order: those put back first, then those of a text, cut when they are asked for.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// What was put back, the next one last.
    pending: Vec<Token>,
    text: &'a str,
    at: usize,
    /// Whether `%` begins a comment.
    comments: bool,
    /// Tokens that were read for an end that did not come.
    in_vain: usize,
}

impl<'a> Source<'a> {
    /// A text in which `%` begins a comment.
    pub fn latex(text: &'a str) -> Self {
        Self {
            pending: Vec::new(),
            text,
            at: 0,
            comments: true,
            in_vain: 0,
        }
    }

    /// A text in which `%` is a sign as others are.
    pub fn prose(text: &'a str) -> Self {
        Self {
            comments: false,
            ..Self::latex(text)
        }
    }

    /// Tokens that are there already.
    pub fn of(mut tokens: Vec<Token>) -> Self {
        tokens.reverse();
        Self {
            pending: tokens,
            ..Self::latex("")
        }
    }

    /// Where the text goes on.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What is left of the text as it stands, unless tokens come before it.
    pub fn raw(&self) -> Option<&'a str> {
        self.pending.is_empty().then(|| &self.text[self.at..])
    }

    /// Passes by so many bytes of the text.
    pub fn skip(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.text.len());
    }

    /// Puts tokens back, to come in their order.
    pub fn put_back(
        &mut self,
        tokens: impl IntoIterator<Item = Token, IntoIter: DoubleEndedIterator>,
    ) {
        self.pending.extend(tokens.into_iter().rev());
    }

    /// The next token.
    pub fn token(&mut self) -> Option<Token> {
        self.pending.pop().or_else(|| self.cut())
    }

    /// The next token, which stays the next.
    pub fn peek(&mut self) -> Option<&Token> {
        if self.pending.is_empty() {
            let token = self.cut()?;
            self.pending.push(token);
        }
        self.pending.last()
    }

    /// Takes the next token if it is this one.
    pub fn take(&mut self, wanted: &Token) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.pending.pop();
        }
        found
    }

    /// Passes white space by.
    pub fn blanks(&mut self) {
        while self.peek().is_some_and(Token::is_blank) {
            self.pending.pop();
        }
    }

    /// What stands in the braces that come next; nothing is taken if there are none, they do not
    /// close, or hold more than `most` tokens.
    pub fn group(&mut self, most: usize) -> Option<Vec<Token>> {
        self.enclosed(&Token::Open, &Token::Close, most)
    }

    /// What stands in the brackets that come next, as for [`Self::group`].
    pub fn brackets(&mut self, most: usize) -> Option<Vec<Token>> {
        self.enclosed(&Token::Char('['), &Token::Char(']'), most)
    }

    /// What stands between two tokens, braces in it being whole.
    pub fn enclosed(&mut self, open: &Token, close: &Token, most: usize) -> Option<Vec<Token>> {
        let mut read = Vec::new();
        while self.peek().is_some_and(Token::is_blank) {
            read.extend(self.token());
        }
        if self.peek() != Some(open) {
            self.put_back(read);
            return None;
        }
        read.extend(self.token());
        let (start, mut depth) = (read.len(), 0usize);
        let most = if self.in_vain > MOST_IN_VAIN {
            most.min(FEW)
        } else {
            most
        };
        while read.len() - start <= most {
            let Some(token) = self.token() else { break };
            if token == *close && depth == 0 {
                return Some(read.split_off(start));
            }
            match token {
                Token::Open => depth += 1,
                Token::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            read.push(token);
        }
        self.in_vain += read.len();
        self.put_back(read);
        None
    }

    /// One argument: a group without its braces, or the next token but white space.
    pub fn argument(&mut self, most: usize) -> Option<Vec<Token>> {
        if let Some(group) = self.group(most) {
            return Some(group);
        }
        self.blanks();
        match self.peek()? {
            Token::Open | Token::Close => None,
            _ => self.token().map(|token| vec![token]),
        }
    }

    /// Cuts the next token from the text.
    fn cut(&mut self) -> Option<Token> {
        loop {
            let rest = &self.text[self.at..];
            let letter = rest.chars().next()?;
            self.at += letter.len_utf8();
            return Some(match letter {
                '{' => Token::Open,
                '}' => Token::Close,
                '\\' => self.command(),
                '%' if self.comments => {
                    let line = rest.find('\n').map_or(rest.len(), |end| end + 1);
                    self.at += line - 1;
                    let rest = &self.text[self.at..];
                    self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
                    if self.text[self.at..].starts_with('\n') {
                        self.white();
                        return Some(Token::Paragraph);
                    }
                    continue;
                }
                letter if letter.is_whitespace() => {
                    self.at -= letter.len_utf8();
                    match self.white() {
                        true => Token::Paragraph,
                        false => Token::Space,
                    }
                }
                letter => Token::Char(letter),
            });
        }
    }

    /// Passes the white space of the text by; whether there is an empty line in it.
    fn white(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let white = &rest[..rest.len() - rest.trim_start().len()];
        self.at += white.len();
        white.matches('\n').count() > 1
    }

    fn command(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else {
            return Token::Char('\\');
        };
        if !is_letter(first) {
            self.at += first.len_utf8();
            let name = if first.is_whitespace() { ' ' } else { first };
            return Token::Command(name.to_string());
        }
        let length = rest.find(|c| !is_letter(c)).unwrap_or(rest.len());
        self.at += length;
        let after = self.at;
        if self.white() {
            self.at = after;
        }
        Token::command(&rest[..length])
    }
}

/// Whether a letter belongs to the name of a command; packages write some with `@`.
fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphabetic() || letter == '@'
}

/// All tokens of a text.
pub fn read(latex: &str) -> Vec<Token> {
    let mut source = Source::latex(latex);
    std::iter::from_fn(|| source.token()).collect()
}

/// Tokens as a text that is read as the same tokens.
pub fn print(tokens: &[Token]) -> String {
    let mut out = String::with_capacity(2 * tokens.len());
    for (i, token) in tokens.iter().enumerate() {
        match token {
            Token::Open => out.push('{'),
            Token::Close => out.push('}'),
            Token::Space => out.push(' '),
            Token::Paragraph => out.push_str("\n\n"),
            Token::Char(letter) => out.push(*letter),
            Token::Command(name) => {
                out.push('\\');
                out.push_str(name);
                let joins = |next: &Token| matches!(next, Token::Char(c) if is_letter(*c));
                if name.ends_with(is_letter) && tokens.get(i + 1).is_some_and(joins) {
                    out.push(' ');
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_as_the_same_tokens() {
        for text in [
            r"\alpha x^{2} \% \\[2pt] {\rm Re}\, z",
            "a % comment\n  b",
            "a%\n\n b\n\nc",
            r"\begin{align*} a &= b \\ c &= d \end{align*}",
            "\\ x \\\n y",
            "é ≤ \\text{ für } \\",
        ] {
            let tokens = read(text);
            assert_eq!(read(&print(&tokens)), tokens, "{text}");
        }
    }

    #[test]
    fn comments_end_with_their_line_and_swallow_it() {
        assert_eq!(print(&read("a%b\n  c")), "ac");
        assert_eq!(print(&read("a % b\n% c\n\nd")), "a \n\nd");
        assert_eq!(print(&read("5\\% x")), "5\\% x");
    }

    #[test]
    fn groups_are_taken_whole_or_not_at_all() {
        let mut source = Source::latex("{a{b}c} [d]{e");
        assert_eq!(source.group(9).map(|g| print(&g)).as_deref(), Some("a{b}c"));
        assert_eq!(source.group(9), None);
        assert_eq!(source.brackets(9).map(|g| print(&g)).as_deref(), Some("d"));
        assert_eq!(source.group(9), None);
        assert_eq!(source.token(), Some(Token::Open));
    }
}
