//! Reads the file that says what a subtree should contain.
//!
//! In scope: nested JSON or YAML, whose names are below the key; flat JSON or YAML, whose names are
//! whole keys; and what `get -r -o json` printed. Out of scope: what it is compared with (`drift`).
//!
//! Numbers, `true` and `false` keep the spelling of the file. Lists and `null` are refused, because etcd has
//! neither.

mod json;
mod yaml;

use std::collections::BTreeMap;

use etcdwatch_engine::model::{Key, Scope};

/// Keys and their values.
pub type Keys = BTreeMap<Vec<u8>, Vec<u8>>;

/// The deepest nesting that is accepted, because reading is recursive.
const MAX_DEPTH: usize = 128;
/// The limit of all keys together, in bytes. A name is part of every key below it, so that a small file could
/// expand to more keys than fit in memory.
const MAX_KEY_BYTES: usize = 256 << 20;

/// Why a file is invalid, with the line and the column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {why}")]
pub struct InvalidFile {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The reason.
    pub why: String,
}

/// Decodes the bytes of a file.
///
/// # Errors
/// If they are not UTF-8.
pub fn text(bytes: Vec<u8>) -> Result<String, InvalidFile> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let before = String::from_utf8_lossy(before);
        Location::Byte(valid)
            .invalid("the file is not UTF-8")
            .in_text(&before)
    })
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Location {
    /// The offset of a byte. Line and column are counted only for an error, because that takes as long as
    /// reading everything before it.
    Byte(usize),
    /// A line and a column, as a parser reports them.
    At { line: usize, column: usize },
}

impl Location {
    const START: Self = Self::Byte(0);

    fn invalid(self, why: impl Into<String>) -> Invalid {
        Invalid {
            place: self,
            why: why.into(),
        }
    }

    /// Line and column in `text`.
    fn in_text(self, text: &str) -> (usize, usize) {
        match self {
            Self::At { line, column } => (line, column),
            Self::Byte(offset) => {
                let before = text.get(..offset).unwrap_or(text);
                let last = before.rsplit('\n').next().unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                (line, last.chars().count() + 1)
            }
        }
    }
}

/// Why a text is invalid, before its line is counted.
#[derive(Clone, Debug)]
struct Invalid {
    place: Location,
    why: String,
}

impl Invalid {
    fn in_text(self, text: &str) -> InvalidFile {
        let (line, column) = self.place.in_text(text);
        InvalidFile {
            line,
            column,
            why: self.why,
        }
    }
}

/// The content of a name in a file: a value or more names.
#[derive(Clone, Debug)]
enum FileEntry {
    Value(String),
    Names(Vec<(Location, String, FileEntry)>),
}

/// The contents of a file.
#[derive(Clone, Debug)]
pub struct Desired {
    text: String,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// Names, which are below the key or are whole keys.
    Named(Vec<(Location, String, FileEntry)>),
    /// Keys as `get -r -o json` prints them.
    Printed(Keys),
}

impl Desired {
    /// Parses a file. It is JSON if its extension is `json`, or if it begins with a brace and its extension
    /// is not that of YAML. Otherwise it is YAML.
    ///
    /// # Errors
    /// If it is neither, or has something that etcd cannot have.
    pub fn parse(text: &str, extension: Option<&str>) -> Result<Self, InvalidFile> {
        let is_yaml = matches!(extension, Some("yaml" | "yml"));
        let is_json = extension == Some("json") || text.trim_start().starts_with('{');
        let form = if is_json && !is_yaml {
            json::read(text)
        } else {
            yaml::read(text)
        };
        Ok(Self {
            form: form.map_err(|invalid| invalid.in_text(text))?,
            text: text.to_owned(),
        })
    }

    /// The keys of the file, which are all in `scope`.
    ///
    /// # Errors
    /// If a name is not a valid key, or is outside of `scope`.
    pub fn keys(&self, scope: &Scope) -> Result<Keys, InvalidFile> {
        let keys = match &self.form {
            Form::Printed(printed) => of_printed(printed, scope),
            Form::Named(names) => of_named(names, scope),
        };
        keys.map_err(|invalid| invalid.in_text(&self.text))
    }
}

fn of_printed(printed: &Keys, scope: &Scope) -> Result<Keys, Invalid> {
    match printed.keys().find(|key| !scope.holds(key)) {
        None => Ok(printed.clone()),
        Some(key) => {
            let key = String::from_utf8_lossy(key);
            let why = format!("'{key}' is not below {}", scope.key);
            Err(Location::START.invalid(why))
        }
    }
}

fn of_named(names: &[(Location, String, FileEntry)], scope: &Scope) -> Result<Keys, Invalid> {
    let (mut keys, mut left) = (Keys::new(), MAX_KEY_BYTES);
    for (place, name, node) in names {
        let is_value = matches!(node, FileEntry::Value(_));
        let key = if is_whole(name, scope, is_value) {
            name.clone()
        } else {
            below(scope.key.as_str(), name)
        };
        collect(&key, *place, node, scope, &mut keys, &mut left)?;
    }
    Ok(keys)
}

/// Whether a name at the top level is a whole key, and not a name below the compared key.
fn is_whole(name: &str, scope: &Scope, is_value: bool) -> bool {
    let own = scope.key.as_str();
    name.starts_with('/') || (!own.starts_with('/') && is_value && scope.holds(name.as_bytes()))
}

fn below(above: &str, name: &str) -> String {
    if above.ends_with('/') {
        format!("{above}{name}")
    } else {
        format!("{above}/{name}")
    }
}

fn collect(
    key: &str,
    place: Location,
    node: &FileEntry,
    scope: &Scope,
    keys: &mut Keys,
    left: &mut usize,
) -> Result<(), Invalid> {
    *left = left
        .checked_sub(key.len())
        .ok_or_else(|| place.invalid("there are too many keys, or they are too long"))?;
    let value = match node {
        FileEntry::Names(names) => {
            for (place, name, node) in names {
                collect(&below(key, name), *place, node, scope, keys, left)?;
            }
            return Ok(());
        }
        FileEntry::Value(value) => value,
    };
    let key = if scope.key.is_path() {
        Key::parse(key).map_err(|error| place.invalid(format!("'{key}': {error}")))?
    } else {
        Key::literal(key).map_err(|error| place.invalid(format!("'{key}': {error}")))?
    };
    let key = key.as_str();
    if scope.holds(key.as_bytes()) && !scope.covers(key.as_bytes(), false) {
        return Err(place.invalid(format!(
            "'{key}' is hidden: the v2 API does not show it in its directory"
        )));
    }
    if !scope.holds(key.as_bytes()) {
        return Err(place.invalid(format!("'{key}' is not below {}", scope.key)));
    }
    let earlier = keys.insert(key.as_bytes().to_vec(), value.as_bytes().to_vec());
    if earlier.is_some() {
        return Err(place.invalid(format!("'{key}' appears twice")));
    }
    Ok(())
}

const EMPTY: &str = "the file is empty; write {} if the subtree should be empty";
const LIST: &str = "lists are not supported, because etcd has none";
const NULL: &str = "null is not supported, because etcd has none; write \"\" for an empty value";

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(key: &str) -> Scope {
        Scope::new(Key::parse(key).unwrap(), true)
    }

    fn keys(
        text: &str,
        extension: Option<&str>,
        scope: &Scope,
    ) -> Result<Vec<String>, InvalidFile> {
        let keys = Desired::parse(text, extension)?.keys(scope)?;
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        Ok(keys
            .iter()
            .map(|(key, value)| format!("{}={}", text(key), text(value)))
            .collect())
    }

    const ALL: [&str; 4] = ["/app/a=1", "/app/b/c=x y", "/app/b/d=", "/app/b/e/f=true"];

    #[test]
    fn nested_and_flat_json_yaml_and_the_output_of_get_give_the_same_keys() {
        let nested = r#"{"a": 1, "b": {"c": "x y", "d": "", "e": {"f": true}}}"#;
        let flat = r#"{"/app/a": "1", "/app/b/c": "x y", "/app/b/d": "", "/app/b/e/f": "true"}"#;
        let paths = r#"{"a": "1", "b/c": "x y", "b/d": "", "b/e/f": "true"}"#;
        let yaml = "a: 1\nb:\n  c: x y\n  d: ''\n  e: {f: true}\n";
        let printed = r#"{"action":"get","node":{"key":"/app","dir":true,"nodes":[
            {"key":"/app/a","value":"1","modifiedIndex":4},
            {"key":"/app/b","dir":true,"nodes":[{"key":"/app/b/c","valueBase64":"eCB5"},
            {"key":"/app/b/d","value":""},{"key":"/app/b/e/f","value":"true"}]}]}}"#;
        for (text, extension) in [
            (nested, None),
            (nested, Some("yaml")),
            (flat, None),
            (flat, Some("json")),
            (paths, None),
            (yaml, None),
            (yaml, Some("yml")),
            (printed, None),
        ] {
            assert_eq!(
                keys(text, extension, &scope("/app")).unwrap(),
                ALL,
                "{text}"
            );
        }
    }

    #[test]
    fn a_number_keeps_its_spelling() {
        let text = r#"{"a":1.0,"b":1e3,"c":123456789012345678901234567890,"d":"\u00e9"}"#;
        let expected = [
            "/a=1.0",
            "/b=1e3",
            "/c=123456789012345678901234567890",
            "/d=é",
        ];
        assert_eq!(keys(text, None, &scope("/")).unwrap(), expected);
        let yaml = "a: 1.0\nb: 1e3\nc: 0x10\nd: yes\ne: 'null'\nf: |\n  two\n  lines\n";
        let expected = [
            "/a=1.0",
            "/b=1e3",
            "/c=0x10",
            "/d=yes",
            "/e=null",
            "/f=two\nlines\n",
        ];
        assert_eq!(keys(yaml, None, &scope("/")).unwrap(), expected);
    }

    #[test]
    fn keys_of_v3_are_literal() {
        let app = Scope::new(Key::literal("app").unwrap(), true);
        for text in [r#"{"a":"1"}"#, r#"{"app/a":"1"}"#] {
            assert_eq!(keys(text, None, &app).unwrap(), ["app/a=1"]);
        }
        let own = keys(r#"{"app":{"a":"1"},"app/app":"2"}"#, None, &app).unwrap();
        assert_eq!(own, ["app/app=2", "app/app/a=1"]);
        let slash = Scope::new(Key::literal("/app/").unwrap(), true);
        assert_eq!(keys("{\"a\":\"1\"}", None, &slash).unwrap(), ["/app/a=1"]);
    }

    #[test]
    fn an_error_names_line_and_column() {
        for (text, line, column, part) in [
            ("{\"a\": 1,\n \"b\": }", 2, 7, "expected value"),
            ("{\"a\": {\n\"b\": [1]}}", 2, 6, "list"),
            ("{\"a\": {\n\"b\": null}}", 2, 6, "null"),
            ("{\"a\": {\"x\": 1,\n\"x\": 2}}", 2, 7, "twice"),
            ("{\"a\": 1} {", 1, 10, "follows"),
            ("{\"/b\": 1}", 1, 8, "below /app"),
            ("{\"a/../b\": 1}", 1, 12, "segments"),
            ("{\"a\": 1, \"a//\": 2}", 1, 17, "twice"),
            ("a: 1\nb: [1]\n", 2, 4, "list"),
            ("a: 1\na: 2\n", 2, 1, "twice"),
            ("a: 1\nb:\n", 2, 2, "null"),
            ("a: &x {b: *x}\n", 1, 11, "alias"),
            ("a: 'b\n", 1, 4, "quoted"),
            ("a: 1\n---\nb: 2\n", 3, 1, "second document"),
            ("just text\n", 1, 1, "no names"),
        ] {
            let wrong = keys(text, None, &scope("/app")).unwrap_err();
            let found = (wrong.line, wrong.why.contains(part));
            assert_eq!(found, (line, true), "{text:?}: {wrong}");
            assert_eq!(wrong.column, column, "{text:?}: {wrong}");
        }
    }

    #[test]
    fn invalid_utf_8_is_an_error_with_its_position() {
        let wrong = super::text(b"a: 1\nb: \xc3\xa9\xff".to_vec()).unwrap_err();
        assert_eq!((wrong.line, wrong.column), (2, 5));
    }

    #[test]
    fn deep_or_large_files_are_refused() {
        let deep = "{\"a\":".repeat(100_000);
        assert!(keys(&deep, None, &scope("/")).is_err());
        let deep = "{a: ".repeat(10_000);
        assert!(keys(&deep, Some("yaml"), &scope("/")).is_err());
        let mut bomb = "a0: &a0 {x: 1, y: 1}\n".to_owned();
        for level in 1..40 {
            let before = level - 1;
            let twice = format!("a{level}: &a{level} {{x: *a{before}, y: *a{before}}}\n");
            bomb.push_str(&twice);
        }
        let wrong = keys(&bomb, None, &scope("/")).unwrap_err();
        assert!(wrong.why.contains("too many"), "{wrong}");
        let leaves: Vec<String> = (0..1000).map(|leaf| format!("\"{leaf}\":1")).collect();
        let long = format!("{{\"{}\":{{{}}}}}", "x".repeat(1 << 20), leaves.join(","));
        let wrong = keys(&long, None, &scope("/")).unwrap_err();
        assert!(wrong.why.contains("too many keys"), "{}", wrong.why);
    }

    #[test]
    fn an_empty_file_is_refused_and_an_empty_object_means_no_keys() {
        for text in ["", " \n", "---\n", "# nothing\n"] {
            let wrong = keys(text, None, &scope("/app")).unwrap_err();
            assert!(wrong.why.contains("empty"), "{text:?}: {wrong}");
        }
        for extension in [None, Some("yaml")] {
            assert!(keys("{}", extension, &scope("/app")).unwrap().is_empty());
        }
    }

    #[test]
    fn hidden_keys_are_refused_with_v2_and_do_not_exist_with_v3() {
        let wrong = keys("_h: 1\n", None, &scope("/app")).unwrap_err();
        assert!(wrong.why.contains("hidden"), "{wrong}");
        let v3 = Scope::new(Key::literal("/app").unwrap(), true);
        assert_eq!(keys("_h: 1\n", None, &v3).unwrap(), ["/app/_h=1"]);
    }

    #[test]
    fn names_that_resemble_the_output_of_get_are_names() {
        let text = r#"{"node":{"a":"1"},"action":"x"}"#;
        let expected = ["/app/action=x", "/app/node/a=1"];
        assert_eq!(keys(text, None, &scope("/app")).unwrap(), expected);
    }

    #[test]
    fn aliases_of_long_values_count_with_all_their_bytes() {
        let mut text = format!("k: &a '{}'\n", "x".repeat(500_000));
        for number in 0..5000 {
            text += "k";
            text += &number.to_string();
            text += ": *a\n";
        }
        let wrong = keys(&text, Some("yaml"), &scope("/")).err();
        assert!(wrong.is_some_and(|wrong| wrong.why.contains("too many")));
    }
}
