//! Parses events of a watch in the exact form that the gateway writes, in one pass.
//!
//! In scope: the form without blanks between tokens, and with the fields in the gateway's order. Out of
//! scope: every other form of the same JSON, which serde parses. So this module only makes the usual
//! form faster.
#![allow(
    clippy::inline_always,
    reason = "measured: left to itself, the compiler makes calls of them, and an event takes half as long again"
)]

use std::borrow::Cow;

use super::wire::{EncodedEvent, EncodedPair};
use crate::decode::tokens::Tokens;

/// Parses an event; `None` if it does not have this form.
pub(super) fn read(text: &[u8]) -> Option<EncodedEvent<'_>> {
    let mut tokens = Tokens::new(text);
    let kind = if tokens.skip(b"{\"kv\":") {
        ""
    } else {
        tokens.expect(b"{\"type\":\"DELETE\",\"kv\":")?;
        "DELETE"
    };
    let kv = pair(&mut tokens)?;
    let prev_kv = if tokens.skip(b",\"prev_kv\":") {
        Some(pair(&mut tokens)?)
    } else {
        None
    };
    tokens.expect(b"}")?;
    tokens.is_at_end().then_some(EncodedEvent {
        kind: Cow::Borrowed(kind),
        kv,
        prev_kv,
    })
}

#[inline(always)]
fn pair<'b>(tokens: &mut Tokens<'b>) -> Option<EncodedPair<'b>> {
    tokens.expect(b"{\"key\":\"")?;
    let mut pair = EncodedPair {
        key: base64(tokens)?,
        ..EncodedPair::default()
    };
    if tokens.skip(b",\"create_revision\":\"") {
        pair.created = number(tokens)?;
    }
    tokens.expect(b",\"mod_revision\":\"")?;
    pair.modified = number(tokens)?;
    if tokens.skip(b",\"version\":\"") {
        pair.version = number(tokens)?;
    }
    if tokens.skip(b",\"value\":\"") {
        pair.value = base64(tokens)?;
    }
    if tokens.skip(b",\"lease\":\"") {
        pair.lease = i64::try_from(number(tokens)?).ok()?;
    }
    tokens.expect(b"}")?;
    Some(pair)
}

/// Reads the rest of a string, and does not decode it.
#[inline(always)]
fn base64<'b>(tokens: &mut Tokens<'b>) -> Option<Cow<'b, [u8]>> {
    let quoted = tokens.string().filter(|quoted| !quoted.is_escaped)?;
    Some(Cow::Borrowed(tokens.of(quoted.span)))
}

/// Reads the rest of a string with a number.
#[inline(always)]
fn number(tokens: &mut Tokens<'_>) -> Option<u64> {
    let number = tokens.number()?;
    tokens.expect(b"\"")?;
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v3::wire::shape;
    use proptest::prelude::*;

    #[test]
    fn events_of_the_gateway_have_the_exact_form() {
        // As 3.5.1 wrote them.
        for text in [
            r#"{"kv":{"key":"L3gvYQ==","create_revision":"2002","mod_revision":"2002","version":"1","value":"dg==","lease":"1418812128638684131"}}"#,
            r#"{"type":"DELETE","kv":{"key":"L3gvYQ==","mod_revision":"2003"},"prev_kv":{"key":"L3gvYQ==","create_revision":"2002","mod_revision":"2002","version":"1","value":"dg==","lease":"1418812128638684131"}}"#,
        ] {
            let event = read(text.as_bytes());
            assert!(event.is_some(), "{text}");
            assert_eq!(event, shape(text.as_bytes()).ok());
        }
    }

    /// Events as the gateway writes them, and others that are nearly so.
    fn like_events() -> impl Strategy<Value = String> {
        let text = prop_oneof![
            6 => "[A-Za-z0-9+/]{0,40}={0,2}",
            1 => "(\\\\u003d|\\\\/|é|\u{1}|\\\\)",
        ];
        let number = prop_oneof![
            8 => any::<i64>().prop_map(|number| number.to_string()),
            1 => any::<u64>().prop_map(|number| number.to_string()),
            1 => "(0|007|\\+7|1e3|99999999999999999999|)",
        ];
        let field = |name: &'static str, value: BoxedStrategy<String>| {
            let field = value.prop_map(move |value| format!(",\"{name}\":\"{value}\""));
            proptest::option::weighted(0.8, field).prop_map(Option::unwrap_or_default)
        };
        let pair = (
            text.clone(),
            field("create_revision", number.clone().boxed()),
            field("mod_revision", number.clone().boxed()),
            field("version", number.clone().boxed()),
            field("value", text.boxed()),
            field("lease", number.boxed()),
            prop_oneof![9 => Just(""), 1 => Just(" "), 1 => Just(",\"x\":[{}]")],
        )
            .prop_map(|(key, created, modified, version, value, lease, rest)| {
                format!("{{\"key\":\"{key}\"{created}{modified}{version}{value}{lease}{rest}}}")
            });
        let kind = prop_oneof![
            6 => Just(""),
            4 => Just("\"type\":\"DELETE\","),
            1 => Just("\"type\":\"PUT\","),
            1 => Just(" "),
        ];
        let rest = prop_oneof![9 => Just("}"), 1 => Just("} "), 1 => Just(""), 1 => Just("}}")];
        (kind, pair.clone(), proptest::option::of(pair), rest).prop_map(
            |(kind, now, previous, rest)| {
                let previous =
                    previous.map_or(String::new(), |pair| format!(",\"prev_kv\":{pair}"));
                format!("{{{kind}\"kv\":{now}{previous}{rest}")
            },
        )
    }

    proptest! {
        #[test]
        fn the_fast_parser_agrees_with_serde(text in like_events()) {
            if let Some(event) = read(text.as_bytes()) {
                prop_assert_eq!(Some(event), shape(text.as_bytes()).ok());
            }
        }
    }
}
