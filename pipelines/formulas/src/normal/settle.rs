//! The tree of a formula with what draws the same written the same.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::names;
use super::parser::Node;

/// Where a list of nodes stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Source,
    Script,
    Other,
}

/// A whole formula.
pub(super) fn settle(nodes: Vec<Node>) -> Vec<Node> {
    let mut nodes = list(nodes, Place::Source);
    // At the ends of a formula no one sees a space.
    while nodes.last().is_some_and(|node| is_leaf(node, "\\quad")) {
        nodes.pop();
    }
    let spaces = nodes.iter().take_while(|node| is_leaf(node, "\\quad"));
    let spaces = spaces.count();
    nodes.split_off(spaces)
}

fn is_leaf(node: &Node, wanted: &str) -> bool {
    matches!(node, Node::Leaf(text) if text == wanted)
}

fn list(nodes: Vec<Node>, place: Place) -> Vec<Node> {
    let mut rest = switched(nodes).into_iter().peekable();
    let mut out = Vec::new();
    while let Some(node) = rest.next() {
        let node = inside(node);
        settled(node, &mut rest, &mut out);
    }
    if place == Place::Script
        && let [Node::Leaf(name)] = out.as_mut_slice()
        && let Some(word) = name.strip_prefix('\\')
        && names::FUNCTIONS.contains(&word)
    {
        *name = format!("\\text{{{word}}}");
    }
    out
}

/// The switches of old, `{\bf x}`, as the commands that are used today.
fn switched(mut nodes: Vec<Node>) -> Vec<Node> {
    let font = |node: &Node| match node {
        Node::Leaf(name) => names::switch(name),
        _ => None,
    };
    let Some(at) = nodes.iter().position(|node| font(node).is_some()) else {
        return nodes;
    };
    let mut rest = nodes.split_off(at).into_iter().peekable();
    while let Some(node) = rest.next() {
        let Some(command) = font(&node) else {
            nodes.push(node);
            continue;
        };
        let mut inner = Vec::new();
        let ends =
            |node: &Node| is_leaf(node, "&") || is_leaf(node, "\\\\") || font(node).is_some();
        while let Some(node) = rest.next_if(|node| !ends(node)) {
            inner.push(node);
        }
        match command {
            _ if inner.is_empty() => {}
            "" => nodes.extend(inner),
            command => nodes.push(Node::Call(command.into(), Vec::new(), vec![inner])),
        }
    }
    nodes
}

/// A node with all that it holds settled.
fn inside(node: Node) -> Node {
    match node {
        Node::Leaf(text) => Node::Leaf(text),
        Node::Group(nodes) => Node::Group(list(nodes, Place::Other)),
        Node::Call(name, optional, arguments) => {
            let settle = |nodes| list(nodes, Place::Other);
            let arguments = arguments.into_iter().map(settle).collect();
            Node::Call(name, settle(optional), arguments)
        }
        Node::Scripts(sub, primes, sup) => {
            Node::Scripts(list(sub, Place::Script), primes, list(sup, Place::Script))
        }
        Node::Fence(open, close, body) => Node::Fence(open, close, list(body, Place::Other)),
        Node::Environment(name, argument, body) => {
            Node::Environment(name, argument, list(body, Place::Other))
        }
    }
}

/// Adds what a node becomes before those that follow it.
fn settled(node: Node, rest: &mut Peekable<IntoIter<Node>>, out: &mut Vec<Node>) {
    let scripted = matches!(rest.peek(), Some(Node::Scripts(..)));
    match node {
        Node::Group(nodes) if !keeps_braces(&nodes, out.last(), scripted) => {
            spliced(nodes, scripted, out);
        }
        Node::Environment(name, _, body) if is_one_row(&name, &body) => {
            spliced(in_one_row(body), scripted, out);
        }
        Node::Environment(name, _, body) if name == "subarray" => {
            out.push(Node::Call("\\substack".into(), Vec::new(), vec![body]));
        }
        Node::Leaf(text) => leaf(text, scripted, out),
        Node::Call(name, optional, arguments) => {
            call(name, optional, arguments, scripted, out);
        }
        node => out.push(node),
    }
}

/// Puts nodes in the place of what held them.
fn spliced(nodes: Vec<Node>, scripted: bool, out: &mut Vec<Node>) {
    match nodes.as_slice() {
        [] if scripted => out.push(Node::Group(nodes)),
        [_, _, ..] if scripted => out.push(Node::Group(nodes)),
        [Node::Scripts(..), ..] => out.push(Node::Group(nodes)),
        _ => nodes.into_iter().for_each(|node| joined(node, out)),
    }
}

/// Whether braces have a meaning: what scripts belong to, what a switch or an infix reaches,
/// and perhaps an argument.
fn keeps_braces(nodes: &[Node], before: Option<&Node>, scripted: bool) -> bool {
    let switches = |node: &Node| match node {
        Node::Leaf(text) => names::reaches_on(text),
        _ => false,
    };
    let starts_scripted = matches!(nodes.first(), Some(Node::Scripts(..)));
    let after_command = match before {
        Some(Node::Leaf(text)) => names::may_take_arguments(text),
        Some(Node::Group(_)) => true,
        _ => false,
    };
    let single = match nodes {
        [Node::Leaf(text)] => !text.contains('{'),
        [Node::Call(name, ..)] => name != "\\not",
        _ => false,
    };
    (scripted && !single) || starts_scripted || after_command || nodes.iter().any(switches)
}

/// Whether an environment for lines has one only, which looks as if it stood alone.
fn is_one_row(name: &str, body: &[Node]) -> bool {
    ["aligned", "gathered", "alignedat"].contains(&name)
        && !body.iter().any(|node| is_leaf(node, "\\\\"))
}

/// The cells of a row after one another; between pairs of them there is a space.
fn in_one_row(body: Vec<Node>) -> Vec<Node> {
    let (mut cells, mut out) = (0, Vec::with_capacity(body.len()));
    for node in body {
        if !is_leaf(&node, "&") {
            out.push(node);
            continue;
        }
        cells += 1;
        if cells % 2 == 0 {
            out.push(Node::Leaf("\\quad".into()));
        }
    }
    out
}

fn leaf(text: String, scripted: bool, out: &mut Vec<Node>) {
    if let Some(operator) = text.strip_prefix("\\operatorname*")
        && !scripted
    {
        out.push(Node::Leaf(format!("\\operatorname{operator}")));
        return;
    }
    let inner = |command: &str| {
        let inner = text.strip_prefix(command)?.strip_prefix('{')?;
        inner.strip_suffix('}')
    };
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic());
    for (command, font) in names::TEXT_FONTS {
        if let Some(word) = inner(command).filter(|word| is_word(word)) {
            let letters = word.chars().map(|c| Node::Leaf(c.into())).collect();
            call(font.into(), Vec::new(), vec![letters], scripted, out);
            return;
        }
    }
    match inner("\\text") {
        Some(word) if names::FUNCTIONS.contains(&word) => {
            out.push(Node::Leaf(format!("\\{word}")));
        }
        Some(word) if word.len() == 1 && is_word(word) => {
            let letter = vec![Node::Leaf(word.to_owned())];
            out.push(Node::Call("\\mathrm".into(), Vec::new(), vec![letter]));
        }
        Some(number) if !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) => {
            let digits = number.chars().map(|c| Node::Leaf(c.into()));
            spliced(digits.collect(), scripted, out);
        }
        _ => joined(Node::Leaf(text), out),
    }
}

fn call(
    name: String,
    optional: Vec<Node>,
    mut arguments: Vec<Vec<Node>>,
    scripted: bool,
    out: &mut Vec<Node>,
) {
    let bare = name.trim_start_matches('\\');
    if names::PHANTOMS.contains(&bare) {
        spliced(Vec::new(), scripted, out);
        return;
    }
    if let [inner] = arguments.as_mut_slice() {
        if names::MOVED.contains(&bare) {
            let inner = std::mem::take(inner);
            spliced(inner, scripted, out);
            return;
        }
        if bare == "mathop"
            && let Some(word) = roman(inner)
        {
            let star = if scripted { "*" } else { "" };
            out.push(Node::Leaf(
                match names::FUNCTIONS.contains(&word.as_str()) {
                    true => format!("\\{word}"),
                    false => format!("\\operatorname{star}{{{word}}}"),
                },
            ));
            return;
        }
        if bare == "mathrm" && inner.len() > 1 && letters(inner).is_some() {
            let word = letters(inner).unwrap_or_default();
            leaf(format!("\\text{{{word}}}"), scripted, out);
            return;
        }
        let digit =
            |node: &Node| matches!(node, Node::Leaf(t) if t.bytes().all(|b| b.is_ascii_digit()));
        if bare == "mathrm" && inner.iter().all(digit) {
            let inner = std::mem::take(inner);
            spliced(inner, scripted, out);
            return;
        }
    }
    if let [above, base] = arguments.as_mut_slice()
        && (bare == "overset" || bare == "underset")
        && above.is_empty()
    {
        let base = std::mem::take(base);
        spliced(base, scripted, out);
        return;
    }
    joined(Node::Call(name, optional, arguments), out);
}

/// The letters of a word that stand one by one.
fn letters(nodes: &[Node]) -> Option<String> {
    let letter = |node: &Node| match node {
        Node::Leaf(text) if text.len() == 1 => {
            text.chars().next().filter(char::is_ascii_alphabetic)
        }
        _ => None,
    };
    nodes.iter().map(letter).collect()
}

/// A word in upright letters.
fn roman(nodes: &[Node]) -> Option<String> {
    let [node] = nodes else { return None };
    match node {
        Node::Leaf(text) => {
            let word = text.strip_prefix("\\text{")?.strip_suffix('}')?;
            word.chars()
                .all(|c| c.is_ascii_alphabetic())
                .then(|| word.to_owned())
        }
        Node::Call(name, _, arguments) if name == "\\mathrm" => letters(arguments.first()?),
        _ => None,
    }
}

/// Adds a node, in one with the one before if both are letters of one font or words.
fn joined(node: Node, out: &mut Vec<Node>) {
    match (out.last_mut(), node) {
        (Some(Node::Call(before, _, inner)), Node::Call(name, optional, mut more))
            if *before == name && names::FONTS.contains(&name.trim_start_matches('\\')) =>
        {
            match (inner.first_mut(), more.pop()) {
                (Some(inner), Some(more)) => inner.extend(more),
                (_, more) => out.push(Node::Call(name, optional, more.into_iter().collect())),
            }
        }
        (Some(Node::Leaf(before)), Node::Leaf(text))
            if before.starts_with("\\text{") && text.starts_with("\\text{") =>
        {
            before.pop();
            let words = &text["\\text{".len()..];
            let words = if before.ends_with(' ') {
                words.trim_start()
            } else {
                words
            };
            before.push_str(words);
        }
        (_, node) => out.push(node),
    }
}
