//! The tree in its normal form as a string.

use super::parser::Node;

/// Prints a formula.
pub(super) fn write(nodes: &[Node]) -> String {
    let mut out = String::new();
    list(nodes, &mut out);
    out
}

fn list(nodes: &[Node], out: &mut String) {
    nodes.iter().for_each(|one| node(one, out));
}

/// Adds a token, with a space where it would otherwise run into a command's name.
fn token(text: &str, out: &mut String) {
    let letter = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if letter && ends_in_name(out) {
        out.push(' ');
    }
    out.push_str(text);
}

fn ends_in_name(out: &str) -> bool {
    let name = out.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    // An even number of backslashes before the letters is the end of a row, not a command.
    let slashes = name.len() - name.trim_end_matches('\\').len();
    name.len() < out.len() && slashes % 2 == 1
}

fn group(nodes: &[Node], out: &mut String) {
    out.push('{');
    list(nodes, out);
    out.push('}');
}

fn node(one: &Node, out: &mut String) {
    match one {
        Node::Leaf(text) => token(text, out),
        Node::Group(nodes) => group(nodes, out),
        Node::Call(name, optional, arguments) => {
            token(name, out);
            if !optional.is_empty() {
                out.push('[');
                list(optional, out);
                out.push(']');
            }
            arguments.iter().for_each(|nodes| group(nodes, out));
        }
        Node::Scripts(sub, primes, sup) => {
            if !sub.is_empty() {
                out.push('_');
                script(sub, out);
            }
            out.extend(std::iter::repeat_n('\'', *primes));
            if !sup.is_empty() {
                out.push('^');
                script(sup, out);
            }
        }
        Node::Fence(open, close, body) => {
            out.push_str("\\left");
            out.push_str(open);
            list(body, out);
            out.push_str("\\right");
            out.push_str(close);
        }
        Node::Environment(name, argument, body) => {
            out.push_str("\\begin{");
            out.push_str(name);
            out.push('}');
            if !argument.is_empty() {
                out.push('{');
                out.push_str(argument);
                out.push('}');
            }
            list(body, out);
            out.push_str("\\end{");
            out.push_str(name);
            out.push('}');
        }
    }
}

fn script(nodes: &[Node], out: &mut String) {
    match nodes {
        [Node::Leaf(text)] if !text.contains('{') => out.push_str(text),
        nodes => group(nodes, out),
    }
}
