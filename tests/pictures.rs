//! Pictures that tests hand to the binary: a plain one, and one that is far too large.

use image::{Rgb, RgbImage};

/// A red circle on a pale ground.
pub fn circle(width: u32, height: u32) -> RgbImage {
    let radius = f64::from(width.min(height)) / 3.0;
    RgbImage::from_fn(width, height, |x, y| {
        let dx = f64::from(x) - f64::from(width) / 2.0;
        let dy = f64::from(y) - f64::from(height) / 2.0;
        if dx.hypot(dy) < radius {
            Rgb([200, 30, 40])
        } else {
            Rgb([230, 235, 240])
        }
    })
}

/// A PNG whose header promises `width` x `height` pixels and whose data is cut off.
pub fn huge_png(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    chunk(&mut png, b"IHDR", &header);
    chunk(
        &mut png,
        b"IDAT",
        b"\x78\x9c\x63\x60\x60\x60\x00\x00\x00\x04\x00\x01",
    );
    chunk(&mut png, b"IEND", b"");
    png
}

fn chunk(png: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    png.extend(
        u32::try_from(data.len())
            .expect("chunks here are short")
            .to_be_bytes(),
    );
    let start = png.len();
    png.extend(name);
    png.extend(data);
    let checksum = crc32(&png[start..]);
    png.extend(checksum.to_be_bytes());
}

/// The checksum of PNG chunks (ISO 3309), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
