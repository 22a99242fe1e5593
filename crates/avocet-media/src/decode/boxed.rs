//! HEIC and AVIF: the items are found here, and what is coded by a video codec goes to the worker.
//!
//! A picture is one coded item, or a grid of them that is put together here. Turning, mirroring and
//! cropping are the container's; EXIF only repeats them. Alpha, if there is any, is a second
//! picture of the same size.

mod boxes;

use image::{DynamicImage, RgbaImage};

use super::damage::{Damage, judge};
use super::limits::Limits;
use crate::child::{Coding, Colours};
use crate::still;
use crate::{ImageError, Picture};
use boxes::{Items, Property};

/// Tiles of a grid that are believed.
const MAX_TILES: usize = 4096;
/// Video codecs make flat pictures smaller than deflate does: so many times more than its bound.
const EXPANSION: u64 = 20;
/// What marks an item as another one's alpha.
const ALPHA: [&[u8]; 2] = [
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    b"urn:mpeg:hevc:2015:auxid:1",
];
/// The colour of what is missing.
const GREY: u8 = 128;

/// Coded items that make up a picture of a size, and where each lies.
struct Plan {
    width: u32,
    height: u32,
    tiles: Vec<(u32, u32, u32)>,
}

/// The picture that a file shows, with alpha if it has any, and its damage.
///
/// Errors if the file is broken, over a limit, of a kind that is not read, or lacks too much.
pub(super) fn decode(
    bytes: &[u8],
    name: &'static str,
    limits: &Limits,
) -> Result<(DynamicImage, Option<Damage>), ImageError> {
    let wrong = |reason: &str| ImageError::broken(name, reason);
    let items = Items::read(bytes).ok_or_else(|| wrong("it lists no pictures"))?;
    let file = File {
        bytes,
        name,
        items,
        limits,
    };
    let item = file.shown()?;
    let (picture, missing) = file.picture(item)?;
    let damage = judge(name, missing, false)?;
    let size = (picture.width as u32, picture.height as u32);
    let alpha = match file.alpha(item) {
        Some(alpha) => Some(file.picture(alpha)?.0)
            .filter(|alpha| (alpha.width, alpha.height) == (picture.width, picture.height)),
        None => None,
    };
    let image = match alpha {
        None => image::RgbImage::from_raw(size.0, size.1, picture.rgb).map(DynamicImage::ImageRgb8),
        Some(alpha) => {
            let pixels = picture.rgb.chunks_exact(3).zip(alpha.rgb.chunks_exact(3));
            let rgba =
                pixels.flat_map(|(colour, alpha)| [colour[0], colour[1], colour[2], alpha[0]]);
            RgbaImage::from_raw(size.0, size.1, rgba.collect()).map(DynamicImage::ImageRgba8)
        }
    };
    let image = image.ok_or_else(|| wrong("its pixels do not fit its size"))?;
    let own = file.items.properties.get(&file.items.primary);
    Ok((
        file.transformed(image, own.map_or(&[], Vec::as_slice))?,
        damage,
    ))
}

struct File<'a> {
    bytes: &'a [u8],
    name: &'static str,
    items: Items,
    limits: &'a Limits,
}

impl File<'_> {
    fn wrong(&self, reason: impl ToString) -> ImageError {
        ImageError::broken(self.name, reason)
    }

    /// The item with the pixels: the primary one, or what it is derived from unchanged.
    fn shown(&self) -> Result<u32, ImageError> {
        let primary = self.items.primary;
        match &self.items.kinds[&primary] {
            b"iden" => match self.items.referred(b"dimg", primary) {
                [item] => Ok(*item),
                _ => Err(self.wrong("it shows a picture that is not there")),
            },
            _ => Ok(primary),
        }
    }

    fn alpha(&self, of: u32) -> Option<u32> {
        let is_alpha = |item: u32| {
            let kind = self.items.property(item, b"auxC");
            let kind = kind.and_then(|body| body.get(4..)?.split(|byte| *byte == 0).next());
            kind.is_some_and(|kind| ALPHA.contains(&kind))
        };
        let references = self.items.references.iter();
        let mut auxiliary = references.filter(|(name, _, to)| name == b"auxl" && to.contains(&of));
        auxiliary.find_map(|(_, item, _)| is_alpha(*item).then_some(*item))
    }

    fn size(&self, item: u32) -> Result<(u32, u32), ImageError> {
        let body = self.items.property(item, b"ispe");
        let side = |at: usize| Some(u32::from_be_bytes(*body?.get(at..)?.first_chunk()?));
        match (side(4), side(8)) {
            (Some(width), Some(height)) if width > 0 && height > 0 => Ok((width, height)),
            _ => Err(self.wrong("it does not say how large its picture is")),
        }
    }

    /// The tiles of an item.
    fn plan(&self, item: u32) -> Result<Plan, ImageError> {
        if &self.items.kinds.get(&item).copied().unwrap_or_default() != b"grid" {
            let (width, height) = self.size(item)?;
            let tiles = vec![(item, 0, 0)];
            return Ok(Plan {
                width,
                height,
                tiles,
            });
        }
        let broken = || self.wrong("its grid of tiles is broken");
        let body = self.items.bytes(self.bytes, item).ok_or_else(broken)?;
        let &[_, flags, rows, columns, ..] = &body[..] else {
            return Err(broken());
        };
        let wide = flags & 1 == 1;
        let side = |index: usize| match wide {
            true => Some(u32::from_be_bytes(
                *body.get(4 + 4 * index..)?.first_chunk()?,
            )),
            false => Some(u16::from_be_bytes(*body.get(4 + 2 * index..)?.first_chunk()?).into()),
        };
        let (Some(width), Some(height)) = (side(0), side(1)) else {
            return Err(broken());
        };
        let (rows, columns) = (usize::from(rows) + 1, usize::from(columns) + 1);
        let items = self.items.referred(b"dimg", item);
        if items.len() != rows * columns || items.len() > MAX_TILES || width == 0 || height == 0 {
            return Err(broken());
        }
        let (across, down) = self.size(items[0])?;
        let tiles = items.iter().zip(0_u32..).map(|(&item, index)| {
            let (row, column) = (index / columns as u32, index % columns as u32);
            (
                item,
                column.saturating_mul(across),
                row.saturating_mul(down),
            )
        });
        let tiles = tiles.collect();
        Ok(Plan {
            width,
            height,
            tiles,
        })
    }

    /// An item's pixels as they are stored, and the share of them that is missing.
    fn picture(&self, item: u32) -> Result<(Picture, f64), ImageError> {
        let plan = self.plan(item)?;
        let (width, height) = (plan.width as usize, plan.height as usize);
        let limits = Limits {
            max_expansion: self.limits.max_expansion.saturating_mul(EXPANSION),
            ..self.limits.clone()
        };
        let needed = u64::from(plan.width) * u64::from(plan.height) * 4;
        limits.check(self.bytes.len() as u64, (plan.width, plan.height), needed)?;
        let first = plan.tiles[0].0;
        let kind = self.items.kinds.get(&first).copied().unwrap_or_default();
        let (coding, setup) = match &kind {
            b"hvc1" => (
                Coding::Hevc,
                self.items.property(first, b"hvcC").unwrap_or_default(),
            ),
            b"av01" => (Coding::Av1, &[][..]),
            kind => {
                let kind = kind.escape_ascii();
                return Err(self.wrong(format!("pictures of the kind {kind} are not read")));
            }
        };
        let coded: Vec<Option<Vec<u8>>> = plan
            .tiles
            .iter()
            .map(|&(item, ..)| {
                let alike = self.items.kinds.get(&item) == Some(&kind);
                self.items
                    .bytes(self.bytes, item)
                    .filter(|bytes| alike && !bytes.is_empty())
            })
            .collect();
        let mut canvas = vec![GREY; 3 * width * height];
        let mut drawn = 0;
        let there = plan
            .tiles
            .iter()
            .zip(&coded)
            .filter_map(|(tile, coded)| coded.as_deref().map(|coded| (tile, coded)));
        let (places, coded): (Vec<_>, Vec<_>) = there.unzip();
        if coded.is_empty() {
            return Ok((Picture::from_rgb(width, height, canvas)?, 1.0));
        }
        let colours = self.colours(item).or(self.colours(first));
        let decoded = still::decode(coding, setup, colours, &coded, self.limits.max_pixels);
        let decoded = decoded.map_err(|reason| self.wrong(reason))?;
        for (&&(_, left, top), tile) in places.iter().zip(decoded) {
            let Some(tile) = tile else { continue };
            let (left, top) = (left as usize, top as usize);
            let across = tile.width.min(width.saturating_sub(left));
            let down = tile.height.min(height.saturating_sub(top));
            for row in 0..down {
                let to = 3 * ((top + row) * width + left);
                let from = 3 * row * tile.width;
                canvas[to..to + 3 * across].copy_from_slice(&tile.rgb[from..from + 3 * across]);
            }
            drawn += across * down;
        }
        let missing = 1.0 - drawn as f64 / (width * height) as f64;
        Ok((Picture::from_rgb(width, height, canvas)?, missing))
    }

    /// What the container says about an item's colours.
    fn colours(&self, item: u32) -> Option<Colours> {
        let properties = self.items.properties.get(&item)?.iter();
        let mut named = properties.filter(|property| &property.name == b"colr");
        named.find_map(|property| {
            let number =
                |at: usize| Some(u16::from_be_bytes(*property.body.get(at..)?.first_chunk()?));
            property.body.starts_with(b"nclx").then_some(Colours {
                transfer: number(6)?,
                matrix: number(8)?,
                full_range: property.body.get(10)? & 0x80 != 0,
            })
        })
    }

    /// The picture cropped, turned and mirrored as the properties say, in their order.
    fn transformed(
        &self,
        mut image: DynamicImage,
        properties: &[Property],
    ) -> Result<DynamicImage, ImageError> {
        for Property { name, body } in properties {
            let first = body.first().copied().unwrap_or(0);
            image = match name {
                // Quarter turns against the clock.
                b"irot" => match first & 3 {
                    1 => image.rotate270(),
                    2 => image.rotate180(),
                    3 => image.rotate90(),
                    _ => image,
                },
                b"imir" if first & 1 == 0 => image.flipv(),
                b"imir" => image.fliph(),
                b"clap" => match cropped(&image, body) {
                    Some([left, top, width, height]) => image.crop_imm(left, top, width, height),
                    None => return Err(self.wrong("its crop lies outside of its picture")),
                },
                _ => image,
            };
        }
        Ok(image)
    }
}

/// Left, top, width and height of what a crop leaves; none if it is not within the picture.
fn cropped(image: &DynamicImage, body: &[u8]) -> Option<[u32; 4]> {
    let number =
        |index: usize| Some(u32::from_be_bytes(*body.get(4 * index..)?.first_chunk()?) as i32);
    let fraction = |index: usize| {
        let (over, under) = (number(index)?, number(index + 1)?);
        (under != 0).then(|| f64::from(over) / f64::from(under))
    };
    let (width, height) = (fraction(0)?, fraction(2)?);
    let (right, below) = (fraction(4)?, fraction(6)?);
    // The offset is that of the middle from the picture's middle.
    let start = |side: u32, length: f64, offset: f64| (f64::from(side) - length) / 2.0 + offset;
    let left = start(image.width(), width, right).round();
    let top = start(image.height(), height, below).round();
    let (width, height) = (width.round(), height.round());
    let fits = left >= 0.0
        && top >= 0.0
        && width >= 1.0
        && height >= 1.0
        && left + width <= f64::from(image.width())
        && top + height <= f64::from(image.height());
    fits.then_some([left as u32, top as u32, width as u32, height as u32])
}
