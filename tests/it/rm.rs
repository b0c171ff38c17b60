//! `rm`: what is removed, and its conditions.

use serde_json::{Value, json};

use crate::support::shared::{self, Subtree};
use crate::support::tool::assert_fails;

fn is_there(subtree: &Subtree, key: &str) -> bool {
    subtree.read(key, "quorum=true").status == 200
}

#[test]
fn rm_removes_the_key_and_prints_the_record() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let index = subtree.put(&key, "v");
        let output = subtree.tool(&["rm", &key]);
        let fields = output.fields();
        assert_eq!(fields[1..], ["delete", &key, ""]);
        assert!(fields[0].parse::<u64>().unwrap() > index);
        assert!(!is_there(&subtree, &key));
    }
}

#[test]
fn rm_json_is_the_server_reply() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        let created = subtree.put(&key, "v");
        let output = subtree.tool(&["rm", &key, "-o", "json"]);
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
fn rm_of_a_missing_key_exits_1() {
    for subtree in shared::each() {
        let key = subtree.key("none");
        for flags in [
            &[][..],
            &["-r"],
            &["--dir"],
            &["--prev-value", "v"],
            &["--prev-value", ""],
            &["--prev-index", "1"],
        ] {
            let output = subtree.tool(&[&["rm", &key], flags].concat());
            assert_fails(&output, 1, &["not found"]);
        }
        let output = subtree.tool(&["-o", "json", "rm", &key]);
        let error: Value = serde_json::from_str(&output.stderr).unwrap();
        assert_eq!(error["error"]["kind"], "keyNotFound");
        assert_eq!(error["error"]["exit"], 1);
    }
}

#[test]
fn rm_removes_a_nonempty_directory_only_with_recursive() {
    for subtree in shared::each() {
        let key = subtree.key("d");
        for flag in ["-r", "--recursive"] {
            subtree.put(&format!("{key}/a/b"), "v");
            let output = subtree.tool(&["rm", &key]);
            assert_fails(&output, 4, &["Not a file"]);
            assert!(output.stderr.contains("rm -r"), "{output:?}");
            let output = subtree.tool(&["rm", "--dir", &key]);
            assert_fails(&output, 4, &["Directory not empty"]);
            assert!(output.stderr.contains("rm -r"), "{output:?}");
            assert!(is_there(&subtree, &format!("{key}/a/b")));

            let output = subtree.tool(&["rm", flag, &key]);
            assert_eq!(output.fields()[1..], ["delete", &format!("{key}/"), ""]);
            assert!(!is_there(&subtree, &key));
        }
    }
}

#[test]
fn rm_dir_removes_an_empty_directory() {
    for subtree in shared::each() {
        let key = subtree.key("d");
        subtree.mkdir(&key);
        let output = subtree.tool(&["rm", &key]);
        assert_fails(&output, 4, &["Not a file"]);
        assert!(is_there(&subtree, &key));
        let output = subtree.tool(&["rm", "--dir", &key]);
        assert_eq!(output.fields()[1..], ["delete", &format!("{key}/"), ""]);
        assert!(!is_there(&subtree, &key));
    }
}

#[test]
fn rm_recursive_removes_a_plain_key() {
    let subtree = shared::any();
    let key = subtree.key("k");
    subtree.put(&key, "v");
    let output = subtree.tool(&["rm", "-r", &key]);
    assert_eq!(output.fields()[1..], ["delete", &key, ""]);
}

#[test]
fn rm_prev_value_compares_the_value() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        for option in ["--prev-value", "--with-value"] {
            subtree.put(&key, "a&b=c +");
            assert_fails(
                &subtree.tool(&["rm", &key, option, "other"]),
                1,
                &["compare failed"],
            );
            assert!(is_there(&subtree, &key));
            let output = subtree.tool(&["rm", &key, option, "a&b=c +"]);
            assert_eq!(output.fields()[1..], ["compareAndDelete", &key, ""]);
            assert!(!is_there(&subtree, &key));
        }
    }
}

#[test]
fn rm_prev_index_compares_the_index() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        for option in ["--prev-index", "--with-index"] {
            let index = subtree.put(&key, "v");
            let stale = (index - 1).to_string();
            assert_fails(
                &subtree.tool(&["rm", &key, option, &stale]),
                1,
                &["compare failed"],
            );
            assert!(is_there(&subtree, &key));
            let output = subtree.tool(&["rm", &key, option, &index.to_string()]);
            assert_eq!(output.fields()[1..], ["compareAndDelete", &key, ""]);
            for bad in ["0", "-1", "x"] {
                let output = subtree.tool(&["rm", &key, &format!("{option}={bad}")]);
                assert_eq!(output.code, 2, "{output:?}");
            }
        }
    }
}

#[test]
fn rm_prev_value_compares_with_an_empty_value() {
    for subtree in shared::each() {
        let key = subtree.key("k");
        for condition in [&["--prev-value", ""][..], &["--with-value="]] {
            let remove = || subtree.tool(&[&["rm", &key], condition].concat());
            subtree.put(&key, "Directory not empty");
            assert_fails(&remove(), 1, &["compare failed"]);
            assert!(is_there(&subtree, &key));
            subtree.put(&key, "");
            let output = remove();
            assert_eq!(output.fields()[1..], ["compareAndDelete", &key, ""]);
            assert!(!is_there(&subtree, &key));
        }
    }
}

#[test]
fn rm_prev_value_never_matches_a_directory() {
    // A directory has no value, and a comparison with an empty value must not remove one.
    for subtree in shared::each() {
        let key = subtree.key("d");
        subtree.put(&format!("{key}/x"), "1");
        let output = subtree.tool(&["rm", "-r", &key, "--prev-value", ""]);
        assert!([1, 4].contains(&output.code), "{output:?}");
        assert!(is_there(&subtree, &format!("{key}/x")));
    }
}

#[test]
fn rm_refuses_to_remove_the_root() {
    let subtree = shared::any();
    let key = subtree.key("k");
    subtree.put(&key, "v");
    for flags in [&[][..], &["-r"], &["--dir"]] {
        let output = subtree.tool(&[&["rm", "/"], flags].concat());
        assert_eq!(output.code, 4, "{output:?}");
    }
    assert!(is_there(&subtree, &key));
}
