//! Servers that tests share, since most tests don't disturb each other.
//!
//! In scope: one server of each version, and a part of its keys for each test. Out of scope:
//! tests that stop, wipe or fill a server; they start one of their own.
//!
//! A server lives as long as a test holds it: statics are never dropped, so that one in a
//! static would outlive the tests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::etcd::{Etcd, Version};
use super::tool::{Output, Program, Terminal};
use super::v2::{self, Reply};

static V3_4: Mutex<Weak<Etcd>> = Mutex::new(Weak::new());
static V3_5: Mutex<Weak<Etcd>> = Mutex::new(Weak::new());

/// How many parts were handed out.
static PARTS: AtomicUsize = AtomicUsize::new(0);

/// A test's own part of a shared server: a directory that nobody else writes to.
pub struct Subtree {
    etcd: Arc<Etcd>,
    root: String,
}

/// A part of the server of that version.
pub fn on(version: Version) -> Subtree {
    let shared = match version {
        Version::V3_4 => &V3_4,
        Version::V3_5 => &V3_5,
    };
    // Where starting it panicked, the next test tries again.
    let mut shared = shared
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    // One that has crashed fails the tests that used it, and shows its log there; no other.
    let running = shared.upgrade().filter(|etcd| etcd.ended().is_none());
    let etcd = running.unwrap_or_else(|| {
        let etcd = Arc::new(Etcd::start(version));
        *shared = Arc::downgrade(&etcd);
        etcd
    });
    let number = PARTS.fetch_add(1, Ordering::Relaxed);
    Subtree {
        etcd,
        root: format!("/test{number}"),
    }
}

/// A part of a server for a test that needs one, whichever version it is.
pub fn any() -> Subtree {
    on(Version::V3_5)
}

/// A part of a server of each version.
pub fn each() -> [Subtree; 2] {
    Version::ALL.map(on)
}

impl Subtree {
    /// Where clients connect.
    pub fn url(&self) -> String {
        self.etcd.url()
    }

    /// The key of that name in this part: `/partN/name`.
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }

    /// The directory that is this part: `/partN`.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Runs the tool against this server to its end.
    #[track_caller]
    pub fn tool(&self, arguments: &[&str]) -> Output {
        self.program(arguments).run()
    }

    /// Starts the tool against this server on a terminal of 24 rows and 100 columns.
    #[track_caller]
    pub fn on_terminal(&self, arguments: &[&str]) -> Terminal {
        self.program(arguments).on_terminal(24, 100)
    }

    /// The tool against this server, about to be run.
    pub fn program(&self, arguments: &[&str]) -> Program {
        Program::tool(&self.arguments(arguments))
    }

    /// A shell script in which `"$0" "$@"` is the tool against this server.
    pub fn shell(&self, script: &str, arguments: &[&str]) -> Program {
        Program::shell(script, &self.arguments(arguments))
    }

    /// The tool's arguments, with this server as the endpoint.
    pub fn arguments(&self, arguments: &[&str]) -> Vec<String> {
        ["--endpoints", &self.url()]
            .iter()
            .chain(arguments)
            .map(|one| (*one).to_owned())
            .collect()
    }

    /// What the server itself answers about a key; `query` is empty or such as
    /// `recursive=true`.
    #[track_caller]
    pub fn read(&self, key: &str, query: &str) -> Reply {
        let path = v2::key_path(key);
        v2::request("GET", &self.url(), &format!("{path}?{query}"), &[])
    }

    /// The value that the server itself has for a key; none where it has no such key.
    #[track_caller]
    pub fn value(&self, key: &str) -> Option<String> {
        let reply = self.read(key, "quorum=true").json();
        reply["node"]["value"].as_str().map(str::to_owned)
    }

    /// Sets a key without the tool, and returns the index of that.
    #[track_caller]
    pub fn put(&self, key: &str, value: &str) -> u64 {
        v2::put(&self.url(), key, value).index
    }

    /// Makes a directory without the tool.
    #[track_caller]
    pub fn mkdir(&self, key: &str) {
        let reply = v2::request("PUT", &self.url(), &v2::key_path(key), &[("dir", "true")]);
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
}
