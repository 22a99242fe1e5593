//! The bits of a JPEG's scan and the Huffman codes in them.

/// Codes of up to so many bits are found in one look.
const SHORT: u8 = 9;

/// One Huffman table: codes of 1 to 16 bits for symbols of eight.
pub(super) struct Table {
    /// Length and symbol of the code that so many bits begin with; length 0 where it is longer.
    short: Vec<(u8, u8)>,
    /// For each length, the first code behind those of this length, as the top of 16 bits.
    ends: [u32; 17],
    /// For each length, what its codes are short of their symbols' places.
    shifts: [i32; 17],
    symbols: Vec<u8>,
}

impl Table {
    /// A table from the number of codes of each length and their symbols in order; none if there
    /// are more codes than the lengths have room for.
    pub fn new(lengths: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            short: vec![(0, 0); 1 << SHORT],
            ends: [0; 17],
            shifts: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut place) = (0_u32, 0_usize);
        for length in 1..=16_u8 {
            let count = usize::from(lengths[usize::from(length) - 1]);
            table.shifts[usize::from(length)] = place as i32 - code as i32;
            if code as usize + count > 1 << length {
                return None;
            }
            if length <= SHORT {
                let width = 1_usize << (SHORT - length);
                let from = (code as usize) << (SHORT - length);
                for (index, &symbol) in symbols.get(place..place + count)?.iter().enumerate() {
                    let from = from + index * width;
                    table.short[from..from + width].fill((length, symbol));
                }
            }
            code += count as u32;
            place += count;
            table.ends[usize::from(length)] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }

    /// Length and symbol of the code that 16 bits begin with.
    fn find(&self, bits: u32) -> Option<(u8, u8)> {
        let short = self.short[(bits >> (16 - SHORT)) as usize];
        if short.0 > 0 {
            return Some(short);
        }
        let mut lengths = SHORT + 1..=16;
        let length = lengths.find(|&length| bits < self.ends[usize::from(length)])?;
        let code = (bits >> (16 - length)) as i32;
        let place = code + self.shifts[usize::from(length)];
        Some((length, *self.symbols.get(usize::try_from(place).ok()?)?))
    }
}

/// Reads bits up to the next marker, and never a bit that is not there.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    buffer: u64,
    held: u8,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            buffer: 0,
            held: 0,
        }
    }

    /// Where the bytes that were not taken yet begin.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Fills the buffer with at least 48 bits, or with all that there are.
    fn fill(&mut self) {
        while self.held <= 48 {
            let Some(&byte) = self.bytes.get(self.at) else {
                break;
            };
            // A byte of all ones is followed by zero, or else it begins a marker.
            match (byte, self.bytes.get(self.at + 1)) {
                (0xff, Some(0)) => self.at += 2,
                (0xff, _) => break,
                _ => self.at += 1,
            }
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.held += 8;
        }
    }

    /// The next 16 bits, with zeros where there are fewer.
    fn peek(&mut self) -> u32 {
        if self.held < 16 {
            self.fill();
        }
        let bits = match self.held {
            16.. => self.buffer >> (self.held - 16),
            _ => self.buffer << (16 - self.held),
        };
        bits as u32 & 0xffff
    }

    /// The next symbol; none if there is no such code, or not all of its bits.
    pub fn symbol(&mut self, table: &Table) -> Option<u8> {
        let bits = self.peek();
        let (length, symbol) = table.find(bits)?;
        self.held = self.held.checked_sub(length)?;
        Some(symbol)
    }

    /// Passes over at most 16 bits; none if there are fewer.
    pub fn skip(&mut self, length: u8) -> Option<()> {
        if self.held < length {
            self.fill();
        }
        self.held = self.held.checked_sub(length)?;
        Some(())
    }

    /// The number in the next bits, at most 16 of them.
    pub fn take(&mut self, length: u8) -> Option<u32> {
        let bits = self.peek();
        self.skip(length)?;
        Some(bits >> (16 - length))
    }

    /// Passes over a restart marker, and the bits that fill the byte before it; false if there is
    /// none.
    pub fn restart(&mut self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let fills = rest.iter().take_while(|byte| **byte == 0xff).count();
        let is_restart = fills > 0 && matches!(rest.get(fills), Some(0xd0..=0xd7));
        // Whole bytes that nobody asked for are damage.
        if !is_restart || self.held >= 8 {
            return false;
        }
        self.at += fills + 1;
        self.held = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut lengths = [0; 16];
        (lengths[0], lengths[2], lengths[11]) = (1, 2, 1);
        Table::new(&lengths, &[7, 8, 9, 10]).unwrap()
    }

    #[test]
    fn codes_of_all_lengths_are_found() {
        // 0, 100, 101, 110000000000
        let mut bits = Bits::new(&[0b0100_1011, 0b1000_0000, 0b0000_0000], 0);
        let mut symbols = Vec::new();
        for _ in 0..4 {
            symbols.push(bits.symbol(&table()).unwrap());
        }
        assert_eq!(symbols, [7, 8, 9, 10]);
        assert_eq!(Bits::new(&[0xfe], 0).symbol(&table()), None, "no such code");
    }

    #[test]
    fn bits_end_before_a_marker() {
        let mut bits = Bits::new(&[0xff, 0, 0x12, 0xff, 0xd3, 0x80], 0);
        assert_eq!(bits.take(12), Some(0xff1));
        assert_eq!(bits.take(5), None);
        assert!(bits.restart());
        assert_eq!(bits.take(8), Some(0x80));
        assert_eq!(bits.take(1), None);
        assert!(!bits.restart());
    }

    #[test]
    fn too_many_codes_are_no_table() {
        let mut lengths = [0; 16];
        lengths[0] = 3;
        assert!(Table::new(&lengths, &[1, 2, 3]).is_none());
    }
}
