//! Files that others planted, disks that are full and files that are no files: nothing is written
//! where it should not be, nothing hangs, and what can't be written is an error.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::etcd::{Etcd, Version};
use crate::support::tool::{Output, Program, Running, Signal};
use crate::support::{follow, shared, v2, wait};

/// Nobody listens there: a run whose checkpoint is taken ends with 3.
const NOWHERE: &str = "http://127.0.0.1:1";
const TAKEN: i32 = 3;
/// Somebody else.
const OTHER: u32 = 65534;
/// A checkpoint of `/app` by v2.
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

/// A directory with a checkpoint in it, or none yet.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with_checkpoint() -> Self {
        let place = Self::new();
        fs::write(place.file("cp"), EARLIER).unwrap();
        place
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

    /// Watches `/app` with this checkpoint, at an endpoint where nobody listens.
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

#[track_caller]
fn assert_refused(output: &Output, code: i32, parts: &[&str]) {
    assert_eq!(output.code, code, "{parts:?}: {}", output.stderr);
    for part in parts {
        assert!(output.stderr.contains(part), "{part:?}: {}", output.stderr);
    }
}

type Plant = fn(&Path);

/// What is no regular file, as anybody can make it.
const PLANTED: [(&str, Plant); 5] = [
    ("a symbolic link", |path| symlink("precious", path).unwrap()),
    ("a symbolic link", |path| symlink("missing", path).unwrap()),
    ("a FIFO", |path| run("mkfifo", &[path.to_str().unwrap()])),
    ("a socket", |path| drop(UnixListener::bind(path).unwrap())),
    ("a directory", |path| fs::create_dir(path).unwrap()),
];

// --- what lies where the tool wants to write

#[test]
fn a_lock_that_is_no_file_of_its_own_is_refused_and_nothing_is_done_through_it() {
    let hard_link: Plant = |path| fs::hard_link(path.with_file_name("precious"), path).unwrap();
    let device: Plant = |path| run("mknod", &[path.to_str().unwrap(), "c", "1", "3"]);
    let mut planted = PLANTED.to_vec();
    planted.push(("a hard link", hard_link));
    if is_root() {
        planted.push(("a device", device));
    }
    for (what, plant) in planted {
        let place = Place::with_checkpoint();
        fs::write(place.file("precious"), "precious").unwrap();
        plant(&place.file("cp.lock"));
        assert_refused(&place.open(), 2, &["cp.lock", what]);
        assert_eq!(fs::read(place.file("precious")).unwrap(), b"precious");
        assert_eq!(fs::read_to_string(place.file("cp")).unwrap(), EARLIER);
        assert_eq!(place.names(), ["cp", "cp.lock", "precious"], "{what}");
    }
}

#[test]
fn what_lies_at_the_temporary_name_is_taken_away_and_nothing_behind_it_is_touched() {
    let hard_link: Plant = |path| fs::hard_link(path.with_file_name("precious"), path).unwrap();
    let mut planted = PLANTED.to_vec();
    planted.push(("a hard link", hard_link));
    for (what, plant) in planted {
        let place = Place::with_checkpoint();
        fs::write(place.file("precious"), "precious").unwrap();
        plant(&place.file("cp.new"));
        let output = place.open();
        if what == "a directory" {
            // There may be something in it.
            assert_refused(&output, 74, &["cp.new", "directory"]);
            assert!(place.file("cp.new").is_dir());
        } else {
            assert_eq!(output.code, TAKEN, "{what}: {}", output.stderr);
            assert_eq!(place.names(), ["cp", "cp.lock", "precious"], "{what}");
        }
        assert_eq!(fs::read(place.file("precious")).unwrap(), b"precious");
        assert_eq!(fs::read_to_string(place.file("cp")).unwrap(), EARLIER);
    }
}

// --- what is read

#[test]
fn a_checkpoint_that_is_no_file_is_refused_and_nothing_is_made_beside_it() {
    for (what, plant) in &PLANTED[2..] {
        let place = Place::new();
        plant(&place.file("cp"));
        assert_refused(&place.open(), 2, &["cp", what]);
        assert_eq!(place.names(), ["cp"], "{what}");
    }
    // Through a link of our own, a device that never ends.
    let place = Place::new();
    symlink("/dev/zero", place.file("cp")).unwrap();
    assert_refused(&place.open(), 2, &["/dev/zero", "a device"]);
    assert_eq!(place.names(), ["cp"]);
    assert!(!Path::new("/dev/zero.lock").exists());
}

#[test]
fn a_checkpoint_that_is_too_long_is_refused_and_not_cut() {
    let place = Place::with_checkpoint();
    // As JSON it ends after the first line: only its length tells.
    let file = OpenOptions::new().append(true).open(place.file("cp"));
    let spaces = vec![b' '; 64 << 20];
    file.unwrap().write_all(&spaces).unwrap();
    assert_refused(&place.open(), 2, &["longer than 67108864 bytes"]);
}

#[test]
fn a_checkpoint_that_everyone_can_write_is_refused_and_one_of_a_group_is_not() {
    let place = Place::with_checkpoint();
    let open_with = |mode| {
        fs::set_permissions(place.file("cp"), fs::Permissions::from_mode(mode)).unwrap();
        place.open()
    };
    for mode in [0o602, 0o666, 0o777] {
        assert_refused(&open_with(mode), 2, &["everyone", "chmod o-w"]);
    }
    for mode in [0o600, 0o644, 0o660] {
        let output = open_with(mode);
        assert_eq!(output.code, TAKEN, "{mode:o}: {}", output.stderr);
    }
}

#[test]
fn a_checkpoint_of_another_user_is_refused_with_whose_it_is() {
    let place = Place::with_checkpoint();
    let whose = format!("another user (uid {OTHER})");
    if is_root() {
        for file in ["cp", "cp.lock"] {
            let mine = place.open();
            assert_eq!(mine.code, TAKEN, "{}", mine.stderr);
            chown(place.file(file), Some(OTHER), None).unwrap();
            let expected = format!("{file}' belongs to {whose}");
            assert_refused(&place.open(), 2, &[&expected]);
            chown(place.file(file), Some(0), None).unwrap();
        }
    } else {
        // Nobody but root can give a file away. But in a user namespace where we are root, all
        // that is root's outside is nobody's: such a file takes the place of the checkpoint.
        let script = r#"mount --bind /etc/passwd "$CHECKPOINT" && exec "$0" "$@""#;
        let output = in_namespace(script, &watch(&place.text("cp")))
            .env("CHECKPOINT", place.text("cp"))
            .run();
        assert_refused(&output, 2, &["cp' belongs to", &whose]);
    }
}

#[test]
fn a_checkpoint_that_must_not_be_read_is_told_with_whose_it_is() {
    let place = Place::with_checkpoint();
    let watch = watch(&place.text("cp"));
    let output = if is_root() {
        fs::set_permissions(place.file("cp"), fs::Permissions::from_mode(0o600)).unwrap();
        chown(place.file("cp"), Some(OTHER), None).unwrap();
        // Without its right to read everything.
        let without = "-dac_override,-dac_read_search";
        let mut words = ["--bounding-set", without, env!("CARGO_BIN_EXE_etcdwatch")].to_vec();
        words.extend(watch.iter().map(String::as_str));
        Program::new("setpriv", &words).run()
    } else {
        let script = r#"mount --bind /etc/shadow "$CHECKPOINT" && exec "$0" "$@""#;
        let program = in_namespace(script, &watch);
        program.env("CHECKPOINT", place.text("cp")).run()
    };
    let whose = format!("Permission denied (os error 13); it belongs to uid {OTHER}");
    assert_refused(&output, 2, &["cannot read the checkpoint", &whose]);
}

#[test]
fn a_link_of_another_user_is_not_followed() {
    let whose = format!("symbolic link of another user (uid {OTHER})");
    if is_root() {
        // In any directory, one that is shared (`/tmp`) or not.
        for mode in [0o1777, 0o755] {
            let place = Place::new();
            fs::set_permissions(place.0.path(), fs::Permissions::from_mode(mode)).unwrap();
            symlink("behind", place.file("cp")).unwrap();
            let mine = place.open();
            assert_eq!(mine.code, TAKEN, "{}", mine.stderr);
            assert_eq!(place.names(), ["behind.lock", "cp"]);
            lchown(place.file("cp"), Some(OTHER), None).unwrap();
            assert_refused(&place.open(), 2, &["cp", &whose]);
            // The second on the way is no better.
            symlink("cp", place.file("mine")).unwrap();
            assert_refused(&open(&place.text("mine")), 2, &["cp", &whose]);
        }
    } else {
        // Root's link, which is nobody's in a namespace where we are root.
        let output = in_namespace(r#"exec "$0" "$@""#, &watch("/proc/mounts")).run();
        assert_refused(&output, 2, &["/proc/mounts", &whose]);
    }
}

// --- where nothing can be written

/// The tool with these arguments, about to be run by a shell in a mount namespace of its own, in
/// which it may mount.
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

/// A disk of 64 KiB, which the tool alone sees where `$DISK` says.
const MOUNT: &str = r#"mount -t tmpfs -o size=64k,mode=700 disk "$DISK" && "#;

/// A stream on `/app` with its checkpoint on a disk of its own.
struct OnDisk {
    running: Running,
    place: Place,
    /// The disk is there as long as this is open.
    disk: File,
}

impl OnDisk {
    fn start(url: &str) -> Self {
        let place = Place::new();
        let checkpoint = place.text("cp");
        let watch = ["-o", "json", "watch", "--stream", "--status", "-r", "/app"];
        let arguments = [
            &["--endpoints", url],
            &watch[..],
            &["--checkpoint", &checkpoint],
        ];
        let arguments: Vec<String> = arguments.concat().into_iter().map(str::to_owned).collect();
        let script = format!(r#"{MOUNT} exec "$0" "$@""#);
        let running = in_namespace(&script, &arguments)
            .env("DISK", place.0.path())
            .start();
        follow::wait_for(&running, "the stream to be live", follow::is_live);
        let root = format!("/proc/{}/root", running.pid());
        let disk = File::open(Path::new(&root).join(place.0.path().strip_prefix("/").unwrap()));
        Self {
            running,
            place,
            disk: disk.unwrap(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.disk.as_raw_fd()))
    }

    /// Writes an event and waits until it was printed and the checkpoint says so; the file's bytes.
    fn tell(&self, url: &str) -> Vec<u8> {
        let told = v2::put(url, "/app/k", "told");
        follow::wait_for_value(&self.running, "/app/k", "told");
        follow::wait_for_position(&self.file("cp"), told.index);
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

    /// The run has ended as it should where the checkpoint can't be written, and it is as it was.
    #[track_caller]
    fn assert_failed(self, why: &str, before: &[u8]) {
        let files = ["cp", "cp.new"].map(|name| self.file(name));
        let output = self.running.wait(wait::LONG);
        assert_refused(&output, 74, &[&self.place.text("cp"), why]);
        let values = output.json();
        let values: Vec<&str> = values
            .iter()
            .filter_map(|record| record["node"]["value"].as_str())
            .collect();
        assert_eq!(values, ["told", "late"]);
        assert_eq!(fs::read(&files[0]).unwrap(), before);
        assert!(!files[1].exists());
    }
}

#[test]
fn a_disk_that_fills_up_ends_the_run_and_leaves_the_old_checkpoint_whole() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let on_disk = OnDisk::start(&url);
    let before = on_disk.tell(&url);
    on_disk.fill();
    v2::put(&url, "/app/k", "late");
    on_disk.assert_failed("No space left on device", &before);
}

#[test]
fn who_ends_a_run_is_told_that_its_last_checkpoint_could_not_be_written() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let on_disk = OnDisk::start(&url);
    let before = on_disk.tell(&url);
    on_disk.fill();
    v2::put(&url, "/app/k", "late");
    follow::wait_for_value(&on_disk.running, "/app/k", "late");
    on_disk.running.try_signal(Signal::TERM);
    on_disk.assert_failed("No space left on device", &before);
}

#[test]
fn a_disk_that_becomes_read_only_ends_the_run_and_leaves_the_old_checkpoint_whole() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let on_disk = OnDisk::start(&url);
    let before = on_disk.tell(&url);
    let target = on_disk.running.pid().to_string();
    let directory = on_disk.place.0.path().to_str().unwrap();
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
fn a_disk_that_is_full_or_read_only_from_the_start_is_told_before_anything_is_printed() {
    let place = Place::new();
    let lock = place.text("cp.lock");
    for (options, why) in [
        ("size=4k,nr_inodes=1", "No space left on device"),
        ("ro", "Read-only file system"),
    ] {
        let script = format!(r#"mount -t tmpfs -o {options} disk "$DISK" && exec "$0" "$@""#);
        let output = in_namespace(&script, &watch(&place.text("cp")))
            .env("DISK", place.0.path())
            .run();
        assert_refused(&output, 74, &[&lock, why]);
    }
    let missing = open(&place.text("missing/cp"));
    assert_refused(&missing, 74, &["missing/cp.lock", "No such file"]);
}

#[test]
fn a_directory_that_is_removed_ends_the_run() {
    let etcd = Etcd::start(Version::V3_5);
    let url = etcd.url();
    let place = Place::new();
    fs::create_dir(place.file("d")).unwrap();
    let checkpoint = place.text("d/cp");
    let running = follow::live(&url, &["-r", "/app", "--checkpoint", &checkpoint]);
    let told = v2::put(&url, "/app/k", "told");
    follow::wait_for_position(&place.file("d/cp"), told.index);
    fs::remove_dir_all(place.file("d")).unwrap();
    v2::put(&url, "/app/k", "late");
    let output = running.wait(wait::LONG);
    assert_refused(&output, 74, &[&checkpoint, "No such file"]);
    assert!(output.stdout.contains(r#""value":"late""#));
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_no_death() {
    let ground = shared::any();
    let key = ground.key("k");
    let from = ground.put(&key, "told").to_string();
    let place = Place::new();
    let checkpoint = place.text("cp");
    let watch = ["watch", "--stream", &key, "--checkpoint", &checkpoint];
    let begin = [&watch[..], &["--from-index", &from, "--count", "1"]].concat();
    let output = ground.tool(&begin);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let before = fs::read(place.file("cp")).unwrap();
    ground.put(&key, "late");
    let limited = r#"ulimit -f 0; exec "$0" "$@""#;
    let output = ground.shell(limited, &watch).run();
    assert_refused(&output, 74, &[&checkpoint, "File too large"]);
    assert_eq!(fs::read(place.file("cp")).unwrap(), before);
    assert_eq!(place.names(), ["cp", "cp.lock"]);
}

/// So many records as don't fit on a disk of 64 KiB, or in a file of one block.
fn many_records() -> (shared::Ground, Vec<String>) {
    let ground = shared::any();
    let value = "x".repeat(700);
    let put = |number| ground.put(&ground.key(&format!("k{number}")), &value);
    let from = (0..100).map(put).min().unwrap();
    let replay = ["replay", "-r", ground.part(), "--from-index"];
    let arguments = replay.into_iter().map(str::to_owned);
    let arguments = arguments.chain([from.to_string()]).collect();
    (ground, arguments)
}

#[test]
fn an_output_that_has_no_room_ends_the_run_and_what_was_printed_stays() {
    let (ground, replay) = many_records();
    let replay: Vec<&str> = replay.iter().map(String::as_str).collect();
    let whole = ground.tool(&replay);
    assert_eq!(whole.stdout.lines().count(), 100, "{}", whole.stderr);
    let place = Place::new();
    let script =
        format!(r#"{MOUNT} {{ "$0" "$@" >"$DISK/out"; code=$?; cat "$DISK/out"; exit $code; }}"#);
    let full = in_namespace(&script, &ground.arguments(&replay))
        .env("DISK", place.0.path())
        .run();
    assert_refused(&full, 74, &["standard output", "No space left on device"]);
    assert_eq!(full.stdout.len(), 64 << 10);
    assert!(whole.stdout.starts_with(&full.stdout));
    let script = r#"ulimit -f 1; exec "$0" "$@" >"$OUT""#;
    let limited = ground
        .shell(script, &replay)
        .env("OUT", place.file("out"))
        .run();
    assert_refused(&limited, 74, &["standard output", "File too large"]);
    let written = fs::read_to_string(place.file("out")).unwrap();
    assert!(!written.is_empty() && whole.stdout.starts_with(&written));
}

/// What takes the place of the system's `fsync`: it fails for files, or else for directories.
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
fn what_is_not_known_to_be_on_the_disk_is_an_error() {
    let ground = shared::any();
    let key = ground.key("k");
    let from = ground.put(&key, "v").to_string();
    let (place, shim) = (Place::new(), Place::new());
    let (source, library) = (shim.text("fsync.c"), shim.text("fsync.so"));
    fs::write(&source, FAILING_FSYNC).unwrap();
    run("cc", &["-shared", "-fPIC", "-o", &library, &source]);
    let checkpoint = place.text("cp");
    let watch = ["watch", "--stream", &key, "--from-index", &from];
    let watch = [&watch[..], &["--count", "1", "--checkpoint", &checkpoint]].concat();
    let of_files = ground.program(&watch).env("LD_PRELOAD", &library);
    assert_refused(&of_files.run(), 74, &[&checkpoint, "Input/output error"]);
    assert_eq!(place.names(), ["cp.lock"]);
    let of_directories = ground.program(&watch).env("LD_PRELOAD", &library);
    let of_directories = of_directories.env("OF_DIRECTORIES", "1").run();
    assert_refused(&of_directories, 74, &[&checkpoint, "Input/output error"]);
    assert_eq!(place.names(), ["cp", "cp.lock"]);
}

// --- what `check` reads

#[test]
fn a_file_to_check_against_that_never_ends_or_never_begins_holds_up_nothing() {
    let place = Place::new();
    let fifo = place.text("fifo");
    run("mkfifo", &[&fifo]);
    let check = |file: &str, more: &[&str]| {
        let check = ["--endpoints", NOWHERE, "check", file, "/app"];
        Program::tool(&[&check[..], more].concat())
    };
    let endless = check("/dev/zero", &["--max-event", "64KiB"]).run();
    assert_refused(&endless, 2, &["/dev/zero", "longer than 65536 bytes"]);
    let directory = check(&place.text(""), &[]).run();
    assert_refused(&directory, 2, &["Is a directory"]);
    let in_time = check(&fifo, &["--timeout", "300ms"]).run();
    assert_refused(&in_time, 124, &["timed out"]);
    let waiting = check(&fifo, &["--wait"]).start();
    wait::until(wait::LONG, "its handler", || waiting.catches(Signal::TERM));
    waiting.signal(Signal::TERM);
    assert_eq!(waiting.wait(wait::LONG).code, 143);
}

#[test]
fn what_a_fifo_brings_is_checked_as_a_file_is() {
    let ground = shared::any();
    ground.put(&ground.key("a"), "1");
    for (text, code) in [(r#"{"a": 1}"#, 0), (r#"{"a": 2}"#, 1)] {
        let check = ["check", "/dev/stdin", ground.part()];
        let output = ground.program(&check).stdin(text.as_bytes()).run();
        assert_eq!(output.code, code, "{}", output.stderr);
    }
}
