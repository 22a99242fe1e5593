//! The table of classes: what people call each, what it is called in full, and what it is a kind
//! of.
//!
//! A line of tabs a kind (`kind`, name), the widest first, then one a class (`class`, name, name in
//! full, further names, kinds), lists within a field separated by `|`. The order of the classes is
//! that of the recogniser's outputs.

use std::collections::HashMap;
use std::fmt::Write;

/// Longest name in bytes.
const LONGEST_NAME: usize = 100;
/// Most kinds, and most names in a list.
const MOST_KINDS: usize = 1000;
const MOST_LISTED: usize = 64;
/// First line of the file.
const HEADER: &str = "avocet concepts 1";

/// A class of a recogniser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// What people call it: an index of [`ConceptTable::names`].
    pub name: usize,
    /// What it is called in full, such as a breed.
    pub exact: String,
    /// Further names that are as right.
    pub further: Vec<String>,
    /// What it is a kind of: indices of [`ConceptTable::kinds`], rising.
    pub kinds: Vec<usize>,
}

/// What the classes of a recogniser are called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConceptTable {
    /// What people call things; several classes may share a name.
    pub names: Vec<String>,
    /// Coarser names, the widest first.
    pub kinds: Vec<String>,
    /// The classes, in the order of the recogniser's outputs.
    pub classes: Vec<Class>,
}

impl ConceptTable {
    /// Reads a table of `num_classes` classes.
    ///
    /// Errors, with the number of the line, if it is no such table.
    pub fn parse(text: &str, num_classes: usize) -> Result<Self, String> {
        let mut lines = (1..).zip(text.lines());
        if lines.next().map(|(_, line)| line) != Some(HEADER) {
            return Err(format!("line 1: is not {HEADER:?}"));
        }
        let mut table = Self::default();
        let (mut names, mut kinds) = (HashMap::new(), HashMap::new());
        for (number, line) in lines {
            let wrong = |reason: &str| format!("line {number}: {reason}");
            match line.split('\t').collect::<Vec<_>>().as_slice() {
                ["kind", kind] => {
                    check_name(kind).map_err(|reason| wrong(&reason))?;
                    if table.kinds.len() == MOST_KINDS || !table.classes.is_empty() {
                        return Err(wrong("there are too many kinds, or one follows a class"));
                    }
                    if kinds.insert(kind.to_string(), table.kinds.len()).is_some() {
                        return Err(wrong("the kind is there twice"));
                    }
                    table.kinds.push(kind.to_string());
                }
                ["class", name, exact, further, of] => {
                    if table.classes.len() == num_classes {
                        return Err(wrong(&format!("there are more than {num_classes} classes")));
                    }
                    let (further, of) = (listed(further), listed(of));
                    if further.len() > MOST_LISTED || of.len() > MOST_LISTED {
                        return Err(wrong("a list is too long"));
                    }
                    for name in [name, exact].into_iter().chain(&further) {
                        check_name(name).map_err(|reason| wrong(&reason))?;
                    }
                    let place = *names.entry(name.to_string()).or_insert_with(|| {
                        table.names.push(name.to_string());
                        table.names.len() - 1
                    });
                    let kind = |kind: &&str| kinds.get(*kind).copied();
                    let of: Option<Vec<usize>> = of.iter().map(kind).collect();
                    let mut of = of.ok_or_else(|| wrong("it is of a kind that is not listed"))?;
                    of.sort_unstable();
                    of.dedup();
                    table.classes.push(Class {
                        name: place,
                        exact: exact.to_string(),
                        further: further.iter().map(ToString::to_string).collect(),
                        kinds: of,
                    });
                }
                _ => return Err(wrong("is neither a kind nor a class")),
            }
        }
        match table.classes.len() == num_classes {
            true => Ok(table),
            false => Err(format!(
                "it names {} classes, the recogniser has {num_classes}",
                table.classes.len()
            )),
        }
    }

    /// The table as [`ConceptTable::parse`] reads it.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for kind in &self.kinds {
            let _ = writeln!(text, "kind\t{kind}");
        }
        for class in &self.classes {
            let kinds: Vec<&str> = class.kinds.iter().map(|&k| &*self.kinds[k]).collect();
            let _ = writeln!(
                text,
                "class\t{}\t{}\t{}\t{}",
                self.names[class.name],
                class.exact,
                class.further.join("|"),
                kinds.join("|")
            );
        }
        text
    }
}

fn listed(field: &str) -> Vec<&str> {
    field.split('|').filter(|name| !name.is_empty()).collect()
}

fn check_name(name: &str) -> Result<(), String> {
    let plain = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name.trim() == name
        && !name.contains('|')
        && !name.chars().any(char::is_control);
    match plain {
        true => Ok(()),
        false => Err(format!("{name:?} is no name of 1 to {LONGEST_NAME} bytes")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const TEXT: &str = "avocet concepts 1\n\
        kind\tanimal\nkind\tdog\nkind\tvehicle\n\
        class\tdog\tGreat Dane\t\tanimal|dog\n\
        class\tdog\tbeagle\tEnglish beagle\tdog|animal\n\
        class\tbus\tschool bus\t\tvehicle\n\
        class\ttench\ttench\t\tanimal\n";

    #[test]
    fn a_table_is_read_as_it_is_written() {
        let table = ConceptTable::parse(TEXT, 4).unwrap();
        assert_eq!(table.names, ["dog", "bus", "tench"]);
        assert_eq!(table.classes[1].kinds, [0, 1]);
        assert_eq!(table.classes[1].further, ["English beagle"]);
        assert_eq!(ConceptTable::parse(&table.to_text(), 4).unwrap(), table);
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        let wrong = [
            ("", "line 1"),
            ("avocet concepts 2\n", "line 1"),
            ("avocet concepts 1\nkind\n", "line 2"),
            ("avocet concepts 1\nkind\ta\nkind\ta\n", "line 3"),
            ("avocet concepts 1\nclass\ta\ta\t\tanimal\n", "line 2"),
            ("avocet concepts 1\nclass\t\ta\t\t\n", "line 2"),
            ("avocet concepts 1\nclass\ta\u{7}\ta\t\t\n", "line 2"),
            ("avocet concepts 1\nclass\ta\ta\t\t\nkind\tb\n", "line 3"),
            (
                "avocet concepts 1\nclass\ta\ta\t\t\nclass\tb\tb\t\t\n",
                "line 3",
            ),
        ];
        for (text, at) in wrong {
            let error = ConceptTable::parse(text, 1).unwrap_err();
            assert!(error.starts_with(at), "{text:?}: {error}");
        }
        let long = format!("avocet concepts 1\nkind\t{}\n", "x".repeat(101));
        assert!(ConceptTable::parse(&long, 0).is_err());
        let error = ConceptTable::parse(TEXT, 5).unwrap_err();
        assert!(
            error.contains("4 classes") && error.contains('5'),
            "{error}"
        );
        // Cut off anywhere before its last field it is no table of so many classes.
        for end in 0..TEXT.len() - "animal\n".len() {
            assert!(ConceptTable::parse(&TEXT[..end], 4).is_err(), "{end}");
        }
    }
}
