//! `[[cluster]]`: one legacy cluster, where its clients connect now, and where they find the kernel.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::reader::Section;
use crate::secret::Secret;

/// `[[cluster]]`
#[derive(Debug, Clone)]
pub struct Cluster {
    /// `name`: what migrations, ledger and metrics call it.
    pub name: String,
    /// `protocol`
    pub protocol: Protocol,
    /// `legacy`: brokers to begin with, as this machine reaches them.
    pub legacy: Vec<HostPort>,
    /// `[cluster.legacy_tls]`: TLS towards legacy.
    pub legacy_tls: Option<LegacyTls>,
    /// `listen`: where clients find their first broker.
    pub listen: SocketAddr,
    /// `ports`: one for each legacy broker, taken in the order in which brokers appear (default: the twenty
    /// after `listen`).
    pub ports: PortRange,
    /// `kernel_listen`: the kernel's own node (default: the port after `ports`).
    pub kernel_listen: SocketAddr,
    /// `advertise`: host name that clients are told to connect to (default: the listening address).
    pub advertise: Option<String>,
    /// `[cluster.tls]`: TLS towards clients.
    pub tls: Option<ClientTls>,
    /// `sasl`: what happens to clients' credentials.
    pub sasl: Sasl,
    /// `learn_users`: keep users, salted, whose plain password legacy takes.
    pub learn_users: bool,
    /// `super_users`: principals that legacy's authorizer asks no rule about; it does not tell them itself.
    pub super_users: Option<Vec<String>>,
    /// `allow_if_no_rule`: legacy's `allow.everyone.if.no.acl.found`.
    pub allow_if_no_rule: bool,
    /// `[cluster.link]`: who the proxy's own connections to legacy are, where legacy asks.
    pub link: Option<Link>,
}

/// Who the proxy's own connections to legacy are: those that mirror, and those that ask where legacy ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// `user`
    pub user: String,
    /// `password` or `password_file`
    pub password: LinkPassword,
    /// `mechanism`
    pub mechanism: Mechanism,
}

/// Where a password comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkPassword {
    /// It stands in the configuration.
    Here(Secret),
    /// In a file of its own; read when the process starts, white space at its ends does not count.
    File(PathBuf),
}

/// How a link shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mechanism {
    /// RFC 4616: the password itself. Use it with `[cluster.legacy_tls]`.
    #[default]
    Plain,
}

/// What a cluster speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Apache Kafka.
    Kafka,
}

/// What happens to clients' credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sasl {
    /// There are none.
    #[default]
    None,
    /// Legacy checks them, also for connections to the kernel's node.
    Relay,
}

/// A host name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// Name or address, without brackets.
    pub host: String,
    /// Port, not 0.
    pub port: u16,
}

/// Ports of virtual brokers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// First.
    pub first: u16,
    /// Last.
    pub last: u16,
}

/// TLS towards clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTls {
    /// `cert`: PEM file with the certificate and what leads to its root.
    pub cert: PathBuf,
    /// `key`: PEM file with the private key.
    pub key: PathBuf,
    /// `ca`: clients must show a certificate that this PEM file's authorities have signed.
    pub ca: Option<PathBuf>,
    /// `principal`: whom rules take the holder of a certificate for.
    pub principal: CertificatePrincipal,
}

/// Whom rules take the holder of a certificate for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificatePrincipal {
    /// Nobody knows: where rules are applied, it may do nothing.
    #[default]
    Unknown,
    /// `User:` and the certificate's subject, as Kafka does where no mapping is set.
    Subject,
}

/// TLS towards legacy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyTls {
    /// `ca`: PEM file with the authorities that sign legacy's certificates.
    pub ca: PathBuf,
    /// `cert` and `key`: what the proxy shows to legacy.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl HostPort {
    /// Reads `host:port` or `[address]:port`.
    ///
    /// # Errors
    ///
    /// In words that fit after the key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not host:port");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let host = bare.unwrap_or(host);
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let sound = if bare.is_some() {
            host.parse::<std::net::Ipv6Addr>().is_ok()
        } else {
            !host.is_empty() && host.len() <= 253 && host.chars().all(legal)
        };
        if sound { Ok(Self { host: host.to_owned(), port }) } else { Err(wrong()) }
    }
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl PortRange {
    /// Whether a port lies in the range.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a range of ports such as \"9093-9112\"");
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port != 0);
        let range = Self { first: port(first).ok_or_else(wrong)?, last: port(last).ok_or_else(wrong)? };
        if range.first > range.last {
            return Err(wrong());
        }
        Ok(range)
    }

    /// The ports after a listener. Near 65,535 the range shrinks, and the checks say so.
    fn after(port: u16) -> Self {
        Self { first: port.saturating_add(1), last: port.saturating_add(PORTS_DEFAULT) }
    }
}

/// How many legacy brokers have ports unless `ports` says otherwise.
const PORTS_DEFAULT: u16 = 20;
/// Longest name of a cluster or migration, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Reads an address to listen on.
pub(crate) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let text = text.strip_prefix("localhost:").map_or(text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().map_err(|_| format!("{text:?} is not an address and port such as \"127.0.0.1:9092\""))
}

/// Names end up in unit names (`cluster/topic/3`), paths and labels, so they are plain.
pub(crate) fn plain_name(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.chars().all(legal) || text.starts_with('.') {
        return Err(format!("must be 1 to {NAME_BYTES_MAX} letters, digits, '-', '_' or '.'"));
    }
    Ok(text.to_owned())
}

fn host_name(text: &str) -> Result<String, String> {
    HostPort::parse(&format!("{text}:1"))
        .map(|parsed| parsed.host)
        .map_err(|_| format!("{text:?} is not a host name (ports follow the listeners)"))
}

pub(crate) fn read(mut section: Section<'_, '_>) -> Option<Cluster> {
    let _must_be_there = section.required("name");
    let name = section.parsed("name", plain_name);
    let protocol = protocol(&mut section);
    let legacy = section.list("legacy", HostPort::parse);
    if legacy.as_ref().is_none_or(Vec::is_empty) {
        section.error("legacy", "must name at least one broker of the legacy cluster".to_owned());
    }
    let _must_be_there = section.required("listen");
    let listen = section.parsed("listen", socket_address);
    let ports = section.parsed("ports", PortRange::parse);
    let kernel_listen = section.parsed("kernel_listen", socket_address);
    let advertise = section.parsed("advertise", host_name);
    let tls = section.table("tls").and_then(read_client_tls);
    let legacy_tls = section.table("legacy_tls").and_then(read_legacy_tls);
    let sasl = section.choice("sasl", &[("none", Sasl::None), ("relay", Sasl::Relay)]).unwrap_or_default();
    let link = section.table("link").and_then(read_link);
    let learn_users = section.flag("learn_users").unwrap_or_default();
    if learn_users && sasl == Sasl::None {
        section.error("learn_users", "needs `sasl = \"relay\"`".to_owned());
    }
    let super_users = section.list("super_users", principal);
    let allow_if_no_rule = section.flag("allow_if_no_rule").unwrap_or_default();
    section.finish();
    let listen = listen?;
    let ports = ports.unwrap_or_else(|| PortRange::after(listen.port()));
    let follows = SocketAddr::new(listen.ip(), ports.last.saturating_add(1));
    Some(Cluster {
        name: name?,
        protocol: protocol?,
        legacy: legacy?,
        legacy_tls,
        listen,
        ports,
        kernel_listen: kernel_listen.unwrap_or(follows),
        advertise,
        tls,
        sasl,
        learn_users,
        super_users,
        allow_if_no_rule,
        link,
    })
}

fn read_link(mut section: Section<'_, '_>) -> Option<Link> {
    let _must_be_there = section.required("user");
    let user = section.parsed("user", credential);
    let here = section.parsed("password", credential).map(|text| LinkPassword::Here(Secret::new(text)));
    let file = section.string("password_file").map(|path| LinkPassword::File(path.into()));
    let names = [("PLAIN", Some(Mechanism::Plain)), ("SCRAM-SHA-256", None), ("SCRAM-SHA-512", None)];
    let mechanism = section.choice("mechanism", &names);
    if mechanism == Some(None) {
        section.error("mechanism", "is not built yet; \"PLAIN\" is".to_owned());
    }
    match (section.has("password"), section.has("password_file")) {
        (true, true) => {
            section.error("password_file", "`password` and `password_file` exclude each other".to_owned())
        }
        (false, false) => section.lacks("lacks `password_file` or `password`"),
        (true, false) | (false, true) => {}
    }
    section.finish();
    Some(Link { user: user?, password: here.or(file)?, mechanism: mechanism.flatten().unwrap_or_default() })
}

/// As rules name somebody: `User:ada`.
pub(crate) fn principal(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() => Ok(text.to_owned()),
        Some(_) | None => Err(format!("{text:?} is not a principal such as \"User:ada\"")),
    }
}

/// PLAIN joins its parts with NUL, and nothing else that cannot be printed belongs there.
fn credential(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("must not be empty, nor hold control characters".to_owned());
    }
    Ok(text.to_owned())
}

fn protocol(section: &mut Section<'_, '_>) -> Option<Protocol> {
    let _must_be_there = section.required("protocol");
    let choices = [("kafka", Some(Protocol::Kafka)), ("mqtt", None), ("amqp", None)];
    let protocol = section.choice("protocol", &choices)?;
    if protocol.is_none() {
        section.error("protocol", "is not built yet; \"kafka\" is".to_owned());
    }
    protocol
}

pub(crate) fn read_client_tls(mut section: Section<'_, '_>) -> Option<ClientTls> {
    let (cert, key) = (section.required("cert"), section.required("key"));
    let ca = section.string("ca");
    let principals = [("unknown", CertificatePrincipal::Unknown), ("subject", CertificatePrincipal::Subject)];
    let principal = section.choice("principal", &principals);
    if principal.is_some() && ca.is_none() {
        section.error("principal", "needs `ca`: without it clients show no certificate".to_owned());
    }
    section.finish();
    let principal = principal.unwrap_or_default();
    Some(ClientTls { cert: cert?.into(), key: key?.into(), ca: ca.map(PathBuf::from), principal })
}

fn read_legacy_tls(mut section: Section<'_, '_>) -> Option<LegacyTls> {
    let ca = section.required("ca");
    let (cert, key) = (section.string("cert"), section.string("key"));
    if cert.is_some() != key.is_some() {
        section.error("cert", "`cert` and `key` belong together".to_owned());
    }
    section.finish();
    Some(LegacyTls { ca: ca?.into(), identity: cert.map(PathBuf::from).zip(key.map(PathBuf::from)) })
}
