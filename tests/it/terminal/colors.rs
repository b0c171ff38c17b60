//! Columns and colors.

use super::{is_colored, rows};
use crate::support::shared;
use crate::support::tool::{Program, Terminal};
use crate::support::{v2, wait};

#[test]
fn columns_are_aligned_on_a_terminal() {
    let subtree = shared::any();
    let from = subtree.put(&subtree.key("a"), "VALUE").to_string();
    subtree.put(&subtree.key("longer"), "VALUE");
    subtree.put(&subtree.key("漢字"), "VALUE");
    let path = format!("/v2/keys{}", subtree.key("new"));
    let created = v2::request(
        "PUT",
        &subtree.url(),
        &path,
        &[("value", "VALUE"), ("prevExist", "false")],
    );
    assert_eq!(created.status, 201);
    let replay = ["replay", "-r", subtree.root(), "--from-index", &from];
    let terminal = subtree.on_terminal(&replay);
    assert_eq!(terminal.wait(wait::LONG), 0);
    let rows = rows(&terminal.screen());
    assert_eq!(rows.len(), 4, "{rows:?}");
    let column = |row: &String, part: &str| {
        let before = row.split(part).next().unwrap();
        assert_ne!(before, row, "no {part} in {row:?}");
        unicode_width::UnicodeWidthStr::width(before)
    };
    for part in [subtree.root(), "VALUE"] {
        let columns: Vec<_> = rows.iter().map(|row| column(row, part)).collect();
        assert!(columns.iter().all(|one| *one == columns[0]), "{rows:?}");
    }
    assert!(!terminal.raw().contains(&b'\t'), "columns, not tabs");
}

#[test]
fn records_are_colored_on_a_terminal_unless_disabled() {
    let subtree = shared::any();
    let from = subtree.put(&subtree.key("k"), "v").to_string();
    let replay = ["replay", "-r", subtree.root(), "--from-index", &from];
    let raw = |options: &[&str], variable: Option<(&str, &str)>| {
        let program = subtree.program(&[&replay[..], options].concat());
        let program = match variable {
            Some((name, value)) => program.env(name, value),
            None => program,
        };
        let terminal = program.on_terminal(24, 100);
        assert_eq!(terminal.wait(wait::LONG), 0);
        assert_eq!(rows(&terminal.screen()).len(), 1);
        terminal.raw()
    };
    let no_color = Some(("NO_COLOR", "1"));
    assert!(is_colored(&raw(&[], None)));
    assert!(is_colored(&raw(&["--color", "auto"], None)));
    assert!(is_colored(&raw(&["--color", "always"], no_color)));
    assert!(is_colored(&raw(
        &["--color", "always"],
        Some(("TERM", "dumb"))
    )));
    assert!(!is_colored(&raw(&[], no_color)));
    assert!(!is_colored(&raw(&["--color", "never"], None)));
    // An empty NO_COLOR is ignored.
    assert!(is_colored(&raw(&[], Some(("NO_COLOR", "")))));
}

#[test]
fn errors_are_colored_on_a_terminal_unless_disabled() {
    let subtree = shared::any();
    let key = subtree.key("none");
    let raw = |options: &[&str]| {
        let terminal = subtree.on_terminal(&[&["get", &key], options].concat());
        assert_eq!(terminal.wait(wait::LONG), 1);
        terminal.raw()
    };
    assert!(is_colored(&raw(&[])));
    assert!(!is_colored(&raw(&["--color", "never"])));
    // stderr is the terminal and stdout is not. The error is colored nevertheless.
    let script = r#"exec "$0" "$@" >/dev/null"#;
    let terminal = subtree.shell(script, &["get", &key]).on_terminal(24, 100);
    assert_eq!(terminal.wait(wait::LONG), 1);
    assert!(is_colored(&terminal.raw()));
}

#[test]
fn help_and_usage_errors_obey_the_color_option() {
    for (arguments, code) in [
        (&["--color", "never", "--help"][..], 0),
        (&["get", "--color", "never"], 2),
    ] {
        let terminal = Terminal::start(arguments, 60, 100);
        assert_eq!(terminal.wait(wait::LONG), code);
        assert!(!is_colored(&terminal.raw()), "{arguments:?}");
    }
    let terminal = Program::tool(&["--help"])
        .env("NO_COLOR", "1")
        .on_terminal(60, 100);
    assert_eq!(terminal.wait(wait::LONG), 0);
    assert!(!is_colored(&terminal.raw()));
}
