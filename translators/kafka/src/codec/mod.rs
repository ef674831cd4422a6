//! Kafka's wire format: primitives, framing, and one struct for every message a broker listener
//! carries. Knows layouts and lengths; leaves the meaning of fields, and the record batches inside
//! `records` fields, to the sessions.
//!
//! The messages below [`messages`] are written by `generator/generate.py` from the descriptors in
//! Kafka's own jars. Nobody edits them; `generate.py --check` tells whether they are stale.
//!
//! # Names
//!
//! A message is `messages::ProduceRequest`; the structs within it live in a module named after it,
//! `messages::produce_request::TopicProduceData`. Fields carry the descriptor's names in snake case.
//! A field that the chosen version lacks holds its default after decoding; encoding anything else in
//! it is an error unless the descriptor calls the field ignorable.
//!
//! ```
//! use bytes::Bytes;
//! use translator_kafka::codec::messages::{MetadataRequest, metadata_request::MetadataRequestTopic};
//! use translator_kafka::codec::{Message, frame};
//!
//! let request = MetadataRequest {
//!     topics: Some(vec![MetadataRequestTopic { name: Some("orders".into()), ..Default::default() }]),
//!     ..Default::default()
//! };
//! let mut sent: Bytes = frame::request_frame(12, 7, Some("console".into()), &request)?;
//!
//! let body = frame::take_frame(&mut sent, 1024).unwrap().expect("the frame is complete");
//! let (header, reader) = frame::read_request_header(body)?;
//! assert_eq!(header.correlation_id, 7);
//! assert_eq!(MetadataRequest::decode_rest(reader, header.request_api_version)?, request);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Bounds
//!
//! Decoding copies neither strings nor bytes: [`Str`] and `Bytes` are slices of the frame and keep
//! it alive, so state that outlives a request takes [`Str::detached`] copies. Every length is
//! checked against the bytes that remain before anything is allocated, and messages nest only as
//! deep as their descriptors. The elements of a frame's arrays may take 16 times the memory of the
//! frame and a mebibyte more, or what [`Reader::with_memory`] is told.
//!
//! A decoded message encodes to the bytes it came from, provided that its writer was canonical as
//! Kafka's own are: shortest varints, booleans 0 or 1, and no tagged field sent to say its default.

mod error;
pub mod frame;
#[path = "generated/mod.rs"]
pub mod messages;
mod reader;
mod text;
mod uuid;
mod wire;

#[cfg(test)]
mod tests;

pub use error::{DecodeError, EncodeError};
pub use messages::api_key::{APIS, Api, ApiKey};
pub use reader::Reader;
pub use text::Str;
pub use uuid::{Uuid, UuidTextError};
pub use wire::{CoordinatorRecord, Format, Message, Request, Response, TaggedField, Wire};
