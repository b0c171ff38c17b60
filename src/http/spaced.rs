//! A body that is sent line by line, with a pause in between.

use std::collections::VecDeque;
use std::io::Read;
use std::time::Duration;

/// The lines of a body, with a pause before each but the first.
pub(super) struct Spaced {
    lines: VecDeque<Vec<u8>>,
    pause: Duration,
    /// What is left of the line.
    line: Vec<u8>,
    is_first: bool,
}

impl Spaced {
    pub fn new(body: &[u8], pause: Duration) -> Self {
        let lines = body.split_inclusive(|byte| *byte == b'\n');
        Self {
            lines: lines.map(<[u8]>::to_vec).collect(),
            pause,
            line: Vec::new(),
            is_first: true,
        }
    }
}

impl Read for Spaced {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        if self.line.is_empty() {
            let Some(line) = self.lines.pop_front() else {
                return Ok(0);
            };
            if !std::mem::replace(&mut self.is_first, false) {
                std::thread::sleep(self.pause);
            }
            self.line = line;
        }
        let count = self.line.len().min(room.len());
        let (part, rest) = self.line.split_at(count);
        room.get_mut(..count)
            .unwrap_or_default()
            .copy_from_slice(part);
        self.line = rest.to_vec();
        Ok(count)
    }
}
