//! Each record is one line that holds exactly the bytes of the key and of the value.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::is_control;
use crate::support::shared::{self, Subtree};
use crate::support::v2::Writer;
use crate::support::v3::{self, encode};

/// A deterministic pseudorandom generator.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// At most `most` bytes, half of which are control characters, separators or quotes.
    fn bytes(&mut self, most: u64) -> Vec<u8> {
        const TROUBLE: &[u8] = b"\n\r\t\\\"\0\x1b\x7f\x85\xc2\xe2\x80\xa8\xff{},\x0b\x0c/";
        let length = self.next() % (most + 1);
        (0..length)
            .map(|_| {
                let number = self.next();
                let [byte, ..] = number.to_be_bytes();
                if number.is_multiple_of(2) {
                    byte
                } else {
                    TROUBLE[usize::from(byte) % TROUBLE.len()]
                }
            })
            .collect()
    }
}

/// The bytes that an escaped field stands for.
fn unescape(field: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let Some(place) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..place]);
        rest = &rest[place + 1..];
        let (sign, after) = rest.split_at(1);
        rest = after;
        match sign {
            "\\" => bytes.push(b'\\'),
            "t" => bytes.push(b'\t'),
            "r" => bytes.push(b'\r'),
            "n" => bytes.push(b'\n'),
            "x" => {
                bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                rest = &rest[2..];
            }
            "u" => {
                let (number, after) = rest[1..].split_once('}').unwrap();
                let letter = char::from_u32(u32::from_str_radix(number, 16).unwrap()).unwrap();
                bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
            }
            other => panic!("\\{other} in {field:?}"),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn field_of(node: &Value, name: &str) -> Vec<u8> {
    match node[name].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => STANDARD
            .decode(node[format!("{name}Base64")].as_str().unwrap())
            .unwrap(),
    }
}

const EVENTS: usize = 10_000;

/// Writes random keys and values, and returns them with the first revision.
fn write_noise(subtree: &Subtree) -> (BTreeMap<Vec<u8>, Vec<u8>>, String) {
    let mut noise = Noise(0x5eed);
    let mut written = BTreeMap::new();
    while written.len() < EVENTS {
        let key = [subtree.key("").as_bytes(), &noise.bytes(24)].concat();
        written.insert(key, noise.bytes(80));
    }
    let mut writer = Writer::connect(&subtree.url());
    let mut from = None;
    let all: Vec<_> = written.iter().collect();
    for some in all.chunks(100) {
        let puts = some.iter().map(
            |(key, value)| json!({"request_put": {"key": encode(key), "value": encode(value)}}),
        );
        let body = json!({"success": puts.collect::<Vec<_>>()});
        let reply = writer.try_json("/v3/kv/txn", &body).unwrap();
        from.get_or_insert(v3::revision(&reply.json()));
    }
    (written, from.unwrap().to_string())
}

#[test]
fn ten_thousand_events_of_random_bytes_are_one_exact_line_each() {
    let subtree = shared::any();
    let (written, from) = write_noise(&subtree);
    let replay = |options: &[&str]| {
        let replay = [
            "--api",
            "v3",
            "replay",
            "-r",
            subtree.root(),
            "--from-index",
            &from,
        ];
        let output = subtree.tool(&[&replay[..], options].concat());
        assert_eq!(
            (output.code, output.stderr.as_str()),
            (0, ""),
            "{options:?}"
        );
        String::from_utf8(output.stdout_bytes).expect("UTF-8")
    };
    let json = replay(&["-o", "json"]);
    assert_eq!(json.matches('\n').count(), EVENTS);
    let printed: BTreeMap<_, _> = json
        .lines()
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            (
                field_of(&record["node"], "key"),
                field_of(&record["node"], "value"),
            )
        })
        .collect();
    assert!(printed == written, "as JSON");
    for (options, key_at) in [(&[][..], 2), (&["--format", "{key}\\t{value}"], 0)] {
        let text = replay(options);
        assert!(!text.contains(|letter: char| letter != '\n'
            && letter != '\t'
            && is_control(letter)
            || letter == '\r'));
        assert_eq!(text.matches('\n').count(), EVENTS, "{options:?}");
        let printed: BTreeMap<_, _> = text
            .lines()
            .map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                assert_eq!(fields.len(), key_at + 2, "{line}");
                (unescape(fields[key_at]), unescape(fields[key_at + 1]))
            })
            .collect();
        assert!(printed == written, "{options:?}");
    }
    // With a format that ends in NUL, there is one NUL for each event.
    let text = replay(&["--format", "{index}\\0"]);
    assert_eq!(text.split('\0').count(), EVENTS + 1);
}
