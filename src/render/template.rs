//! `--format`: renders a record with a template.
//!
//! The placeholders are `{index}`, `{action}`, `{key}`, `{value}`, `{prev}` and `{time}`. `{{` and `}}` print
//! braces. `\t`, `\n`, `\r`, `\0` and `\\` mean what they mean in `printf`.
//!
//! Fields are escaped, so that a record is one line. If the template has a `\0` and the output is not a
//! terminal, fields are unchanged, because a program reads them.

use std::borrow::Cow;
use std::str::FromStr;

use etcdwatch_engine::escape;

/// A placeholder in a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The index of the record.
    Index,
    /// The action.
    Action,
    /// The key.
    Key,
    /// The value.
    Value,
    /// The previous value.
    Previous,
    /// The time at which the record was received.
    Time,
}

impl Field {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "index" => Self::Index,
            "action" => Self::Action,
            "key" => Self::Key,
            "value" => Self::Value,
            "prev" => Self::Previous,
            "time" => Self::Time,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Piece>,
    is_raw: bool,
}

impl FromStr for Template {
    type Err = String;

    /// Parses a template, and adds a line break unless it ends in one or in a `\0`. The error marks the place
    /// with a caret.
    fn from_str(typed: &str) -> Result<Self, String> {
        let wrong = |place: usize, why: &str| {
            let before = typed.get(..place).unwrap_or_default();
            let caret = " ".repeat(before.chars().count());
            Err(format!("{why}\n    {typed}\n    {caret}^"))
        };
        if typed.is_empty() {
            return Err("the template is empty".to_owned());
        }
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut letters = typed.char_indices().peekable();
        while let Some((place, letter)) = letters.next() {
            match letter {
                '{' if letters.next_if(|(_, next)| *next == '{').is_some() => text.push('{'),
                '}' if letters.next_if(|(_, next)| *next == '}').is_some() => text.push('}'),
                '{' => {
                    let rest = typed.get(place + 1..).unwrap_or_default();
                    let Some(end) = rest.find('}') else {
                        return wrong(place, "this '{' is not closed; write '{{' for a brace");
                    };
                    let name = rest.get(..end).unwrap_or_default();
                    let Some(field) = Field::parse(name) else {
                        return wrong(
                            place,
                            "unknown field; use {index}, {action}, {key}, {value}, {prev} or {time}",
                        );
                    };
                    parts.push(Piece::Text(std::mem::take(&mut text)));
                    parts.push(Piece::Field(field));
                    while letters.next_if(|(at, _)| *at <= place + 1 + end).is_some() {}
                }
                '}' => return wrong(place, "this '}' closes nothing; write '}}' for a brace"),
                '\\' => match letters.next() {
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, '0')) => text.push('\0'),
                    Some((_, '\\')) => text.push('\\'),
                    _ => return wrong(place, "unknown escape; use \\t, \\n, \\r, \\0 or \\\\"),
                },
                other => text.push(other),
            }
        }
        if !text.ends_with(['\n', '\0']) {
            text.push('\n');
        }
        let has_nul = |part: &Piece| matches!(part, Piece::Text(text) if text.contains('\0'));
        let is_raw = text.contains('\0') || parts.iter().any(has_nul);
        parts.push(Piece::Text(text));
        Ok(Self { parts, is_raw })
    }
}

impl Template {
    /// Whether it has the previous value.
    #[must_use]
    pub fn shows_previous(&self) -> bool {
        self.parts.contains(&Piece::Field(Field::Previous))
    }

    /// Appends a record, whose fields `field` returns.
    pub fn render<'f>(
        &self,
        field: impl Fn(Field) -> Cow<'f, [u8]>,
        is_terminal: bool,
        out: &mut Vec<u8>,
    ) {
        for part in &self.parts {
            match part {
                Piece::Text(text) if is_terminal => {
                    // The text may have line breaks, but no other control characters.
                    out.extend_from_slice(escape::message(text).as_bytes());
                }
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Field(name) if self.is_raw && !is_terminal => {
                    out.extend_from_slice(&field(*name));
                }
                Piece::Field(name) => {
                    let mut text = String::new();
                    escape::text(&field(*name), &mut text);
                    out.extend_from_slice(text.as_bytes());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(field: Field) -> Cow<'static, [u8]> {
        let bytes: &[u8] = match field {
            Field::Index => b"7",
            Field::Action => b"set",
            Field::Key => b"/a b",
            Field::Value => b"x\ny\xff",
            Field::Previous => b"p",
            Field::Time => b"noon",
        };
        bytes.into()
    }

    fn rendered(template: &str, is_terminal: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let template = Template::from_str(template).unwrap();
        template.render(field, is_terminal, &mut out);
        out
    }

    #[test]
    fn fields_and_escapes_are_replaced() {
        let all = rendered(
            "{{{index}}}\\t{action}:{key}={value} was {prev} at {time}\\\\",
            false,
        );
        assert_eq!(all, b"{7}\tset:/a b=x\\ny\\xff was p at noon\\\n");
        assert_eq!(rendered("{index}\\n", false), b"7\n");
        assert!(Template::from_str("").is_err());
    }

    #[test]
    fn a_template_with_a_nul_is_not_escaped_except_on_a_terminal() {
        assert_eq!(rendered("{key}\\0{value}\\0", false), b"/a b\0x\ny\xff\0");
        assert_eq!(rendered("{value}\\0", true), b"x\\ny\\xff\\x00");
    }

    #[test]
    fn an_invalid_template_is_an_error_with_its_position() {
        for (typed, caret) in [
            ("a {key", 2),
            ("é{keys}", 1),
            ("key}", 3),
            ("{key}\\x", 5),
            ("{key}\\", 5),
        ] {
            let error = Template::from_str(typed).unwrap_err();
            let expected = format!("\n    {typed}\n    {}^", " ".repeat(caret));
            assert!(error.ends_with(&expected), "{error}");
        }
    }
}
