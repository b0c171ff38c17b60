//! Checks of the structure that the compiler cannot make. Each layer's Cargo.toml lists the crates that
//! it may use, and crates/engine/clippy.toml the parts of `std` that the engine must not use.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a test fails"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Files whose code moves the cursor. It needs evidence, and must not use the time.
const EVIDENCE: [&str; 2] = [
    "crates/engine/src/watch/evidence.rs",
    "crates/engine/src/watch/coverage.rs",
];
const CLOCKS: [&str; 2] = ["Instant", "Duration"];

fn sources(below: &Path) -> Vec<PathBuf> {
    if below.is_file() {
        return vec![below.to_owned()];
    }
    fs::read_dir(below)
        .unwrap_or_else(|error| panic!("{}: {error}", below.display()))
        .flat_map(|entry| sources(&entry.unwrap().path()))
        .collect()
}

/// The code of a file without comments and unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn code_that_moves_the_cursor_uses_no_clock() {
    for path in EVIDENCE {
        let code = code(&root().join(path));
        for clock in CLOCKS {
            assert!(!code.contains(clock), "{path} uses {clock}");
        }
    }
}

#[test]
fn comments_cite_facts_that_are_in_the_repository() {
    let facts = fs::read_to_string(root().join("docs/etcd-facts.md")).unwrap();
    let all = ["src", "crates"].map(|below| sources(&root().join(below)));
    for path in all.concat() {
        let text = fs::read_to_string(&path).unwrap_or_default();
        for (place, _) in text.match_indices("fact") {
            let cited = text[place + 4..].trim_start_matches('s');
            for number in numbers(cited) {
                assert!(
                    facts.contains(&format!("\n{number}. ")),
                    "{} cites fact {number}",
                    path.display()
                );
            }
        }
    }
}

/// The numbers that a text begins with, such as " 2, 4 and 5".
fn numbers(mut text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for separator in [" ", ", ", ", ", ", ", " and "] {
        let Some(rest) = text.strip_prefix(separator) else {
            continue;
        };
        let end = rest.find(|letter: char| !letter.is_ascii_digit());
        let (digits, after) = rest.split_at(end.unwrap_or(rest.len()));
        let Ok(number) = digits.parse() else {
            continue;
        };
        found.push(number);
        text = after;
    }
    found
}

#[test]
fn cited_numbers_are_found_in_every_form() {
    assert_eq!(numbers(" 17). For"), [17]);
    assert_eq!(numbers(" 5 and 16)"), [5, 16]);
    assert_eq!(numbers(" 2, 4 and 5)"), [2, 4, 5]);
    assert!(numbers(" behind it").is_empty());
}
