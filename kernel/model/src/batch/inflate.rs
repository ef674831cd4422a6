//! Compression of a batch's records. Output is always capped.

use std::io::{Read, Write};

use bytes::Bytes;

use super::header::{BATCH_HEADER_LEN, VerifiedBatch};

/// How a batch's records are compressed: bits 0 to 2 of its attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// gzip, one or more members.
    Gzip,
    /// snappy, in xerial's framing or as one raw block.
    Snappy,
    /// LZ4 frame format.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Codec {
    /// The codec of this number; three numbers are not assigned.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }
}

/// Why records could not be inflated. The sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// A number that no codec has.
    #[error("codec {0} is not assigned")]
    Codec(u8),
    /// More bytes come out than are allowed.
    #[error("inflated records exceed {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// The compressed bytes are wrong or end early.
    #[error("compressed records are damaged")]
    Damaged,
}

/// The records of `batch` as they are read one by one; not copied when they are not compressed.
///
/// # Errors
///
/// [`InflateError`], above all when more than `bytes_max` bytes come out.
pub fn record_bytes(batch: &VerifiedBatch, bytes_max: usize) -> Result<Bytes, InflateError> {
    let number = batch.header().codec();
    let codec = Codec::from_number(number).ok_or(InflateError::Codec(number))?;
    let stored = batch.bytes().slice(BATCH_HEADER_LEN.min(batch.bytes().len())..);
    if codec == Codec::None {
        return Ok(stored);
    }
    inflate(codec, &stored, bytes_max).map(Bytes::from)
}

/// Inflates `input`.
///
/// # Errors
///
/// As [`record_bytes`].
pub fn inflate(codec: Codec, input: &[u8], bytes_max: usize) -> Result<Vec<u8>, InflateError> {
    match codec {
        Codec::None if input.len() > bytes_max => Err(InflateError::TooLarge { bytes_max }),
        Codec::None => Ok(input.to_vec()),
        Codec::Gzip => drain(flate2::read::MultiGzDecoder::new(input), bytes_max),
        Codec::Snappy => snappy(input, bytes_max),
        Codec::Lz4 => drain(lz4_flex::frame::FrameDecoder::new(input), bytes_max),
        Codec::Zstd => {
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(input).map_err(|_| InflateError::Damaged)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|_| InflateError::Damaged)?;
            drain(decoder, bytes_max)
        }
    }
}

/// Largest zstd window taken, as a power of two: it is memory beside the output. Levels up to 19 stay below.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

fn drain(decoder: impl Read, bytes_max: usize) -> Result<Vec<u8>, InflateError> {
    let mut out = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut out).map_err(|_| InflateError::Damaged)?;
    if out.len() > bytes_max { Err(InflateError::TooLarge { bytes_max }) } else { Ok(out) }
}

const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
/// Magic, version and lowest compatible version.
const XERIAL_HEADER_LEN: usize = 16;
/// Xerial's default block size.
const XERIAL_BLOCK: usize = 32 * 1024;

fn snappy(input: &[u8], bytes_max: usize) -> Result<Vec<u8>, InflateError> {
    let mut out = Vec::new();
    if !input.starts_with(XERIAL_MAGIC) {
        snappy_block(input, &mut out, bytes_max)?;
        return Ok(out);
    }
    let mut rest = input.get(XERIAL_HEADER_LEN..).ok_or(InflateError::Damaged)?;
    while !rest.is_empty() {
        let (prefix, behind) = rest.split_first_chunk::<4>().ok_or(InflateError::Damaged)?;
        let size = usize::try_from(i32::from_be_bytes(*prefix)).map_err(|_| InflateError::Damaged)?;
        let (block, behind) = behind.split_at_checked(size).ok_or(InflateError::Damaged)?;
        snappy_block(block, &mut out, bytes_max)?;
        rest = behind;
    }
    Ok(out)
}

fn snappy_block(block: &[u8], out: &mut Vec<u8>, bytes_max: usize) -> Result<(), InflateError> {
    let size = snap::raw::decompress_len(block).map_err(|_| InflateError::Damaged)?;
    // The size is claimed, not yet true: it is judged before anything is allocated.
    if out.len().saturating_add(size) > bytes_max {
        return Err(InflateError::TooLarge { bytes_max });
    }
    let plain = snap::raw::Decoder::new().decompress_vec(block).map_err(|_| InflateError::Damaged)?;
    out.extend_from_slice(&plain);
    Ok(())
}

/// Compresses records; for encoders of small batches.
pub(super) fn deflate(codec: Codec, input: &[u8]) -> std::io::Result<Vec<u8>> {
    match codec {
        Codec::None => Ok(input.to_vec()),
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(input)?;
            encoder.finish()
        }
        Codec::Snappy => xerial(input),
        Codec::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(input)?;
            encoder.finish().map_err(std::io::Error::other)
        }
        Codec::Zstd => zstd::stream::encode_all(input, 3),
    }
}

fn xerial(input: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = XERIAL_MAGIC.to_vec();
    out.extend_from_slice(&1_i32.to_be_bytes());
    out.extend_from_slice(&1_i32.to_be_bytes());
    for block in input.chunks(XERIAL_BLOCK) {
        let packed = snap::raw::Encoder::new().compress_vec(block).map_err(std::io::Error::other)?;
        let size = i32::try_from(packed.len()).map_err(std::io::Error::other)?;
        out.extend_from_slice(&size.to_be_bytes());
        out.extend_from_slice(&packed);
    }
    Ok(out)
}
