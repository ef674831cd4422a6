//! `epoch_fields.tsv` lists every field of every message that carries an epoch, or batches with one in their headers:
//! leader epochs, which are translated between clients and legacy, and the others, with what they are of. New
//! descriptors fail here until somebody has looked.

use std::collections::BTreeSet;
use std::path::Path;

const LISTED: &str = include_str!("../epoch_fields.tsv");

/// Message, and struct with field, of every field that could carry a leader epoch.
fn generated() -> BTreeSet<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/codec/generated");
    let mut fields = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let message = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut within = "";
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("pub struct ") {
                within = name.split([' ', ';', '(']).next().unwrap();
            }
            let Some((name, _)) = line.strip_prefix("    pub ").and_then(|line| line.split_once(": ")) else {
                continue;
            };
            if name.contains("epoch") || name == "records" {
                fields.insert((message.clone(), format!("{within}.{name}")));
            }
        }
    }
    fields
}

#[test]
fn every_field_that_carries_an_epoch_was_looked_at() {
    let mut lines = LISTED.lines();
    assert_eq!(lines.next(), Some("message\tfield\tkind\twhy"));
    let mut listed = BTreeSet::new();
    for line in lines {
        let [message, field, kind, why] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(["translated", "other"].contains(&kind) && !why.is_empty(), "{line}");
        assert!(listed.insert((message.to_owned(), field.to_owned())), "twice: {line}");
    }
    let generated = generated();
    assert!(generated.len() > 50, "the generated messages are found");
    let new: Vec<_> = generated.difference(&listed).collect();
    assert!(new.is_empty(), "not in epoch_fields.tsv: {new:?}");
    let gone: Vec<_> = listed.difference(&generated).collect();
    assert!(gone.is_empty(), "in epoch_fields.tsv, but no message has it: {gone:?}");
}

#[test]
fn leader_epochs_are_among_the_translated() {
    for line in LISTED.lines().skip(1) {
        let is_other = line.contains("\tother\t");
        let of_the_metadata_log = line.contains("the metadata log");
        assert!(!line.contains("leader_epoch\t") || !is_other || of_the_metadata_log, "{line}");
    }
}
