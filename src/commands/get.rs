//! The command `get`.

use super::request::{self, Rendered, Requester, parse_key, parse_literal};
use super::v3_request;
use crate::cli;
use crate::error::Error;
use crate::render::json;
use crate::run::stop::Stop;
use crate::settings::{OutputFormat, Settings};
use etcdwatch_engine::escape;
use etcdwatch_engine::model::Tree;
use etcdwatch_engine::v2;
use etcdwatch_engine::v3::{self, KeyRange};

/// The options for the keys and the output of `get`.
#[derive(Clone, Debug)]
struct GetOptions {
    typed: cli::Get,
    is_json: bool,
    is_terminal: bool,
}

/// Prints a value, a directory's children, or the reply as JSON.
///
/// # Errors
/// If a key does not exist, or a request fails.
pub fn run(typed: &cli::Get, settings: &Settings) -> Result<(), Stop> {
    let options = GetOptions {
        typed: typed.clone(),
        is_json: settings.output == OutputFormat::Json,
        is_terminal: settings.stdout_is_terminal,
    };
    let keys = typed.keys.join(" ");
    request::run(settings, "reading", &keys, move |requester| {
        let mut rendered = Rendered::from(Vec::new());
        for key in &options.typed.keys {
            match options.one(key, requester) {
                Ok(records) => rendered.records.extend(records),
                Err(error) => {
                    // The other keys are printed nevertheless.
                    let goes_on = error.is_not_found();
                    rendered.errors.push(error);
                    if !goes_on {
                        break;
                    }
                }
            }
        }
        Ok(rendered)
    })
}

impl GetOptions {
    fn one(&self, key: &str, requester: &Requester) -> Result<Vec<u8>, Error> {
        if self.typed.prefix {
            return requester.with_v3("--prefix", || self.with_v3(key, requester));
        }
        requester
            .with_either(
                || self.with_v2(key, requester),
                || self.with_v3(key, requester),
            )
            .map_err(|error| requester.look_elsewhere(key, error))
    }

    fn with_v2(&self, key: &str, requester: &Requester) -> Result<Vec<u8>, Error> {
        let key = parse_key(key)?;
        let options = v2::ReadOptions {
            recursive: self.typed.recursive,
            sorted: self.typed.sort,
            quorum: self.typed.quorum,
        };
        let answer = requester.send(&v2::read(&key, options))?;
        if self.is_json {
            v2::check_state(&answer.body).map_err(|error| answer.malformed(error))?;
            let mut out = Vec::new();
            json::push_line(&json::one_line(&answer.body), self.is_terminal, &mut out);
            return Ok(out);
        }
        let state = v2::parse_state(&answer.body).map_err(|error| answer.malformed(error))?;
        Ok(self.render(&state.node.into()))
    }

    fn with_v3(&self, key: &str, requester: &Requester) -> Result<Vec<u8>, Error> {
        let recursive = self.typed.recursive;
        let key = if self.typed.prefix {
            key.as_bytes()
        } else {
            parse_literal(key)?
        };
        let ranges = match (self.typed.prefix, recursive) {
            (true, _) => v3::list(vec![KeyRange::beginning_with(key)]),
            (false, true) => v3::list(vec![KeyRange::of(key), KeyRange::below(key)]),
            // Only the names are printed, so the values are not requested.
            (false, false) => v3::read_one(key, !self.is_json),
        };
        let mut answered = v3_request::read(requester, &ranges)?;
        let pairs = std::mem::take(&mut answered.reply.pairs);
        if pairs.is_empty() {
            return Err(answered.not_found(key));
        }
        let mut leaves: Vec<Tree> = pairs.into_iter().map(Tree::from).collect();
        let tree = match leaves.as_mut_slice() {
            [one] if one.key == key && !self.typed.prefix => std::mem::take(one),
            _ if self.typed.prefix => Tree {
                key: key.to_owned(),
                dir: true,
                nodes: leaves,
                ..Tree::default()
            },
            [first, ..] if first.key == key && !key.ends_with(b"/") => {
                // Over v3, a key can have a value and keys below it. It is printed before them.
                let node = leaves.remove(0);
                let mut tree = Tree::directory(key, leaves, recursive);
                tree.nodes.insert(0, node);
                tree
            }
            _ => Tree::directory(key, leaves, recursive),
        };
        if self.is_json {
            let mut out = Vec::new();
            let record = json::tree(&tree).to_string();
            json::push_line(record.as_bytes(), self.is_terminal, &mut out);
            return Ok(out);
        }
        Ok(self.render(&tree))
    }

    fn render(&self, tree: &Tree) -> Vec<u8> {
        let recursive = self.typed.recursive || self.typed.prefix;
        let is_named = recursive || self.typed.keys.len() > 1;
        render(tree, recursive, is_named, self.is_terminal)
    }
}

fn render(tree: &Tree, recursive: bool, is_named: bool, is_terminal: bool) -> Vec<u8> {
    if let (Some(value), false) = (&tree.value, is_named || is_terminal) {
        // A pipe gets the bytes of the value without a change.
        return [value, &b"\n"[..]].concat();
    }
    let mut out = String::new();
    match &tree.value {
        Some(value) if is_named => line(tree, Some(value), &mut out),
        Some(value) => {
            escape::text(value, &mut out);
            out.push('\n');
        }
        None => children(tree, recursive, &mut out),
    }
    out.into_bytes()
}

fn children(tree: &Tree, recursive: bool, out: &mut String) {
    for child in &tree.nodes {
        let value = recursive.then(|| child.value.as_deref().unwrap_or_default());
        line(child, value, out);
        if recursive {
            children(child, recursive, out);
        }
    }
}

fn line(tree: &Tree, value: Option<&[u8]>, out: &mut String) {
    escape::text(&tree.key, out);
    if tree.dir {
        out.push('/');
    }
    if let Some(value) = value {
        out.push('\t');
        escape::text(value, out);
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(json: &str) -> Tree {
        serde_json::from_str::<v2::ReplyNode>(json).unwrap().into()
    }

    fn rendered(json: &str, recursive: bool, is_terminal: bool) -> String {
        String::from_utf8(render(&node(json), recursive, recursive, is_terminal)).unwrap()
    }

    #[test]
    fn a_value_is_raw_in_a_pipe_and_escaped_on_a_terminal() {
        let json = r#"{"key":"/a","value":"x\u001b\ny","modifiedIndex":1}"#;
        assert_eq!(rendered(json, false, false), "x\u{1b}\ny\n");
        assert_eq!(rendered(json, false, true), "x\\x1b\\ny\n");
    }

    #[test]
    fn the_children_of_a_directory_are_printed_one_per_line() {
        let json = r#"{"key":"/a","dir":true,"nodes":[{"key":"/a/d","dir":true,"modifiedIndex":1},{"key":"/a/\n","value":"v","modifiedIndex":2}]}"#;
        assert_eq!(rendered(json, false, false), "/a/d/\n/a/\\n\n");
    }

    #[test]
    fn a_recursive_listing_has_values() {
        let json = r#"{"key":"/a","dir":true,"nodes":[{"key":"/a/d","dir":true,"modifiedIndex":1,"nodes":[{"key":"/a/d/x","value":"1\t2","modifiedIndex":2}]}]}"#;
        assert_eq!(rendered(json, true, false), "/a/d/\t\n/a/d/x\t1\\t2\n");
    }

    #[test]
    fn an_empty_directory_prints_nothing_and_an_empty_value_an_empty_line() {
        assert_eq!(rendered(r#"{"key":"/a","dir":true}"#, false, false), "");
        assert_eq!(rendered(r#"{"key":"/a","value":""}"#, false, false), "\n");
    }
}
