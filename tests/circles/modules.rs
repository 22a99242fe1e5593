//! The modules of a crate, read off its tokens: what each defines, imports and names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The names that one file takes from another.
pub type Arrows = BTreeMap<(PathBuf, PathBuf), BTreeSet<String>>;

/// A module of a crate; a file is one with those that stand written out in it.
#[derive(Default)]
struct Module {
    file: PathBuf,
    /// The module above it; the crate's first is above itself.
    parent: usize,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    imports: Vec<Import>,
    /// Paths of at least two segments that stand in the code.
    paths: BTreeSet<Vec<String>>,
    /// All words of the code outside imports.
    words: BTreeSet<String>,
    /// Functions that a type is given here: the type's path, and theirs.
    methods: Vec<(Vec<String>, String)>,
}

struct Import {
    path: Vec<String>,
    /// What it is called here; `*` stands for all that the path holds.
    name: String,
    handed_on: bool,
}

/// What a path leads to: a module, or a name that a module defines.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(usize),
    Item(usize, String),
}

/// The modules of one crate, its root first.
#[derive(Default)]
pub struct Crate(Vec<Module>);

/// What stands before the name that an item defines.
const DEFINING: [&str; 8] = [
    "const", "enum", "fn", "static", "struct", "trait", "type", "union",
];
/// Longest chain of names handed on that is followed.
const DEEPEST: usize = 16;

impl Crate {
    pub fn read(file: &Path) -> Result<Self> {
        let mut whole = Self::default();
        whole.read_file(file, 0, &file.with_file_name(""))?;
        Ok(whole)
    }

    /// Reads `file` as a new module below `parent`; its own modules lie in `folder`.
    fn read_file(&mut self, file: &Path, parent: usize, folder: &Path) -> Result<usize> {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {file:?}"))?;
        let code: TokenStream = text.parse().map_err(|e| anyhow!("{file:?}: {e}"))?;
        self.read_module(code, file, parent, folder)
    }

    fn read_module(
        &mut self,
        code: TokenStream,
        file: &Path,
        parent: usize,
        folder: &Path,
    ) -> Result<usize> {
        let index = self.0.len();
        self.0.push(Module {
            file: file.to_owned(),
            parent,
            ..Module::default()
        });
        self.read_code(code, index, Some(folder))?;
        Ok(index)
    }

    /// Notes what a piece of code defines, imports and names; `folder` is given for what stands
    /// directly in the module, whose own modules lie there.
    fn read_code(&mut self, code: TokenStream, index: usize, folder: Option<&Path>) -> Result<()> {
        let tokens: Vec<TokenTree> = code.into_iter().collect();
        let (mut at, mut place) = (0, None);
        while let Some(token) = tokens.get(at) {
            let module = &mut self.0[index];
            let rest = &tokens[at + 1..];
            match (token, rest) {
                (token, [TokenTree::Group(attribute), ..]) if is_mark(token, '#') => {
                    let text = attribute.to_string().replace(' ', "");
                    at += 1;
                    if text == "[cfg(test)]" {
                        at += 1 + item_len(&rest[1..]);
                    } else if let Some(text) = text.strip_prefix("[path=\"") {
                        place = Some(text.trim_end_matches("\"]").to_owned());
                    }
                }
                (TokenTree::Group(group), _) => {
                    self.read_code(group.stream(), index, None)?;
                    at += 1;
                }
                (TokenTree::Ident(word), [TokenTree::Ident(name), body, ..])
                    if word == "mod" && folder.is_some() =>
                {
                    let name = name.to_string();
                    let inner = folder.unwrap_or(Path::new("")).join(&name);
                    let child = match body {
                        TokenTree::Group(body) => {
                            let file = module.file.clone();
                            self.read_module(body.stream(), &file, index, &inner)?
                        }
                        _ => {
                            let beside =
                                module.file.with_file_name(place.take().unwrap_or_default());
                            let files = [beside, inner.with_extension("rs"), inner.join("mod.rs")];
                            let file = files.iter().find(|file| file.is_file());
                            let file = file.with_context(|| format!("no file of {inner:?}"))?;
                            self.read_file(&file.canonicalize()?, index, &inner)?
                        }
                    };
                    self.0[index].children.insert(name, child);
                    at += 3;
                }
                (TokenTree::Ident(word), [first, ..]) if word == "use" && !is_mark(first, '<') => {
                    let handed_on = match at.checked_sub(1).map(|before| &tokens[before]) {
                        Some(TokenTree::Ident(word)) => word == "pub",
                        Some(TokenTree::Group(scope)) => {
                            scope.delimiter() == Delimiter::Parenthesis
                        }
                        _ => false,
                    };
                    let tree = rest.split(|token| is_mark(token, ';')).next();
                    flatten(tree.unwrap_or(rest), &[], handed_on, &mut module.imports);
                    at += 1 + tree.map_or(0, <[_]>::len);
                }
                (TokenTree::Ident(word), _) => {
                    if folder.is_some() && DEFINING.iter().any(|kind| word == kind) {
                        module.items.extend(rest.first().map(ToString::to_string));
                    }
                    if folder.is_some() && word == "impl" {
                        module.methods.extend(methods(rest));
                    }
                    let path = path_at(&tokens[at..]);
                    let after = |mark| at > 0 && is_mark(&tokens[at - 1], mark);
                    let is_field = after('.') && !(at > 1 && is_mark(&tokens[at - 2], '.'));
                    let goes_on = after(':') && at > 1 && is_mark(&tokens[at - 2], ':');
                    at += 3 * path.len() - 2;
                    if !is_field && !goes_on {
                        module.words.insert(path[0].clone());
                        module.paths.extend((path.len() > 1).then_some(path));
                    }
                }
                _ => at += 1,
            }
        }
        Ok(())
    }

    /// What `path` means in the module `from`; nothing if that lies outside the crate.
    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Vec<Target> {
        let Some((first, rest)) = path.split_first().filter(|_| depth < DEEPEST) else {
            return Vec::new();
        };
        let mut found = match first.as_str() {
            "crate" => vec![Target::Module(0)],
            "self" => vec![Target::Module(from)],
            "super" => vec![Target::Module(self.0[from].parent)],
            name => self.lookup(from, name, depth),
        };
        let is_ours = matches!(first.as_str(), "crate" | "self" | "super");
        for (place, name) in rest.iter().enumerate() {
            let is_last = place + 1 == rest.len();
            let mut next = Vec::new();
            for target in found {
                match target {
                    Target::Module(module) if name == "super" => {
                        next.push(Target::Module(self.0[module].parent));
                    }
                    Target::Module(module) if name == "self" => next.push(Target::Module(module)),
                    Target::Module(module) => {
                        let names = self.lookup(module, name, depth);
                        // What a macro defines is in no list.
                        let made = names.is_empty() && is_last && is_ours;
                        next.extend(names);
                        next.extend(made.then(|| Target::Item(module, name.clone())));
                    }
                    Target::Item(module, item) => next.push(Target::Item(module, item)),
                }
            }
            found = next;
        }
        found
    }

    /// What `name` means in a module: what it defines, declares or imports.
    fn lookup(&self, module: usize, name: &str, depth: usize) -> Vec<Target> {
        let here = &self.0[module];
        let mut found = Vec::new();
        found.extend(here.children.get(name).map(|child| Target::Module(*child)));
        if here.items.contains(name) {
            found.push(Target::Item(module, name.to_owned()));
        }
        for import in &here.imports {
            if import.name == name && import.path.first().is_some_and(|first| first != name) {
                found.extend(self.resolve(module, &import.path, depth + 1));
            } else if import.name == "*" && found.is_empty() && depth < DEEPEST {
                for target in self.resolve(module, &import.path, depth + 1) {
                    if let Target::Module(all) = target
                        && all != module
                    {
                        found.extend(self.lookup(all, name, depth + 1));
                    }
                }
            }
        }
        found
    }

    /// Adds which file takes which names from which.
    pub fn add_arrows(&self, arrows: &mut Arrows) {
        let mut methods: BTreeMap<(Target, &str), BTreeSet<&Path>> = BTreeMap::new();
        for (index, module) in self.0.iter().enumerate() {
            for (path, name) in &module.methods {
                for target in self.resolve(index, path, 0) {
                    let files = methods.entry((target, name)).or_default();
                    files.insert(&module.file);
                }
            }
        }
        for (index, module) in self.0.iter().enumerate() {
            let imports = module.imports.iter().filter(|import| {
                import.name != "*" && (!import.handed_on || module.words.contains(&import.name))
            });
            let all = module.imports.iter().any(|import| import.name == "*");
            let words = module.words.iter().filter(|_| all);
            let words: Vec<Vec<String>> = words.map(|word| vec![word.clone()]).collect();
            let paths = imports.map(|import| &import.path).chain(&module.paths);
            for path in paths.chain(&words) {
                for target in self.resolve(index, path, 0) {
                    let Target::Item(defined, name) = &target else {
                        continue;
                    };
                    let mut files = BTreeSet::from([self.0[*defined].file.as_path()]);
                    if let Some(method) = path.last()
                        && let Some(given) = methods.get(&(target.clone(), method.as_str()))
                    {
                        files.extend(given);
                    }
                    for file in files.into_iter().filter(|file| *file != module.file) {
                        let arrow = (module.file.clone(), file.to_owned());
                        arrows.entry(arrow).or_default().insert(name.clone());
                    }
                }
            }
        }
    }
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn is_body(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

/// The functions that `impl TYPE { .. }` gives a type; those of a trait belong to that.
fn methods(after_impl: &[TokenTree]) -> Vec<(Vec<String>, String)> {
    let head = after_impl.iter().take_while(|token| !is_body(token));
    let head: Vec<&TokenTree> = head.collect();
    let Some(TokenTree::Group(body)) = after_impl.get(head.len()) else {
        return Vec::new();
    };
    let (mut depth, mut path) = (0, Vec::new());
    for token in head {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '<' => depth += 1,
            TokenTree::Punct(mark) if mark.as_char() == '>' => depth -= 1,
            TokenTree::Ident(word) if word == "for" => return Vec::new(),
            TokenTree::Ident(word) if word == "where" => break,
            TokenTree::Ident(word) if depth == 0 => path.push(word.to_string()),
            _ => {}
        }
    }
    let body: Vec<TokenTree> = body.stream().into_iter().collect();
    let name = |pair: &[TokenTree]| match pair {
        [TokenTree::Ident(kind), TokenTree::Ident(name)] if kind == "fn" => Some(name.to_string()),
        _ => None,
    };
    let names = body.windows(2).filter_map(name);
    names.map(|name| (path.clone(), name)).collect()
}

/// How many tokens the first item has: it ends with a semicolon or a body in braces.
fn item_len(tokens: &[TokenTree]) -> usize {
    let mut has_braces = false;
    let end = tokens.iter().position(|token| {
        // Braces within an import or a value are no body.
        has_braces |= is_mark(token, '=');
        has_braces |= matches!(token, TokenTree::Ident(word) if word == "use");
        is_mark(token, ';') || (is_body(token) && !has_braces)
    });
    end.map_or(tokens.len(), |end| end + 1)
}

/// The path that begins with the first token.
fn path_at(tokens: &[TokenTree]) -> Vec<String> {
    let mut path = Vec::new();
    let mut rest = tokens;
    while let Some(TokenTree::Ident(word)) = rest.first() {
        path.push(word.to_string());
        match &rest[1..] {
            [a, b, TokenTree::Ident(_), ..] if is_mark(a, ':') && is_mark(b, ':') => {
                rest = &rest[3..];
            }
            _ => break,
        }
    }
    path
}

/// Adds every name that the tree of an import brings in.
fn flatten(tree: &[TokenTree], above: &[String], handed_on: bool, into: &mut Vec<Import>) {
    let mut path = above.to_vec();
    let mut renamed = None;
    for (at, token) in tree.iter().enumerate() {
        match token {
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in inner.split(|token| is_mark(token, ',')) {
                    flatten(branch, &path, handed_on, into);
                }
                return;
            }
            TokenTree::Ident(word) if word == "as" => {
                renamed = tree.get(at + 1).map(ToString::to_string);
                break;
            }
            TokenTree::Ident(word) => path.push(word.to_string()),
            TokenTree::Punct(mark) if mark.as_char() == '*' => renamed = Some("*".to_owned()),
            _ => {}
        }
    }
    let is_self = path.last().is_some_and(|word| word == "self") && path.len() > 1;
    path.truncate(path.len() - usize::from(is_self));
    if let Some(name) = renamed.or_else(|| path.last().cloned()) {
        into.push(Import {
            path,
            name,
            handed_on,
        });
    }
}
