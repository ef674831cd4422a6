use bytes::{Bytes, BytesMut};
use kernel_model::KernelError;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use session::{Answer, Event, Held, LegacyAction, LegacyEvent, Progress, Request, RequestId, Violation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use super::*;
use crate::driver::{DriverLimits, Memory, Traffic};
use crate::holds::HoldRegistry;
use crate::inventory::Inventory;
use crate::shards::Shards;

/// Sends back what it gets.
#[derive(Default)]
struct Echo(Option<Bytes>);

impl Session for Echo {
    fn handle_input(&mut self, _: Now, input: &mut BytesMut) -> Result<Progress, Violation> {
        self.0 = Some(input.split().freeze());
        Ok(Progress::default())
    }
    fn handle_reply(&mut self, _: Now, _: RequestId, _: Result<Answer, KernelError>) {}
    fn handle_legacy(&mut self, _: Now, _: LegacyEvent<'_>) -> Result<Progress, Violation> {
        Ok(Progress::default())
    }
    fn handle_timeout(&mut self, _: Now) -> Result<(), Violation> {
        Ok(())
    }
    fn poll_transmit(&mut self) -> Option<Bytes> {
        self.0.take()
    }
    fn poll_request(&mut self) -> Option<(RequestId, Request)> {
        None
    }
    fn poll_legacy(&mut self) -> Option<LegacyAction> {
        None
    }
    fn poll_event(&mut self) -> Option<Event> {
        None
    }
    fn poll_timeout(&self) -> Option<Duration> {
        None
    }
    fn wants_input(&self) -> bool {
        self.0.is_none()
    }
    fn held(&self) -> Held {
        Held { requests: 0, answers: self.0.as_ref().map_or(0, Bytes::len) }
    }
}

fn listeners(limits: &Limits) -> (Listeners, watch::Sender<Option<Duration>>) {
    let (stop, stopped) = watch::channel(None);
    let clock = Clock::start();
    let around = Surroundings {
        clock,
        shards: Shards::default(),
        holds: Arc::new(HoldRegistry::default()),
        observer: Arc::new(Inventory::new(clock, 10)),
        limits: DriverLimits::of(limits),
        memory: Arc::new(Memory::new(limits.memory_bytes_max)),
        traffic: Traffic::uncounted(),
        stop: stopped,
    };
    (Listeners::new(Arc::new(around), limits), stop)
}

fn listening(tls: Option<Arc<ServerConfig>>) -> Listening {
    let open: OpenSession = Arc::new(|_, _| Box::new(Echo::default()));
    Listening { listen: "127.0.0.1:0".parse().unwrap(), tls, legacy: None, open }
}

async fn echoes(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> bool {
    let mut back = [0; 5];
    stream.write_all(b"hello").await.is_ok()
        && stream.flush().await.is_ok()
        && stream.read_exact(&mut back).await.is_ok()
        && &back == b"hello"
}

#[tokio::test]
async fn listeners_come_and_go_and_connections_outlive_them() {
    let (mut listeners, stop) = listeners(&Limits::default());
    let address = listeners.add("broker-1", listening(None)).unwrap();
    assert_eq!(listeners.addresses()["broker-1"], address);
    let mut client = TcpStream::connect(address).await.unwrap();
    assert!(echoes(&mut client).await);
    listeners.remove("broker-1");
    assert!(echoes(&mut client).await);
    // The task that holds the socket is gone once it has been told to.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stop.send(Some(Duration::ZERO)).unwrap();
    tokio::time::timeout(Duration::from_secs(20), listeners.drain()).await.unwrap();
}

#[tokio::test]
async fn one_address_gets_only_its_share() {
    let limits = Limits { connections_per_ip_max: 2, ..Limits::default() };
    let (mut listeners, _stop) = listeners(&limits);
    let address = listeners.add("a", listening(None)).unwrap();
    let mut first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    assert!(echoes(&mut first).await && echoes(&mut second).await);
    let mut third = TcpStream::connect(address).await.unwrap();
    assert!(!echoes(&mut third).await);
    drop(first);
    // The place is free once the driver has seen the end.
    loop {
        let mut again = TcpStream::connect(address).await.unwrap();
        if echoes(&mut again).await {
            break;
        }
    }
}

#[test]
fn the_rate_of_accepts_is_bounded_and_recovers() {
    let at = |ms| Now::new(Duration::from_millis(ms), 0);
    let mut rate = Rate { per_second: 10.0, tokens: 10.0, filled: Duration::ZERO };
    assert_eq!((0..100).filter(|_| rate.take(at(0))).count(), 10);
    assert_eq!((0..100).filter(|_| rate.take(at(500))).count(), 5);
    assert_eq!((0..100).filter(|_| rate.take(at(100_000))).count(), 10);
}

#[tokio::test]
async fn tls_is_spoken_both_ways_and_plain_text_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Shop");
    params.distinguished_name.push(DnType::CommonName, "ada");
    let cert = params.signed_by(&key, &issuer).unwrap();
    std::fs::write(path("ca"), ca.pem()).unwrap();
    std::fs::write(path("cert"), cert.pem()).unwrap();
    std::fs::write(path("key"), key.serialize_pem()).unwrap();
    let tls = config::ClientTls {
        cert: path("cert"),
        key: path("key"),
        ca: Some(path("ca")),
        principal: CertificatePrincipal::Subject,
    };
    let server = crate::tls::server(&tls).unwrap();

    let limits = Limits { handshake_ms_max: 200, ..Limits::default() };
    let (mut listeners, _stop) = listeners(&limits);
    let peers = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&peers);
    let open: OpenSession = Arc::new(move |_, peer: &Peer| {
        seen.lock().push(peer.clone());
        Box::new(Echo::default())
    });
    let address = listeners.add("tls", Listening { open, ..listening(Some(server)) }).unwrap();
    let connect = |identity: Option<(std::path::PathBuf, std::path::PathBuf)>| {
        let client = crate::tls::client(&config::LegacyTls { ca: path("ca"), identity }).unwrap();
        let bootstrap = vec![config::HostPort { host: "localhost".to_owned(), port: address.port() }];
        let cluster = Arc::new(LegacyCluster::new(bootstrap, Some(client)));
        cluster.connect(session::LegacyNode::Any, Duration::from_secs(10))
    };
    let mut known = connect(Some((path("cert"), path("key")))).await.unwrap();
    assert!(echoes(&mut known).await);
    let peer = peers.lock()[0].clone();
    let ada = Some(Some("User:CN=ada,O=Shop".to_owned()));
    assert_eq!(peer.principal(CertificatePrincipal::Subject), ada);
    assert_eq!(peer.principal(CertificatePrincipal::Unknown), Some(None), "somebody, and nobody knows who");
    let strange = Peer { certificate: Some(vec![0x30, 0]), ..peer.clone() };
    assert_eq!(strange.principal(CertificatePrincipal::Subject), Some(None));
    let plain = Peer { certificate: None, ..peer };
    assert_eq!(plain.principal(CertificatePrincipal::Subject), None);
    // TLS 1.3 tells a client without certificate only when it reads.
    let mut stranger = connect(None).await.unwrap();
    assert!(!echoes(&mut stranger).await);
    let mut plain = TcpStream::connect(address).await.unwrap();
    assert!(!echoes(&mut plain).await);
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 8]).await.unwrap(), 0);
}

#[test]
fn brokers_keep_their_ports_and_the_range_is_not_left() {
    let mut ports = BrokerPorts::new(PortRange { first: 10, last: 12 });
    assert_eq!(ports.assign(&[3, 1]), BTreeMap::from([(1, 10), (3, 11)]));
    assert_eq!(ports.assign(&[2, 3]), BTreeMap::from([(2, 12), (3, 11)]));
    // Broker 1 is away; a fourth one takes its port, and a fifth finds none.
    assert_eq!(ports.assign(&[2, 3, 4]), BTreeMap::from([(2, 12), (3, 11), (4, 10)]));
    assert_eq!(ports.assign(&[2, 3, 4, 5]).len(), 3);
}

#[tokio::test]
async fn legacy_that_names_our_own_address_as_a_brokers_is_not_connected_to() {
    let (mut listeners, _stop) = listeners(&Limits::default());
    let legacy = Arc::new(LegacyCluster::new(Vec::new(), None));
    let listening = Listening { legacy: Some(Arc::clone(&legacy)), ..listening(None) };
    let ours = listeners.add("events", listening).unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = |port| config::HostPort { host: "localhost".to_owned(), port };
    legacy.set_nodes(BTreeMap::from([(1, at(ours.port())), (2, at(other.local_addr().unwrap().port()))]));
    let connect = |id| Arc::clone(&legacy).connect(session::LegacyNode::Id(id), Duration::from_secs(5));
    assert!(connect(1).await.unwrap_err().contains("own address"));
    assert!(connect(2).await.is_ok());
    listeners.remove("events");
    // The socket goes with its task.
    let again = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            match std::net::TcpListener::bind(ours) {
                Ok(listener) => return listener,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    let again = again.await.unwrap();
    assert!(connect(1).await.is_ok(), "it is somebody else's now");
    drop(again);
}
