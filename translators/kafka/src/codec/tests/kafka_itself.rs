//! Our messages through the classes of Kafka itself, which is the last word on its format.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::codec::messages::CODECS;

/// Sampled messages per version.
const SEEDS: u64 = 20;

/// What Kafka 3.9, the oldest that is spoken to, has in common with the descriptors in use.
const MESSAGES_MIN: usize = 128;

/// Every message in every version as a line "message version hex".
fn samples() -> String {
    let mut lines = String::new();
    for codec in &CODECS {
        for version in (codec.versions)() {
            for seed in 0..SEEDS {
                let hex: String =
                    (codec.sample)(version, seed).iter().map(|byte| format!("{byte:02x}")).collect();
                lines.push_str(&format!("{} {version} {hex}\n", codec.name));
            }
        }
    }
    lines
}

#[test]
#[ignore = "needs java and the jars of a broker: KAFKA_JARS=/path/to/.peers/kafka4"]
fn kafka_reads_every_message_and_writes_the_same_bytes() {
    let jars = std::env::var("KAFKA_JARS").expect("KAFKA_JARS names a folder of Kafka's jars");
    let mut java = Command::new("java")
        .args(["-cp", &format!("{jars}/*")])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/codec/tests/Recode.java"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    java.stdin.take().unwrap().write_all(samples().as_bytes()).unwrap();
    let output = java.wait_with_output().unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{report}");
    let compared: usize = report.trim().parse().unwrap();
    assert!(compared >= MESSAGES_MIN, "{compared} messages");
    println!("{compared} messages");
}
