//! Runs the fuzz targets on their corpora, so that an old finding does not come back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a panic is how a test fails"
)]

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../fuzz/src/lib.rs"]
#[allow(clippy::pedantic, reason = "code of another crate, seen from here")]
mod fuzz;

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

#[test]
fn every_target_accepts_its_corpus() {
    for (name, target) in fuzz::TARGETS {
        let corpus = corpora().join(name);
        let files = fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut count = 0;
        for file in files {
            let path = file.unwrap().path();
            let data = fs::read(&path).unwrap();
            println!("{}", path.display());
            target(&data);
            count += 1;
        }
        assert!(count >= 3, "{name} has {count} files");
    }
}

#[test]
fn every_corpus_and_every_program_has_a_target() {
    let names: Vec<String> = fuzz::TARGETS.map(|(name, _)| name.to_owned()).to_vec();
    let listed = |directory: PathBuf| {
        let mut found: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|file| {
                file.unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        found.sort();
        found
    };
    assert_eq!(listed(corpora()), names);
    assert_eq!(listed(corpora().with_file_name("fuzz_targets")), names);
}

#[test]
fn every_target_accepts_empty_and_repeated_bytes() {
    for (_, target) in fuzz::TARGETS {
        target(b"");
        for byte in 0..=u8::MAX {
            target(&[byte]);
            target(&[byte; 300]);
        }
    }
}
