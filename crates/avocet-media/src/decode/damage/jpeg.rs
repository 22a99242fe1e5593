//! How much of a JPEG's picture is in the file: its Huffman codes are walked, nothing is decoded.
//!
//! Decoders fill what is missing with grey and say nothing, so the walk counts blocks. In a
//! progressive file each scan adds to all blocks; there what counts is how many of the
//! coefficients came, and down to which bit.

use super::huffman::{Bits, Table};
use crate::{ImageError, Limits};

const EOI: u8 = 0xd9;
/// Zeros at the end of a file that is not closed are room that a download never filled.
const ROOM: usize = 16;
/// A tile of the picture has 64 coefficients.
const BLOCK: usize = 64;

/// What a walk found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Walk {
    /// The share of the picture that is missing.
    pub missing: f64,
    /// Where the data end.
    pub end: usize,
}

impl Walk {
    /// The file up to the end of its data, closed.
    pub fn closed(&self, bytes: &[u8]) -> Vec<u8> {
        let mut file = bytes[..self.end].to_vec();
        // A marker that was cut in two would swallow the one that closes.
        if file.last() == Some(&0xff) {
            file.pop();
        }
        file.extend([0xff, EOI]);
        file
    }
}

/// Walks a JPEG; none for kinds of JPEG that are not read here.
///
/// Errors if its header asks for more than `limits` allow.
pub(super) fn walk(bytes: &[u8], limits: &Limits) -> Result<Option<Walk>, ImageError> {
    let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let end = bytes.len() - if zeros >= ROOM { zeros } else { 0 };
    let mut walker = Walker {
        bytes: &bytes[..end],
        at: 2,
        frame: None,
        tables: Default::default(),
        restart_interval: 0,
        refused: Ok(()),
        limits,
    };
    let Some(ending) = walker.scans() else {
        return walker.refused.map(|()| None);
    };
    let missing = walker.frame.as_ref().map_or(1.0, |frame| match ending {
        Ending::Closed => 0.0,
        Ending::CutOff => frame.missing(),
    });
    let end = walker.at.min(end).max(2).min(bytes.len());
    Ok(Some(Walk { missing, end }))
}

/// How a walk ended.
enum Ending {
    /// By the end marker, all scans whole.
    Closed,
    /// By the end of the file, or by a code that makes no sense.
    CutOff,
}

struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
    frame: Option<Frame>,
    /// DC tables, then AC tables.
    tables: [[Option<Table>; 4]; 2],
    restart_interval: usize,
    limits: &'a Limits,
    /// Why the walk does not even begin.
    refused: Result<(), ImageError>,
}

/// The picture as the frame's header describes it.
struct Frame {
    width: usize,
    height: usize,
    progressive: bool,
    components: Vec<Component>,
}

struct Component {
    id: u8,
    /// Blocks across and down in one unit of all components.
    across: usize,
    down: usize,
    /// Blocks across and down that show something.
    blocks: (usize, usize),
    /// Of each coefficient, how much has come: 0 to 1.
    come: [f64; BLOCK],
    /// Coefficients that are not zero, block by block; only progressive files need to know.
    non_zero: Vec<u64>,
}

/// One scan's header.
struct Scan {
    /// Which components, and their DC and AC tables.
    parts: Vec<(usize, usize, usize)>,
    /// First and last coefficient.
    band: (usize, usize),
    /// The bit that came before, 0 for none, and the bit that it brings.
    bits: (u8, u8),
}

impl Frame {
    fn missing(&self) -> f64 {
        let weigh = |part: &Component| (part.blocks.0 * part.blocks.1) as f64;
        let total: f64 = self.components.iter().map(weigh).sum();
        let come = self.components.iter().map(|part| {
            let share = part.come.iter().sum::<f64>() / BLOCK as f64;
            weigh(part) * share
        });
        1.0 - come.sum::<f64>() / total.max(1.0)
    }
}

impl<'a> Walker<'a> {
    /// Walks from marker to marker; none if the kind of file is not known here.
    fn scans(&mut self) -> Option<Ending> {
        loop {
            let Some(marker) = self.marker() else {
                return Some(self.at_end());
            };
            match marker {
                EOI => return Some(Ending::Closed),
                0x01 | 0xd0..=0xd8 => continue,
                _ => {}
            }
            let Some(segment) = self.segment() else {
                return Some(self.at_end());
            };
            match marker {
                0xc0..=0xc2 => self.begin(segment, marker == 0xc2)?,
                0xc4 => self.define_tables(segment)?,
                0xc3 | 0xc5..=0xcf => return None,
                0xdd => self.restart_interval = pair(segment, 0)?,
                0xda => {
                    let scan = scan(segment, self.frame.as_ref()?)?;
                    if !self.scan(&scan)? {
                        return Some(Ending::CutOff);
                    }
                }
                _ => {}
            }
        }
    }

    /// The file is over without an end marker: only that is missing if all has come.
    fn at_end(&mut self) -> Ending {
        self.at = self.bytes.len();
        Ending::CutOff
    }

    /// The next marker; entropy-coded bytes before it are passed over.
    fn marker(&mut self) -> Option<u8> {
        loop {
            let rest = self.bytes.get(self.at..)?;
            self.at += rest.iter().position(|byte| *byte == 0xff)? + 1;
            match self.bytes.get(self.at)? {
                0 => {}
                0xff => continue,
                marker => {
                    self.at += 1;
                    return Some(*marker);
                }
            }
        }
    }

    /// Takes a frame's header; none if it makes no sense or asks for too much.
    fn begin(&mut self, segment: &[u8], progressive: bool) -> Option<()> {
        let (height, width) = (pair(segment, 1)? as u32, pair(segment, 3)? as u32);
        let samples = if *segment.get(5)? == 1 { 1 } else { 3 };
        let needed = samples * u64::from(width) * u64::from(height);
        let length = self.bytes.len() as u64;
        self.refused = self.limits.check(length, (width, height), needed);
        self.refused.as_ref().ok()?;
        self.frame = Some(frame(segment, progressive)?);
        Some(())
    }

    /// What belongs to a marker; none if the file ends within it.
    fn segment(&mut self) -> Option<&'a [u8]> {
        let bytes = self.bytes;
        let length = pair(bytes, self.at)?;
        let segment = bytes.get(self.at + 2..self.at + length)?;
        self.at += length;
        Some(segment)
    }

    fn define_tables(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&place, rest)) = segment.split_first() {
            let (lengths, rest) = rest.split_first_chunk::<16>()?;
            let count = lengths.iter().map(|&n| usize::from(n)).sum();
            let (class, index) = (usize::from(place >> 4), usize::from(place & 15));
            let table = Table::new(lengths, rest.get(..count)?);
            *self.tables.get_mut(class)?.get_mut(index)? = table;
            segment = &rest[count..];
        }
        Some(())
    }

    /// Walks one scan; false if it ends too early. None if it refers to what is not there.
    fn scan(&mut self, scan: &Scan) -> Option<bool> {
        let frame = self.frame.as_mut()?;
        let (units, one) = match scan.parts[..] {
            [(part, ..)] => {
                let (across, down) = frame.components[part].blocks;
                (across.checked_mul(down)?, true)
            }
            _ => (frame.units(), false),
        };
        let mut bits = Bits::new(self.bytes, self.at);
        let mut run = 0;
        let mut done = 0;
        'units: while done < units {
            if self.restart_interval > 0 && done > 0 && done % self.restart_interval == 0 {
                if !bits.restart() {
                    break;
                }
                run = 0;
            }
            for &(part, dc, ac) in &scan.parts {
                let component = &mut frame.components[part];
                let blocks = if one {
                    1
                } else {
                    component.across * component.down
                };
                let (dc, ac) = (self.tables[0][dc].as_ref(), self.tables[1][ac].as_ref());
                for _ in 0..blocks {
                    let walked = match (frame.progressive, scan.band.0, scan.bits.0) {
                        (false, ..) => whole_block(&mut bits, dc, ac),
                        (true, 0, 0) => dc_first(&mut bits, dc),
                        (true, 0, _) => bits.skip(1),
                        (true, _, first) => {
                            let block = component.non_zero.get_mut(done)?;
                            match first {
                                0 => ac_first(&mut bits, ac, scan.band, block, &mut run),
                                _ => ac_refine(&mut bits, ac, scan.band, block, &mut run),
                            }
                        }
                    };
                    if walked.is_none() {
                        break 'units;
                    }
                }
            }
            done += 1;
        }
        self.at = bits.at();
        let share = done as f64 / units.max(1) as f64;
        for &(part, ..) in &scan.parts {
            let progressive = frame.progressive;
            let come = &mut frame.components[part].come;
            let (band, worth) = match progressive {
                false => (0..BLOCK, 1.0),
                // Each bit that is still to come leaves a quarter open.
                true => (
                    scan.band.0..scan.band.1 + 1,
                    1.0 - f64::from(scan.bits.1.min(4)) / 4.0,
                ),
            };
            for come in &mut come[band] {
                *come += (worth - *come).max(0.0) * share;
            }
        }
        Some(done == units)
    }
}

impl Frame {
    /// Units of all components.
    fn units(&self) -> usize {
        let most =
            |side: fn(&Component) -> usize| self.components.iter().map(side).max().unwrap_or(1);
        let across = self.width.div_ceil(8 * most(|part| part.across));
        across * self.height.div_ceil(8 * most(|part| part.down))
    }
}

fn pair(bytes: &[u8], at: usize) -> Option<usize> {
    let two = bytes.get(at..at + 2)?;
    Some(usize::from(two[0]) << 8 | usize::from(two[1]))
}

fn frame(segment: &[u8], progressive: bool) -> Option<Frame> {
    let (height, width) = (pair(segment, 1)?, pair(segment, 3)?);
    let number = usize::from(*segment.get(5)?);
    let parts = segment.get(6..6 + 3 * number)?;
    let component = |part: &[u8]| Component {
        id: part[0],
        across: usize::from(part[1] >> 4),
        down: usize::from(part[1] & 15),
        blocks: (0, 0),
        come: [0.0; BLOCK],
        non_zero: Vec::new(),
    };
    let mut components: Vec<_> = parts.chunks(3).map(component).collect();
    let across = components.iter().map(|part| part.across).max()?;
    let down = components.iter().map(|part| part.down).max()?;
    for part in &mut components {
        if !(1..=4).contains(&part.across) || !(1..=4).contains(&part.down) {
            return None;
        }
        part.blocks = (
            (width * part.across).div_ceil(8 * across),
            (height * part.down).div_ceil(8 * down),
        );
        if progressive {
            part.non_zero = vec![0; part.blocks.0 * part.blocks.1];
        }
    }
    let sensible = width > 0 && height > 0;
    sensible.then_some(Frame {
        width,
        height,
        progressive,
        components,
    })
}

fn scan(segment: &[u8], frame: &Frame) -> Option<Scan> {
    let number = usize::from(*segment.first()?);
    let [first, last, bits] = *segment.get(1 + 2 * number..4 + 2 * number)? else {
        return None;
    };
    let part = |part: &[u8]| {
        let component = frame
            .components
            .iter()
            .position(|known| known.id == part[0])?;
        let (dc, ac) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
        (dc < 4 && ac < 4).then_some((component, dc, ac))
    };
    let parts = segment[1..1 + 2 * number].chunks(2).map(part);
    let parts = parts.collect::<Option<Vec<_>>>()?;
    let band = (usize::from(first), usize::from(last));
    let alone = parts.len() == 1 || band.0 == 0;
    let sensible = band.0 <= band.1 && band.1 < BLOCK && !parts.is_empty() && alone;
    sensible.then_some(Scan {
        parts,
        band,
        bits: (bits >> 4, bits & 15),
    })
}

/// A block of a file that is not progressive.
fn whole_block(bits: &mut Bits, dc: Option<&Table>, ac: Option<&Table>) -> Option<()> {
    dc_first(bits, dc)?;
    let ac = ac?;
    let mut at = 1;
    while at < BLOCK {
        let symbol = bits.symbol(ac)?;
        match (symbol >> 4, symbol & 15) {
            (15, 0) => at += 16,
            (_, 0) => break,
            (zeros, length) => {
                at += usize::from(zeros) + 1;
                bits.skip(length)?;
            }
        }
    }
    Some(())
}

fn dc_first(bits: &mut Bits, dc: Option<&Table>) -> Option<()> {
    let length = bits.symbol(dc?)?;
    bits.skip(length.min(16))
}

/// A block's first bits of a band of coefficients.
fn ac_first(
    bits: &mut Bits,
    ac: Option<&Table>,
    (mut at, last): (usize, usize),
    block: &mut u64,
    run: &mut u32,
) -> Option<()> {
    if *run > 0 {
        *run -= 1;
        return Some(());
    }
    let ac = ac?;
    while at <= last {
        let symbol = bits.symbol(ac)?;
        match (symbol >> 4, symbol & 15) {
            (15, 0) => at += 16,
            (length, 0) => {
                *run = (1 << length) + bits.take(length)? - 1;
                break;
            }
            (zeros, length) => {
                at += usize::from(zeros);
                *block |= 1_u64.checked_shl(at as u32)?;
                bits.skip(length)?;
                at += 1;
            }
        }
    }
    Some(())
}

/// One more bit of a block's band.
fn ac_refine(
    bits: &mut Bits,
    ac: Option<&Table>,
    (mut at, last): (usize, usize),
    block: &mut u64,
    run: &mut u32,
) -> Option<()> {
    let is_known = |block: u64, at: usize| block >> at & 1 == 1;
    if *run == 0 {
        let ac = ac?;
        while at <= last {
            let symbol = bits.symbol(ac)?;
            let (mut zeros, length) = (symbol >> 4, symbol & 15);
            if length == 0 && zeros < 15 {
                *run = (1 << zeros) + bits.take(zeros)?;
                break;
            }
            // The sign of a coefficient that is new.
            bits.skip(length.min(1))?;
            while at <= last {
                if is_known(*block, at) {
                    bits.skip(1)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                at += 1;
            }
            if length > 0 && at <= last {
                *block |= 1 << at;
            }
            at += 1;
        }
    }
    if *run > 0 {
        for at in at..=last {
            if is_known(*block, at) {
                bits.skip(1)?;
            }
        }
        *run -= 1;
    }
    Some(())
}
