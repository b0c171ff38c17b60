//! The small languages of the command line and of the files that `check` reads.

use std::str::FromStr as _;

use clap::Parser as _;
use etcdwatch::cli::{Cli, duration};
use etcdwatch::desired::Desired;
use etcdwatch::filter::Pattern;
use etcdwatch::render::template::Template;
use etcdwatch::wait::Condition;
use etcdwatch_client::endpoint::{Endpoint, Scheme, without_password};
use etcdwatch_engine::model::{Key, Scope};

use super::bytes::Bytes;

/// Larger files take their time, and find nothing more.
const MAX_FILE: usize = 4096;

pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let which = bytes.byte() % 9;
    let Ok(text) = std::str::from_utf8(bytes.0) else {
        return;
    };
    match which {
        0 => {
            let _ = Condition::from_str(text);
        }
        1 => glob(text),
        2 => template(text),
        3 => {
            let _ = duration(text);
        }
        4 => endpoint(text),
        5 => key(text),
        6 => file(text, Some("yaml")),
        7 => file(text, Some("json")),
        _ => {
            let arguments = text.split('\n').take(32);
            let _ = Cli::try_parse_from(["etcdwatch"].into_iter().chain(arguments));
        }
    }
}

fn glob(text: &str) {
    let (pattern, key) = text.split_once('\n').unwrap_or((text, "/a/b"));
    if let Ok(pattern) = Pattern::from_str(pattern) {
        let _ = pattern.matches_above(key.as_bytes());
        if !key.is_empty() && pattern.matches(key.as_bytes()) {
            assert!(pattern.matches_above(key.as_bytes()));
        }
    }
}

fn template(text: &str) {
    let (template, field) = text.split_once('\n').unwrap_or((text, "\u{1b}[31m"));
    if let Ok(template) = Template::from_str(template) {
        let mut out = Vec::new();
        template.render(|_| field.as_bytes().into(), true, &mut out);
        let out = String::from_utf8(out).expect("UTF-8");
        let steers = |letter: char| letter.is_control() && letter != '\n';
        assert!(!out.contains(steers), "{out:?}");
    }
}

fn endpoint(text: &str) {
    let _ = without_password(text);
    for scheme in [Scheme::Http, Scheme::Https] {
        if let Ok(endpoint) = Endpoint::parse(text, scheme) {
            let again = Endpoint::parse(endpoint.url(), Scheme::Http);
            assert_eq!(again.expect("what was read can be read"), endpoint);
        }
    }
}

fn key(text: &str) {
    if let Ok(key) = Key::parse(text) {
        assert_eq!(Key::parse(key.as_str()).expect("a key"), key);
        assert!(Scope::new(key.clone(), true).holds(key.as_str().as_bytes()));
    }
    let _ = (Key::literal(text), Key::prefix(text));
}

fn file(text: &str, extension: Option<&str>) {
    if text.len() > MAX_FILE {
        return;
    }
    let scope = Scope::new(Key::root(), true);
    if let Ok(desired) = Desired::parse(text, extension)
        && let Ok(keys) = desired.keys(&scope)
    {
        assert!(keys.keys().all(|key| scope.holds(key)));
    }
}
