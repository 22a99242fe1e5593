//! Single pictures of HEIC and AVIF files: each is one packet of a video codec.

use avocet_media::child::Coding;
use avocet_media::child::{Refusal, Served, StillRequest};
use avocet_media::still::{MAX_PART_BYTES, PartHeader};
use ffmpeg_next::{Dictionary, Error, Packet, codec, decoder, ffi, frame, media};

use super::convert::Converter;
use super::hdr::Colours;
use super::turn::Turn;
use crate::replies::Replies;
use crate::source::{self, refusal};

/// No side is longer: pictures are given as large as they are.
const MAX_SIDE: u32 = 1 << 16;

/// Gives what each of the coded pictures shows; one that does not decode is said to be empty.
pub(crate) fn stills(request: &StillRequest, coded: &[Vec<u8>], replies: &mut Replies) -> Served {
    let mut decoder = open(request)?;
    let mut converter = Converter::new(MAX_SIDE, 1.0, Turn::default(), Colours::UNKNOWN);
    for picture in coded {
        replies.alive()?;
        let decoded = decode(&mut decoder, picture);
        let mut rgb = replies.buffer();
        let (width, height) = match decoded {
            Ok(mut frame) => {
                name_colours(&mut frame, request);
                converter.convert(&frame, &mut rgb)?
            }
            Err(Error::Other {
                errno: ffmpeg_next::error::ENOMEM,
            }) => return Err(Refusal::Memory),
            Err(_) => {
                rgb.clear();
                (0, 0)
            }
        };
        send(&rgb, width, height, replies)?;
    }
    Ok(())
}

/// Sends a picture in parts that fit into messages.
fn send(rgb: &[u8], width: u32, height: u32, replies: &mut Replies) -> Served {
    let row = 3 * width.max(1) as usize;
    let rows = (MAX_PART_BYTES / row).max(1) as u32;
    let mut top = 0;
    loop {
        let rows = rows.min(height - top);
        let header = PartHeader {
            width,
            height,
            rows,
        };
        let part = top as usize * row..(top + rows) as usize * row;
        replies.item(
            header,
            &rgb[part.start.min(rgb.len())..part.end.min(rgb.len())],
        )?;
        top += rows;
        if top >= height {
            return Ok(());
        }
    }
}

fn open(request: &StillRequest) -> Result<decoder::Video, Refusal> {
    let (id, name) = match request.coding {
        Coding::Hevc => (codec::Id::HEVC, "HEVC"),
        Coding::Av1 => (codec::Id::AV1, "AV1"),
    };
    let codec = decoder::find(id)
        .ok_or_else(|| Refusal::file(format!("FFmpeg has no decoder for {name} here")))?;
    let mut parameters = codec::Parameters::new();
    // SAFETY: the parameters are ours; they own the setup, which FFmpeg's allocator made and their
    // destructor frees.
    unsafe {
        let raw = parameters.as_mut_ptr();
        if raw.is_null() {
            return Err(Refusal::Memory);
        }
        (*raw).codec_type = media::Type::Video.into();
        (*raw).codec_id = id.into();
        if !request.setup.is_empty() {
            let length = request.setup.len();
            let padded = length + ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize;
            let setup = ffi::av_mallocz(padded).cast::<u8>();
            if setup.is_null() {
                return Err(Refusal::Memory);
            }
            std::ptr::copy_nonoverlapping(request.setup.as_ptr(), setup, length);
            (*raw).extradata = setup;
            (*raw).extradata_size = length as i32;
        }
    }
    let doing = format!("has a {name} picture that cannot be decoded");
    let context = codec::Context::from_parameters(parameters);
    let context = context.map_err(|error| refusal(&doing, error))?;
    let mut options = Dictionary::new();
    options.set("threads", &source::num_threads().to_string());
    options.set("max_pixels", &request.max_pixels.to_string());
    let opened = context.decoder().open_as_with(codec, options);
    opened
        .and_then(|opened| opened.video())
        .map_err(|error| refusal(&doing, error))
}

/// The frame of one packet. The decoder may be used again.
fn decode(decoder: &mut decoder::Video, coded: &[u8]) -> Result<frame::Video, Error> {
    let mut frame = frame::Video::empty();
    decoder.flush();
    decoder.send_packet(&Packet::copy(coded))?;
    decoder.send_eof()?;
    decoder.receive_frame(&mut frame)?;
    match frame.is_corrupt() || frame.has_decode_errors() {
        true => Err(Error::InvalidData),
        false => Ok(frame),
    }
}

/// The container's words about colours win over the codec's.
fn name_colours(frame: &mut frame::Video, request: &StillRequest) {
    let Some(colours) = request.colours else {
        return;
    };
    /// What leaves a matter open.
    const OPEN: u16 = 2;
    use ffmpeg_next::color::{Range, Space, TransferCharacteristic};
    if colours.matrix != OPEN {
        frame.set_color_space(match colours.matrix {
            0 => Space::RGB,
            1 => Space::BT709,
            4 => Space::FCC,
            7 => Space::SMPTE240M,
            9 | 10 => Space::BT2020NCL,
            _ => Space::SMPTE170M,
        });
    }
    match colours.transfer {
        16 => frame.set_color_transfer_characteristic(TransferCharacteristic::SMPTE2084),
        18 => frame.set_color_transfer_characteristic(TransferCharacteristic::ARIB_STD_B67),
        _ => {}
    }
    frame.set_color_range(match colours.full_range {
        true => Range::JPEG,
        false => Range::MPEG,
    });
}
