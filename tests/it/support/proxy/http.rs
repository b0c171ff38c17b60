//! As much of HTTP as the proxy must understand: request lines, and where a reply may end.

use std::sync::Mutex;

/// Rewrites requests to HTTP/1.0. Each request is read in one piece.
pub(super) fn as_http_1_0(requests: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(requests);
    text.replace(" HTTP/1.1\r\n", " HTTP/1.0\r\n").into_bytes()
}

/// Tracks the position in the replies of a connection, however they are split.
#[derive(Default)]
pub(super) struct Framing {
    at: Place,
    line: Vec<u8>,
    chunked: bool,
    length: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// In the lines of a head.
    #[default]
    Head,
    /// In the line with the size of a chunk.
    Size,
    /// With this many bytes before the next chunk size or head.
    Data(usize),
    /// After the last chunk.
    Trailer,
}

impl Framing {
    /// Returns whether the next byte belongs to a head.
    pub(super) fn is_in_head(&self) -> bool {
        self.at == Place::Head
    }

    /// Returns whether a chunked body could end here.
    pub(super) fn may_end(&self) -> bool {
        self.at == Place::Size && self.line.is_empty()
    }

    pub(super) fn note(&mut self, mut bytes: &[u8]) {
        while let Some(byte) = bytes.first() {
            if let Place::Data(left) = self.at {
                let step = left.min(bytes.len());
                bytes = &bytes[step..];
                self.at = match (left - step, self.chunked) {
                    (0, true) => Place::Size,
                    (0, false) => Place::Head,
                    (left, _) => Place::Data(left),
                };
                continue;
            }
            self.line.push(*byte);
            bytes = &bytes[1..];
            if *byte == b'\n' {
                let line = String::from_utf8_lossy(&self.line).trim().to_lowercase();
                self.line.clear();
                self.note_line(&line);
            }
        }
    }

    fn note_line(&mut self, line: &str) {
        match self.at {
            Place::Head if line.is_empty() => {
                let length = std::mem::take(&mut self.length);
                self.at = match (self.chunked, length) {
                    (true, _) => Place::Size,
                    (false, 0) => Place::Head,
                    (false, length) => Place::Data(length),
                };
            }
            Place::Head => {
                if line.starts_with("http/") {
                    self.chunked = false;
                }
                if let Some((name, value)) = line.split_once(':') {
                    let value = value.trim();
                    self.chunked |= name == "transfer-encoding" && value == "chunked";
                    if name == "content-length" {
                        self.length = value.parse().unwrap_or(0);
                    }
                }
            }
            Place::Size => {
                // The chunk's own line end follows its data.
                let size = usize::from_str_radix(line, 16).unwrap_or(0);
                self.at = if size == 0 {
                    Place::Trailer
                } else {
                    Place::Data(size + 2)
                };
            }
            Place::Trailer if line.is_empty() => self.at = Place::Head,
            Place::Trailer | Place::Data(_) => {}
        }
    }
}

/// Finds the request lines in the traffic to the server, however it is split.
#[derive(Default)]
pub(super) struct Heads {
    line: Vec<u8>,
}

impl Heads {
    pub(super) fn note(&mut self, bytes: &[u8], requests: &Mutex<Vec<String>>) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            if let Some(head) = self.line.strip_suffix(b" HTTP/1.1\r") {
                // A body without a newline may precede it.
                let head = String::from_utf8_lossy(head).into_owned();
                let begin = ["GET ", "PUT ", "POST ", "DELETE "]
                    .iter()
                    .filter_map(|method| head.rfind(method))
                    .max()
                    .unwrap_or(0);
                requests.lock().unwrap().push(head[begin..].to_owned());
            }
            self.line.clear();
        }
    }
}
