//! What a subtree is to be like, as a file says it.
//!
//! In scope: nested JSON or YAML, whose names are below the key; flat JSON or YAML, whose names are
//! whole keys; and what `get -r -o json` printed. Out of scope: what it is compared with (`drift`).
//!
//! A number, `true` and `false` are what is written in the file, to the letter. A list and a `null`
//! are refused: etcd has neither.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::{Key, Scope};

/// Keys and their values.
pub type Keys = BTreeMap<Vec<u8>, Vec<u8>>;

/// Deeper is refused, rather than to run out of stack.
const DEEPEST: usize = 128;
/// So many bytes the aliases of YAML may lead to in all.
const MOST: usize = 64 << 20;
/// A value takes as many beside its own.
const EACH: usize = 64;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {why}")]
pub struct Wrong {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What.
    pub why: String,
}

/// The bytes of a file as text.
///
/// # Errors
/// Where they are not UTF-8.
pub fn text(bytes: Vec<u8>) -> Result<String, Wrong> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let before = String::from_utf8_lossy(before);
        Place::Byte(valid).wrong("it is not UTF-8").in_text(&before)
    })
}

/// Where something stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At a byte. Which line that is in is counted where it matters alone: it takes as long as
    /// reading all before it.
    Byte(usize),
    At {
        line: usize,
        column: usize,
    },
}

impl Place {
    const START: Self = Self::Byte(0);

    fn wrong(self, why: impl Into<String>) -> Fault {
        Fault {
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

/// What is wrong with a text.
#[derive(Clone, Debug)]
struct Fault {
    place: Place,
    why: String,
}

impl Fault {
    fn in_text(self, text: &str) -> Wrong {
        let (line, column) = self.place.in_text(text);
        Wrong {
            line,
            column,
            why: self.why,
        }
    }
}

/// What a file has at a name.
#[derive(Clone, Debug)]
enum Node {
    Value(String),
    Names(Vec<(Place, String, Node)>),
}

/// A file that was read.
#[derive(Clone, Debug)]
pub struct Desired {
    text: String,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// Names, which are below the key or whole keys.
    Named(Vec<(Place, String, Node)>),
    /// Keys, as `get -r -o json` printed them.
    Printed(Keys),
}

impl Desired {
    /// Reads a file's text, which is JSON where it begins with a brace and is named `.json` or
    /// nothing, else YAML.
    ///
    /// # Errors
    /// Where it is neither, or has what etcd can't have.
    pub fn parse(text: &str, extension: Option<&str>) -> Result<Self, Wrong> {
        let is_yaml = matches!(extension, Some("yaml" | "yml"));
        let is_json = extension == Some("json") || text.trim_start().starts_with('{');
        let form = if is_json && !is_yaml {
            by_json(text)
        } else {
            by_yaml(text)
        };
        Ok(Self {
            form: form.map_err(|fault| fault.in_text(text))?,
            text: text.to_owned(),
        })
    }

    /// The keys in `scope` that it stands for.
    ///
    /// # Errors
    /// Where a name is none, or lies elsewhere.
    pub fn keys(&self, scope: &Scope) -> Result<Keys, Wrong> {
        let keys = match &self.form {
            Form::Printed(printed) => of_printed(printed, scope),
            Form::Named(names) => of_named(names, scope),
        };
        keys.map_err(|fault| fault.in_text(&self.text))
    }
}

fn of_printed(printed: &Keys, scope: &Scope) -> Result<Keys, Fault> {
    match printed.keys().find(|key| !scope.holds(key)) {
        None => Ok(printed.clone()),
        Some(key) => {
            let key = String::from_utf8_lossy(key);
            let why = format!("'{key}' does not lie below {}", scope.key);
            Err(Place::START.wrong(why))
        }
    }
}

fn of_named(names: &[(Place, String, Node)], scope: &Scope) -> Result<Keys, Fault> {
    let mut keys = Keys::new();
    for (place, name, node) in names {
        let is_value = matches!(node, Node::Value(_));
        let key = if is_whole(name, scope, is_value) {
            name.clone()
        } else {
            below(scope.key.as_str(), name)
        };
        collect(&key, *place, node, scope, &mut keys)?;
    }
    Ok(keys)
}

/// Whether a name at the top is a whole key, and not below the one that is compared.
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
    place: Place,
    node: &Node,
    scope: &Scope,
    keys: &mut Keys,
) -> Result<(), Fault> {
    let value = match node {
        Node::Names(names) => {
            for (place, name, node) in names {
                collect(&below(key, name), *place, node, scope, keys)?;
            }
            return Ok(());
        }
        Node::Value(value) => value,
    };
    let key = if scope.key.is_path() {
        Key::parse(key).map_err(|error| place.wrong(format!("'{key}': {error}")))?
    } else {
        Key::literal(key).map_err(|error| place.wrong(format!("'{key}': {error}")))?
    };
    let key = key.as_str();
    if scope.holds(key.as_bytes()) && !scope.covers(key.as_bytes(), false) {
        return Err(place.wrong(format!("'{key}' is hidden: v2 does not show it from above")));
    }
    if !scope.holds(key.as_bytes()) {
        return Err(place.wrong(format!("'{key}' does not lie below {}", scope.key)));
    }
    let earlier = keys.insert(key.as_bytes().to_vec(), value.as_bytes().to_vec());
    if earlier.is_some() {
        return Err(place.wrong(format!("'{key}' is there twice")));
    }
    Ok(())
}

/// The names of an object with the text of their values, in order.
struct Object<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Object<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut names, mut known) = (Vec::new(), HashSet::new());
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if !known.insert(name.clone()) {
                        return Err(A::Error::custom(format!("'{name}' is there twice")));
                    }
                    names.push((name, value));
                }
                Ok(Object(names))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

fn by_json(text: &str) -> Result<Form, Fault> {
    let mut objects = serde_json::Deserializer::from_str(text).into_iter::<Object<'_>>();
    let first = match objects.next() {
        None => return Err(Place::START.wrong(EMPTY)),
        Some(first) => first.map_err(|error| of_json(&error, text, 0))?,
    };
    // Names of a file may be the same; what `get` prints has the key that was read.
    let is_printed = |object: &Object<'_>| {
        let of = |wanted: &str| object.0.iter().find(|(name, _)| name == wanted);
        let is_get = of("action").is_some_and(|(_, value)| value.get() == r#""get""#);
        let node = of("node").and_then(|(_, node)| serde_json::from_str(node.get()).ok());
        let has_key = |node: PrintedNode| node.key.is_some() || node.key_base64.is_some();
        is_get && node.is_some_and(has_key)
    };
    if is_printed(&first) {
        return printed(text);
    }
    let end = objects.byte_offset();
    let rest = text.get(end..).unwrap_or_default();
    if !rest.trim().is_empty() {
        let space = rest.len() - rest.trim_start().len();
        return Err(Place::Byte(end + space).wrong("something follows the object"));
    }
    Ok(Form::Named(names_of(first, text, 1)?))
}

fn names_of(
    object: Object<'_>,
    text: &str,
    depth: usize,
) -> Result<Vec<(Place, String, Node)>, Fault> {
    let mut names = Vec::new();
    for (name, raw) in object.0 {
        // It is a part of the text.
        let offset = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let place = Place::Byte(offset);
        let node = match raw.get().as_bytes().first() {
            Some(b'{') if depth >= DEEPEST => return Err(place.wrong("it is too deep")),
            Some(b'{') => {
                let object = serde_json::from_str(raw.get())
                    .map_err(|error| of_json(&error, text, offset))?;
                Node::Names(names_of(object, text, depth + 1)?)
            }
            Some(b'"') => Node::Value(
                serde_json::from_str(raw.get()).map_err(|error| of_json(&error, text, offset))?,
            ),
            Some(b'[') => return Err(place.wrong(LIST)),
            Some(b'n') => return Err(place.wrong(NULL)),
            _ => Node::Value(raw.get().to_owned()),
        };
        names.push((place, name, node));
    }
    Ok(names)
}

const EMPTY: &str = "it is empty; where nothing is wanted, it is {}";
const LIST: &str = "a list: etcd has none";
const NULL: &str = "a null: etcd has none; an empty value is \"\"";

/// What is wrong with the JSON that begins at `offset`.
fn of_json(error: &serde_json::Error, text: &str, offset: usize) -> Fault {
    let (line, column) = Place::Byte(offset).in_text(text);
    let message = error.to_string();
    let why = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(why, _)| why);
    let is_first = error.line() <= 1;
    let place = Place::At {
        line: line + error.line().saturating_sub(1),
        column: error.column().max(1) + if is_first { column - 1 } else { 0 },
    };
    place.wrong(why)
}

/// What `get -o json` printed: a tree, or several.
#[derive(Deserialize)]
struct Printed {
    node: PrintedNode,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PrintedNode {
    key: Option<String>,
    key_base64: Option<String>,
    value: Option<String>,
    value_base64: Option<String>,
    #[serde(default)]
    nodes: Vec<PrintedNode>,
}

fn printed(text: &str) -> Result<Form, Fault> {
    let mut keys = Keys::new();
    for tree in serde_json::Deserializer::from_str(text).into_iter::<Printed>() {
        let tree = tree.map_err(|error| of_json(&error, text, 0))?;
        let mut waiting = vec![tree.node];
        while let Some(node) = waiting.pop() {
            let decode = |text: &String| {
                STANDARD
                    .decode(text)
                    .map_err(|_| Place::START.wrong(format!("'{text}' is no base64")))
            };
            let key = match &node.key_base64 {
                Some(text) => decode(text)?,
                None => node.key.unwrap_or_default().into_bytes(),
            };
            let value = match &node.value_base64 {
                Some(text) => Some(decode(text)?),
                None => node.value.map(String::into_bytes),
            };
            if let Some(value) = value {
                keys.insert(key, value);
            }
            waiting.extend(node.nodes);
        }
    }
    Ok(Form::Printed(keys))
}

fn by_yaml(text: &str) -> Result<Form, Fault> {
    match Yaml::read(text)? {
        Some((_, Node::Names(names))) => Ok(Form::Named(names)),
        Some((place, Node::Value(_))) => Err(place.wrong("it has one value and no names")),
        None => Err(Place::START.wrong(EMPTY)),
    }
}

/// Reads YAML from the parser's events, which know where they stand and what a value looks like.
struct Yaml<'t> {
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    /// What has an anchor, by its number.
    anchors: HashMap<usize, Node>,
    /// How many bytes there are by now.
    count: usize,
}

impl<'t> Yaml<'t> {
    fn read(text: &'t str) -> Result<Option<(Place, Node)>, Fault> {
        let mut yaml = Self {
            events: Parser::new_from_str(text),
            anchors: HashMap::new(),
            count: 0,
        };
        let mut read = None;
        loop {
            let (event, place) = yaml.next()?;
            match event {
                Event::StreamEnd => return Ok(read),
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => {}
                _ if read.is_some() => return Err(place.wrong("a second document")),
                Event::Scalar(text, ScalarStyle::Plain, ..) if is_null(&text) => {}
                event => read = Some((place, yaml.node(event, place, 0)?)),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Place), Fault> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, of_marker(span.start))),
            Some(Err(error)) => Err(of_marker(*error.marker()).wrong(error.info())),
            None => Ok((Event::StreamEnd, Place::START)),
        }
    }

    fn node(&mut self, event: Event<'t>, place: Place, depth: usize) -> Result<Node, Fault> {
        if depth > DEEPEST {
            return Err(place.wrong("it is too deep"));
        }
        self.count += EACH;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                if style == ScalarStyle::Plain && is_null(&text) {
                    return Err(place.wrong(NULL));
                }
                (Node::Value(text.into_owned()), anchor)
            }
            Event::MappingStart(anchor, _) => (self.names(depth)?, anchor),
            Event::SequenceStart(..) => return Err(place.wrong(LIST)),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| place.wrong("an alias within what it stands for"))?;
                self.count += size_of(&node);
                (node, 0)
            }
            _ => return Err(place.wrong("no value")),
        };
        if self.count > MOST {
            return Err(place.wrong("it has too many values"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn names(&mut self, depth: usize) -> Result<Node, Fault> {
        let (mut names, mut known) = (Vec::new(), HashSet::new());
        loop {
            let (event, place) = self.next()?;
            let name = match event {
                Event::MappingEnd => return Ok(Node::Names(names)),
                Event::Scalar(name, ..) => name.into_owned(),
                _ => return Err(place.wrong("a name that is no text")),
            };
            if name == "<<" {
                return Err(place.wrong("'<<' is not supported: write the names out"));
            }
            if !known.insert(name.clone()) {
                return Err(place.wrong(format!("'{name}' is there twice")));
            }
            let (event, at) = self.next()?;
            let node = self.node(event, at, depth + 1)?;
            names.push((place, name, node));
        }
    }
}

fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}

fn of_marker(marker: Marker) -> Place {
    Place::At {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

fn size_of(node: &Node) -> usize {
    match node {
        Node::Value(value) => EACH + value.len(),
        Node::Names(names) => {
            EACH + names
                .iter()
                .map(|(_, _, node)| size_of(node))
                .sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(key: &str) -> Scope {
        Scope::new(Key::parse(key).unwrap(), true)
    }

    fn keys(text: &str, extension: Option<&str>, scope: &Scope) -> Result<Vec<String>, Wrong> {
        let keys = Desired::parse(text, extension)?.keys(scope)?;
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        Ok(keys
            .iter()
            .map(|(key, value)| format!("{}={}", text(key), text(value)))
            .collect())
    }

    const ALL: [&str; 4] = ["/app/a=1", "/app/b/c=x y", "/app/b/d=", "/app/b/e/f=true"];

    #[test]
    fn nested_and_flat_json_and_yaml_and_what_get_prints_say_the_same() {
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
    fn a_number_is_what_is_written() {
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
    fn keys_of_v3_are_what_they_are() {
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
    fn what_is_wrong_is_told_with_line_and_column() {
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
            let told = (wrong.line, wrong.why.contains(part));
            assert_eq!(told, (line, true), "{text:?}: {wrong}");
            assert_eq!(wrong.column, column, "{text:?}: {wrong}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_told_with_their_place() {
        let wrong = super::text(b"a: 1\nb: \xc3\xa9\xff".to_vec()).unwrap_err();
        assert_eq!((wrong.line, wrong.column), (2, 5));
    }

    #[test]
    fn nothing_runs_out_of_stack_or_memory() {
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
    }

    #[test]
    fn an_empty_file_is_no_wish_and_an_empty_object_is_one_for_nothing() {
        for text in ["", " \n", "---\n", "# nothing\n"] {
            let wrong = keys(text, None, &scope("/app")).unwrap_err();
            assert!(wrong.why.contains("empty"), "{text:?}: {wrong}");
        }
        for extension in [None, Some("yaml")] {
            assert!(keys("{}", extension, &scope("/app")).unwrap().is_empty());
        }
    }

    #[test]
    fn a_key_that_v2_hides_is_refused_and_one_of_v3_is_not_hidden() {
        let wrong = keys("_h: 1\n", None, &scope("/app")).unwrap_err();
        assert!(wrong.why.contains("hidden"), "{wrong}");
        let v3 = Scope::new(Key::literal("/app").unwrap(), true);
        assert_eq!(keys("_h: 1\n", None, &v3).unwrap(), ["/app/_h=1"]);
    }

    #[test]
    fn names_that_only_look_like_what_get_prints_are_names() {
        let text = r#"{"node":{"a":"1"},"action":"x"}"#;
        let expected = ["/app/action=x", "/app/node/a=1"];
        assert_eq!(keys(text, None, &scope("/app")).unwrap(), expected);
    }

    #[test]
    fn aliases_of_long_values_are_counted_by_their_bytes() {
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
