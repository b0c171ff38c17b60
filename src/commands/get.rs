//! `get`.

use super::request::{self, parse_key};
use crate::cli;
use crate::inbox::Stop;
use crate::print::{escape, json};
use crate::protocol::v2::{self, Node};
use crate::settings::Settings;

/// Prints a value, a directory's children, or the reply as JSON.
///
/// # Errors
/// Where the key is not there, or the request fails.
pub fn run(typed: &cli::Get, settings: &Settings) -> Result<(), Stop> {
    let key = parse_key(&typed.key)?;
    let how = v2::Read {
        recursive: typed.recursive,
        sorted: typed.sort,
        quorum: typed.quorum,
    };
    let is_json = settings.output == cli::Output::Json;
    let is_terminal = settings.stdout_is_terminal;
    let wanted = key.clone();
    request::run(settings, "reading", &wanted, move |client| {
        let answer = client.send(&v2::read(&key, how))?;
        Ok(if is_json {
            v2::check_state(&answer.body).map_err(|error| answer.malformed(error))?;
            let mut out = Vec::new();
            json::push_line(&json::one_line(&answer.body), is_terminal, &mut out);
            out
        } else {
            let state = v2::parse_state(&answer.body).map_err(|error| answer.malformed(error))?;
            render(&state.node, how.recursive, is_terminal)
        })
    })
}

fn render(node: &Node, recursive: bool, is_terminal: bool) -> Vec<u8> {
    let mut out = String::new();
    match (&node.value, node.dir) {
        (Some(value), false) if recursive => line(node, Some(value), &mut out),
        // The value's own bytes, so that a pipe gets what was written.
        (Some(value), false) if !is_terminal => {
            out.push_str(value);
            out.push('\n');
        }
        (Some(value), false) => {
            escape::text(value.as_bytes(), &mut out);
            out.push('\n');
        }
        _ => children(node, recursive, &mut out),
    }
    out.into_bytes()
}

fn children(node: &Node, recursive: bool, out: &mut String) {
    for child in &node.nodes {
        let value = recursive.then(|| child.value.as_deref().unwrap_or_default());
        line(child, value, out);
        if recursive {
            children(child, recursive, out);
        }
    }
}

fn line(node: &Node, value: Option<&str>, out: &mut String) {
    escape::text(node.key.as_bytes(), out);
    if node.dir {
        out.push('/');
    }
    if let Some(value) = value {
        out.push('\t');
        escape::text(value.as_bytes(), out);
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(json: &str) -> Node {
        serde_json::from_str(json).unwrap()
    }

    fn rendered(json: &str, recursive: bool, is_terminal: bool) -> String {
        String::from_utf8(render(&node(json), recursive, is_terminal)).unwrap()
    }

    #[test]
    fn a_value_is_printed_as_it_is_in_a_pipe_and_escaped_on_a_terminal() {
        let json = r#"{"key":"/a","value":"x\u001b\ny","modifiedIndex":1}"#;
        assert_eq!(rendered(json, false, false), "x\u{1b}\ny\n");
        assert_eq!(rendered(json, false, true), "x\\x1b\\ny\n");
    }

    #[test]
    fn a_directory_is_its_children_one_a_line() {
        let json = r#"{"key":"/a","dir":true,"nodes":[{"key":"/a/d","dir":true},{"key":"/a/\n","value":"v"}]}"#;
        assert_eq!(rendered(json, false, false), "/a/d/\n/a/\\n\n");
    }

    #[test]
    fn all_below_a_directory_comes_with_values() {
        let json = r#"{"key":"/a","dir":true,"nodes":[{"key":"/a/d","dir":true,"nodes":[{"key":"/a/d/x","value":"1\t2"}]}]}"#;
        assert_eq!(rendered(json, true, false), "/a/d/\t\n/a/d/x\t1\\t2\n");
    }

    #[test]
    fn an_empty_directory_prints_nothing_and_an_empty_value_an_empty_line() {
        assert_eq!(rendered(r#"{"key":"/a","dir":true}"#, false, false), "");
        assert_eq!(rendered(r#"{"key":"/a","value":""}"#, false, false), "\n");
    }
}
