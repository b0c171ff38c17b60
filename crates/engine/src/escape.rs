//! Escapes data so that it can't control a terminal, and so that a record is one line.

use std::fmt::Write as _;

/// How many characters of a server's text a message shows.
const LONGEST: usize = 1000;

/// Appends `bytes` with `\`, TAB, CR, LF and all other control characters escaped: `\\ \t \r \n`,
/// `\xNN` for other ASCII controls and for bytes that are not UTF-8, and `\u{202e}` for C1 controls,
/// bidi controls and line separators (RECORDS in the man page).
pub fn text(bytes: &[u8], out: &mut String) {
    // Most data needs no escapes, and is checked a few bytes at a time.
    if bytes
        .iter()
        .fold(true, |all, byte| all & is_plain_ascii(*byte))
        && let Ok(plain) = std::str::from_utf8(bytes)
    {
        out.push_str(plain);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        if valid.chars().all(is_plain) {
            out.push_str(valid);
        } else {
            valid.chars().for_each(|letter| push(letter, out));
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

/// Escapes a message: all that could control a terminal, except line breaks.
#[must_use]
pub fn message(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        // Only the parts that servers and users provide need it.
        if letter == '\n' || letter == '\\' {
            out.push(letter);
        } else {
            push(letter, &mut out);
        }
    }
    out
}

/// Escapes a server's text as a part of a message: on one line, and cut to a readable length.
#[must_use]
pub fn said(text: &str) -> String {
    let mut out: String = text.chars().take(LONGEST).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out.replace('\n', "\\n")
}

/// Appends JSON for a terminal. Characters that could control it are `\u`-escaped, which does not
/// change the meaning, because they stand only in strings. Line breaks and tabs stand only between
/// tokens, where they become blanks.
pub fn json_for_terminal(json: &str, out: &mut String) {
    for letter in json.chars() {
        if letter == '\u{7f}' || is_steering(letter) {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else if letter.is_ascii_control() {
            out.push(' ');
        } else {
            out.push(letter);
        }
    }
}

fn is_plain_ascii(byte: u8) -> bool {
    byte != b'\\' && (b' '..0x7f).contains(&byte)
}

fn is_plain(letter: char) -> bool {
    !(letter.is_ascii_control() || letter == '\\' || is_steering(letter))
}

fn push(letter: char, out: &mut String) {
    let _ = match letter {
        '\\' => write!(out, "\\\\"),
        '\t' => write!(out, "\\t"),
        '\r' => write!(out, "\\r"),
        '\n' => write!(out, "\\n"),
        control if control.is_ascii_control() => write!(out, "\\x{:02x}", control as u32),
        steering if is_steering(steering) => write!(out, "\\u{{{:x}}}", steering as u32),
        plain => {
            out.push(plain);
            Ok(())
        }
    };
}

/// C1 controls, bidi controls and line separators: the characters beyond ASCII that control a terminal
/// or break a line.
fn is_steering(letter: char) -> bool {
    matches!(
        letter,
        '\u{80}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut out = String::new();
        text(bytes, &mut out);
        out
    }

    #[test]
    fn controls_are_escaped_and_the_rest_is_not() {
        assert_eq!(escaped("a\\b\t\r\n".as_bytes()), r"a\\b\t\r\n");
        assert_eq!(escaped(b"\x1b[31m\x00\x7f"), r"\x1b[31m\x00\x7f");
        assert_eq!(escaped(b"\xff\xc3"), r"\xff\xc3");
        assert_eq!(
            escaped("\u{202e}\u{85}\u{2028}".as_bytes()),
            r"\u{202e}\u{85}\u{2028}"
        );
        assert_eq!(escaped("é漢 \"".as_bytes()), "é漢 \"");
    }

    #[test]
    fn a_servers_text_stays_short_and_on_one_line() {
        assert_eq!(
            said("no\netcdwatch: all is well"),
            "no\\netcdwatch: all is well"
        );
        assert_eq!(said(&"é".repeat(1001)), "é".repeat(1000) + "…");
    }

    #[test]
    fn json_for_a_terminal_has_the_same_meaning() {
        let json = "{\"a\":\r\"\u{202e}\u{9b}\u{7f}é\"}";
        let mut out = String::new();
        json_for_terminal(json, &mut out);
        assert_eq!(out, r#"{"a": "\u202e\u009b\u007fé"}"#);
        let (before, after): (serde_json::Value, serde_json::Value) = (
            serde_json::from_str(json).unwrap(),
            serde_json::from_str(&out).unwrap(),
        );
        assert_eq!(before, after);
    }

    proptest! {
        #[test]
        fn any_bytes_become_one_line_without_controls(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let out = escaped(&bytes);
            prop_assert!(out.chars().all(|letter| !letter.is_control() && !is_steering(letter)));
        }

        #[test]
        fn different_texts_stay_different(one in ".{0,20}", other in ".{0,20}") {
            prop_assert_eq!(escaped(one.as_bytes()) == escaped(other.as_bytes()), one == other);
        }
    }
}
