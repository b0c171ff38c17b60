//! Hostile data: no key, value, error or header controls a terminal or forges a line, and a command
//! gets exactly the data that was written.

mod commands;
mod records;
mod replies;
mod terminal;

use crate::support::tool::Terminal;

/// Every C0 and C1 control, DEL, every bidi control and line separator, and escape sequences, some
/// of them incomplete.
fn control_characters() -> Vec<u8> {
    let c0 = (0..=0x1f_u8).chain([0x7f]).map(char::from);
    let c1 = ('\u{80}'..='\u{9f}').collect::<Vec<_>>();
    let bidi = "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\
                \u{2066}\u{2067}\u{2068}\u{2069}";
    let sequences = "\u{1b}]0;title\u{7}\u{1b}]52;c;cm0=\u{1b}\\\u{9d}8;;http://x\u{9c}\
                     \u{1b}[77A\u{1b}[2J\u{1b}[6n\u{1b}[38;5;177m\u{9b}77B\u{1b}P$q\"p\u{1b}\\\
                     \u{1b}c\u{1b}#8\u{1b}(0\u{1b}[?1049h\u{1b}]";
    let text: String = c0.chain(c1).chain(bidi.chars()).collect();
    [text.as_bytes(), sequences.as_bytes()].concat()
}

/// The same, with bytes that are not UTF-8 and that only v3 can store.
fn control_bytes() -> Vec<u8> {
    let raw: Vec<u8> = (0x80..=0xff).collect();
    [&control_characters()[..], &raw, b"\x9b2J\xc2"].concat()
}

/// The same without NUL, which cannot be in an argument.
fn control_text() -> String {
    let text = String::from_utf8(control_characters()).unwrap();
    text.replace('\0', "")
}

/// The output to a terminal without the tool's own line ends, colors and spinner sequences.
fn without_own(sent: &str) -> String {
    let mut rest = sent;
    let mut left = String::new();
    while let Some(letter) = rest.chars().next() {
        let own = rest.strip_prefix("\u{1b}[").and_then(|sequence| {
            let end = sequence.find(|letter: char| letter.is_ascii_alphabetic())?;
            let (parameters, after) = sequence.split_at(end);
            let is_own = match after.as_bytes().first()? {
                b'm' => parameters.split(';').all(is_plain_style),
                b'K' => matches!(parameters, "" | "2"),
                b'A' | b'B' => matches!(parameters, "1"),
                b'G' => matches!(parameters, "" | "1"),
                b'h' | b'l' => parameters == "?25",
                _ => false,
            };
            is_own.then(|| &after[1..])
        });
        rest = own.unwrap_or_else(|| {
            left.push(letter);
            &rest[letter.len_utf8()..]
        });
    }
    left
}

/// Returns whether a style is bold, dim, underlined or one of the eight colors, and so hides no
/// text.
fn is_plain_style(parameter: &str) -> bool {
    match parameter.parse::<u8>() {
        Ok(number) => matches!(number, 0..=2 | 4 | 22 | 24 | 30..=37 | 39),
        Err(_) => parameter.is_empty(),
    }
}

fn is_control(letter: char) -> bool {
    let is_bidi = matches!(
        letter,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    letter.is_control() && !matches!(letter, '\r' | '\n') || is_bidi
}

#[track_caller]
fn assert_harmless(terminal: &Terminal, what: &[&str]) {
    let sent = String::from_utf8(terminal.raw())
        .unwrap_or_else(|error| panic!("{what:?} sent what is not UTF-8: {error}"));
    let mut left = without_own(&sent);
    if what.iter().any(|word| ["get", "check"].contains(word)) {
        // A tab separates two fields there.
        left = left.replace('\t', " ");
    }
    let seen: String = left
        .rsplit(is_control)
        .next()
        .unwrap_or_default()
        .chars()
        .take(60)
        .collect();
    assert!(
        !left.contains(is_control),
        "{what:?}: a control character before {seen:?}"
    );
    // A line feed without a carriage return does not come from the tool.
    assert!(
        !left.replace("\r\n", "").contains('\n'),
        "{what:?}: {left:?}"
    );
}
