//! Seeds, corpus and a fixed set of mutations of both, through every target; memory stays within a bound.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says how much it has tried"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use fuzz::{TARGETS, Target};

/// Mutations of each target, at most, and how long they may take: the corpus is always replayed whole.
const MUTATIONS: u32 = 4_000;
const TIME: Duration = Duration::from_secs(4);
/// One input must come back within this much of a processor's time, in a build without optimisation.
const INPUT_TIME: Duration = Duration::from_secs(5);
/// What the whole process may have taken at its highest.
const MEMORY_KIB: u64 = 768 * 1024;

/// A small generator; the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}

/// Numbers that length fields go wrong with.
const EDGES: [i64; 10] = [0, 1, -1, -2, 0x7f, 0x7fff, 0x7fff_ffff, -0x8000_0000, i64::MAX, i64::MIN];

fn mutate(numbers: &mut Numbers, from: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = from.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        match numbers.below(7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << numbers.below(8),
            1 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][numbers.below(5)],
            2 => bytes.truncate(at),
            3 => drop(bytes.splice(at..at, other[numbers.below(other.len())..].iter().copied().take(64))),
            4 => {
                let edge = EDGES[numbers.below(EDGES.len())].to_be_bytes();
                let width = [1, 2, 4, 8][numbers.below(4)];
                for (place, byte) in bytes.iter_mut().skip(at).zip(&edge[8 - width..]) {
                    *place = *byte;
                }
            }
            5 => drop(bytes.splice(at..at, std::iter::repeat_n(0xff, 5))),
            _ => bytes.extend_from_within(at..),
        }
        bytes.truncate(64 * 1024);
    }
    bytes
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[allow(clippy::disallowed_methods, reason = "a bound on how long the test takes")]
fn replay(target: &Target) -> (usize, u32) {
    let run = |input: &[u8]| {
        let begin = worked();
        (target.run)(input);
        assert!(worked() - begin < INPUT_TIME, "{} takes too long over {input:?}", target.name);
    };
    let mut inputs = (target.seeds)();
    assert!(!inputs.is_empty(), "{}", target.name);
    inputs.extend(corpus(target.name));
    run(&[]);
    inputs.iter().for_each(|input| run(input));
    let mut numbers = Numbers(0x5eed_0001);
    let begin = Instant::now();
    for mutation in 0..MUTATIONS {
        if begin.elapsed() >= TIME {
            return (inputs.len(), mutation);
        }
        let (from, other) = (numbers.below(inputs.len()), numbers.below(inputs.len()));
        run(&mutate(&mut numbers, &inputs[from], &inputs[other]));
    }
    (inputs.len(), MUTATIONS)
}

/// Time that a processor has spent on this thread: what others do on the machine does not count.
fn worked() -> Duration {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(spent.split_whitespace().next().unwrap().parse().unwrap())
}

/// The most memory that this process has had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn no_bytes_of_seeds_corpus_and_their_mutations_harm_any_decoder() {
    for target in &TARGETS {
        let (inputs, mutations) = replay(target);
        println!("{}: {inputs} inputs, {mutations} mutations, {} MiB", target.name, peak_kib() / 1024);
    }
    assert!(peak_kib() < MEMORY_KIB, "{} KiB", peak_kib());
}

#[test]
fn every_folder_of_the_corpus_has_a_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for folder in std::fs::read_dir(corpus).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(TARGETS.iter().any(|target| target.name == name), "{name}");
    }
}
