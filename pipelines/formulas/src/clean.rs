//! A formula's tokens without what no picture of it shows (labels, numbers, references), and
//! with the forms that the renderer does not know written in those that it knows.

use ratex_font::get_math_symbol;
use ratex_font::symbols::{Group, SymbolInfo};

use crate::negated::negated;
use crate::tokens::{Source, Token, print, read};

mod columns;
mod letters;
mod unseen;
mod words;

use unseen::{MOST, UNSEEN};

/// Formulas in texts in formulas are not followed deeper than this.
const MOST_DEPTH: usize = 8;

/// The name under which an environment is drawn, none where only its content is.
fn drawn(name: &str) -> Option<&str> {
    Some(match name {
        "equation" | "equation*" | "displaymath" | "math" | "dmath" | "dmath*" | "subequations"
        | "dgroup" | "dgroup*" | "center" | "small" | "footnotesize" | "scriptsize" | "large" => {
            return None;
        }
        "align" | "align*" | "flalign" | "flalign*" | "split" | "eqnarray" | "eqnarray*"
        | "IEEEeqnarray" | "IEEEeqnarray*" | "empheq" => "aligned",
        "gather" | "gather*" | "multline" | "multline*" | "multlined" => "gathered",
        "alignat" | "alignat*" | "xalignat" | "xalignat*" | "xxalignat" => "alignedat",
        "numcases" | "subnumcases" => "cases",
        name => name,
    })
}

/// An environment that is open.
struct Environment {
    name: String,
    /// Cells of the row so far, where their number matters.
    cells: usize,
    /// How many braces are open in it.
    depth: usize,
}

/// The tokens that are drawn, and of which the answer is made.
pub fn clean(tokens: Vec<Token>) -> Vec<Token> {
    cleaned(tokens, 0)
}

/// The same within so many texts and the formulas in them.
fn cleaned(tokens: Vec<Token>, depth: usize) -> Vec<Token> {
    if depth > MOST_DEPTH {
        return tokens;
    }
    let mut cleaner = Cleaner {
        source: Source::of(tokens),
        out: Vec::new(),
        open: Vec::new(),
        depth,
    };
    while let Some(token) = cleaner.source.token() {
        cleaner.step(token);
    }
    cleaner.out
}

struct Cleaner {
    source: Source<'static>,
    out: Vec<Token>,
    open: Vec<Environment>,
    depth: usize,
}

impl Cleaner {
    fn step(&mut self, token: Token) {
        match token {
            Token::Open => {
                self.open.iter_mut().for_each(|e| e.depth += 1);
                self.out.push(token);
            }
            Token::Close => {
                let less = |e: &mut Environment| e.depth = e.depth.saturating_sub(1);
                self.open.iter_mut().for_each(less);
                self.out.push(token);
            }
            Token::Char('&') => self.cell(),
            Token::Char('~') => self.out.push(Token::Space),
            Token::Char(letter) if !letter.is_ascii() => {
                letters::spell(letter, &mut self.source, &mut self.out);
            }
            Token::Command(name) => self.command(name),
            token => self.out.push(token),
        }
    }

    /// The end of a cell: of a row's three in `eqnarray` the last two are one.
    fn cell(&mut self) {
        if let Some(open) = self.open.last_mut()
            && open.depth == 0
            && (open.name.starts_with("eqnarray") || open.name.starts_with("IEEEeqnarray"))
        {
            open.cells += 1;
            if open.cells == 2 {
                return;
            }
        }
        self.out.push(Token::Char('&'));
    }

    /// Drops empty cells at the end of a row: nothing shows of them, and the renderer takes a
    /// last row that ends in one for none.
    fn end_row(&mut self) {
        while matches!(self.out.last(), Some(Token::Space | Token::Char('&'))) {
            self.out.pop();
        }
    }

    fn command(&mut self, name: String) {
        if let Some((_, groups)) = UNSEEN.iter().find(|(unseen, _)| *unseen == name) {
            self.source.take(&Token::Char('*'));
            while self.source.brackets(MOST).is_some() {}
            for _ in 0..*groups {
                self.source.argument(MOST);
            }
            return;
        }
        match name.as_str() {
            "begin" => self.begin(),
            "end" => self.end(),
            "\\" | "cr" | "newline" | "tabularnewline" => {
                if let Some(open) = self.open.last_mut() {
                    open.cells = 0;
                }
                self.end_row();
                let follows = self.source.take(&Token::Char('*'));
                self.out.push(Token::command("\\"));
                // A star is not drawn, nor is a distance; what only looks like one is kept.
                if follows && self.source.peek() == Some(&Token::Char('[')) {
                    self.out.push(Token::Space);
                }
            }
            "intertext" | "shortintertext" => {
                if let Some(text) = self.source.group(MOST) {
                    self.out
                        .extend(words::text("text", text, self.depth, cleaned));
                    self.out.push(Token::command("\\"));
                }
            }
            "hskip" | "kern" | "mskip" | "mkern" => self.distance(&name),
            "hspace" => {
                self.source.take(&Token::Char('*'));
                match self.source.group(60) {
                    Some(length) => {
                        let ems = ems(&print(&length));
                        self.out.extend(space(ems.unwrap_or(1.0)));
                    }
                    None => self.out.push(Token::Command(name)),
                }
            }
            "dots" => {
                let dots = if self.is_between_signs() {
                    "cdots"
                } else {
                    "ldots"
                };
                self.out.push(Token::command(dots));
            }
            "root" => self.root(),
            "not" => self.negation(),
            // TeX's own way to number a formula, at whose end it stands.
            "eqno" | "leqno" => while self.source.token().is_some() {},
            "matrix" | "pmatrix" | "cases" | "eqalign" | "displaylines" => self.plain(&name),
            // Within rows it only moves a cell.
            "hfill" | "hfil" | "hss" if !self.open.is_empty() => {}
            "hfill" | "hfil" | "hss" => self.out.push(Token::command("quad")),
            "mit" | "normalfont" | "boldmath" | "unboldmath" => {}
            _ => match words::kind(&name) {
                Some(kind) => match self.source.group(MOST) {
                    Some(text) => self
                        .out
                        .extend(words::text(kind, text, self.depth, cleaned)),
                    None => self.out.push(Token::Command(name)),
                },
                None => self.out.push(Token::Command(name)),
            },
        }
    }

    /// Whether what follows is a sign between terms, where `\dots` stand in the middle.
    fn is_between_signs(&mut self) -> bool {
        self.source.blanks();
        let name = match self.source.peek() {
            Some(Token::Command(name)) => format!("\\{name}"),
            Some(Token::Char(sign)) => sign.to_string(),
            _ => return false,
        };
        let tall = [
            "sum",
            "prod",
            "coprod",
            "bigcap",
            "bigcup",
            "bigvee",
            "bigwedge",
            "biguplus",
            "bigotimes",
            "bigoplus",
            "bigodot",
            "bigsqcup",
            "int",
            "oint",
            "iint",
            "iiint",
            "mathbin",
            "mathrel",
            "xrightarrow",
            "xleftarrow",
            "mapsto",
            "longmapsto",
            "iff",
            "implies",
            "impliedby",
            "neq",
            "ne",
        ];
        let word = name.trim_start_matches('\\');
        let is_sign = |symbol: SymbolInfo| matches!(symbol.group, Group::Bin | Group::Rel);
        tall.contains(&word)
            || word.starts_with("not")
            || get_math_symbol(&name).is_some_and(is_sign)
    }

    /// `\not=` under the name that it has, if it has one.
    fn negation(&mut self) {
        self.source.blanks();
        let relation = match self.source.peek() {
            Some(Token::Command(name)) => format!("\\{name}"),
            Some(Token::Char(sign)) => sign.to_string(),
            _ => String::new(),
        };
        match negated(&relation) {
            Some(name) => {
                self.source.token();
                self.out.extend(read(name));
            }
            None => self.out.push(Token::command("not")),
        }
    }

    /// `\root n \of x`
    fn root(&mut self) {
        let mut degree = Vec::new();
        while degree.len() < 60 {
            match self.source.token() {
                Some(token) if token.is("of") => {
                    degree.push(Token::Char(']'));
                    self.source.put_back(degree);
                    self.source
                        .put_back([Token::command("sqrt"), Token::Char('[')]);
                    return;
                }
                Some(token) => degree.push(token),
                None => break,
            }
        }
        self.source.put_back(degree);
        self.out.push(Token::command("root"));
    }

    /// TeX's own commands for what stands in rows: `\pmatrix{a & b \cr c & d}`.
    fn plain(&mut self, name: &str) {
        let Some(inner) = self.source.group(MOST) else {
            self.out.push(Token::command(name));
            return;
        };
        let name = match name {
            "eqalign" => "aligned",
            "displaylines" => "gathered",
            name => name,
        };
        self.source.put_back(read(&format!("\\end{{{name}}}")));
        self.source.put_back(inner);
        self.source.put_back(read(&format!("\\begin{{{name}}}")));
    }

    fn begin(&mut self) {
        let Some(group) = self.source.group(60) else {
            self.out.push(Token::command("begin"));
            return;
        };
        let name = print(&group);
        let name = name.trim();
        self.open.push(Environment {
            name: name.to_owned(),
            cells: 0,
            depth: 0,
        });
        match name {
            "numcases" | "subnumcases" => {
                let left = self.source.group(MOST).unwrap_or_default();
                self.out.extend(left);
            }
            "empheq" => {
                self.source.brackets(MOST);
                self.source.group(60);
            }
            "IEEEeqnarray" | "IEEEeqnarray*" => {
                self.source.brackets(60);
                self.source.group(60);
            }
            "dmath" | "dmath*" => drop(self.source.brackets(MOST)),
            _ => {}
        }
        if let Some(name) = drawn(name) {
            self.out.extend(read(&format!("\\begin{{{name}}}")));
            // Where it stands on the line.
            if let Some(place) = self.source.brackets(4)
                && !["t", "b", "c"].contains(&print(&place).trim())
            {
                self.out.push(Token::Char('['));
                self.out.extend(place);
                self.out.push(Token::Char(']'));
            }
            if name == "array"
                && let Some(columns) = self.source.group(MOST)
            {
                self.out.push(Token::Open);
                self.out.extend(columns::plain(columns));
                self.out.push(Token::Close);
            }
        }
    }

    fn end(&mut self) {
        let Some(group) = self.source.group(60) else {
            self.out.push(Token::command("end"));
            return;
        };
        let name = print(&group);
        self.open.pop();
        self.end_row();
        if let Some(name) = drawn(name.trim()) {
            self.out.extend(read(&format!("\\end{{{name}}}")));
        }
    }

    /// A distance without braces, with what it may grow and shrink by.
    fn distance(&mut self, name: &str) {
        let mut read = Vec::new();
        let mut text = String::new();
        while text.len() < 24 {
            let Some(token) = self.source.token() else {
                break;
            };
            let letter = match token {
                Token::Char(letter) if letter.is_ascii() => letter,
                Token::Space => ' ',
                _ => {
                    self.source.put_back([token]);
                    break;
                }
            };
            text.push(letter);
            read.push(token);
            if let Some(ems) = ems(&text) {
                for word in ["plus", "minus"] {
                    self.pass_stretch(word);
                }
                self.out.extend(space(ems));
                return;
            }
        }
        self.source.put_back(read);
        self.out.push(Token::command(name));
    }

    /// `plus 2pt`
    fn pass_stretch(&mut self, word: &str) {
        let (mut read, mut text) = (Vec::new(), String::new());
        while text.len() < 24 {
            let letter = match self.source.token() {
                Some(Token::Char(letter)) => letter,
                Some(Token::Space) => ' ',
                other => {
                    self.source.put_back(other);
                    break;
                }
            };
            text.push(letter);
            read.push(if letter == ' ' {
                Token::Space
            } else {
                Token::Char(letter)
            });
            let stretch = text.trim_start().strip_prefix(word);
            if stretch.is_some_and(|text| ems(text).is_some() || text.ends_with("fil")) {
                return;
            }
        }
        self.source.put_back(read);
    }
}

/// A distance in ems, if that is what a text is.
fn ems(text: &str) -> Option<f64> {
    let text = text.trim();
    let units = [
        ("em", 1.0),
        ("ex", 0.43),
        ("mu", 1.0 / 18.0),
        ("pt", 0.1),
        ("bp", 0.1),
        ("mm", 0.285),
        ("cm", 2.85),
        ("in", 7.2),
        ("pc", 1.2),
        ("sp", 0.0),
    ];
    let (number, ems) = units
        .iter()
        .find_map(|(unit, ems)| Some((text.strip_suffix(unit)?, ems)))?;
    let number = number.split_whitespace().collect::<String>();
    number
        .parse::<f64>()
        .ok()
        .filter(|n| n.is_finite())
        .map(|number| number * ems)
}

/// White space of a width: as wide as a quad, or too narrow to be told from none.
fn space(ems: f64) -> Vec<Token> {
    if ems >= 0.8 {
        vec![Token::command("quad")]
    } else {
        Vec::new()
    }
}
