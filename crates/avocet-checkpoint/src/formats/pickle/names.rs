//! Dotted paths of the tensors in nested dicts, lists and tuples.

use super::PickleError;
use super::value::{Heap, Value};
use std::collections::BTreeMap;

const MAX_DEPTH: usize = 64;

/// Every tensor's place in the heap, by its path; a tensor alone has the empty path.
///
/// `budget` bounds the values visited and the bytes of all paths: containers that hold each other
/// many times over would otherwise multiply.
pub(super) fn paths(
    root: Value,
    heap: &Heap,
    budget: usize,
) -> Result<BTreeMap<String, usize>, PickleError> {
    let mut walk = Walk {
        heap,
        budget,
        path: String::new(),
        found: BTreeMap::new(),
    };
    walk.enter(root, 0)?;
    Ok(walk.found)
}

struct Walk<'h, 'a> {
    heap: &'h Heap<'a>,
    budget: usize,
    path: String,
    found: BTreeMap<String, usize>,
}

impl Walk<'_, '_> {
    fn enter(&mut self, value: Value, depth: usize) -> Result<(), PickleError> {
        if depth > MAX_DEPTH {
            return Err(self.fail(&format!("containers lie deeper than {MAX_DEPTH}")));
        }
        self.spend(1)?;
        let heap = self.heap;
        match value {
            Value::Tensor(tensor) => {
                self.spend(self.path.len())?;
                match self.found.insert(self.path.clone(), tensor) {
                    None => Ok(()),
                    Some(_) => Err(self.fail("two tensors have this path")),
                }
            }
            Value::Dict(dict) => {
                for (key, inner) in &heap.dicts[dict] {
                    match key {
                        Value::Text(key) => self.descend(key, *inner, depth)?,
                        Value::Int(key) => self.descend(&key.to_string(), *inner, depth)?,
                        _ => return Err(self.fail("a key is neither a text nor a whole number")),
                    }
                }
                Ok(())
            }
            Value::List(list) => self.items(&heap.lists[list], depth),
            Value::Tuple(start, count) => self.items(heap.tuple((start, count)), depth),
            _ => Ok(()),
        }
    }

    fn items(&mut self, items: &[Value], depth: usize) -> Result<(), PickleError> {
        for (index, item) in items.iter().enumerate() {
            self.descend(&index.to_string(), *item, depth)?;
        }
        Ok(())
    }

    fn descend(&mut self, key: &str, inner: Value, depth: usize) -> Result<(), PickleError> {
        self.spend(key.len())?;
        let length = self.path.len();
        if depth > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        self.enter(inner, depth + 1)?;
        self.path.truncate(length);
        Ok(())
    }

    fn spend(&mut self, amount: usize) -> Result<(), PickleError> {
        match self.budget.checked_sub(amount) {
            Some(rest) => {
                self.budget = rest;
                Ok(())
            }
            None => Err(self.fail("containers hold each other too many times")),
        }
    }

    fn fail(&self, problem: &str) -> PickleError {
        // Cut, as a path may be as long as the file.
        let path = self.path.chars().take(200).collect();
        let problem = problem.to_owned();
        PickleError::Names { path, problem }
    }
}
