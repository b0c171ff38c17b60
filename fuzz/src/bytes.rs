//! Decisions from fuzzed bytes.

use std::time::Duration;

/// The bytes that are left.
pub struct Bytes<'d>(pub &'d [u8]);

impl<'d> Bytes<'d> {
    /// The next byte, or zero at the end.
    pub fn byte(&mut self) -> u8 {
        self.some().unwrap_or_default()
    }

    /// The next byte, if there is one.
    pub fn some(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number below `count`.
    pub fn of(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count.max(1)
    }

    pub fn flip(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number, mostly a small one.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            254 => u64::from(u32::MAX) + 1,
            253 => 0,
            byte => u64::from(byte),
        }
    }

    /// A duration from one millisecond to half a minute.
    pub fn time(&mut self) -> Duration {
        Duration::from_millis(1 << (self.byte() % 16))
    }

    /// A byte string whose length is the next byte, or all that is left.
    pub fn text(&mut self) -> &'d [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        text
    }
}
