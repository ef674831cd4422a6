//! One connection to a broker of legacy, as a client that asks one thing at a time.

use std::time::Duration;

use bytes::BytesMut;
use config::HostPort;
use shadow::{Credentials, Link};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use translator_kafka::codec::Request;

use super::VerifyError;
use crate::clock::Clock;
use crate::driver::Socket;
use crate::legacy::LegacyCluster;

/// Longest wait for a connection, and for an answer.
const WAIT: Duration = Duration::from_secs(30);
/// Most bytes read at once.
const READ_BYTES: usize = 256 * 1024;

/// A connection that is ready for questions.
pub(super) struct Broker {
    socket: Socket,
    link: Link<()>,
    input: BytesMut,
    clock: Clock,
}

impl Broker {
    pub(super) async fn connect(
        legacy: &LegacyCluster,
        at: &HostPort,
        credentials: Option<Credentials>,
        clock: Clock,
    ) -> Result<Self, VerifyError> {
        let failed = |error: String| VerifyError::Legacy(format!("{at}: {error}"));
        let connecting = tokio::time::timeout(WAIT, legacy.connect_to(at)).await;
        let socket = connecting.map_err(|_| failed("no connection in time".to_owned()))?;
        let socket = socket.map_err(|error| failed(error.to_string()))?;
        let mut broker = Self { socket, link: Link::new(credentials), input: BytesMut::new(), clock };
        broker.link.connected(clock.now()).map_err(|error| failed(error.to_string()))?;
        while !broker.link.is_ready() {
            broker.send().await?;
            // The handshake's answers are dealt with inside; nothing else can come yet.
            let now = broker.clock.now();
            let _none = broker.link.take(now, &mut broker.input).map_err(|e| failed(e.to_string()))?;
            if !broker.link.is_ready() {
                broker.send().await?;
                broker.read().await?;
            }
        }
        Ok(broker)
    }

    /// Asks in the newest version up to `version_max` that legacy knows.
    pub(super) async fn call<R: Request>(
        &mut self,
        version_max: i16,
        request: &R,
    ) -> Result<R::Response, VerifyError> {
        let failed = |error: shadow::LinkError| VerifyError::Legacy(error.to_string());
        let version = self.link.version_of(R::API).map_err(failed)?.min(version_max);
        let now = self.clock.now();
        self.link.call(now, version, request, (), Duration::ZERO).map_err(failed)?;
        self.send().await?;
        loop {
            if let Some(answer) = self.link.take(self.clock.now(), &mut self.input).map_err(failed)? {
                return answer.decode().map_err(failed);
            }
            self.read().await?;
        }
    }

    async fn send(&mut self) -> Result<(), VerifyError> {
        while let Some(bytes) = self.link.poll_transmit() {
            let sent = tokio::time::timeout(WAIT, self.socket.write_all(&bytes)).await;
            sent.map_err(|_| late())?.map_err(|error| VerifyError::Legacy(error.to_string()))?;
        }
        let flushed = tokio::time::timeout(WAIT, self.socket.flush()).await;
        flushed.map_err(|_| late())?.map_err(|error| VerifyError::Legacy(error.to_string()))
    }

    async fn read(&mut self) -> Result<(), VerifyError> {
        self.input.reserve(READ_BYTES);
        let read = tokio::time::timeout(WAIT, self.socket.read_buf(&mut self.input)).await;
        match read.map_err(|_| late())? {
            Ok(0) => Err(VerifyError::Legacy("the connection was closed".to_owned())),
            Ok(_) => Ok(()),
            Err(error) => Err(VerifyError::Legacy(error.to_string())),
        }
    }
}

fn late() -> VerifyError {
    VerifyError::Legacy(format!("no answer within {} s", WAIT.as_secs()))
}
