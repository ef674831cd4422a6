//! The kernel alone as its own process: what it acknowledged is there after it was killed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bytes::{Bytes, BytesMut};
use kernel_model::batch::{BatchSpec, NewRecord, split};
use translator_kafka::codec::messages::create_topics_request::CreatableTopic;
use translator_kafka::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use translator_kafka::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use translator_kafka::codec::messages::{CreateTopicsRequest, FetchRequest, ProduceRequest};
use translator_kafka::codec::{Message, Request, frame};

/// A sluice that is killed, not stopped, when it is dropped.
struct Node {
    child: Child,
    kafka: String,
}

impl Node {
    fn start(folder: &Path) -> Self {
        let config = format!(
            "[kernel]\npath = {:?}\nsegment_bytes = 4194304\n[kernel.kafka]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n",
            folder.join("data")
        );
        let file = folder.join("sluice.toml");
        std::fs::write(&file, config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["run", "--json", "--config"])
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let serves: serde_json::Value = serde_json::from_str(&line).unwrap();
        let rows = serves["serves"].as_array().unwrap().clone();
        let kafka = rows.iter().find(|row| row["what"] == "kafka").unwrap();
        Self { child, kafka: kafka["address"].as_str().unwrap().to_owned() }
    }

    fn client(&self) -> Client {
        Client(TcpStream::connect(&self.kafka).unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}

struct Client(TcpStream);

impl Client {
    fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let framed = frame::request_frame(version, 1, Some("test".into()), request).unwrap();
        self.0.write_all(&framed).unwrap();
        let mut size = [0; 4];
        self.0.read_exact(&mut size).unwrap();
        let mut body = vec![0; u32::from_be_bytes(size) as usize];
        self.0.read_exact(&mut body).unwrap();
        let (_, reader) = frame::read_response_header(Bytes::from(body), R::API, version).unwrap();
        Message::decode_rest(reader, version).unwrap()
    }

    fn create(&mut self, topic: &str, partitions: i32) {
        let topic = CreatableTopic {
            name: topic.into(),
            num_partitions: partitions,
            replication_factor: 1,
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        assert_eq!(self.ask(7, &request).topics[0].error_code, 0);
    }

    /// Produces one record and returns its offset.
    fn produce(&mut self, partition: i32, value: &str) -> i64 {
        let record =
            NewRecord { timestamp_ms: now_ms(), value: Some(value.as_bytes()), ..NewRecord::default() };
        let batch = BatchSpec::default().encode(&[record]).unwrap();
        let records = Some(batch.bytes().clone());
        let part = PartitionProduceData { index: partition, records, ..Default::default() };
        let data = TopicProduceData { name: "t".into(), partition_data: vec![part], ..Default::default() };
        let request =
            ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![data], ..Default::default() };
        let answer = self.ask(9, &request).responses[0].partition_responses[0].clone();
        assert_eq!(answer.error_code, 0);
        answer.base_offset
    }

    /// Number of records of a partition, and its bytes.
    fn fetch(&mut self, partition: i32) -> (i64, Vec<u8>) {
        let part = FetchPartition { partition, partition_max_bytes: 1 << 20, ..Default::default() };
        let topic = FetchTopic { topic: "t".into(), partitions: vec![part], ..Default::default() };
        let request =
            FetchRequest { max_wait_ms: 100, max_bytes: 1 << 20, topics: vec![topic], ..Default::default() };
        let answer = self.ask(12, &request).responses[0].partitions[0].clone();
        assert_eq!(answer.error_code, 0);
        let mut records = answer.records.unwrap_or_default();
        let bytes = BytesMut::from(&records[..]).to_vec();
        let end = split(&mut records).unwrap().last().map_or(0, |batch| batch.header().end_offset().0);
        (i64::try_from(end).unwrap(), bytes)
    }
}

/// Records of long ago would be removed by retention.
#[allow(clippy::disallowed_methods, reason = "a client reads its own clock")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn holds(bytes: &[u8], value: &str) -> bool {
    bytes.windows(value.len()).any(|window| window == value.as_bytes())
}

#[test]
fn what_was_acknowledged_is_there_after_every_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = [0_i64; 3];
    for round in 0..4 {
        let node = Node::start(folder.path());
        let mut client = node.client();
        if round == 0 {
            client.create("t", 3);
        }
        for partition in 0..3_i32 {
            let at = &mut expected[usize::try_from(partition).unwrap()];
            for _ in 0..10 {
                // The offset continues where the killed process had answered.
                assert_eq!(client.produce(partition, &format!("<{partition}-{at}>")), *at);
                *at += 1;
            }
        }
        drop(node);
    }
    let node = Node::start(folder.path());
    let mut client = node.client();
    for partition in 0..3_i32 {
        let count = expected[usize::try_from(partition).unwrap()];
        let (end, bytes) = client.fetch(partition);
        assert_eq!(end, count);
        assert!((0..count).all(|at| holds(&bytes, &format!("<{partition}-{at}>"))));
    }
}

/// What must not hurt anybody but the connection it comes on.
fn hostile() -> Vec<Vec<u8>> {
    let request = frame::request_frame(7, 1, Some("test".into()), &CreateTopicsRequest::default()).unwrap();
    let mut inputs = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n".to_vec(),
        vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
        vec![0xff; 64],
        vec![0; 64],
        [0x7f_u8, 0xff, 0xff, 0xff].to_vec(),
    ];
    for key in [-1_i16, 93, 9999, i16::MAX] {
        let mut unknown = request.to_vec();
        unknown[4..6].copy_from_slice(&key.to_be_bytes());
        inputs.push(unknown);
    }
    inputs.extend((0..request.len()).map(|end| request[..end].to_vec()));
    for at in 4..request.len() {
        let mut flipped = request.to_vec();
        flipped[at] ^= 0xff;
        inputs.push(flipped);
    }
    inputs
}

#[test]
fn hostile_bytes_end_their_own_connection_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let mut client = node.client();
    client.create("t", 1);
    for input in hostile() {
        let mut stream = TcpStream::connect(&node.kafka).unwrap();
        // The other side may close before it has taken everything.
        let _closed = stream.write_all(&input);
        let _closed = stream.shutdown(std::net::Shutdown::Write);
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        match stream.read_to_end(&mut Vec::new()) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{input:x?}"),
        }
    }
    // The connection from before is still there.
    assert_eq!(client.produce(0, "x"), 0);
}

#[test]
fn a_data_folder_has_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Node::start(folder.path());
    let second = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["run", "--config"])
        .arg(folder.path().join("sluice.toml"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use by another process"));
}
