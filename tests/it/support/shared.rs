//! Servers that tests share, because most tests do not disturb each other.
//!
//! In scope: one server of each version, and a directory on it for each test. Out of scope: tests
//! that stop, wipe or fill a server. They start their own.
//!
//! A server lives as long as a test holds it. A static is never dropped, so that a server in a
//! static would outlive the tests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::etcd::{Etcd, Version};
use super::tool::{Output, Program, Terminal};
use super::v2::{self, Reply};

static V3_4: Mutex<Weak<Etcd>> = Mutex::new(Weak::new());
static V3_5: Mutex<Weak<Etcd>> = Mutex::new(Weak::new());

/// The number of directories that were handed out.
static PARTS: AtomicUsize = AtomicUsize::new(0);

/// A directory on a shared server that no other test writes to.
pub struct Subtree {
    etcd: Arc<Etcd>,
    root: String,
}

/// A directory on the server of that version.
pub fn on(version: Version) -> Subtree {
    let shared = match version {
        Version::V3_4 => &V3_4,
        Version::V3_5 => &V3_5,
    };
    // If starting the server panicked, the next test tries again.
    let mut shared = shared
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    // A crashed server fails the tests that used it, which show its log, and no others.
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

/// A directory on a server, for a test that does not depend on the version.
pub fn any() -> Subtree {
    on(Version::V3_5)
}

/// A directory on a server of each version.
pub fn each() -> [Subtree; 2] {
    Version::ALL.map(on)
}

impl Subtree {
    /// The client URL of the server.
    pub fn url(&self) -> String {
        self.etcd.url()
    }

    /// The key of that name in this directory: `/testN/name`.
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }

    /// The directory itself: `/testN`.
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

    /// The tool against this server, not yet started.
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

    /// The arguments of a stream on everything below, from this index.
    pub fn stream_from<'a>(&'a self, index: &'a str) -> [&'a str; 6] {
        let root = self.root();
        ["watch", "--stream", "-r", root, "--from-index", index]
    }

    /// A stream on everything below, not yet started, that begins with an event which is written
    /// here, and the event's index. The stream is live when its first line is printed.
    pub fn stream_with_first_event(&self, options: &[&str]) -> (Program, u64) {
        let index = self.put(&self.key("first"), "1");
        let from = index.to_string();
        let watch = self.stream_from(&from);
        (self.program(&[&watch[..], options].concat()), index)
    }

    /// The server's own reply to a read of a key. `query` is empty or, for example,
    /// `recursive=true`.
    #[track_caller]
    pub fn read(&self, key: &str, query: &str) -> Reply {
        let path = v2::key_path(key);
        v2::request("GET", &self.url(), &format!("{path}?{query}"), &[])
    }

    /// The value of a key on the server, if it exists.
    #[track_caller]
    pub fn value(&self, key: &str) -> Option<String> {
        let reply = self.read(key, "quorum=true").json();
        reply["node"]["value"].as_str().map(str::to_owned)
    }

    /// Sets a key without the tool, and returns the new index.
    #[track_caller]
    pub fn put(&self, key: &str, value: &str) -> u64 {
        v2::put(&self.url(), key, value).index
    }

    /// Creates a directory without the tool.
    #[track_caller]
    pub fn mkdir(&self, key: &str) {
        let reply = v2::request("PUT", &self.url(), &v2::key_path(key), &[("dir", "true")]);
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
}
