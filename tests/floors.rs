//! The floors of the house: what is pure stays pure, and each outside world has one door.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a test fails"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Values in, values out: these know no socket, thread, clock, terminal or command line.
const PURE: [&str; 15] = [
    "src/model",
    "src/decode",
    "src/protocol",
    "src/desired",
    "src/doctor/findings.rs",
    "src/drift.rs",
    "src/filter.rs",
    "src/wait.rs",
    "src/watch/session",
    "src/watch/evidence.rs",
    "src/watch/ledger.rs",
    "src/watch/mirror.rs",
    "src/watch/questions.rs",
    "src/watch/endpoints.rs",
    "src/watch/backoff.rs",
];

/// What a pure room does not reach for.
const OUTSIDE: [&str; 13] = [
    "ureq",
    "clap",
    "indicatif",
    "colored",
    "signal_hook",
    "rustix",
    "socket2",
    "std::net",
    "std::thread",
    "std::fs",
    "std::env",
    "Instant::now",
    "SystemTime",
];

/// Each of these is used behind one door.
const DOORS: [(&str, &[&str]); 14] = [
    ("rustls::", &["src/http/tls.rs", "src/http/trust.rs"]),
    ("webpki::", &["src/http/tls.rs", "src/http/trust.rs"]),
    ("rustix::termios", &["src/prompt.rs", "src/print/margin.rs"]),
    ("rustix::fs", &["src/checkpoint/files.rs"]),
    ("jiff::", &["src/print/clock.rs"]),
    ("globset::", &["src/filter.rs"]),
    ("similar::", &["src/print/difference.rs"]),
    ("saphyr_parser::", &["src/desired/yaml.rs"]),
    (
        "ureq::",
        &[
            "src/http/mod.rs",
            "src/http/buffers.rs",
            "src/http/failure.rs",
            "src/http/lent.rs",
            "src/http/reply.rs",
            "src/http/socket.rs",
            "src/http/tls.rs",
            "src/settings/endpoint.rs",
        ],
    ),
    // That a reply came to its end is known to whoever has read it.
    (
        "Whole::received",
        &[
            "src/watch/driver/reader.rs",
            "src/watch/simulation/server.rs",
            "src/watch/simulation/wire.rs",
            "src/watch/simulation/revisions/world.rs",
        ],
    ),
    ("signal_hook", &["src/signal.rs"]),
    (
        "indicatif",
        &["src/print/progress.rs", "src/print/margin.rs"],
    ),
    ("socket2", &["src/http/socket.rs"]),
    (
        "fastrand",
        &[
            "src/watch/backoff.rs",
            "src/watch/simulation/server.rs",
            "src/watch/simulation/revisions/world.rs",
            "src/watching.rs",
        ],
    ),
];

/// What moves the cursor: no clock reaches it.
const EVIDENCE: [&str; 2] = ["src/watch/evidence.rs", "src/watch/ledger.rs"];
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

/// The code of a file, without its comments and without the unit tests at its foot.
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
fn no_clock_reaches_what_moves_the_cursor() {
    for path in EVIDENCE {
        let code = code(&root().join(path));
        for clock in CLOCKS {
            assert!(!code.contains(clock), "{path} uses {clock}");
        }
    }
}

#[test]
fn the_pure_rooms_reach_for_nothing_outside() {
    for room in PURE {
        for path in sources(&root().join(room)) {
            let code = code(&path);
            for outside in OUTSIDE {
                assert!(!code.contains(outside), "{} uses {outside}", path.display());
            }
        }
    }
}

#[test]
fn each_outside_world_has_its_door() {
    for (name, doors) in DOORS {
        for path in sources(&root().join("src")) {
            let relative = path.strip_prefix(root()).unwrap().display().to_string();
            let is_used = code(&path).contains(name);
            assert!(
                !is_used || doors.contains(&relative.as_str()),
                "{relative} uses {name}"
            );
        }
    }
}

#[test]
fn main_is_only_a_door() {
    let lines = fs::read_to_string(root().join("src/main.rs")).unwrap();
    assert!(lines.lines().count() <= 20);
}

#[test]
fn comments_cite_facts_that_are_in_the_repository() {
    let facts = fs::read_to_string(root().join("docs/etcd-facts.md")).unwrap();
    for path in sources(&root().join("src")) {
        for (place, _) in fs::read_to_string(&path).unwrap().match_indices("(fact ") {
            let text = fs::read_to_string(&path).unwrap();
            let number: String = text[place + 6..]
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            assert!(
                facts.contains(&format!("\n{number}. ")),
                "{} cites fact {number}",
                path.display()
            );
        }
    }
}
