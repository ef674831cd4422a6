//! What stands where legacy should: real sockets, and a script that says what each request is answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use translator_kafka::codec::frame::{self, RequestHead};
use translator_kafka::codec::messages::api_versions_response::ApiVersion;
use translator_kafka::codec::messages::metadata_response::MetadataResponseBroker;
use translator_kafka::codec::messages::{ApiVersionsResponse, MetadataResponse};
use translator_kafka::codec::{APIS, Api, ApiKey, Response};

/// What a request is answered.
pub(crate) enum Said {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These, one at a time, slowly.
    Slowly(Vec<u8>),
    /// A frame of this size that never ends, as fast as it is taken.
    Endless(i32),
    /// Nothing, for ever.
    Nothing,
    /// The connection is closed.
    Close,
}

type Script = Arc<dyn Fn(&RequestHead, &[u8]) -> Said + Send + Sync>;

/// A listener that answers by a script, until the test's process ends.
pub(crate) struct Legacy {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Legacy {
    pub(crate) fn new(script: impl Fn(&RequestHead, &[u8]) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (script, counted): (Script, _) = (Arc::new(script), Arc::clone(&connections));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                counted.fetch_add(1, Ordering::Relaxed);
                let script = Arc::clone(&script);
                std::thread::spawn(move || converse(stream, &script));
            }
        });
        Self { address, connections }
    }

    /// How many connections it has been given.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Ends with the connection, whatever breaks it.
fn converse(mut stream: TcpStream, script: &Script) -> Option<()> {
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size).ok()?;
        let mut body = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut body).ok()?;
        let head = frame::peek_request(&Bytes::from(body.clone())).ok()?;
        match script(&head, &body) {
            Said::Bytes(bytes) => stream.write_all(&bytes).ok()?,
            Said::Slowly(bytes) => {
                for byte in bytes {
                    stream.write_all(&[byte]).ok()?;
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            Said::Endless(size) => {
                stream.write_all(&size.to_be_bytes()).ok()?;
                stream.write_all(&head.correlation_id.to_be_bytes()).ok()?;
                loop {
                    stream.write_all(&[0; 65_536]).ok()?;
                }
            }
            Said::Nothing => {}
            Said::Close => return None,
        }
    }
}

/// An answer under the request's own version and correlation id.
pub(crate) fn answer<R: Response>(head: &RequestHead, response: &R) -> Vec<u8> {
    frame::response_frame(head.api_version, head.correlation_id, response).unwrap().to_vec()
}

/// What a broker offers.
pub(crate) fn versions(head: &RequestHead) -> Vec<u8> {
    let api = |api: &Api| ApiVersion {
        api_key: api.key.code(),
        min_version: api.version_min,
        max_version: api.version_stable_max,
        ..Default::default()
    };
    let api_keys = APIS.iter().filter(|api| api.on_broker).map(api).collect();
    answer(head, &ApiVersionsResponse { api_keys, ..Default::default() })
}

/// Metadata of a cluster of these brokers, without topics.
pub(crate) fn metadata(head: &RequestHead, brokers: &[(i32, &str, i32)]) -> Vec<u8> {
    let broker = |(node_id, host, port): &(i32, &str, i32)| MetadataResponseBroker {
        node_id: *node_id,
        host: (*host).into(),
        port: *port,
        ..Default::default()
    };
    let brokers = brokers.iter().map(broker).collect();
    answer(head, &MetadataResponse { brokers, controller_id: 1, ..Default::default() })
}

/// A broker that greets honestly, and then says what `lie` makes of each other request.
pub(crate) fn greeting(
    lie: impl Fn(&RequestHead) -> Said + Send + Sync + 'static,
) -> impl Fn(&RequestHead, &[u8]) -> Said + Send + Sync + 'static {
    move |head, _| match head.api() {
        Some(ApiKey::ApiVersions) => Said::Bytes(versions(head)),
        _ => lie(head),
    }
}
