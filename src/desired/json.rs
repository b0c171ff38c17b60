//! Reads JSON: an object of names, or the output of `get -r -o json`.

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{EMPTY, FileEntry, Form, Invalid, Keys, LIST, Location, MAX_DEPTH, NULL};

/// The names of an object with the unparsed text of their values, in order.
struct JsonObject<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for JsonObject<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = JsonObject<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut names, mut known) = (Vec::new(), HashSet::new());
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if !known.insert(name.clone()) {
                        return Err(A::Error::custom(format!("'{name}' appears twice")));
                    }
                    names.push((name, value));
                }
                Ok(JsonObject(names))
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

pub(super) fn read(text: &str) -> Result<Form, Invalid> {
    let mut objects = serde_json::Deserializer::from_str(text).into_iter::<JsonObject<'_>>();
    let first = match objects.next() {
        None => return Err(Location::START.invalid(EMPTY)),
        Some(first) => first.map_err(|error| of_json(&error, text, 0))?,
    };
    // A file may have these names, too, but the output of `get` also has a key in its node.
    let is_printed = |object: &JsonObject<'_>| {
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
        return Err(Location::Byte(end + space).invalid("text follows the object"));
    }
    Ok(Form::Named(names_of(first, text, 1)?))
}

fn names_of(
    object: JsonObject<'_>,
    text: &str,
    depth: usize,
) -> Result<Vec<(Location, String, FileEntry)>, Invalid> {
    let mut names = Vec::new();
    for (name, raw) in object.0 {
        // `raw` borrows from `text`.
        let offset = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let place = Location::Byte(offset);
        let node = match raw.get().as_bytes().first() {
            Some(b'{') if depth >= MAX_DEPTH => {
                return Err(place.invalid("the nesting is too deep"));
            }
            Some(b'{') => {
                let object = serde_json::from_str(raw.get())
                    .map_err(|error| of_json(&error, text, offset))?;
                FileEntry::Names(names_of(object, text, depth + 1)?)
            }
            Some(b'"') => FileEntry::Value(
                serde_json::from_str(raw.get()).map_err(|error| of_json(&error, text, offset))?,
            ),
            Some(b'[') => return Err(place.invalid(LIST)),
            Some(b'n') => return Err(place.invalid(NULL)),
            _ => FileEntry::Value(raw.get().to_owned()),
        };
        names.push((place, name, node));
    }
    Ok(names)
}

/// The error of a parser that began at `offset`.
fn of_json(error: &serde_json::Error, text: &str, offset: usize) -> Invalid {
    let (line, column) = Location::Byte(offset).in_text(text);
    let message = error.to_string();
    let why = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(why, _)| why);
    let is_first = error.line() <= 1;
    let place = Location::At {
        line: line + error.line().saturating_sub(1),
        column: error.column().max(1) + if is_first { column - 1 } else { 0 },
    };
    place.invalid(why)
}

/// One object of the output of `get -o json`.
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

fn printed(text: &str) -> Result<Form, Invalid> {
    let mut keys = Keys::new();
    for tree in serde_json::Deserializer::from_str(text).into_iter::<Printed>() {
        let tree = tree.map_err(|error| of_json(&error, text, 0))?;
        let mut waiting = vec![tree.node];
        while let Some(node) = waiting.pop() {
            let decode = |text: &String| {
                STANDARD
                    .decode(text)
                    .map_err(|_| Location::START.invalid(format!("'{text}' is not base64")))
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
