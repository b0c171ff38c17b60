//! `rm`: what is removed, and on which condition.

use serde_json::{Value, json};

use crate::support::shared::{self, Ground};
use crate::support::tool::Output;

#[track_caller]
fn fields(output: &Output) -> Vec<&str> {
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(output.stderr, "");
    let line = output.stdout.strip_suffix('\n').expect("a whole line");
    line.split('\t').collect()
}

#[track_caller]
fn assert_refused(output: &Output, code: i32, part: &str) {
    assert_eq!(output.code, code, "{output:?}");
    assert_eq!(output.stdout, "");
    let stderr = output.stderr.to_lowercase();
    assert!(stderr.contains(part), "no {part:?} in {output:?}");
}

fn is_there(ground: &Ground, key: &str) -> bool {
    ground.read(key, "quorum=true").status == 200
}

#[test]
fn a_key_is_removed_and_the_record_printed() {
    for ground in shared::each() {
        let key = ground.key("k");
        let index = ground.put(&key, "v");
        let output = ground.tool(&["rm", &key]);
        let fields = fields(&output);
        assert_eq!(fields[1..], ["delete", &key, ""]);
        assert!(fields[0].parse::<u64>().unwrap() > index);
        assert!(!is_there(&ground, &key));
    }
}

#[test]
fn json_is_the_servers_reply() {
    for ground in shared::each() {
        let key = ground.key("k");
        let created = ground.put(&key, "v");
        let output = ground.tool(&["rm", &key, "-o", "json"]);
        assert_eq!((output.code, output.stdout.lines().count()), (0, 1));
        let reply: Value = serde_json::from_str(&output.stdout).unwrap();
        let removed = reply["node"]["modifiedIndex"].as_u64().unwrap();
        assert!(removed > created);
        let expected = json!({
            "action": "delete",
            "node": {"key": key, "modifiedIndex": removed, "createdIndex": created},
            "prevNode": {"key": key, "value": "v", "modifiedIndex": created, "createdIndex": created},
        });
        assert_eq!(reply, expected);
    }
}

#[test]
fn a_missing_key_is_exit_1() {
    for ground in shared::each() {
        let key = ground.key("none");
        for flags in [
            &[][..],
            &["-r"],
            &["--dir"],
            &["--prev-value", "v"],
            &["--prev-value", ""],
            &["--prev-index", "1"],
        ] {
            let output = ground.tool(&[&["rm", &key], flags].concat());
            assert_refused(&output, 1, "not found");
        }
        let output = ground.tool(&["-o", "json", "rm", &key]);
        let error: Value = serde_json::from_str(&output.stderr).unwrap();
        assert_eq!(error["error"]["kind"], "keyNotFound");
        assert_eq!(error["error"]["exit"], 1);
    }
}

#[test]
fn a_directory_goes_with_all_below_it_only_recursively() {
    for ground in shared::each() {
        let key = ground.key("d");
        for flag in ["-r", "--recursive"] {
            ground.put(&format!("{key}/a/b"), "v");
            let output = ground.tool(&["rm", &key]);
            assert_refused(&output, 4, "not a file");
            assert!(output.stderr.contains("rm -r"), "{output:?}");
            let output = ground.tool(&["rm", "--dir", &key]);
            assert_refused(&output, 4, "not empty");
            assert!(output.stderr.contains("rm -r"), "{output:?}");
            assert!(is_there(&ground, &format!("{key}/a/b")));

            let output = ground.tool(&["rm", flag, &key]);
            assert_eq!(fields(&output)[1..], ["delete", &format!("{key}/"), ""]);
            assert!(!is_there(&ground, &key));
        }
    }
}

#[test]
fn an_empty_directory_goes_with_dir() {
    for ground in shared::each() {
        let key = ground.key("d");
        ground.mkdir(&key);
        let output = ground.tool(&["rm", &key]);
        assert_refused(&output, 4, "not a file");
        assert!(is_there(&ground, &key));
        let output = ground.tool(&["rm", "--dir", &key]);
        assert_eq!(fields(&output)[1..], ["delete", &format!("{key}/"), ""]);
        assert!(!is_there(&ground, &key));
    }
}

#[test]
fn recursive_removes_a_plain_key_too() {
    let ground = shared::any();
    let key = ground.key("k");
    ground.put(&key, "v");
    let output = ground.tool(&["rm", "-r", &key]);
    assert_eq!(fields(&output)[1..], ["delete", &key, ""]);
}

#[test]
fn a_previous_value_is_a_condition() {
    for ground in shared::each() {
        let key = ground.key("k");
        for option in ["--prev-value", "--with-value"] {
            ground.put(&key, "a&b=c +");
            assert_refused(
                &ground.tool(&["rm", &key, option, "other"]),
                1,
                "compare failed",
            );
            assert!(is_there(&ground, &key));
            let output = ground.tool(&["rm", &key, option, "a&b=c +"]);
            assert_eq!(fields(&output)[1..], ["compareAndDelete", &key, ""]);
            assert!(!is_there(&ground, &key));
        }
    }
}

#[test]
fn a_previous_index_is_a_condition() {
    for ground in shared::each() {
        let key = ground.key("k");
        for option in ["--prev-index", "--with-index"] {
            let index = ground.put(&key, "v");
            let stale = (index - 1).to_string();
            assert_refused(
                &ground.tool(&["rm", &key, option, &stale]),
                1,
                "compare failed",
            );
            assert!(is_there(&ground, &key));
            let output = ground.tool(&["rm", &key, option, &index.to_string()]);
            assert_eq!(fields(&output)[1..], ["compareAndDelete", &key, ""]);
            for bad in ["0", "-1", "x"] {
                let output = ground.tool(&["rm", &key, &format!("{option}={bad}")]);
                assert_eq!(output.code, 2, "{output:?}");
            }
        }
    }
}

#[test]
fn an_empty_previous_value_is_a_condition_and_not_its_absence() {
    for ground in shared::each() {
        let key = ground.key("k");
        for condition in [&["--prev-value", ""][..], &["--with-value="]] {
            let remove = || ground.tool(&[&["rm", &key], condition].concat());
            ground.put(&key, "not empty");
            assert_refused(&remove(), 1, "compare failed");
            assert!(is_there(&ground, &key));
            ground.put(&key, "");
            let output = remove();
            assert_eq!(fields(&output)[1..], ["compareAndDelete", &key, ""]);
            assert!(!is_there(&ground, &key));
        }
    }
}

#[test]
fn the_previous_value_of_a_directory_is_never_empty() {
    // A directory has no value: whoever asks for an empty one must not lose a directory.
    for ground in shared::each() {
        let key = ground.key("d");
        ground.put(&format!("{key}/x"), "1");
        let output = ground.tool(&["rm", "-r", &key, "--prev-value", ""]);
        assert!([1, 4].contains(&output.code), "{output:?}");
        assert!(is_there(&ground, &format!("{key}/x")));
    }
}

#[test]
fn the_root_is_not_removed() {
    let ground = shared::any();
    let key = ground.key("k");
    ground.put(&key, "v");
    for flags in [&[][..], &["-r"], &["--dir"]] {
        let output = ground.tool(&[&["rm", "/"], flags].concat());
        assert_eq!(output.code, 4, "{output:?}");
    }
    assert!(is_there(&ground, &key));
}
