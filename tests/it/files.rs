//! Planted files, full disks and special files: nothing is written to the wrong place, nothing
//! hangs, and a failed write is an error.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::etcd::{Etcd, Version};
use crate::support::tool::{Output, Program, Running, Signal, assert_ends};
use crate::support::{follow, shared, v2, wait};

/// An endpoint without a listener. A run whose checkpoint is accepted exits with 3.
const NOWHERE: &str = "http://127.0.0.1:1";
const TAKEN: i32 = 3;
/// The uid of another user.
const OTHER: u32 = 65534;
/// A checkpoint of `/app` with the v2 API.
const EARLIER: &str = r#"{"etcdwatch":1,"api":"v2","cluster":"c","key":"/app","recursive":false,"index":7,"last":null}"#;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[track_caller]
fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {output:?}");
}

/// A directory for a checkpoint.
struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with_checkpoint() -> Self {
        let directory = Self::new();
        fs::write(directory.file("cp"), EARLIER).unwrap();
        directory
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    /// Watches `/app` with this checkpoint, at an endpoint without a listener.
    #[track_caller]
    fn open(&self) -> Output {
        open(&self.text("cp"))
    }
}

fn watch(checkpoint: &str) -> Vec<String> {
    let watch = ["--endpoints", NOWHERE, "watch", "--stream", "/app"];
    let words = watch.into_iter().chain(["--checkpoint", checkpoint]);
    words.map(str::to_owned).collect()
}

#[track_caller]
fn open(checkpoint: &str) -> Output {
    Program::tool(&watch(checkpoint)).run()
}

type Plant = fn(&Path);

/// Files that are not regular, as any user can create them.
const PLANTED: [(&str, Plant); 5] = [
    ("a symbolic link", |path| symlink("precious", path).unwrap()),
    ("a symbolic link", |path| symlink("missing", path).unwrap()),
    ("a FIFO", |path| run("mkfifo", &[path.to_str().unwrap()])),
    ("a socket", |path| drop(UnixListener::bind(path).unwrap())),
    ("a directory", |path| fs::create_dir(path).unwrap()),
];

// --- planted files

#[test]
fn a_lock_that_is_not_a_regular_file_is_rejected_and_not_followed() {
    let hard_link: Plant = |path| fs::hard_link(path.with_file_name("precious"), path).unwrap();
    let device: Plant = |path| run("mknod", &[path.to_str().unwrap(), "c", "1", "3"]);
    let mut planted = PLANTED.to_vec();
    planted.push(("a hard link", hard_link));
    if is_root() {
        planted.push(("a device", device));
    }
    for (what, plant) in planted {
        let directory = Directory::with_checkpoint();
        fs::write(directory.file("precious"), "precious").unwrap();
        plant(&directory.file("cp.lock"));
        assert_ends(&directory.open(), 2, &["cp.lock", what]);
        assert_eq!(fs::read(directory.file("precious")).unwrap(), b"precious");
        assert_eq!(fs::read_to_string(directory.file("cp")).unwrap(), EARLIER);
        assert_eq!(directory.names(), ["cp", "cp.lock", "precious"], "{what}");
    }
}

#[test]
fn a_planted_temporary_file_is_removed_without_following_it() {
    let hard_link: Plant = |path| fs::hard_link(path.with_file_name("precious"), path).unwrap();
    let mut planted = PLANTED.to_vec();
    planted.push(("a hard link", hard_link));
    for (what, plant) in planted {
        let directory = Directory::with_checkpoint();
        fs::write(directory.file("precious"), "precious").unwrap();
        plant(&directory.file("cp.new"));
        let output = directory.open();
        if what == "a directory" {
            // A directory may have contents and is not removed.
            assert_ends(&output, 74, &["cp.new", "directory"]);
            assert!(directory.file("cp.new").is_dir());
        } else {
            assert_eq!(output.code, TAKEN, "{what}: {}", output.stderr);
            assert_eq!(directory.names(), ["cp", "cp.lock", "precious"], "{what}");
        }
        assert_eq!(fs::read(directory.file("precious")).unwrap(), b"precious");
        assert_eq!(fs::read_to_string(directory.file("cp")).unwrap(), EARLIER);
    }
}

// --- files that are read

#[test]
fn a_checkpoint_that_is_not_a_regular_file_is_rejected_without_side_effects() {
    for (what, plant) in &PLANTED[2..] {
        let directory = Directory::new();
        plant(&directory.file("cp"));
        assert_ends(&directory.open(), 2, &["cp", what]);
        assert_eq!(directory.names(), ["cp"], "{what}");
    }
    // The user's own symlink leads to an endless device.
    let directory = Directory::new();
    symlink("/dev/zero", directory.file("cp")).unwrap();
    assert_ends(&directory.open(), 2, &["/dev/zero", "a device"]);
    assert_eq!(directory.names(), ["cp"]);
    assert!(!Path::new("/dev/zero.lock").exists());
}

#[test]
fn an_oversized_checkpoint_is_rejected_and_not_truncated() {
    let directory = Directory::with_checkpoint();
    // The JSON ends after the first line, so that only the length is wrong.
    let file = OpenOptions::new().append(true).open(directory.file("cp"));
    let spaces = vec![b' '; 64 << 20];
    file.unwrap().write_all(&spaces).unwrap();
    assert_ends(&directory.open(), 2, &["longer than 67108864 bytes"]);
}

#[test]
fn a_world_writable_checkpoint_is_rejected_and_a_group_writable_one_accepted() {
    let directory = Directory::with_checkpoint();
    let open_with = |mode| {
        fs::set_permissions(directory.file("cp"), fs::Permissions::from_mode(mode)).unwrap();
        directory.open()
    };
    for mode in [0o602, 0o666, 0o777] {
        assert_ends(&open_with(mode), 2, &["everyone", "chmod o-w"]);
    }
    for mode in [0o600, 0o644, 0o660] {
        let output = open_with(mode);
        assert_eq!(output.code, TAKEN, "{mode:o}: {}", output.stderr);
    }
}

#[test]
fn a_checkpoint_of_another_user_is_rejected_and_the_owner_named() {
    let directory = Directory::with_checkpoint();
    let whose = format!("another user (uid {OTHER})");
    if is_root() {
        for file in ["cp", "cp.lock"] {
            let mine = directory.open();
            assert_eq!(mine.code, TAKEN, "{}", mine.stderr);
            chown(directory.file(file), Some(OTHER), None).unwrap();
            let expected = format!("{file}' belongs to {whose}");
            assert_ends(&directory.open(), 2, &[&expected]);
            chown(directory.file(file), Some(0), None).unwrap();
        }
    } else {
        // Only root can give a file away. But in a user namespace with a mapped root, files of the
        // real root belong to nobody, and such a file is mounted over the checkpoint.
        let script = r#"mount --bind /etc/passwd "$CHECKPOINT" && exec "$0" "$@""#;
        let output = in_namespace(script, &watch(&directory.text("cp")))
            .env("CHECKPOINT", directory.text("cp"))
            .run();
        assert_ends(&output, 2, &["cp' belongs to", &whose]);
    }
}

#[test]
fn an_unreadable_checkpoint_is_an_error_that_names_the_owner() {
    let directory = Directory::with_checkpoint();
    let watch = watch(&directory.text("cp"));
    let output = if is_root() {
        fs::set_permissions(directory.file("cp"), fs::Permissions::from_mode(0o600)).unwrap();
        chown(directory.file("cp"), Some(OTHER), None).unwrap();
        // The tool runs without the capability to read every file.
        let without = "-dac_override,-dac_read_search";
        let mut words = ["--bounding-set", without, env!("CARGO_BIN_EXE_etcdwatch")].to_vec();
        words.extend(watch.iter().map(String::as_str));
        Program::new("setpriv", &words).run()
    } else {
        let script = r#"mount --bind /etc/shadow "$CHECKPOINT" && exec "$0" "$@""#;
        let program = in_namespace(script, &watch);
        program.env("CHECKPOINT", directory.text("cp")).run()
    };
    let whose = format!("Permission denied (os error 13); it belongs to uid {OTHER}");
    assert_ends(&output, 2, &["cannot read the checkpoint", &whose]);
}

#[test]
fn a_symlink_of_another_user_is_not_followed() {
    let whose = format!("symbolic link of another user (uid {OTHER})");
    if is_root() {
        // Both in a shared directory (`/tmp`) and in another one.
        for mode in [0o1777, 0o755] {
            let directory = Directory::new();
            fs::set_permissions(directory.0.path(), fs::Permissions::from_mode(mode)).unwrap();
            symlink("behind", directory.file("cp")).unwrap();
            let mine = directory.open();
            assert_eq!(mine.code, TAKEN, "{}", mine.stderr);
            assert_eq!(directory.names(), ["behind.lock", "cp"]);
            lchown(directory.file("cp"), Some(OTHER), None).unwrap();
            assert_ends(&directory.open(), 2, &["cp", &whose]);
            // The second link on the path is rejected too.
            symlink("cp", directory.file("mine")).unwrap();
            assert_ends(&open(&directory.text("mine")), 2, &["cp", &whose]);
        }
    } else {
        // A link of root, which belongs to nobody in a namespace with a mapped root.
        let output = in_namespace(r#"exec "$0" "$@""#, &watch("/proc/mounts")).run();
        assert_ends(&output, 2, &["/proc/mounts", &whose]);
    }
}

// --- failed writes

/// The tool with these arguments, run by a shell in its own mount namespace.
#[track_caller]
fn in_namespace(script: &str, arguments: &[String]) -> Program {
    let how = if is_root() { "-m" } else { "-rm" };
    let tried = Command::new("unshare").args([how, "true"]).output();
    let is_had = tried.as_ref().is_ok_and(|output| output.status.success());
    assert!(
        is_had,
        "this test needs a mount namespace of its own, and 'unshare {how}' gives none: run it as \
         root, or allow user namespaces (kernel.unprivileged_userns_clone=1, \
         kernel.apparmor_restrict_unprivileged_userns=0): {tried:?}"
    );
    let mut words = [how, "sh", "-c", script, env!("CARGO_BIN_EXE_etcdwatch")].to_vec();
    words.extend(arguments.iter().map(String::as_str));
    Program::new("unshare", &words)
}

/// Mounts a disk of 64 KiB at `$DISK`, which only the tool sees.
const MOUNT: &str = r#"mount -t tmpfs -o size=64k,mode=700 disk "$DISK" && "#;

/// A stream on `/app` with its checkpoint on its own disk.
struct OnDisk {
    running: Running,
    directory: Directory,
    /// Keeps the disk mounted while it is open.
    disk: File,
}

impl OnDisk {
    fn start(url: &str) -> Self {
        let directory = Directory::new();
        let checkpoint = directory.text("cp");
        let watch = ["-o", "json", "watch", "--stream", "--status", "-r", "/app"];
        let arguments = [
            &["--endpoints", url],
            &watch[..],
            &["--checkpoint", &checkpoint],
        ];
        let arguments: Vec<String> = arguments.concat().into_iter().map(str::to_owned).collect();
        let script = format!(r#"{MOUNT} exec "$0" "$@""#);
        let running = in_namespace(&script, &arguments)
            .env("DISK", directory.0.path())
            .start();
        follow::wait_for(&running, "the stream to be live", follow::is_live);
        let root = format!("/proc/{}/root", running.pid());
        let disk = File::open(Path::new(&root).join(directory.0.path().strip_prefix("/").unwrap()));
        Self {
            running,
            directory,
            disk: disk.unwrap(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.disk.as_raw_fd()))
    }

    /// Writes an event, waits until it is printed and in the checkpoint, and returns the
    /// checkpoint's bytes.
    fn write_event(&self, url: &str) -> Vec<u8> {
        let printed = v2::put(url, "/app/k", "printed");
        follow::wait_for_value(&self.running, "/app/k", "printed");
        follow::wait_for_checkpoint(&self.file("cp"), printed.index);
        fs::read(self.file("cp")).unwrap()
    }

    fn fill(&self) {
        let mut file = File::create(self.file("filler")).unwrap();
        let error = loop {
            if let Err(error) = file.write_all(&[0; 1024]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    /// Asserts that the run ended because it could not write the checkpoint, and that the old one
    /// is unchanged.
    #[track_caller]
    fn assert_failed(self, why: &str, before: &[u8]) {
        let files = ["cp", "cp.new"].map(|name| self.file(name));
        let output = self.running.wait(wait::LONG);
        assert_ends(&output, 74, &[&self.directory.text("cp"), why]);
        let values = output.json();
        let values: Vec<&str> = values
            .iter()
            .filter_map(|record| record["node"]["value"].as_str())
            .collect();
        assert_eq!(values, ["printed", "late"]);
        assert_eq!(fs::read(&files[0]).unwrap(), before);
        assert!(!files[1].exists());
    }
}

#[test]
fn a_full_disk_exits_74_and_keeps_the_old_checkpoint() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let on_disk = OnDisk::start(&url);
    let before = on_disk.write_event(&url);
    on_disk.fill();
    v2::put(&url, "/app/k", "late");
    on_disk.assert_failed("No space left on device", &before);
}

#[test]
fn a_stopped_run_that_cannot_write_its_last_checkpoint_exits_74() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let on_disk = OnDisk::start(&url);
    let before = on_disk.write_event(&url);
    on_disk.fill();
    v2::put(&url, "/app/k", "late");
    follow::wait_for_value(&on_disk.running, "/app/k", "late");
    on_disk.running.try_signal(Signal::TERM);
    on_disk.assert_failed("No space left on device", &before);
}

#[test]
fn a_disk_remounted_read_only_exits_74_and_keeps_the_old_checkpoint() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let on_disk = OnDisk::start(&url);
    let before = on_disk.write_event(&url);
    let target = on_disk.running.pid().to_string();
    let directory = on_disk.directory.0.path().to_str().unwrap();
    let script = r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0""#;
    let user: &[&str] = if is_root() {
        &[]
    } else {
        &["-U", "--preserve-credentials"]
    };
    let enter = [
        &["-t", &target, "-m"],
        user,
        &["sh", "-c", script, directory],
    ];
    run("nsenter", &enter.concat());
    v2::put(&url, "/app/k", "late");
    on_disk.assert_failed("Read-only file system", &before);
}

#[test]
fn a_full_or_read_only_disk_at_the_start_exits_74_before_any_record() {
    let directory = Directory::new();
    let lock = directory.text("cp.lock");
    for (options, why) in [
        ("size=4k,nr_inodes=1", "No space left on device"),
        ("ro", "Read-only file system"),
    ] {
        let script = format!(r#"mount -t tmpfs -o {options} disk "$DISK" && exec "$0" "$@""#);
        let output = in_namespace(&script, &watch(&directory.text("cp")))
            .env("DISK", directory.0.path())
            .run();
        assert_ends(&output, 74, &[&lock, why]);
    }
    let missing = open(&directory.text("missing/cp"));
    assert_ends(&missing, 74, &["missing/cp.lock", "No such file"]);
}

#[test]
fn removing_the_checkpoint_directory_exits_74() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let directory = Directory::new();
    fs::create_dir(directory.file("d")).unwrap();
    let checkpoint = directory.text("d/cp");
    let running = follow::live(&url, &["-r", "/app", "--checkpoint", &checkpoint]);
    let printed = v2::put(&url, "/app/k", "printed");
    follow::wait_for_checkpoint(&directory.file("d/cp"), printed.index);
    fs::remove_dir_all(directory.file("d")).unwrap();
    v2::put(&url, "/app/k", "late");
    let output = running.wait(wait::LONG);
    assert_ends(&output, 74, &[&checkpoint, "No such file"]);
    assert!(output.stdout.contains(r#""value":"late""#));
}

#[test]
fn a_file_size_limit_exits_74_and_sigxfsz_does_not_kill() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let from = subtree.put(&key, "printed").to_string();
    let directory = Directory::new();
    let checkpoint = directory.text("cp");
    let watch = ["watch", "--stream", &key, "--checkpoint", &checkpoint];
    let begin = [&watch[..], &["--from-index", &from, "--count", "1"]].concat();
    let output = subtree.tool(&begin);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let before = fs::read(directory.file("cp")).unwrap();
    subtree.put(&key, "late");
    let limited = r#"ulimit -f 0; exec "$0" "$@""#;
    let output = subtree.shell(limited, &watch).run();
    assert_ends(&output, 74, &[&checkpoint, "File too large"]);
    assert_eq!(fs::read(directory.file("cp")).unwrap(), before);
    assert_eq!(directory.names(), ["cp", "cp.lock"]);
}

/// Events that do not fit on a disk of 64 KiB or in a file of one block.
fn many_records() -> (shared::Subtree, Vec<String>) {
    let subtree = shared::any();
    let value = "x".repeat(700);
    let put = |number| subtree.put(&subtree.key(&format!("k{number}")), &value);
    let from = (0..100).map(put).min().unwrap();
    let replay = ["replay", "-r", subtree.root(), "--from-index"];
    let arguments = replay.into_iter().map(str::to_owned);
    let arguments = arguments.chain([from.to_string()]).collect();
    (subtree, arguments)
}

#[test]
fn a_full_output_file_exits_74_and_keeps_the_printed_records() {
    let (subtree, replay) = many_records();
    let replay: Vec<&str> = replay.iter().map(String::as_str).collect();
    let whole = subtree.tool(&replay);
    assert_eq!(whole.stdout.lines().count(), 100, "{}", whole.stderr);
    let directory = Directory::new();
    let script =
        format!(r#"{MOUNT} {{ "$0" "$@" >"$DISK/out"; code=$?; cat "$DISK/out"; exit $code; }}"#);
    let full = in_namespace(&script, &subtree.arguments(&replay))
        .env("DISK", directory.0.path())
        .run();
    assert_ends(&full, 74, &["standard output", "No space left on device"]);
    assert_eq!(full.stdout.len(), 64 << 10);
    assert!(whole.stdout.starts_with(&full.stdout));
    let script = r#"ulimit -f 1; exec "$0" "$@" >"$OUT""#;
    let limited = subtree
        .shell(script, &replay)
        .env("OUT", directory.file("out"))
        .run();
    assert_ends(&limited, 74, &["standard output", "File too large"]);
    let written = fs::read_to_string(directory.file("out")).unwrap();
    assert!(!written.is_empty() && whole.stdout.starts_with(&written));
}

/// Replaces the system's `fsync` with one that fails for files, or for directories instead.
const FAILING_FSYNC: &str = "
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
int fsync(int fd) {
    struct stat is;
    if (fstat(fd, &is) == 0 && !S_ISDIR(is.st_mode) == !getenv(\"OF_DIRECTORIES\")) {
        errno = EIO;
        return -1;
    }
    return 0;
}
";

#[test]
fn a_failed_fsync_exits_74() {
    let subtree = shared::any();
    let key = subtree.key("k");
    let from = subtree.put(&key, "v").to_string();
    let (directory, shim) = (Directory::new(), Directory::new());
    let (source, library) = (shim.text("fsync.c"), shim.text("fsync.so"));
    fs::write(&source, FAILING_FSYNC).unwrap();
    run("cc", &["-shared", "-fPIC", "-o", &library, &source]);
    let checkpoint = directory.text("cp");
    let watch = ["watch", "--stream", &key, "--from-index", &from];
    let watch = [&watch[..], &["--count", "1", "--checkpoint", &checkpoint]].concat();
    let of_files = subtree.program(&watch).env("LD_PRELOAD", &library);
    assert_ends(&of_files.run(), 74, &[&checkpoint, "Input/output error"]);
    assert_eq!(directory.names(), ["cp.lock"]);
    let of_directories = subtree.program(&watch).env("LD_PRELOAD", &library);
    let of_directories = of_directories.env("OF_DIRECTORIES", "1").run();
    assert_ends(&of_directories, 74, &[&checkpoint, "Input/output error"]);
    assert_eq!(directory.names(), ["cp", "cp.lock"]);
}

// --- files of `check`

#[test]
fn check_never_hangs_on_an_endless_file_or_a_fifo() {
    let directory = Directory::new();
    let fifo = directory.text("fifo");
    run("mkfifo", &[&fifo]);
    let check = |file: &str, more: &[&str]| {
        let check = ["--endpoints", NOWHERE, "check", file, "/app"];
        Program::tool(&[&check[..], more].concat())
    };
    let endless = check("/dev/zero", &["--max-event", "64KiB"]).run();
    assert_ends(&endless, 2, &["/dev/zero", "longer than 65536 bytes"]);
    let directory = check(&directory.text(""), &[]).run();
    assert_ends(&directory, 2, &["Is a directory"]);
    let in_time = check(&fifo, &["--timeout", "300ms"]).run();
    assert_ends(&in_time, 124, &["timed out"]);
    let waiting = check(&fifo, &["--wait"]).start();
    wait::until(wait::LONG, "its handler", || waiting.catches(Signal::TERM));
    waiting.signal(Signal::TERM);
    assert_eq!(waiting.wait(wait::LONG).code, 143);
}

#[test]
fn check_reads_from_a_pipe() {
    let subtree = shared::any();
    subtree.put(&subtree.key("a"), "1");
    for (text, code) in [(r#"{"a": 1}"#, 0), (r#"{"a": 2}"#, 1)] {
        let check = ["check", "/dev/stdin", subtree.root()];
        let output = subtree.program(&check).stdin(text.as_bytes()).run();
        assert_eq!(output.code, code, "{}", output.stderr);
    }
}
