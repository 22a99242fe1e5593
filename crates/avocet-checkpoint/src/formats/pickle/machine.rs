//! The stack machine that a pickle is a program for, cut down to what tensors need.
//!
//! Source: pickletools.py of Python, protocols 2 to 4. No instruction calls anything: the six
//! functions that may be called only note down what they were given.

use super::PickleError;
use super::value::{Described, Global, Heap, Storage, Value};
use std::collections::HashMap;

const MAX_STACK: usize = 1 << 20;
const MAX_MEMO: usize = 1 << 20;
const MAX_CONTAINERS: usize = 1 << 20;
/// Marks open at once: containers within containers.
const MAX_MARKS: usize = 256;
const LATEST_PROTOCOL: u8 = 4;

/// Runs the pickle that `program` begins with and returns what it leaves, with all that it made, and
/// how many bytes it has.
pub(super) fn run(program: &[u8]) -> Result<(Value<'_>, Heap<'_>, usize), PickleError> {
    let mut machine = Machine {
        program,
        at: 0,
        opcode_at: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        heap: Heap::default(),
    };
    loop {
        machine.opcode_at = machine.at;
        let opcode = machine.array::<1>()?[0];
        if opcode == b'.' {
            let result = machine.pop()?;
            return Ok((result, machine.heap, machine.at));
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a> {
    program: &'a [u8],
    at: usize,
    /// Where the current instruction begins, for messages.
    opcode_at: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    heap: Heap<'a>,
}

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            0x80 => match self.array::<1>()?[0] {
                0..=LATEST_PROTOCOL => Ok(()),
                other => Err(self.fail(&format!("protocol {other} is not read"))),
            },
            0x95 => self.bytes(8).map(drop), // FRAME
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(number.into()))
            }
            b'K' => {
                let number = self.array::<1>()?[0];
                self.push(Value::Int(number.into()))
            }
            b'M' => {
                let number = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(number.into()))
            }
            0x8a => self.long(),
            b'G' => {
                self.bytes(8)?;
                self.push(Value::Other)
            }
            b'X' => {
                let length = u32::from_le_bytes(self.array()?);
                self.text(length)
            }
            0x8c => {
                let length = self.array::<1>()?[0];
                self.text(length.into())
            }
            b'(' if self.marks.len() < MAX_MARKS => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'(' => Err(self.fail("containers lie too deep within each other")),
            b')' => self.tuple(self.stack.len()),
            0x85..=0x87 => {
                let wanted = usize::from(opcode - 0x84);
                let height = self.stack.len().checked_sub(wanted);
                let height = height.filter(|&height| height >= self.floor());
                let height = height.ok_or_else(|| self.fail("the stack is empty"))?;
                self.tuple(height)
            }
            b't' => {
                let mark = self.mark()?;
                self.tuple(mark)
            }
            b']' => {
                self.container()?;
                self.heap.lists.push(Vec::new());
                self.push(Value::List(self.heap.lists.len() - 1))
            }
            b'}' => self.dict(),
            b'a' => {
                let item = self.pop()?;
                self.top_list()?.push(item);
                Ok(())
            }
            b'e' => {
                let mark = self.mark()?;
                let items = self.stack.split_off(mark);
                self.top_list()?.extend(items);
                Ok(())
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.top_dict()?.push((key, value));
                Ok(())
            }
            b'u' => {
                let mark = self.mark()?;
                let items = self.stack.split_off(mark);
                let (pairs, rest) = items.as_chunks::<2>();
                if !rest.is_empty() {
                    return Err(self.fail("a key has no value"));
                }
                let dict = self.top_dict()?;
                dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            b'q' => {
                let place = self.array::<1>()?[0];
                self.remember(place.into())
            }
            b'r' => {
                let place = u32::from_le_bytes(self.array()?);
                self.remember(place)
            }
            0x94 => self.remember(self.memo.len() as u32),
            b'h' => {
                let place = self.array::<1>()?[0];
                self.recall(place.into())
            }
            b'j' => {
                let place = u32::from_le_bytes(self.array()?);
                self.recall(place)
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => self.global(module, name),
                _ => Err(self.fail("the name of a global is no text")),
            },
            b'Q' => self.storage(),
            b'R' => self.call(),
            b'b' => self.build(),
            _ => Err(PickleError::Opcode {
                offset: self.opcode_at,
                opcode,
            }),
        }
    }

    fn fail(&self, problem: &str) -> PickleError {
        PickleError::Damaged {
            offset: self.opcode_at,
            problem: problem.to_owned(),
        }
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], PickleError> {
        let rest = &self.program[self.at..];
        let bytes = rest.get(..length);
        let bytes = bytes.ok_or_else(|| self.fail("the pickle ends within an instruction"))?;
        self.at += length;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    fn line(&mut self) -> Result<&'a str, PickleError> {
        let rest = &self.program[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n');
        let length = length.ok_or_else(|| self.fail("a line does not end"))?;
        let line = self.utf8(length)?;
        self.at += 1;
        Ok(line)
    }

    fn utf8(&mut self, length: usize) -> Result<&'a str, PickleError> {
        let bytes = self.bytes(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.fail("a text is not UTF-8"))
    }

    fn text(&mut self, length: u32) -> Result<(), PickleError> {
        let text = self.utf8(length as usize)?;
        self.push(Value::Text(text))
    }

    /// A little-endian whole number of any length.
    fn long(&mut self) -> Result<(), PickleError> {
        let length = self.array::<1>()?[0];
        let bytes = self.bytes(length.into())?;
        if bytes.len() > 8 {
            return self.push(Value::Other);
        }
        let negative = bytes.last().is_some_and(|&byte| byte >= 128);
        let mut wide = if negative { [255; 8] } else { [0; 8] };
        wide[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), PickleError> {
        if self.stack.len() == MAX_STACK {
            return Err(self.fail(&format!("the stack is above {MAX_STACK} values")));
        }
        self.stack.push(value);
        Ok(())
    }

    /// Height of the stack at the latest mark, below which nothing may be taken.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Value<'a>, PickleError> {
        let value = if self.stack.len() > self.floor() {
            self.stack.pop()
        } else {
            None
        };
        value.ok_or_else(|| self.fail("the stack is empty"))
    }

    fn mark(&mut self) -> Result<usize, PickleError> {
        let mark = self.marks.pop();
        mark.ok_or_else(|| self.fail("there is no mark"))
    }

    fn top(&self) -> Option<Value<'a>> {
        self.stack[self.floor()..].last().copied()
    }

    fn top_list(&mut self) -> Result<&mut Vec<Value<'a>>, PickleError> {
        match self.top() {
            Some(Value::List(index)) => Ok(&mut self.heap.lists[index]),
            _ => Err(self.fail("items for what is no list")),
        }
    }

    fn top_dict(&mut self) -> Result<&mut Vec<(Value<'a>, Value<'a>)>, PickleError> {
        match self.top() {
            Some(Value::Dict(index)) => Ok(&mut self.heap.dicts[index]),
            _ => Err(self.fail("items for what is no dict")),
        }
    }

    fn container(&self) -> Result<(), PickleError> {
        let heap = &self.heap;
        let count = heap.lists.len() + heap.dicts.len() + heap.storages.len() + heap.tensors.len();
        if count < MAX_CONTAINERS {
            return Ok(());
        }
        let problem = format!("above {MAX_CONTAINERS} containers and tensors");
        Err(self.fail(&problem))
    }

    fn dict(&mut self) -> Result<(), PickleError> {
        self.container()?;
        self.heap.dicts.push(Vec::new());
        self.push(Value::Dict(self.heap.dicts.len() - 1))
    }

    /// Makes a tuple of the stack from `height` on.
    fn tuple(&mut self, height: usize) -> Result<(), PickleError> {
        let start = self.heap.items.len();
        self.heap.items.extend(self.stack.drain(height..));
        let count = self.heap.items.len() - start;
        self.push(Value::Tuple(start, count))
    }

    fn remember(&mut self, place: u32) -> Result<(), PickleError> {
        let value = self.top();
        let value = value.ok_or_else(|| self.fail("the stack is empty"))?;
        if self.memo.len() == MAX_MEMO && !self.memo.contains_key(&place) {
            return Err(self.fail(&format!("the memo is above {MAX_MEMO} values")));
        }
        self.memo.insert(place, value);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Result<(), PickleError> {
        match self.memo.get(&place) {
            Some(value) => self.push(*value),
            None => Err(self.fail(&format!("the memo has no value {place}"))),
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), PickleError> {
        match Global::find(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => Err(PickleError::Global {
                offset: self.opcode_at,
                module: module.to_owned(),
                name: name.to_owned(),
            }),
        }
    }

    fn pop_tuple(&mut self) -> Result<(usize, usize), PickleError> {
        match self.pop()? {
            Value::Tuple(start, count) => Ok((start, count)),
            _ => Err(self.fail("arguments that are no tuple")),
        }
    }

    /// A persistent id: ("storage", class, key, device, count), and before PyTorch 1.6 whether it is
    /// a part of another, which none that is read is.
    fn storage(&mut self) -> Result<(), PickleError> {
        self.container()?;
        let arguments = self.pop_tuple()?;
        let storage = match *self.heap.tuple(arguments) {
            [
                Value::Text("storage"),
                Value::Global(Global::Storage(dtype)),
                Value::Text(key),
                Value::Text(_),
                Value::Int(count),
                ref part @ ..,
            ] if matches!(part, [] | [Value::None]) => usize::try_from(count)
                .ok()
                .map(|count| Storage { dtype, key, count }),
            _ => None,
        };
        let storage = storage.ok_or_else(|| self.fail("a persistent id that is no storage"))?;
        self.heap.storages.push(storage);
        self.push(Value::Storage(self.heap.storages.len() - 1))
    }

    fn call(&mut self) -> Result<(), PickleError> {
        let arguments = self.pop_tuple()?;
        let Value::Global(global) = self.pop()? else {
            return Err(self.fail("a call of what is no function"));
        };
        match (global, self.heap.tuple(arguments)) {
            (Global::OrderedDict, []) => self.dict(),
            (
                Global::RebuildTensor,
                &[
                    Value::Storage(storage),
                    Value::Int(offset),
                    Value::Tuple(size, num_sizes),
                    Value::Tuple(stride, num_strides),
                    Value::Bool(_),
                    ..,
                ],
            ) if (6..=7).contains(&arguments.1) => {
                self.container()?;
                self.heap.tensors.push(Described {
                    storage,
                    offset,
                    size: (size, num_sizes),
                    stride: (stride, num_strides),
                });
                self.push(Value::Tensor(self.heap.tensors.len() - 1))
            }
            (Global::RebuildParameter, &[tensor @ Value::Tensor(_), Value::Bool(_), _]) => {
                self.push(tensor)
            }
            (Global::Size, &[size @ Value::Tuple(..)]) => self.push(size),
            (Global::Device, [Value::Text(_)] | [Value::Text(_), Value::Int(_)]) => {
                self.push(Value::Other)
            }
            _ => Err(self.fail(&format!("{global:?} is called with other arguments"))),
        }
    }

    /// Attributes of a dict, such as `_metadata` of a state dict, which nothing here asks for.
    fn build(&mut self) -> Result<(), PickleError> {
        match (self.pop()?, self.top()) {
            (Value::Dict(_), Some(Value::Dict(_))) => Ok(()),
            _ => Err(self.fail("attributes for what is no dict")),
        }
    }
}
