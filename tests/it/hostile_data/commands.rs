//! A command gets exactly the data that was written.

use std::fs;

use serde_json::json;

use crate::support::shared;
use crate::support::v3::encode;
use crate::support::{v2, wait};

#[test]
fn an_event_cannot_forge_a_variable_or_a_message() {
    let subtree = shared::any();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("environment").display().to_string();
    let values: [&[u8]; 6] = [
        b"x\nETCD_WATCH_KEY=/fake\nPATH=/fake",
        b"() { :;}; echo owned",
        b"$(touch owned)`touch owned`",
        b"\xff\xfe=\x9b2J",
        b"=",
        b"-n",
    ];
    let script = "env -0 >>\"$0\"; exit 3";
    let watch = [
        "--api",
        "v3",
        "-v",
        "watch",
        "--stream",
        "-r",
        subtree.root(),
        "--on-exec-failure",
        "continue",
        "--count",
        "6",
        "--",
        "sh",
        "-c",
        script,
        &file,
    ];
    let running = subtree.program(&watch).start();
    running.wait_for_stderr("< 200", wait::LONG);
    let mut expected = Vec::new();
    for (number, value) in values.iter().enumerate() {
        let key = [
            subtree.key("").as_bytes(),
            b"a\nETCD_WATCH_VALUE=fake\netcdwatch: all is well\n",
            &[b'0' + u8::try_from(number).unwrap()],
        ]
        .concat();
        let body = json!({"key": encode(&key), "value": encode(value)});
        v2::v3(&subtree.url(), "/v3/kv/put", &body);
        expected.push([
            b"ETCD_WATCH_ACTION=set".to_vec(),
            [b"ETCD_WATCH_KEY=", &key[..]].concat(),
            [b"ETCD_WATCH_VALUE=", *value].concat(),
        ]);
    }
    let output = running.wait(wait::LONG);
    assert_eq!(output.code, 0, "{output:?}");
    let lines: Vec<&str> = output
        .stderr
        .lines()
        .filter(|line| line.contains("all is well"))
        .collect();
    assert_eq!(lines.len(), 6, "{output:?}");
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("etcdwatch: the command for ")),
        "{lines:?}"
    );
    let environment = fs::read(&file).unwrap();
    let mut printed: Vec<&[u8]> = environment
        .split(|byte| *byte == 0)
        .filter(|variable| {
            variable.starts_with(b"ETCD_WATCH_")
                && !variable.starts_with(b"ETCD_WATCH_MODIFIED_INDEX=")
        })
        .collect();
    for mut expected in expected {
        let mut one: Vec<&[u8]> = printed.drain(..3).collect();
        one.sort_unstable();
        expected.sort();
        assert_eq!(one, expected);
    }
    assert!(printed.is_empty());
    assert!(!directory.path().join("owned").exists());
}
