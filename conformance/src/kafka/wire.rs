//! One connection to one endpoint. One request is on its way at a time; a request whose answer does not come in time
//! ends the connection, since a later answer could not be told from the next one's.
//!
//! ```text
//! length i32 │ API key i16 │ version i16 │ correlation i32 │ client id │ body     →
//! length i32 │ correlation i32 │ body                                            ←
//! ```

use std::fmt::Debug;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::batch;
use super::tree::Tree;

/// Largest answer taken, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a TCP connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// How long an answer may take; groups wait three seconds for their first members.
const ANSWER_WAIT: Duration = Duration::from_secs(20);
/// What the suite calls itself.
pub(super) const CLIENT_ID: &str = "sluice-conformance";

/// Why a request has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum WireError {
    /// Nobody listens there, or not in time.
    #[error("cannot connect to {0}: {1}")]
    Connect(String, String),
    /// The endpoint closed the connection instead of answering.
    #[error("the connection was closed instead of an answer")]
    Closed,
    /// The answer did not come in time.
    #[error("no answer within {} s", ANSWER_WAIT.as_secs())]
    Slow,
    /// The stock codec refuses the request in this version.
    #[error("cannot be encoded: {0}")]
    Encode(String),
    /// Bytes that are no answer of this version.
    #[error("malformed answer: {0}")]
    Malformed(String),
}

/// A request of any API, ready to be sent in any of its versions.
pub(super) trait Ask: Send + Sync {
    /// API key.
    fn key(&self) -> i16;
    /// The frame without its length.
    fn frame(&self, version: i16, correlation: i32) -> Result<Bytes, WireError>;
    /// Every field of the answer; `body` begins behind the length.
    fn answer(&self, body: Bytes, version: i16) -> Result<Tree, WireError>;
}

impl<R> Ask for R
where
    R: Request + Send + Sync,
    R::Response: Debug,
{
    fn key(&self) -> i16 {
        R::KEY
    }

    fn frame(&self, version: i16, correlation: i32) -> Result<Bytes, WireError> {
        frame(self, version, correlation, CLIENT_ID)
    }

    fn answer(&self, body: Bytes, version: i16) -> Result<Tree, WireError> {
        let answer = decode::<R>(body, version)?;
        let mut tree = Tree::of(&answer).map_err(|error| WireError::Malformed(error.to_string()))?;
        batch::describe(&mut tree);
        Ok(tree)
    }
}

/// Versions of an API that the stock codec knows.
pub(super) fn codec_knows<R: Request>() -> (i16, i16) {
    (<R as Message>::VERSIONS.min, <R as Message>::VERSIONS.max)
}

fn frame<R: Request>(
    request: &R,
    version: i16,
    correlation: i32,
    client: &'static str,
) -> Result<Bytes, WireError> {
    let wrong = |error: anyhow::Error| WireError::Encode(error.to_string());
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str(client)));
    let mut body = BytesMut::new();
    header.encode(&mut body, R::header_version(version)).map_err(wrong)?;
    request.encode(&mut body, version).map_err(wrong)?;
    Ok(body.freeze())
}

fn decode<R: Request>(mut body: Bytes, version: i16) -> Result<R::Response, WireError> {
    let wrong = |error: anyhow::Error| WireError::Malformed(error.to_string());
    ResponseHeader::decode(&mut body, R::Response::header_version(version)).map_err(wrong)?;
    let answer = R::Response::decode(&mut body, version).map_err(wrong)?;
    if body.has_remaining() {
        return Err(WireError::Malformed(format!("{} bytes too many", body.remaining())));
    }
    Ok(answer)
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    correlation: i32,
    client: &'static str,
}

impl Wire {
    /// Connects to `address` (`host:port`).
    pub(super) async fn open(address: &str) -> Result<Self, WireError> {
        let failed = |why: String| WireError::Connect(address.to_owned(), why);
        let stream = tokio::time::timeout(CONNECT_WAIT, TcpStream::connect(address))
            .await
            .map_err(|_| failed("not in time".to_owned()))?
            .map_err(|error| failed(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        Ok(Self { stream, correlation: 0, client: CLIENT_ID })
    }

    /// The same connection under another client id.
    pub(super) fn named(mut self, client: &'static str) -> Self {
        self.client = client;
        self
    }

    /// Sends a request; every field of the answer comes back.
    pub(super) async fn ask(&mut self, request: &dyn Ask, version: i16) -> Result<Tree, WireError> {
        let correlation = self.next();
        let body = self.exchange(&request.frame(version, correlation)?, correlation).await?;
        request.answer(body, version)
    }

    /// Sends a request; its answer comes back typed.
    pub(super) async fn call<R: Request>(
        &mut self,
        request: &R,
        version: i16,
    ) -> Result<R::Response, WireError> {
        let correlation = self.next();
        let body = self.exchange(&frame(request, version, correlation, self.client)?, correlation).await?;
        decode::<R>(body, version)
    }

    /// Sends a request and waits for nothing.
    pub(super) async fn send<R: Request>(&mut self, request: &R, version: i16) -> Result<(), WireError> {
        let correlation = self.next();
        let bytes = frame(request, version, correlation, self.client)?;
        self.write(&bytes).await.map_err(|_| WireError::Closed)
    }

    /// Whether the endpoint says nothing and keeps the connection for `quiet`.
    pub(super) async fn is_silent(&mut self, quiet: Duration) -> bool {
        tokio::time::timeout(quiet, self.stream.read_u8()).await.is_err()
    }

    /// Announces a frame of `length` bytes and begins it; whether the endpoint ends the connection within `wait`.
    pub(super) async fn announce(&mut self, length: i32, wait: Duration) -> bool {
        let begun = self.stream.write_all(&length.to_be_bytes()).await;
        let ended = tokio::time::timeout(wait, self.stream.read_u8()).await;
        begun.is_err() || matches!(ended, Ok(Err(_)))
    }

    fn next(&mut self) -> i32 {
        self.correlation = self.correlation.wrapping_add(1);
        self.correlation
    }

    async fn exchange(&mut self, frame: &[u8], correlation: i32) -> Result<Bytes, WireError> {
        let work = async {
            self.write(frame).await.map_err(|_| WireError::Closed)?;
            self.read().await
        };
        let body = tokio::time::timeout(ANSWER_WAIT, work).await.map_err(|_| WireError::Slow)??;
        let answered = body.clone().try_get_i32().unwrap_or(-1);
        if answered != correlation {
            return Err(WireError::Malformed(format!("answers {answered}, asked was {correlation}")));
        }
        Ok(body)
    }

    async fn write(&mut self, frame: &[u8]) -> std::io::Result<()> {
        let mut bytes = BytesMut::with_capacity(frame.len() + 4);
        bytes.put_i32(i32::try_from(frame.len()).unwrap_or(i32::MAX));
        bytes.extend_from_slice(frame);
        self.stream.write_all(&bytes).await
    }

    async fn read(&mut self) -> Result<Bytes, WireError> {
        let length = self.stream.read_i32().await.map_err(|_| WireError::Closed)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if !(4..=ANSWER_BYTES_MAX).contains(&length) {
            return Err(WireError::Malformed(format!("a frame of {length} bytes")));
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.map_err(|_| WireError::Closed)?;
        Ok(Bytes::from(body))
    }
}
