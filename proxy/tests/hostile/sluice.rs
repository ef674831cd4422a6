//! The binary as a process of its own, with everything it says kept.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use translator_kafka::codec::{Message, Request, frame};

/// Only a failure takes as long as this.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A sluice that is killed, not stopped, when it is dropped.
pub(crate) struct Sluice {
    child: Child,
    readers: Vec<JoinHandle<()>>,
    said: Arc<Mutex<Vec<u8>>>,
    serves: Vec<Value>,
}

impl Sluice {
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        let file = folder.join("sluice.toml");
        std::fs::write(&file, config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["run", "--json", "--config"])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let errors = keep(child.stderr.take().unwrap(), &said);
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let serves: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            std::thread::sleep(Duration::from_millis(200));
            panic!("{error}: {line:?}: {}", String::from_utf8_lossy(&said.lock().unwrap()))
        });
        said.lock().unwrap().extend_from_slice(line.as_bytes());
        let output = keep(output, &said);
        let serves = serves["serves"].as_array().unwrap().clone();
        Self { child, readers: vec![errors, output], said, serves }
    }

    fn address(&self, what: &str) -> String {
        let row = self.serves.iter().find(|row| row["what"] == what).unwrap();
        row["address"].as_str().unwrap().to_owned()
    }

    /// The kernel's own listener.
    pub(crate) fn kafka(&self) -> Client {
        Client::to(&self.address("kafka"))
    }

    /// The whole answer of the admin API to a request, token shown or not.
    pub(crate) fn admin(&self, method: &str, path: &str, token: &str, body: &str) -> String {
        let address = self.address("admin");
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Resident memory in KiB, at its highest.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Stops it, and gives all that it wrote to its standard output and error.
    pub(crate) fn everything_said(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap();
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        let said = self.said.lock().unwrap();
        String::from_utf8_lossy(&said).into_owned()
    }
}

impl Drop for Sluice {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}

fn keep(mut from: impl Read + Send + 'static, said: &Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            said.lock().unwrap().extend_from_slice(&piece[..count]);
        }
    })
}

/// One connection of a client.
pub(crate) struct Client(TcpStream);

impl Client {
    /// Once somebody listens there: a cluster's listeners open after the kernel's.
    pub(crate) fn to(address: &str) -> Self {
        let begin = Instant::now();
        let stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(error) => assert!(begin.elapsed() < LONG, "{address}: {error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        stream.set_read_timeout(Some(LONG)).unwrap();
        Self(stream)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _refused_meanwhile = self.0.write_all(bytes);
    }

    /// The body of the next answer; `None` when the connection has ended.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        let mut size = [0; 4];
        self.0.read_exact(&mut size).ok()?;
        let mut body = vec![0; u32::from_be_bytes(size) as usize];
        self.0.read_exact(&mut body).ok()?;
        Some(body)
    }

    pub(crate) fn ask<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        self.send(&frame::request_frame(version, 1, Some("client".into()), request).unwrap());
        let (_, reader) = frame::read_response_header(Bytes::from(self.next()?), R::API, version).unwrap();
        Some(Message::decode_rest(reader, version).unwrap())
    }

    /// Waits until the other side has closed the connection; how long that took.
    pub(crate) fn until_closed(mut self) -> Duration {
        let begin = Instant::now();
        let mut rest = Vec::new();
        let ended = self.0.read_to_end(&mut rest);
        let reset = ended.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
        assert!(ended.is_ok() || reset, "it is left open: {ended:?}");
        begin.elapsed()
    }
}

/// So many loopback ports that nobody has at the moment, in a row; never the same to two tests of this process.
pub(crate) fn free_ports(count: u16) -> u16 {
    static NEXT: Mutex<u16> = Mutex::new(0);
    let mut next = NEXT.lock().unwrap();
    if *next == 0 {
        *next = 21_000 + u16::try_from(std::process::id() % 97).unwrap() * 11;
    }
    let free = |first: &u16| {
        (*first..*first + count).all(|port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok())
    };
    let first = (*next..30_000).find(free).unwrap();
    *next = first + count;
    first
}
