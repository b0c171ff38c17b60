//! Compares a subtree with the desired state.

use std::collections::BTreeMap;

use crate::desired::Keys;
use crate::filter::Pattern;

/// How a key differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// The key exists, but should not. It has this value.
    Extra(Vec<u8>),
    /// The key does not exist, but should, with this value.
    Missing(Vec<u8>),
    /// The key has another value than it should.
    Different {
        /// The desired value.
        wanted: Vec<u8>,
        /// The actual value.
        value: Vec<u8>,
    },
}

/// All keys that differ, with the difference.
pub type Drifts = BTreeMap<Vec<u8>, Drift>;

/// The desired state, and what is compared.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    /// The keys that should exist, with their values.
    pub wanted: Keys,
    /// Keys that are not compared, and everything below them.
    pub ignored: Vec<Pattern>,
    /// Whether other keys may exist.
    pub subset: bool,
}

impl Expectation {
    /// How `key` differs; its actual value is `None` if it does not exist.
    #[must_use]
    pub fn drift(&self, key: &[u8], value: Option<&[u8]>) -> Option<Drift> {
        if self
            .ignored
            .iter()
            .any(|pattern| pattern.matches_above(key))
        {
            return None;
        }
        match (self.wanted.get(key), value) {
            (None, Some(value)) if !self.subset => Some(Drift::Extra(value.to_vec())),
            (Some(wanted), None) => Some(Drift::Missing(wanted.clone())),
            (Some(wanted), Some(value)) if wanted != value => Some(Drift::Different {
                wanted: wanted.clone(),
                value: value.to_vec(),
            }),
            _ => None,
        }
    }

    /// All keys that differ. `there` are the keys that exist, with their values.
    #[must_use]
    pub fn drifts<'k>(&self, there: impl Iterator<Item = (&'k [u8], &'k [u8])>) -> Drifts {
        let there: BTreeMap<&[u8], &[u8]> = there.collect();
        let wanted = self.wanted.keys().map(Vec::as_slice);
        let keys = wanted.chain(there.keys().copied());
        let drift = |key: &[u8]| {
            let drift = self.drift(key, there.get(key).copied())?;
            Some((key.to_vec(), drift))
        };
        keys.filter_map(drift).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectation() -> Expectation {
        let wanted = [("/a", "1"), ("/b", "2"), ("/c", "3")];
        let bytes = |(key, value): (&str, &str)| (key.into(), value.into());
        Expectation {
            wanted: wanted.map(bytes).into(),
            ..Expectation::default()
        }
    }

    fn drifts(expectation: &Expectation) -> String {
        let there = [("/a", "1"), ("/b", "x"), ("/d", "4")];
        let there = there
            .iter()
            .map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        let sign = |(key, drift): (Vec<u8>, Drift)| {
            let sign = match drift {
                Drift::Extra(_) => '+',
                Drift::Missing(_) => '-',
                Drift::Different { .. } => '~',
            };
            format!("{sign}{} ", String::from_utf8(key).unwrap())
        };
        expectation.drifts(there).into_iter().map(sign).collect()
    }

    #[test]
    fn missing_keys_extra_keys_and_other_values_differ() {
        assert_eq!(drifts(&expectation()), "~/b -/c +/d ");
    }

    #[test]
    fn ignored_keys_never_differ() {
        let expectation = Expectation {
            ignored: vec!["/[cd]".parse::<Pattern>().unwrap()],
            ..expectation()
        };
        assert_eq!(drifts(&expectation), "~/b ");
    }

    #[test]
    fn extra_keys_do_not_differ_from_a_subset() {
        let expectation = Expectation {
            subset: true,
            ..expectation()
        };
        assert_eq!(drifts(&expectation), "~/b -/c ");
    }
}
