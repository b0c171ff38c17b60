//! The form of records: `--timestamps`, `--format` and `--diff`.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::shared::{self, Subtree};
use crate::support::tool::{Output, Program};
use crate::support::v2;

#[track_caller]
fn replay(subtree: &Subtree, from: u64, options: &[&str]) -> Output {
    let from = from.to_string();
    let replay = ["replay", "-r", subtree.root(), "--from-index", &from];
    let output = subtree
        .program(&[&replay[..], options].concat())
        .env("TZ", "Asia/Tokyo")
        .run();
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    output
}

#[test]
fn timestamps_are_the_first_column_and_the_last_json_field() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let index = subtree.put(&key, "v");
        let line = replay(&subtree, index, &["--timestamps"]).stdout;
        let (time, rest) = line.split_once('\t').unwrap();
        assert_eq!(rest, format!("{index}\tset\t{key}\tv\n"));
        assert!(time.ends_with("+09:00") && time.len() == 29, "{time}");
        let utc = replay(&subtree, index, &["--timestamps", "--utc"]).stdout;
        let (time, _) = utc.split_once('\t').unwrap();
        assert!(time.ends_with('Z') && time.len() == 24, "{time}");
        // The time is the present.
        let days = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
            / 86_400;
        let year = 1970 + days / 366;
        assert!(time[..4].parse::<u64>().unwrap() >= year, "{time}");
        let plain = replay(&subtree, index, &["-o", "json"]).json().remove(0);
        let stamped = replay(&subtree, index, &["-o", "json", "--timestamps"]);
        assert!(stamped.stdout.ends_with("\"}\n"), "{stamped:?}");
        let mut stamped = stamped.json().remove(0);
        let time = stamped.as_object_mut().unwrap().remove("receivedAt");
        assert!(time.is_some_and(|time| time.as_str().is_some_and(|time| time.len() == 29)));
        assert_eq!(stamped, plain);
    }
}

#[test]
fn a_format_template_renders_records_of_every_kind() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let index = subtree.put(&key, "a\tb");
        subtree.put(&key, "c");
        let template = "{action}|{key}|{prev}|{value}|{index}";
        let shown = replay(&subtree, index, &["--format", template]).stdout;
        let next = v2::index(&subtree.url());
        let mut lines = shown.lines();
        assert_eq!(lines.next().unwrap(), format!("set|{key}||a\\tb|{index}"));
        let second = lines.next().unwrap();
        assert!(
            second.starts_with(&format!("set|{key}|a\\tb|c|")),
            "{second} at {next}"
        );
        let nul = replay(&subtree, index, &["--format", "{value}\\0", "--count", "1"]);
        assert_eq!(nul.stdout_bytes, b"a\tb\0");
        let watch = [
            "watch",
            "--stream",
            "-r",
            subtree.root(),
            "--snapshot",
            "--count",
            "1",
        ];
        let running = subtree
            .program(&[&watch[..], &["--format", "{action} {key} {value}"]].concat())
            .start();
        let lines = running.wait_for_lines(3, crate::support::wait::LONG);
        assert_eq!(
            lines[1..],
            [
                format!("get {key} c"),
                format!("synced {} ", subtree.root())
            ]
        );
        subtree.put(&key, "d");
        assert_eq!(running.wait(crate::support::wait::LONG).code, 0);
    }
}

#[test]
fn diff_shows_changes_of_long_values_line_by_line() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let index = subtree.put(&key, "one\ntwo\nthree\n");
        subtree.put(&key, "one\n2\nthree\n");
        subtree.put(&key, r#"{"a":1,"b":[2]}"#);
        subtree.put(&key, r#"{"a":1,"b":[3]}"#);
        subtree.put(&key, "short");
        subtree.put(&key, "shorter");
        let shown = replay(&subtree, index, &["--diff"]).stdout;
        for part in [
            "    +one\n    +two\n    +three\n",
            "     one\n    -two\n    +2\n     three\n",
            "       \"a\": 1,\n",
            "    -    2\n    +    3\n",
        ] {
            assert!(shown.contains(part), "no {part:?} in {shown}");
        }
        let last = shown.lines().last().unwrap();
        assert!(
            last.ends_with(&format!("\tset\t{key}\tshorter\tshort")),
            "{last}"
        );
        // Lines that are not records are indented.
        let records = shown.lines().filter(|line| !line.starts_with("    "));
        assert_eq!(records.count(), 6, "{shown}");
    }
}

#[test]
fn conflicting_output_options_are_rejected_before_a_checkpoint_is_created() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("checkpoint").display().to_string();
    for arguments in [
        &["watch", "/k", "--format", "{key}", "-o", "json"][..],
        &["watch", "/k", "--diff", "-o", "json"],
        &["watch", "/k", "--format", "{key}", "--prev"],
        &["watch", "/k", "--format", "{kay}"],
    ] {
        let output =
            Program::tool(&[arguments, &["--stream", "--checkpoint", &file]].concat()).run();
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
        let made = std::fs::read_dir(directory.path()).unwrap();
        assert_eq!(made.count(), 0, "{arguments:?}");
    }
    let output = Program::tool(&["watch", "/k", "--format", "a {kay}"]).run();
    assert!(output.stderr.contains("    a {kay}\n      ^"), "{output:?}");
}

#[test]
fn templates_and_diff_escape_control_characters() {
    let subtree = shared::any();
    let value = "\u{1b}[2J\r\n\u{7f}\u{202e}x\\";
    let index = subtree.put(&subtree.key("k"), value);
    let lines = replay(&subtree, index, &["--format", "{value}"]).stdout;
    assert_eq!(lines, "\\x1b[2J\\r\\n\\x7f\\u{202e}x\\\\\n");
    let shown = replay(&subtree, index, &["--diff"]).stdout;
    assert!(
        !shown.contains(['\u{1b}', '\r', '\u{7f}', '\u{202e}']),
        "{shown:?}"
    );
    let record: Value = replay(&subtree, index, &["-o", "json", "--timestamps"])
        .json()
        .remove(0);
    assert_eq!(record["node"]["value"], value);
}

#[test]
fn a_slow_diff_does_not_block_the_run() {
    let subtree = shared::any();
    let lines = |of: u32| {
        let lines = (0..30_000_u32).map(|line| (line * 7919 + of).wrapping_mul(2_654_435_761));
        lines
            .map(|line| line.to_string() + "\n")
            .collect::<String>()
    };
    let index = subtree.put(&subtree.key("k"), &lines(1));
    subtree.put(&subtree.key("k"), &lines(2));
    let from = index.to_string();
    let replay = [
        "replay",
        "-r",
        subtree.root(),
        "--from-index",
        &from,
        "--diff",
        "--timeout",
        "20s",
    ];
    let output = subtree.tool(&replay);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.lines().count() > 60_000);
}
