//! Secrets are planted wherever one can come in; no log, metric, status, ledger or error shows any of them.

use std::path::Path;

use bytes::Bytes;
use kernel_model::batch::{BatchSpec, Codec, NewRecord};
use translator_kafka::codec::ApiKey;
use translator_kafka::codec::frame::RequestHead;
use translator_kafka::codec::messages::create_topics_request::CreatableTopic;
use translator_kafka::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use translator_kafka::codec::messages::{
    CreateTopicsRequest, ProduceRequest, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};

use crate::legacy::{Legacy, Said, answer, metadata, versions};
use crate::sluice::{Client, LONG, Sluice, free_ports};

/// Part of every secret.
const PLANTED: &str = "pLaNtEd";

const LINK: &str = "pLaNtEd-of-the-link";
const ADMIN: &str = "pLaNtEd-of-the-admin-api";
const WRONG: &str = "pLaNtEd-guess-of-a-caller";
const ORDER: &str = "pLaNtEd-in-an-order";
const RIGHT_LOGIN: &str = "pLaNtEd-right-password";
const WRONG_LOGIN: &str = "pLaNtEd-wrong-password";
const TOKEN: &str = "pLaNtEd-token";
const SCRAM: &str = "pLaNtEd-scram-proof";
const PAYLOAD: &str = "pLaNtEd-payload-of-a-record";
const BROKEN: &str = "pLaNtEd-in-a-frame-that-is-none";

/// A legacy that takes one user, and repeats in its refusals what it was told.
fn careless(head: &RequestHead, body: &[u8]) -> Said {
    Said::Bytes(match head.api() {
        Some(ApiKey::ApiVersions) => versions(head),
        Some(ApiKey::SaslHandshake) => answer(head, &SaslHandshakeResponse::default()),
        Some(ApiKey::SaslAuthenticate) => {
            let text = String::from_utf8_lossy(body).into_owned();
            let taken = text.contains(RIGHT_LOGIN) || text.contains(TOKEN);
            let repeated = format!("not taken: {text}");
            let response = SaslAuthenticateResponse {
                error_code: if taken { 0 } else { 58 },
                error_message: (!taken).then(|| repeated.as_str().into()),
                ..Default::default()
            };
            answer(head, &response)
        }
        Some(ApiKey::Metadata) => metadata(head, &[(1, "127.0.0.1", 1)]),
        _ => return Said::Close,
    })
}

fn log_in(address: &str, mechanism: &str, secret: &str) -> bool {
    let mut client = Client::to(address);
    client.ask(1, &SaslHandshakeRequest { mechanism: mechanism.into() }).unwrap();
    let request =
        SaslAuthenticateRequest { auth_bytes: Bytes::from(secret.to_owned()), ..Default::default() };
    client.ask(2, &request).is_some_and(|answer| answer.error_code == 0)
}

fn produce(sluice: &Sluice, codec: Codec, damaged: bool) -> i16 {
    let headers = [(PAYLOAD.as_bytes(), Some(PAYLOAD.as_bytes()))];
    let record = NewRecord {
        key: Some(PAYLOAD.as_bytes()),
        value: Some(PAYLOAD.as_bytes()),
        headers: &headers,
        ..NewRecord::default()
    };
    let mut records = BatchSpec { codec, ..BatchSpec::default() }.encode(&[record]).unwrap().bytes().to_vec();
    if damaged {
        *records.last_mut().unwrap() ^= 1;
    }
    let part = PartitionProduceData { records: Some(records.into()), ..Default::default() };
    let data = TopicProduceData { name: "t".into(), partition_data: vec![part], ..Default::default() };
    let request =
        ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![data], ..Default::default() };
    sluice.kafka().ask(9, &request).unwrap().responses[0].partition_responses[0].error_code
}

/// Every file below `folder`, but for the log of topic `t`, which holds its records.
fn stored(folder: &Path, all: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            stored(&entry.path(), all);
        } else {
            all.extend(std::fs::read(entry.path()).unwrap());
        }
    }
}

fn shows(what: &str, said: &str, secret: &str) {
    assert!(!said.contains(secret), "{what} shows {secret}: {said}");
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let numbers = format!("{:?}", secret.as_bytes());
    let numbers = numbers.trim_matches(['[', ']']);
    assert!(
        !said.to_lowercase().contains(&hex) && !said.contains(numbers),
        "{what} shows {secret} as bytes: {said}"
    );
}

#[test]
fn nothing_that_the_process_says_of_itself_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let legacy = Legacy::new(careless);
    let port = free_ports(4);
    let config = format!(
        "[kernel]\npath = {:?}\n[kernel.kafka]\nlisten = \"127.0.0.1:0\"\n\
         [admin]\nlisten = \"127.0.0.1:0\"\ntoken = \"{ADMIN}\"\n[log]\nlevel = \"debug\"\nformat = \"json\"\n\
         [[cluster]]\nname = \"c\"\nprotocol = \"kafka\"\nlegacy = [\"{}\"]\nlisten = \"127.0.0.1:{port}\"\n\
         ports = \"{}-{}\"\nkernel_listen = \"127.0.0.1:{}\"\nsasl = \"relay\"\nlearn_users = true\n\
         [cluster.link]\nuser = \"u\"\npassword = \"{LINK}\"\n\
         [[migration]]\nname = \"m\"\ncluster = \"c\"\ntopics = [\"orders\"]\n",
        folder.path().join("data"),
        legacy.address,
        port + 1,
        port + 2,
        port + 3
    );
    let sluice = Sluice::start(folder.path(), &config);
    let proxied = format!("127.0.0.1:{port}");
    assert!(log_in(&proxied, "PLAIN", &format!("\0user\0{RIGHT_LOGIN}")), "the legacy of this test takes it");
    assert!(!log_in(&proxied, "PLAIN", &format!("\0user\0{WRONG_LOGIN}")));
    assert!(!log_in(&proxied, "SCRAM-SHA-256", &format!("n,,n=user,r=abc,p={SCRAM}")));
    assert!(log_in(&proxied, "OAUTHBEARER", &format!("n,,\x01auth=Bearer {TOKEN}\x01\x01")));
    send_broken_frames(&[&proxied, &format!("127.0.0.1:{}", port + 3)]);
    write_records(&sluice);
    let mut all = ask_for_everything(&sluice);
    wait_for_the_refused_link(&sluice);
    all.push(("/v1/status".to_owned(), sluice.admin("GET", "/v1/status", ADMIN, "")));
    let said = sluice.everything_said();
    assert!(said.contains("\"DEBUG\""), "the log tells all that it can: {said}");
    all.push(("log".to_owned(), said));
    for (what, said) in &all {
        for secret in
            [LINK, ADMIN, WRONG, ORDER, RIGHT_LOGIN, WRONG_LOGIN, TOKEN, SCRAM, PAYLOAD, BROKEN, PLANTED]
        {
            shows(what, said, secret);
        }
    }
    let mut files = Vec::new();
    stored(&folder.path().join("data"), &mut files);
    let files = String::from_utf8_lossy(&files);
    assert!(files.contains(PAYLOAD), "the log of the topic is looked at");
    for secret in [LINK, ADMIN, WRONG, RIGHT_LOGIN, WRONG_LOGIN, TOKEN, SCRAM] {
        assert!(!files.contains(secret), "the data folder holds {secret}");
    }
}

/// Frames that are none, of clients that have not logged in.
fn send_broken_frames(addresses: &[&str]) {
    for address in addresses {
        for start in
            [&b"\0\0\0\x40\0\x24\0\x02"[..], b"\0\0\0\x40\0\x11\0\x09", b"\x7f\xff\xff\xff", b"GET /"]
        {
            let mut client = Client::to(address);
            client.send(start);
            client.send(BROKEN.repeat(3).as_bytes());
        }
    }
}

/// Records that are taken, records that are damaged, and a request that is none.
fn write_records(sluice: &Sluice) {
    create_topic(sluice);
    assert_eq!(produce(sluice, Codec::None, false), 0);
    assert_eq!(produce(sluice, Codec::Gzip, false), 0);
    assert_ne!(produce(sluice, Codec::Zstd, true), 0);
    let mut broken = sluice.kafka();
    broken.send(b"\0\0\0\x40\0\0\0\x09");
    broken.send(BROKEN.repeat(4).as_bytes());
    broken.until_closed();
}

/// All answers of the admin API, with the right token and with a wrong one.
fn ask_for_everything(sluice: &Sluice) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/status",
        "/v1/migrations",
        "/v1/clients",
        "/v1/migrations/m/ledger",
    ] {
        let said = sluice.admin("GET", path, ADMIN, "");
        assert!(said.starts_with("HTTP/1.1 "), "{path}: {said}");
        all.push((path.to_owned(), said));
        all.push((path.to_owned(), sluice.admin("GET", path, WRONG, "")));
    }
    for order in ["advance", "rollback", "resume", "verify"] {
        for body in
            [format!("{{\"{ORDER}\":1}}"), format!("[{ORDER}"), format!("{{\"phase\":[\"{ORDER}\"]}}")]
        {
            let path = format!("/v1/migrations/m/{order}");
            all.push((path.clone(), sluice.admin("POST", &path, WRONG, &body)));
            // What a caller with the token is answered may quote its own order; nothing else may.
            sluice.admin("POST", &path, ADMIN, &body);
        }
    }
    all
}

fn create_topic(sluice: &Sluice) {
    let topic =
        CreatableTopic { name: "t".into(), num_partitions: 1, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    assert_eq!(sluice.kafka().ask(7, &request).unwrap().topics[0].error_code, 0);
}

/// Until the status tells that legacy has refused the link's own login.
fn wait_for_the_refused_link(sluice: &Sluice) {
    let begin = std::time::Instant::now();
    while !sluice.admin("GET", "/readyz", ADMIN, "").contains("refused the link's credentials") {
        assert!(begin.elapsed() < LONG, "{}", sluice.admin("GET", "/readyz", ADMIN, ""));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
