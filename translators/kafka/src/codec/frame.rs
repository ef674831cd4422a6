//! Frames and their headers.
//!
//! ```text
//! frame     i32 size | size bytes
//! request   i16 API key | i16 version | i32 correlation id | nullable string client id | tags (v2) | body
//! response  i32 correlation id | tags (v1) | body
//! ```
//!
//! Headers have versions of their own, which follow from the body's: see [`request_header_version`]
//! and [`response_header_version`].

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::messages::{RequestHeader, ResponseHeader};
use super::{ApiKey, DecodeError, EncodeError, Message, Reader, Request, Response, Str};

/// A size prefix that ends the connection: nothing behind it can be told apart any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The size is negative.
    #[error("frame of negative size {0}")]
    Negative(i32),
    /// The size is over the limit.
    #[error("frame of {size} bytes where {frame_bytes_max} are allowed")]
    TooLarge {
        /// The size as sent.
        size: u32,
        /// The limit.
        frame_bytes_max: u32,
    },
}

const SIZE_BYTES: usize = 4;

/// Cuts one frame from the front of `input` and returns it without its size prefix, or `None`
/// while it is incomplete, which leaves `input` as it was. The size is judged as soon as it is there.
///
/// # Errors
///
/// [`FrameError`] for a negative size, or one over `frame_bytes_max`.
pub fn take_frame(input: &mut Bytes, frame_bytes_max: u32) -> Result<Option<Bytes>, FrameError> {
    let Some(size) = complete(input, frame_bytes_max)? else { return Ok(None) };
    input.advance(SIZE_BYTES);
    Ok(Some(input.split_to(size)))
}

/// As [`take_frame`], for a buffer that is still being filled.
///
/// # Errors
///
/// As [`take_frame`].
pub fn take_frame_mut(input: &mut BytesMut, frame_bytes_max: u32) -> Result<Option<Bytes>, FrameError> {
    let Some(size) = complete(input, frame_bytes_max)? else { return Ok(None) };
    input.advance(SIZE_BYTES);
    Ok(Some(input.split_to(size).freeze()))
}

/// The size of the frame at the front of `input` if all of it is there.
fn complete(input: &[u8], frame_bytes_max: u32) -> Result<Option<usize>, FrameError> {
    let Some((prefix, rest)) = input.split_first_chunk::<SIZE_BYTES>() else { return Ok(None) };
    let claimed = i32::from_be_bytes(*prefix);
    let size = u32::try_from(claimed).map_err(|_negative| FrameError::Negative(claimed))?;
    if size > frame_bytes_max {
        return Err(FrameError::TooLarge { size, frame_bytes_max });
    }
    Ok(usize::try_from(size).ok().filter(|size| *size <= rest.len()))
}

/// What every request starts with, whatever its API key and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// The API key as sent, perhaps one that no descriptor has.
    pub api_key: i16,
    /// The version as sent, perhaps one that no descriptor has.
    pub api_version: i16,
    /// Returned in the response.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<Str>,
}

impl RequestHead {
    /// The API, if a descriptor has it.
    #[must_use]
    pub fn api(&self) -> Option<ApiKey> {
        ApiKey::from_code(self.api_key)
    }
}

/// Reads the part of a request's header that has the same layout for all requests, and nothing
/// behind it. Serves requests that only pass through, and those nothing else is known of.
///
/// # Errors
///
/// [`DecodeError`] when the frame ends early or the client id is not a string.
pub fn peek_request(frame: &Bytes) -> Result<RequestHead, DecodeError> {
    // The frame's handle is cloned, not its bytes.
    let header = RequestHeader::decode(&mut Reader::new(frame.clone()), 1)?;
    Ok(RequestHead {
        api_key: header.request_api_key,
        api_version: header.request_api_version,
        correlation_id: header.correlation_id,
        client_id: header.client_id,
    })
}

/// Memory that the elements of one request's arrays may take: about 130,000 partitions of a Fetch, far beyond what
/// one broker leads. What serves a request takes two to three times that.
const REQUEST_MEMORY_MAX: usize = 16 << 20;

/// Memory that a request takes until it is answered: its frame, and what the elements of its arrays may take. Records
/// stay slices of their frame.
#[must_use]
pub(crate) fn memory_of(request: &Bytes) -> usize {
    let is_produce = peek_request(request).is_ok_and(|head| head.api() == Some(ApiKey::Produce));
    let elements = if is_produce { 0 } else { Reader::elements_of(request).min(REQUEST_MEMORY_MAX) };
    request.len().saturating_add(elements)
}

/// Memory that the elements of one response's arrays may take: the metadata of about a million partitions.
const RESPONSE_MEMORY_MAX: usize = 256 << 20;

/// Reads the header of a request and returns it with a reader at the start of the body.
///
/// A version the API does not have is no error here: ApiVersions must answer one.
///
/// # Errors
///
/// [`DecodeError::UnknownApi`] for an API key that no descriptor has, others for wrong bytes.
pub fn read_request_header(frame: Bytes) -> Result<(RequestHeader, Reader), DecodeError> {
    let head = peek_request(&frame)?;
    let api = head.api().ok_or(DecodeError::UnknownApi(head.api_key))?;
    let memory = Reader::memory_of(&frame).min(REQUEST_MEMORY_MAX);
    let mut reader = Reader::with_memory(frame, memory);
    let header = RequestHeader::decode(&mut reader, request_header_version(api, head.api_version))?;
    Ok((header, reader))
}

/// Reads the header of the response to a request of this API and version, and returns the
/// correlation id with a reader at the start of the body.
///
/// # Errors
///
/// [`DecodeError`] when the frame ends early or its tagged fields are wrong.
pub fn read_response_header(
    frame: Bytes,
    api: ApiKey,
    version: i16,
) -> Result<(ResponseHeader, Reader), DecodeError> {
    let memory = Reader::memory_of(&frame).min(RESPONSE_MEMORY_MAX);
    let mut reader = Reader::with_memory(frame, memory);
    let header = ResponseHeader::decode(&mut reader, response_header_version(api, version))?;
    Ok((header, reader))
}

/// The version of the header before a request body of this version.
#[must_use]
pub fn request_header_version(api: ApiKey, version: i16) -> i16 {
    if api.spec().is_flexible(version) { 2 } else { 1 }
}

/// The version of the header before a response body of this version.
///
/// ApiVersions always has the oldest: its client does not know yet what the broker speaks.
#[must_use]
pub fn response_header_version(api: ApiKey, version: i16) -> i16 {
    i16::from(api != ApiKey::ApiVersions && api.spec().is_flexible(version))
}

/// A request as a whole frame, size prefix included.
///
/// # Errors
///
/// [`EncodeError`] when `version` cannot express the request.
pub fn request_frame<R: Request>(
    version: i16,
    correlation_id: i32,
    client_id: Option<Str>,
    request: &R,
) -> Result<Bytes, EncodeError> {
    let header = RequestHeader {
        request_api_key: R::API.code(),
        request_api_version: version,
        correlation_id,
        client_id,
        unknown_tagged: Vec::new(),
    };
    framed(|out| {
        header.encode(out, request_header_version(R::API, version))?;
        request.encode(out, version)
    })
}

/// A response as a whole frame, size prefix included.
///
/// # Errors
///
/// [`EncodeError`] when `version` cannot express the response.
pub fn response_frame<R: Response>(
    version: i16,
    correlation_id: i32,
    response: &R,
) -> Result<Bytes, EncodeError> {
    let header = ResponseHeader { correlation_id, unknown_tagged: Vec::new() };
    framed(|out| {
        header.encode(out, response_header_version(R::API, version))?;
        response.encode(out, version)
    })
}

/// Appends what `write` appends, behind a size prefix.
fn framed(write: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>) -> Result<Bytes, EncodeError> {
    let mut out = BytesMut::new();
    out.put_i32(0);
    write(&mut out)?;
    let length = out.len() - SIZE_BYTES;
    let max = i32::MAX as usize;
    let size = i32::try_from(length).map_err(|_over| EncodeError::TooLong { length, max })?;
    if let Some(prefix) = out.first_chunk_mut() {
        *prefix = size.to_be_bytes();
    }
    Ok(out.freeze())
}
