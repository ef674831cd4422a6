//! The kernel knows no protocol, and its sources name none.

use std::fs;
use std::path::{Path, PathBuf};

/// Whole words, or beginnings of words, that belong to translators.
const FOREIGN: [&str; 14] = [
    "kafka",
    "mqtt",
    "amqp",
    "rabbit",
    "emqx",
    "topic",
    "partition",
    "exchange",
    "vhost",
    "qos",
    "puback",
    "zookeeper",
    "librdkafka",
    "routing_key",
];

/// A citation of the stored format, and a method of slices.
const ALLOWED: [&str; 2] = ["partition leader epoch", "partition_point"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

fn foreign_words(text: &str) -> Vec<String> {
    let mut text = text.to_lowercase();
    for allowed in ALLOWED {
        text = text.replace(allowed, "");
    }
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let foreign = words.filter(|word| FOREIGN.iter().any(|foreign| word.contains(foreign)));
    foreign.map(str::to_owned).collect()
}

#[test]
fn no_source_of_the_kernel_names_a_protocol() {
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for package in ["model/src", "engine/src"] {
        sources(&kernel.join(package), &mut files);
    }
    assert!(files.len() > 20, "the sources were not found");
    let named: Vec<(PathBuf, Vec<String>)> = files
        .into_iter()
        .map(|path| {
            let words = foreign_words(&fs::read_to_string(&path).unwrap());
            (path, words)
        })
        .filter(|(_, words)| !words.is_empty())
        .collect();
    assert!(named.is_empty(), "{named:?}");
}

#[test]
fn the_search_finds_what_it_should() {
    assert_eq!(foreign_words("let my_topic = Topics;"), ["my_topic", "topics"]);
    assert!(foreign_words("partition leader epoch; a.partition_point(f); an exchanger").len() == 1);
}
