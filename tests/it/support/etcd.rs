//! Real etcd servers, alone or as a cluster, on their own ports and directories.
//!
//! In scope: starting, stopping and wiping servers, and leadership. Out of scope: their data (`v2`)
//! and the network before them (`proxy`).
//!
//! A missing etcd is a failure and never a skipped test: `tests/get-etcd.sh` gets them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use super::{ports, v2, wait};

/// The time limit for a server to answer after its start.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The time limit of one readiness check. A paused server does not answer.
const PROBE: Duration = Duration::from_millis(700);

/// The versions that the tests run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// etcd 3.4.23.
    V3_4,
    /// etcd 3.5.30.
    V3_5,
}

impl Version {
    /// Every version, for a test that loops over them.
    pub const ALL: [Self; 2] = [Self::V3_4, Self::V3_5];

    /// The version's number.
    pub fn number(self) -> &'static str {
        match self {
            Self::V3_4 => "3.4.23",
            Self::V3_5 => "3.5.30",
        }
    }

    /// The binary that the environment names, or else the one from `tests/get-etcd.sh`.
    fn binary(self) -> PathBuf {
        let variable = match self {
            Self::V3_4 => "ETCDWATCH_ETCD_3_4",
            Self::V3_5 => "ETCDWATCH_ETCD_3_5",
        };
        let binary = std::env::var_os(variable)
            .filter(|path| !path.is_empty())
            .map_or_else(
                || {
                    Path::new(env!("CARGO_MANIFEST_DIR"))
                        .join("target/etcd")
                        .join(self.number())
                        .join("etcd")
                },
                PathBuf::from,
            );
        assert!(
            binary.is_file(),
            "there is no etcd {} at {}: run tests/get-etcd.sh (or tests/run.sh, which does), \
             or let {variable} name one",
            self.number(),
            binary.display()
        );
        binary
    }

    /// The arguments of every server of that version. Short timeouts make elections quick.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::V3_4 => &["--heartbeat-interval=50", "--election-timeout=500"],
            // Only 3.5 can run without fsync.
            Self::V3_5 => &[
                "--heartbeat-interval=50",
                "--election-timeout=500",
                "--unsafe-no-fsync",
            ],
        }
    }
}

/// The etcdctl of 3.5.30.
pub fn etcdctl() -> PathBuf {
    let etcdctl = Version::V3_5.binary().with_file_name("etcdctl");
    assert!(
        etcdctl.is_file(),
        "there is no etcdctl beside etcd 3.5.30, at {}",
        etcdctl.display()
    );
    etcdctl
}

/// The options of a server that is to be started.
#[derive(Clone, Debug)]
pub struct Builder {
    version: Version,
    v2: bool,
    /// The member of a cluster on which the v2 API is off.
    without_v2: Option<usize>,
    /// Whether it also serves TLS, on a second port.
    speaks_tls: bool,
    arguments: Vec<String>,
}

impl Builder {
    /// Turns the v2 API on or off. It is on by default.
    pub fn v2(mut self, enabled: bool) -> Self {
        self.v2 = enabled;
        self
    }

    /// Turns the v2 API off on this member of a cluster only.
    pub fn without_v2_on(mut self, member: usize) -> Self {
        self.without_v2 = Some(member);
        self
    }

    /// Adds an argument, for example `--max-txn-ops=1000`.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Serves TLS as well, with this certificate and this key.
    pub fn tls(mut self, certificate: &Path, key: &Path) -> Self {
        self.speaks_tls = true;
        self.arg(format!("--cert-file={}", certificate.display()))
            .arg(format!("--key-file={}", key.display()))
    }

    /// Accepts only clients over TLS whose certificate this authority issued.
    pub fn requires_client_certificates(self, authority: &Path) -> Self {
        self.arg("--client-cert-auth")
            .arg(format!("--trusted-ca-file={}", authority.display()))
    }

    /// Takes a snapshot after so many raft entries. A member that missed more than about 5,000
    /// entries can then only catch up from a snapshot.
    pub fn snapshot_count(self, entries: u32) -> Self {
        self.arg(format!("--snapshot-count={entries}"))
    }

    /// Starts one server, and returns once it answers.
    pub fn start(self) -> Etcd {
        self.start_all(1).remove(0)
    }

    /// Starts a cluster of `size` members, and returns once it has a leader and all members answer.
    pub fn cluster(self, size: usize) -> Cluster {
        Cluster {
            nodes: self.start_all(size),
        }
    }

    /// Another process may take a port between its choice and its use. Then all members are started
    /// again.
    fn start_all(self, size: usize) -> Vec<Etcd> {
        for _ in 0..5 {
            let nodes = self.spawn_all(size);
            if nodes.iter().all(|node| node.wait_until_ready().is_ok()) {
                return nodes;
            }
        }
        panic!("etcd found no ports that it could listen on");
    }

    fn spawn_all(&self, size: usize) -> Vec<Etcd> {
        let members: Vec<_> = (0..size)
            .map(|number| (format!("node{number}"), ports::free(), ports::free()))
            .collect();
        let cluster = members
            .iter()
            .map(|(name, _, peer)| format!("{name}=http://127.0.0.1:{peer}"))
            .collect::<Vec<_>>()
            .join(",");
        members
            .into_iter()
            .enumerate()
            .map(|(number, (name, port, peer_port))| {
                let has_v2 = self.v2 && self.without_v2 != Some(number);
                let etcd = Etcd {
                    options: self.clone().v2(has_v2),
                    name,
                    port,
                    tls_port: ports::free(),
                    peer_port,
                    cluster: cluster.clone(),
                    directory: tempfile::tempdir().expect("a temporary directory"),
                    child: Mutex::new(None),
                };
                etcd.spawn();
                etcd
            })
            .collect()
    }
}

/// One etcd process with its own data directory. Dropping it kills the process and removes the
/// directory.
pub struct Etcd {
    options: Builder,
    name: String,
    port: u16,
    tls_port: u16,
    peer_port: u16,
    cluster: String,
    directory: TempDir,
    child: Mutex<Option<Child>>,
}

/// The server could not bind its port.
struct PortTaken;

impl Etcd {
    /// Starts a server with default options, and returns once it answers.
    pub fn start(version: Version) -> Self {
        Self::builder(version).start()
    }

    /// The options of a server that is not started yet.
    pub fn builder(version: Version) -> Builder {
        Builder {
            version,
            v2: true,
            without_v2: None,
            speaks_tls: false,
            arguments: Vec::new(),
        }
    }

    /// The client URL: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The client URL over TLS: `https://127.0.0.1:PORT`.
    pub fn tls_url(&self) -> String {
        assert!(self.options.speaks_tls);
        format!("https://127.0.0.1:{}", self.tls_port)
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The id of the process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(Child::id)
    }

    /// Ends it with SIGKILL, and waits for its end. Does nothing if it does not run.
    pub fn kill(&self) {
        let child = self.lock().take();
        if let Some(mut child) = child {
            // It may have ended by itself. Then there is only the wait.
            let _ = child.kill();
            child.wait().expect("etcd's end");
        }
    }

    /// Ends it with SIGTERM, as an operator does, and waits for its end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
        let mut child = self.lock().take().expect("etcd runs");
        wait::until(wait::LONG, "etcd to end after SIGTERM", || {
            child.try_wait().expect("etcd's state").is_some()
        });
    }

    /// Pauses it with SIGSTOP. Its connections stay open, and nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        let pid = self.pid().expect("etcd runs");
        // Its threads stop one by one, and the last one may still answer.
        wait::until(wait::LONG, "all threads of etcd to stop", || {
            all_stopped(pid)
        });
    }

    /// Resumes a paused server.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Restarts it on its ports with its data. Returns once it answers, for which the rest of its
    /// cluster must be up.
    pub fn restart(&self) {
        self.kill();
        self.spawn();
        self.assert_ready();
    }

    /// Its exit status, if it has ended by itself.
    pub fn ended(&self) -> Option<ExitStatus> {
        let mut child = self.lock();
        child.as_mut()?.try_wait().expect("etcd's state")
    }

    /// Everything that it has logged, over all its starts.
    pub fn log_text(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log()).unwrap_or_default()).into_owned()
    }

    fn assert_ready(&self) {
        assert!(
            self.wait_until_ready().is_ok(),
            "another process took the port of a stopped etcd:\n{}",
            self.log_tail()
        );
    }

    /// Restarts a single server without its data: the store at its address is replaced. A member
    /// of a cluster cannot come back without its data.
    pub fn wipe_and_restart(&self) {
        self.wipe();
        self.restart();
    }

    /// A copy of its present data. The server is restarted for that.
    pub fn back_up(&self) -> TempDir {
        self.kill();
        let backup = tempfile::tempdir().expect("a temporary directory");
        copy(&self.data_directory(), backup.path());
        self.restart();
        backup
    }

    /// Restarts it with the data of a backup.
    pub fn restore(&self, backup: &TempDir) {
        self.wipe();
        copy(backup.path(), &self.data_directory());
        self.restart();
    }

    fn wipe(&self) {
        self.kill();
        fs::remove_dir_all(self.data_directory()).expect("the data directory goes");
    }

    fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().expect("no panic while starting etcd")
    }

    fn data_directory(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn signal(&self, signal: Signal) {
        let child = self.lock();
        let child = child.as_ref().expect("etcd runs");
        kill_process(Pid::from_child(child), signal).expect("a signal to etcd");
    }

    fn spawn(&self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("a file for etcd's log");
        let client = if self.options.speaks_tls {
            format!("{},{}", self.url(), self.tls_url())
        } else {
            self.url()
        };
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let child = Command::new(self.options.version.binary())
            .env_clear()
            // Debian's build asks for this on some architectures.
            .env("ETCD_UNSUPPORTED_ARCH", std::env::consts::ARCH)
            .arg(format!("--name={}", self.name))
            .arg(format!("--data-dir={}", self.data_directory().display()))
            .arg(format!("--listen-client-urls={client}"))
            .arg(format!("--advertise-client-urls={client}"))
            .arg(format!("--listen-peer-urls={peer}"))
            .arg(format!("--initial-advertise-peer-urls={peer}"))
            .arg(format!("--initial-cluster={}", self.cluster))
            .arg(format!("--enable-v2={}", self.options.v2))
            .args(self.options.version.arguments())
            .args(&self.options.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log once more"))
            .stderr(log)
            .spawn()
            .expect("etcd starts");
        *self.lock() = Some(child);
    }

    /// Waits for the server's health and, if the v2 API is on, for a quorum read.
    fn wait_until_ready(&self) -> Result<(), PortTaken> {
        let deadline = Instant::now() + START_LIMIT;
        wait::until_some(START_LIMIT * 2, "etcd to answer", || {
            // An answer after its end comes from another process.
            let answers = self.answers();
            let ended = self.ended();
            if answers && ended.is_none() {
                return Some(Ok(()));
            }
            let log = self.log_tail();
            if ended.is_some() && log.contains("address already in use") {
                return Some(Err(PortTaken));
            }
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "etcd {} did not come up ({ended:?}):\n{log}",
                self.options.version.number()
            );
            None
        })
    }

    fn answers(&self) -> bool {
        let get = |path| v2::try_request("GET", &self.url(), path, &[], PROBE);
        let healthy = get("/health").is_ok_and(|reply| reply.text().contains(r#""health":"true""#));
        healthy
            && (!self.options.v2
                || get("/v2/keys/?quorum=true").is_ok_and(|reply| reply.status == 200))
    }

    /// The member's id, as the v3 gateway reports it.
    fn id(&self) -> Option<String> {
        let status = v2::try_v3(&self.url(), "/v3/maintenance/status", &json!({}), PROBE).ok()?;
        Some(status["header"]["member_id"].as_str()?.to_owned())
    }

    /// Returns whether this member says that it is the leader. Both versions report that over the
    /// v3 gateway.
    fn leads(&self) -> bool {
        v2::try_v3(&self.url(), "/v3/maintenance/status", &json!({}), PROBE).is_ok_and(|status| {
            status["leader"].is_string() && status["leader"] == status["header"]["member_id"]
        })
    }

    fn log_tail(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        // The message of a crash comes before the stacks of hundreds of goroutines.
        let is_crash = |line: &&str| line.starts_with("panic:") || line.starts_with("fatal error:");
        let crash = lines.iter().rposition(is_crash).unwrap_or(lines.len());
        let end = lines.len().min(crash + 40);
        lines[crash.saturating_sub(40)..end].join("\n")
    }
}

/// Copies the contents of a directory to another one.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(source, target).expect("a copy");
        }
    }
}

/// Returns whether the kernel reports the state `T` for all threads of the process.
fn all_stopped(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the threads of etcd");
    tasks.flatten().all(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        // The state follows the name, which is in parentheses.
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('T'))
    })
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // A panic elsewhere must not leave a server running.
        let child = match self.child.get_mut() {
            Ok(child) => child,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some(child) = child {
            let ended = child.try_wait();
            let _ = child.kill();
            let _ = child.wait();
            if let Ok(Some(status)) = ended {
                println!("etcd ended by itself ({status}):\n{}", self.log_tail());
            }
        }
    }
}

/// A cluster of etcd members.
pub struct Cluster {
    /// The members. Each can be killed, paused and restarted separately.
    pub nodes: Vec<Etcd>,
}

impl Cluster {
    /// Starts a cluster with default options, and returns once all its members answer.
    pub fn start(version: Version, size: usize) -> Self {
        Etcd::builder(version).cluster(size)
    }

    /// The client URLs of all members, separated by commas, as `--endpoints` expects them.
    pub fn endpoints(&self) -> String {
        self.nodes
            .iter()
            .map(Etcd::url)
            .collect::<Vec<_>>()
            .join(",")
    }

    /// The number of the leader. Waits until there is one, and ignores members that do not run.
    pub fn leader(&self) -> usize {
        wait::until_some(wait::LONG, "a leader of the cluster", || {
            self.nodes.iter().position(Etcd::leads)
        })
    }

    /// Transfers leadership to another member. Does nothing if that is not possible now.
    pub fn hand_over(&self, leader: usize, to: usize) {
        if let Some(id) = self.nodes[to].id() {
            let url = self.nodes[leader].url();
            let path = "/v3/maintenance/transfer-leadership";
            let _ = v2::try_v3(&url, path, &json!({"targetID": id}), wait::LONG);
        }
    }

    /// Ends all members, and starts them again as they were first started, without their data:
    /// the same addresses, the same id of the cluster, another store.
    pub fn wipe_and_restart(&self) {
        self.nodes.iter().for_each(Etcd::wipe);
        self.nodes.iter().for_each(Etcd::spawn);
        self.nodes.iter().for_each(Etcd::assert_ready);
    }
}
