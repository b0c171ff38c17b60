//! Renders a difference of `check` as a line or a JSON object.
//!
//! `+` is a key only in etcd, `-` a key only in the file, `~` a key with two values, and `=` a key that no
//! longer differs.

use colored::{Color, Colorize as _};
use serde_json::{Map, Value};

use super::json;
use crate::drift::Drift;
use etcdwatch_engine::escape;
use etcdwatch_engine::model::Index;

/// Appends a line for `key`; `drift` is `None` if it no longer differs.
pub fn line(key: &[u8], drift: Option<&Drift>, is_colored: bool, out: &mut Vec<u8>) {
    let (sign, color, values): (_, _, &[&[u8]]) = match drift {
        None => ("=", Color::Blue, &[]),
        Some(Drift::Extra(value)) => ("+", Color::Green, &[value]),
        Some(Drift::Missing(wanted)) => ("-", Color::Red, &[wanted]),
        Some(Drift::Different { wanted, value }) => ("~", Color::Yellow, &[wanted, value]),
    };
    let mut text = sign.to_owned();
    for field in [key].iter().chain(values) {
        text.push('\t');
        escape::text(field, &mut text);
    }
    let text = if is_colored {
        text.color(color).to_string()
    } else {
        text
    };
    out.extend_from_slice(text.as_bytes());
    out.push(b'\n');
}

/// The JSON object for `key`.
#[must_use]
pub fn record(index: Index, key: &[u8], drift: Option<&Drift>) -> Value {
    let mut fields = Map::new();
    fields.insert("action".to_owned(), "drift".into());
    fields.insert("index".to_owned(), index.0.into());
    let (name, wanted, value) = match drift {
        None => ("none", None, None),
        Some(Drift::Extra(value)) => ("extra", None, Some(value)),
        Some(Drift::Missing(wanted)) => ("missing", Some(wanted), None),
        Some(Drift::Different { wanted, value }) => ("different", Some(wanted), Some(value)),
    };
    fields.insert("drift".to_owned(), name.into());
    json::text("key", key, &mut fields);
    if let Some(wanted) = wanted {
        json::text("wanted", wanted, &mut fields);
    }
    if let Some(value) = value {
        json::text("value", value, &mut fields);
    }
    fields.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(drift: Option<&Drift>) -> (String, String) {
        let mut out = Vec::new();
        line(b"/a\tb", drift, false, &mut out);
        let record = record(Index(7), b"/a", drift);
        (String::from_utf8(out).unwrap(), record.to_string())
    }

    #[test]
    fn a_line_has_a_sign_the_key_and_both_values() {
        let different = Drift::Different {
            wanted: b"1".to_vec(),
            value: b"x\ny".to_vec(),
        };
        let (line, record) = both(Some(&different));
        assert_eq!(line, "~\t/a\\tb\t1\tx\\ny\n");
        assert_eq!(
            record,
            r#"{"action":"drift","index":7,"drift":"different","key":"/a","wanted":"1","value":"x\ny"}"#
        );
        let (line, record) = both(None);
        assert_eq!(line, "=\t/a\\tb\n");
        assert_eq!(
            record,
            r#"{"action":"drift","index":7,"drift":"none","key":"/a"}"#
        );
    }
}
