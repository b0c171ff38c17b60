//! How a subtree differs from what it is to be like.

use std::collections::BTreeMap;

use crate::desired::Keys;
use crate::filter::Pattern;

/// How a key differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// It is there, and is not wanted.
    Extra(Vec<u8>),
    /// It is not there, and is wanted so.
    Missing(Vec<u8>),
    /// It has another value than is wanted.
    Different {
        /// What is wanted.
        wanted: Vec<u8>,
        /// What it has.
        value: Vec<u8>,
    },
}

/// All keys that differ.
pub type Drifts = BTreeMap<Vec<u8>, Drift>;

/// What a subtree is to be like, and what of it does not matter.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    /// The keys that are wanted.
    pub wanted: Keys,
    /// Keys that are of no interest.
    pub ignored: Vec<Pattern>,
    /// Keys that are not wanted are of no interest.
    pub subset: bool,
}

impl Expectation {
    /// How `key` differs, which has this value, or none.
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

    /// All keys that differ, where these are there.
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
    fn what_is_missing_what_is_extra_and_what_is_another_differs() {
        assert_eq!(drifts(&expectation()), "~/b -/c +/d ");
    }

    #[test]
    fn what_is_ignored_differs_neither_here_nor_there() {
        let expectation = Expectation {
            ignored: vec!["/[cd]".parse::<Pattern>().unwrap()],
            ..expectation()
        };
        assert_eq!(drifts(&expectation), "~/b ");
    }

    #[test]
    fn of_a_subset_more_may_be_there() {
        let expectation = Expectation {
            subset: true,
            ..expectation()
        };
        assert_eq!(drifts(&expectation), "~/b -/c ");
    }
}
