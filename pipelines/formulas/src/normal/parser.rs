//! Tokens as a tree in which the normal form is decided.

use super::lexeme::Lexeme;
use super::names;
use crate::negated::negated;

/// Deeper nesting is not taken apart.
const MOST_DEPTH: usize = 60;

/// A piece of a formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A character, a command without arguments, or text as it stands.
    Leaf(String),
    /// What stands in braces.
    Group(Vec<Node>),
    /// A command with its arguments, the optional one first.
    Call(String, Vec<Node>, Vec<Vec<Node>>),
    /// Subscript, primes and superscript of what stands before.
    Scripts(Vec<Node>, usize, Vec<Node>),
    /// Delimiters that may grow, and what they enclose.
    Fence(String, String, Vec<Node>),
    /// An environment: name, argument, content.
    Environment(String, String, Vec<Node>),
}

/// The tree of a formula, or none if its braces, environments or fences do not match.
pub(super) fn parse(tokens: &[Lexeme]) -> Option<Vec<Node>> {
    let mut parser = Parser { tokens, at: 0 };
    let nodes = parser.list(&End::Source, 0)?;
    (parser.at == tokens.len()).then_some(nodes)
}

/// What ends a list.
enum End {
    Source,
    Brace,
    Bracket,
    Right,
    Environment(String),
}

struct Parser<'a> {
    tokens: &'a [Lexeme],
    at: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<Lexeme> {
        let token = self.tokens.get(self.at)?.clone();
        self.at += 1;
        Some(token)
    }

    fn peek_char(&self, wanted: char) -> bool {
        self.tokens.get(self.at) == Some(&Lexeme::Char(wanted))
    }

    /// Everything up to `end`, which is read as well.
    fn list(&mut self, end: &End, depth: usize) -> Option<Vec<Node>> {
        if depth > MOST_DEPTH {
            return None;
        }
        let mut nodes: Vec<Node> = Vec::new();
        loop {
            let Some(token) = self.next() else {
                return matches!(end, End::Source).then(|| infix(nodes));
            };
            match (&token, end) {
                (Lexeme::Close, End::Brace) => return Some(infix(nodes)),
                (Lexeme::Char(']'), End::Bracket) => return Some(nodes),
                (Lexeme::Command(name), End::Right) if name == "\\right" => {
                    return Some(infix(nodes));
                }
                (Lexeme::End(name), End::Environment(open)) if name == open => {
                    return Some(nodes);
                }
                (Lexeme::Close | Lexeme::End(_), _) => return None,
                (Lexeme::Char(sign @ ('^' | '_' | '\'')), _) => {
                    self.script(*sign, &mut nodes, depth)?;
                }
                _ => self.node(token, &mut nodes, depth)?,
            }
        }
    }

    /// Reads the node that begins with `token` and adds what it becomes.
    fn node(&mut self, token: Lexeme, out: &mut Vec<Node>, depth: usize) -> Option<()> {
        match token {
            Lexeme::Char(letter) => out.push(Node::Leaf(letter.to_string())),
            Lexeme::Raw(text) => out.push(Node::Leaf(text)),
            Lexeme::Open => {
                let nodes = self.list(&End::Brace, depth + 1)?;
                out.extend(bared(nodes, out.last(), self.scripted()));
            }
            Lexeme::Begin(name, argument) => {
                let mut body = self.list(&End::Environment(name.clone()), depth + 1)?;
                while body.last() == Some(&Node::Leaf("\\\\".into())) {
                    body.pop();
                }
                out.push(Node::Environment(name, argument, body));
            }
            Lexeme::Command(name) if name == "\\left" => {
                let open = self.delimiter()?;
                let body = self.list(&End::Right, depth + 1)?;
                let close = self.delimiter()?;
                fence(open, close, body, out);
            }
            Lexeme::Command(name) if name == "\\right" => return None,
            Lexeme::Command(name) if name == "\\middle" => {
                let delimiter = self.delimiter()?;
                out.push(Node::Call("\\middle".into(), Vec::new(), Vec::new()));
                out.push(Node::Leaf(delimiter));
            }
            Lexeme::Command(name) if name == "\\quad" => {
                if out.last() != Some(&Node::Leaf(name.clone())) {
                    out.push(Node::Leaf(name));
                }
            }
            Lexeme::Command(name) => match names::arguments(&name) {
                None => out.push(Node::Leaf(name)),
                Some((count, optional)) => {
                    let mut first = Vec::new();
                    if optional && self.peek_char('[') {
                        self.at += 1;
                        first = self.list(&End::Bracket, depth + 1)?;
                    }
                    let mut arguments = Vec::with_capacity(count);
                    for _ in 0..count {
                        arguments.push(self.argument(depth + 1)?);
                    }
                    out.push(call(name, first, arguments));
                }
            },
            Lexeme::Close | Lexeme::End(_) => return None,
        }
        Some(())
    }

    fn scripted(&self) -> bool {
        self.peek_char('^') || self.peek_char('_')
    }

    /// One argument: a group without its braces, or the next piece.
    fn argument(&mut self, depth: usize) -> Option<Vec<Node>> {
        if depth > MOST_DEPTH {
            return None;
        }
        let token = self.next()?;
        let mut nodes = Vec::new();
        if token == Lexeme::Open {
            nodes = self.list(&End::Brace, depth)?;
        } else {
            self.node(token, &mut nodes, depth)?;
        }
        while let [Node::Group(inner)] = nodes.as_slice() {
            nodes = inner.clone();
        }
        Some(nodes)
    }

    fn delimiter(&mut self) -> Option<String> {
        Some(match self.next()? {
            Lexeme::Char('<') => "\\langle".into(),
            Lexeme::Char('>') => "\\rangle".into(),
            Lexeme::Char(sign) => sign.to_string(),
            Lexeme::Command(name) => name,
            _ => return None,
        })
    }

    /// Adds a script to those of the piece before it, or begins them.
    fn script(&mut self, sign: char, nodes: &mut Vec<Node>, depth: usize) -> Option<()> {
        let new = match sign {
            '\'' => Vec::new(),
            _ => self.argument(depth + 1)?,
        };
        if !matches!(nodes.last(), Some(Node::Scripts(..))) {
            nodes.push(Node::Scripts(Vec::new(), 0, Vec::new()));
        }
        let Some(Node::Scripts(sub, primes, sup)) = nodes.last_mut() else {
            return None;
        };
        let is_prime = |node: &Node| *node == Node::Leaf("\\prime".into());
        match sign {
            '\'' => *primes += 1,
            '_' => sub.extend(new),
            _ if !new.is_empty() && new.iter().all(is_prime) => *primes += new.len(),
            _ => sup.extend(new),
        }
        if sub.is_empty() && sup.is_empty() && *primes == 0 {
            nodes.pop();
        }
        Some(())
    }
}

/// The content of a group, without braces where they show nothing.
fn bared(mut nodes: Vec<Node>, before: Option<&Node>, scripted: bool) -> Vec<Node> {
    while let [Node::Group(inner)] = nodes.as_slice() {
        nodes = inner.clone();
    }
    // After a command that is not known here the braces may hold its argument.
    let after_command = match before {
        Some(Node::Leaf(text)) => text.starts_with('\\') && text.len() > 2,
        Some(Node::Group(_)) => true,
        _ => false,
    };
    match nodes.as_slice() {
        [] if !scripted && !after_command => Vec::new(),
        [Node::Leaf(text)] if !after_command && !text.contains('{') => nodes,
        [Node::Call(name, ..)] if !after_command && name != "\\not" => nodes,
        _ => vec![Node::Group(nodes)],
    }
}

/// `a \over b` and `n \choose k` as the commands that are used today.
fn infix(mut nodes: Vec<Node>) -> Vec<Node> {
    for (sign, command) in [("\\over", "\\frac"), ("\\choose", "\\binom")] {
        let is_sign = |node: &Node| *node == Node::Leaf(sign.into());
        if let Some(at) = nodes.iter().position(is_sign) {
            let below = nodes.split_off(at + 1);
            nodes.pop();
            return vec![Node::Call(
                command.into(),
                Vec::new(),
                vec![nodes, infix(below)],
            )];
        }
    }
    nodes
}

fn call(name: String, optional: Vec<Node>, mut arguments: Vec<Vec<Node>>) -> Node {
    if name == "\\not"
        && let [argument] = arguments.as_slice()
        && let [Node::Leaf(relation)] = argument.as_slice()
        && let Some(negated) = negated(relation)
    {
        return Node::Leaf(negated.into());
    }
    if name == "\\pmod" || name == "\\substack" {
        for argument in &mut arguments {
            while argument.last() == Some(&Node::Leaf("\\\\".into())) {
                argument.pop();
            }
        }
    }
    Node::Call(name, optional, arguments)
}

/// Delimiters that grow stay so; others become plain, and a matrix in them its own kind.
fn fence(open: String, close: String, body: Vec<Node>, out: &mut Vec<Node>) {
    if let [Node::Environment(name, argument, content)] = body.as_slice()
        && name == "matrix"
    {
        let kind = match (open.as_str(), close.as_str()) {
            ("(", ")") => Some("pmatrix"),
            ("[", "]") => Some("bmatrix"),
            ("|", "|") => Some("vmatrix"),
            ("\\|", "\\|") => Some("Vmatrix"),
            ("\\{", "\\}") => Some("Bmatrix"),
            _ => None,
        };
        if let Some(kind) = kind {
            let (argument, content) = (argument.clone(), content.clone());
            out.push(Node::Environment(kind.into(), argument, content));
            return;
        }
    }
    if open == "." || close == "." || body.iter().any(|node| is_tall(node, 0)) {
        out.push(Node::Fence(open, close, body));
    } else {
        out.push(Node::Leaf(open));
        out.extend(body);
        out.push(Node::Leaf(close));
    }
}

fn is_tall(node: &Node, in_script: usize) -> bool {
    let any = |nodes: &[Node], scripts: usize| nodes.iter().any(|node| is_tall(node, scripts));
    match node {
        Node::Leaf(text) => in_script == 0 && names::is_tall(text),
        Node::Group(nodes) => any(nodes, in_script),
        Node::Call(name, _, arguments) => {
            names::is_tall(name) || arguments.iter().any(|nodes| any(nodes, in_script))
        }
        Node::Scripts(sub, _, sup) => {
            in_script > 0 || any(sub, in_script + 1) || any(sup, in_script + 1)
        }
        Node::Fence(..) | Node::Environment(..) => true,
    }
}
