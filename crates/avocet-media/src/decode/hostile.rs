//! Hostile files: mutations and bombs end in an error or a picture, never in a panic, and never
//! take much memory on the way to being refused.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use super::tests::{MADE_ELSEWHERE, encoded};
use super::*;
use image::ImageFormat;

/// The system's allocator, counting what each thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

fn count(change: i64) {
    // A thread that is ending has nothing left to count with.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call is handed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Most bytes this thread held above what it held before.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, i64) {
    let before = HELD.with(Cell::get);
    PEAK.with(|peak| peak.set(before));
    let result = work();
    (result, PEAK.with(Cell::get) - before)
}

fn small_files() -> Vec<Vec<u8>> {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    let ours = [Png, Jpeg, WebP, Gif, Bmp, Tiff].map(encoded);
    ours.into_iter()
        .chain(MADE_ELSEWHERE.iter().map(|(_, bytes)| bytes.to_vec()))
        .collect()
}

struct Lcg(u64);

impl Lcg {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

fn mutate(file: &mut Vec<u8>, random: &mut Lcg) {
    for _ in 0..=random.below(4) {
        let at = random.below(file.len());
        match random.below(6) {
            0 => file[at] ^= 1 << random.below(8),
            1 => file[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            2 => file.truncate(at.max(4)),
            3 => {
                let end = (at + 1 + random.below(16)).min(file.len());
                let piece = file[at..end].to_vec();
                let to = random.below(file.len());
                file.splice(to..to, piece);
            }
            4 => {
                let end = (at + 4).min(file.len());
                file[at..end].fill([0, 0xff][random.below(2)]);
            }
            _ => file[at] = random.below(256) as u8,
        }
    }
}

#[test]
fn ten_thousand_mutated_files_neither_panic_nor_take_much_memory() {
    let files = small_files();
    let mut random = Lcg(20_261_122);
    let limits = Limits {
        max_alloc: 16 << 20,
        ..Limits::default()
    };
    let (mut pictures, mut gave_up) = (0, 0);
    for round in 0..10_400 {
        let mut file = files[round % files.len()].clone();
        mutate(&mut file, &mut random);
        let (result, peak) = peak_of(|| decode_damaged(&file, &limits));
        assert!(peak < 96 << 20, "round {round}: {peak} bytes, {result:?}");
        match result {
            Ok(Decoded { picture, .. }) => {
                pictures += 1;
                assert_eq!(picture.rgb.len(), picture.width * picture.height * 3);
                let patches = picture.patches(8, 16);
                assert!((1..=16).contains(&(patches.rows * patches.cols)));
            }
            Err(error) => {
                let error = error.to_string();
                assert!(!error.contains('\n'), "{error}");
                gave_up += usize::from(error.contains("gave up"));
            }
        }
    }
    assert!(
        pictures > 500,
        "only {pictures} mutants decoded: the mutations are too harsh"
    );
    assert_eq!(gave_up, 0, "a decoder panicked");
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn chunk(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let body = [&kind[..], contents].concat();
    let mut chunk = (contents.len() as u32).to_be_bytes().to_vec();
    chunk.extend(&body);
    chunk.extend(crc(&body).to_be_bytes());
    chunk
}

fn deflated_zeros(bytes: u64) -> Vec<u8> {
    let mut zlib =
        flate2::read::ZlibEncoder::new(std::io::repeat(0).take(bytes), flate2::Compression::new(6));
    let mut packed = Vec::new();
    zlib.read_to_end(&mut packed).unwrap();
    packed
}

fn png(width: u32, height: u32, extra: &[u8], data: &[u8]) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(chunk(b"IHDR", &header));
    file.extend(extra);
    file.extend(chunk(b"IDAT", data));
    file.extend(chunk(b"IEND", b""));
    file
}

const MOST: i64 = 64 << 20;

#[test]
fn a_huge_picture_is_refused_with_both_numbers_and_little_memory() {
    let mut bmp = encoded(ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&30_000u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&30_000u32.to_le_bytes());
    let mut jpeg = encoded(ImageFormat::Jpeg);
    let sof = jpeg
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    jpeg[sof + 5..sof + 9].copy_from_slice(&[0x75, 0x30, 0x75, 0x30]);
    let mut gif = encoded(ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0x30, 0x75, 0x30, 0x75]);
    for (name, file) in [
        ("PNG", png(30_000, 30_000, b"", &deflated_zeros(1 << 20))),
        ("BMP", bmp),
        ("JPEG", jpeg),
        ("GIF", gif),
    ] {
        let (result, peak) = peak_of(|| decode(&file, &Limits::default()));
        let error = result.unwrap_err();
        assert!(
            matches!(error, ImageError::TooManyPixels { .. }),
            "{name}: {error}"
        );
        let text = error.to_string();
        assert!(
            text.contains("30000 x 30000") && text.contains("134217728"),
            "{text}"
        );
        assert!(peak < MOST, "{name}: {peak}");
    }
}

#[test]
fn a_small_file_that_claims_a_large_picture_is_refused() {
    let (width, height) = (9_000, 9_000);
    let file = png(width, height, b"", &deflated_zeros(1000));
    let (result, peak) = peak_of(|| decode(&file, &Limits::default()));
    let error = result.unwrap_err();
    assert!(matches!(error, ImageError::Bomb { .. }), "{error}");
    assert!(
        error.to_string().contains(&file.len().to_string()),
        "{error}"
    );
    assert!(peak < MOST, "{peak}");
}

#[test]
fn bombs_beside_the_pixels_are_refused_or_ignored_within_bounds() {
    let zeros = deflated_zeros(200 << 20);
    let profile = chunk(b"iCCP", &[&b"p\0\0"[..], &zeros].concat());
    let text = chunk(b"zTXt", &[&b"t\0\0"[..], &zeros].concat());
    for (name, extra) in [("profile", profile), ("text", text)] {
        let file = png(1, 1, &extra, &deflated_zeros(4));
        let (_result, peak) = peak_of(|| decode(&file, &Limits::default()));
        assert!(peak < MOST, "{name}: {peak}");
    }
}

#[test]
fn a_frame_larger_than_its_screen_is_refused() {
    let mut gif = encoded(ImageFormat::Gif);
    let frame = gif.iter().skip(13).position(|&byte| byte == 0x2c).unwrap() + 13;
    gif[frame + 5..frame + 9].copy_from_slice(&[0x30, 0x75, 0x30, 0x75]);
    let (result, peak) = peak_of(|| decode(&gif, &Limits::default()));
    assert!(result.is_err() || peak < MOST);
    assert!(peak < MOST, "{peak}");
}

#[test]
fn honest_large_pictures_of_one_colour_still_decode() {
    let file = png(4_000, 3_000, b"", &deflated_zeros((4_000 * 3 + 1) * 3_000));
    let picture = decode(&file, &Limits::default()).unwrap();
    assert_eq!((picture.width, picture.height), (4_000, 3_000));
}
