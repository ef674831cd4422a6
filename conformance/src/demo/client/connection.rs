//! One connection to one broker: frames, correlation, version choice. Requests may be pipelined; answers come back
//! in order, as Kafka promises.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

use super::versions;

/// Largest answer taken, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a TCP connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// How long an answer may take (`request.timeout.ms` of stock clients).
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// Requests that may wait for the socket.
const CALLS_MAX: usize = 64;

/// Why a request has no answer. All of these are retried, as stock clients do, but for
/// [`WireError::Unsupported`] and [`WireError::Codec`].
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum WireError {
    /// Nobody listens there, or not in time.
    #[error("cannot connect to {0}: {1}")]
    Connect(String, String),
    /// The connection ended before the answer came.
    #[error("the connection ended")]
    Closed,
    /// The answer did not come in time.
    #[error("no answer in time")]
    Slow,
    /// The broker does not speak a version that this client speaks.
    #[error("the broker speaks no common version of API {0}")]
    Unsupported(i16),
    /// Bytes that are no answer.
    #[error("malformed answer: {0}")]
    Codec(String),
}

impl WireError {
    /// Whether a stock client would try again by itself.
    pub(crate) fn retriable(&self) -> bool {
        match self {
            Self::Connect(..) | Self::Closed | Self::Slow => true,
            Self::Unsupported(_) | Self::Codec(_) => false,
        }
    }
}

struct Call {
    frame: Bytes,
    correlation: i32,
    answer: oneshot::Sender<Bytes>,
}

/// A connection; clones share it. It ends when the last clone is gone or the peer closes it.
#[derive(Clone)]
pub(crate) struct Connection {
    calls: mpsc::Sender<Call>,
    client_id: StrBytes,
    versions: Arc<BTreeMap<i16, (i16, i16)>>,
    correlation: Arc<AtomicI32>,
    task: tokio::task::AbortHandle,
}

impl Connection {
    /// Connects to `address` and asks for the broker's versions.
    pub(crate) async fn open(address: &str, client_id: &str) -> Result<Self, WireError> {
        let failed = |why: String| WireError::Connect(address.to_owned(), why);
        let stream = tokio::time::timeout(CONNECT_WAIT, TcpStream::connect(address))
            .await
            .map_err(|_| failed("not in time".to_owned()))?
            .map_err(|error| failed(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        let (calls, waiting) = mpsc::channel(CALLS_MAX);
        let task = tokio::spawn(carry(stream, waiting)).abort_handle();
        let mut connection = Self {
            calls,
            client_id: StrBytes::from_string(client_id.to_owned()),
            versions: Arc::new(BTreeMap::new()),
            correlation: Arc::new(AtomicI32::new(0)),
            task,
        };
        connection.versions = Arc::new(connection.ask_versions().await?);
        Ok(connection)
    }

    /// Sends a request in the newest common version that is not newer than `newest`.
    pub(crate) async fn call_at_most<R: Request>(
        &self,
        request: &R,
        newest: i16,
    ) -> Result<R::Response, WireError> {
        self.call_in(request, self.version::<R>()?.min(newest)).await
    }

    /// Ends the connection for all who share it.
    pub(crate) fn end(&self) {
        self.task.abort();
    }

    /// Whether the connection has ended.
    pub(crate) fn ended(&self) -> bool {
        self.calls.is_closed()
    }

    /// The version in which `R` would be sent.
    pub(crate) fn version<R: Request>(&self) -> Result<i16, WireError> {
        let (ours_min, ours_max) = versions::spoken(R::KEY).ok_or(WireError::Unsupported(R::KEY))?;
        let (theirs_min, theirs_max) =
            self.versions.get(&R::KEY).copied().ok_or(WireError::Unsupported(R::KEY))?;
        let version = ours_max.min(theirs_max);
        if version < ours_min.max(theirs_min) { Err(WireError::Unsupported(R::KEY)) } else { Ok(version) }
    }

    /// Sends a request in the newest common version and waits for its answer.
    pub(crate) async fn call<R: Request>(&self, request: &R) -> Result<R::Response, WireError> {
        self.call_in(request, self.version::<R>()?).await
    }

    async fn ask_versions(&self) -> Result<BTreeMap<i16, (i16, i16)>, WireError> {
        let name = StrBytes::from_static_str("sluice-demo");
        let request = ApiVersionsRequest::default()
            .with_client_software_name(name.clone())
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let answer = self.call_in(&request, 3).await?;
        Ok(answer.api_keys.iter().map(|key| (key.api_key, (key.min_version, key.max_version))).collect())
    }

    async fn call_in<R: Request>(&self, request: &R, version: i16) -> Result<R::Response, WireError> {
        let correlation = self.correlation.fetch_add(1, Ordering::Relaxed);
        let frame = self.frame(request, version, correlation)?;
        let (answer, answered) = oneshot::channel();
        let exchange = async {
            let call = Call { frame, correlation, answer };
            self.calls.send(call).await.map_err(|_| WireError::Closed)?;
            answered.await.map_err(|_| WireError::Closed)
        };
        let Ok(body) = tokio::time::timeout(ANSWER_WAIT, exchange).await else {
            // Later answers could not be told from this one: the connection is of no more use.
            self.end();
            return Err(WireError::Slow);
        };
        let mut body = body?;
        let codec = |error: anyhow::Error| WireError::Codec(error.to_string());
        ResponseHeader::decode(&mut body, R::Response::header_version(version)).map_err(codec)?;
        R::Response::decode(&mut body, version).map_err(codec)
    }

    fn frame<R: Request>(&self, request: &R, version: i16, correlation: i32) -> Result<Bytes, WireError> {
        let codec = |error: anyhow::Error| WireError::Codec(error.to_string());
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(correlation)
            .with_client_id(Some(self.client_id.clone()));
        let mut body = BytesMut::new();
        header.encode(&mut body, R::header_version(version)).map_err(codec)?;
        request.encode(&mut body, version).map_err(codec)?;
        let mut frame = BytesMut::with_capacity(body.len() + 4);
        let length = i32::try_from(body.len()).map_err(|_| WireError::Codec("too large".to_owned()))?;
        frame.put_i32(length);
        frame.extend_from_slice(&body);
        Ok(frame.freeze())
    }
}

/// Owns the socket until either direction ends.
async fn carry(stream: TcpStream, calls: mpsc::Receiver<Call>) {
    let (reader, writer) = stream.into_split();
    let (sent, awaited) = mpsc::channel(1024);
    // Which side ended does not matter: every caller still waiting learns it from its dropped sender.
    tokio::select! {
        () = write_all(writer, calls, sent) => {}
        _ = read_all(reader, awaited) => {}
    }
}

type Awaited = (i32, oneshot::Sender<Bytes>);

async fn write_all(mut writer: OwnedWriteHalf, mut calls: mpsc::Receiver<Call>, sent: mpsc::Sender<Awaited>) {
    while let Some(call) = calls.recv().await {
        if sent.send((call.correlation, call.answer)).await.is_err() {
            return;
        }
        if writer.write_all(&call.frame).await.is_err() {
            return;
        }
    }
}

async fn read_all(mut reader: OwnedReadHalf, mut awaited: mpsc::Receiver<Awaited>) -> std::io::Result<()> {
    loop {
        let length = usize::try_from(reader.read_i32().await?).unwrap_or(usize::MAX);
        if !(4..=ANSWER_BYTES_MAX).contains(&length) {
            return Ok(());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).await?;
        let body = Bytes::from(body);
        let Some((correlation, answer)) = awaited.recv().await else { return Ok(()) };
        if body.clone().get_i32() != correlation {
            return Ok(());
        }
        // A caller that gave up has dropped its end.
        let _gone = answer.send(body);
    }
}
