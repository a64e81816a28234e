//! Every fuzz target with its seeds, as they are and with random changes. `cargo xtask fuzz` looks further.

use fanline_fuzz::{TARGETS, Target, run};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

const CASES: u32 = 300;

fn folder(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(of)
}

/// The names in a folder, without what follows a dot.
fn names(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| {
        let path = entry.expect("an entry").path();
        path.file_stem().and_then(OsStr::to_str).expect("a name").to_owned()
    });
    names.collect()
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder("seeds").join(target)).expect("a folder");
    files.map(|file| fs::read(file.expect("an entry").path()).expect("a file")).collect()
}

/// A seed in which some bytes are replaced by others.
fn changed(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<Index>(), 0..8usize, vec(any::<u8>(), 0..8));
    (select(seeds), vec(edit, 0..6)).prop_map(|(mut bytes, edits)| {
        for (place, removed, inserted) in edits {
            let start = place.index(bytes.len() + 1);
            let end = (start + removed).min(bytes.len());
            bytes.splice(start..end, inserted);
        }
        bytes
    })
}

fn replay(name: &str) {
    let seeds = seeds(name);
    seeds.iter().for_each(|seed| run(name, seed));
    let mut runner = TestRunner::new(Config { cases: CASES, ..Config::default() });
    let inputs = prop_oneof![3 => changed(seeds), 1 => vec(any::<u8>(), 0..64)];
    let outcome = runner.run(&inputs, |bytes| {
        run(name, &bytes);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_target_has_a_program_and_seeds() {
    let targets = TARGETS.iter().map(|Target { name, .. }| (*name).to_owned()).collect();
    assert_eq!(names(&folder("src/bin")), targets);
    assert_eq!(names(&folder("seeds")), targets);
}

#[test]
fn body() {
    replay("body");
}

#[test]
fn catalog() {
    replay("catalog");
}

#[test]
fn conversation() {
    replay("conversation");
}

#[test]
fn document() {
    replay("document");
}

#[test]
fn handshake() {
    replay("handshake");
}

#[test]
fn names_and_positions() {
    replay("names");
}
