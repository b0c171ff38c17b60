//! Which holes are asked about next.

use std::collections::BTreeSet;

use super::evidence::Testimony;
use super::ledger::Hole;
use crate::model::Index;

/// How many are asked into holes, where nobody knows whether there is anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// So many questions in all at most.
    pub most: usize,
    /// A hole is worth another question where each gets at least this many indexes.
    pub worth: u64,
}

/// Chooses up to `free` positions to ask from, given the holes and the positions that are
/// asked from already. First each hole at its start, in order, since that is what the cursor
/// waits for, and what lies behind it answers; then the widest stretch in its middle, where nobody
/// knows whether there is anything, as far as `spread` goes.
#[must_use]
pub fn choose(holes: &[Hole], asked: &BTreeSet<Index>, free: usize, spread: Spread) -> Vec<Index> {
    let mut chosen = Vec::new();
    let mut stretches = Vec::new();
    for hole in holes {
        if chosen.len() == free {
            return chosen;
        }
        if !asked.contains(&hole.after) {
            chosen.push(hole.after);
        }
        // Where questions are under way in the middle of a hole, it is that many stretches.
        let mut after = hole.after;
        for &middle in asked.range(hole.after.next()..hole.upto) {
            stretches.push(Hole {
                after,
                upto: middle,
            });
            after = middle;
        }
        stretches.push(Hole {
            after,
            upto: hole.upto,
        });
    }
    while chosen.len() < free.min(spread.most) {
        let Some(widest) = stretches.iter_mut().max_by_key(|hole| hole.width()) else {
            break;
        };
        if widest.width() < 2 * spread.worth {
            break;
        }
        let middle = Index(widest.after.0 + widest.width() / 2);
        chosen.push(middle);
        let rest = Hole {
            after: middle,
            upto: widest.upto,
        };
        widest.upto = middle;
        stretches.push(rest);
    }
    chosen
}

/// How far from `cursor` on each index lies in two testimonies that prove it together.
#[must_use]
pub fn covered_twice(cursor: Index, testimonies: &[Testimony]) -> Index {
    let mut reached = cursor;
    loop {
        let spans: Vec<Testimony> = testimonies
            .iter()
            .filter(|one| one.after <= reached && one.upto > reached)
            .copied()
            .collect();
        let others = |place: usize| spans.iter().skip(place + 1);
        let pairs = spans.iter().enumerate().flat_map(|(place, one)| {
            others(place).filter_map(|other| one.overlap(*other).map(|(_, upto)| upto))
        });
        match pairs.max() {
            Some(upto) => reached = upto,
            None => return reached,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hole(after: u64, upto: u64) -> Hole {
        Hole {
            after: Index(after),
            upto: Index(upto),
        }
    }

    fn asked<const N: usize>(positions: [u64; N]) -> BTreeSet<Index> {
        positions.into_iter().map(Index).collect()
    }

    fn spread(most: usize) -> Spread {
        Spread { most, worth: 2 }
    }

    fn positions(chosen: Vec<Index>) -> Vec<u64> {
        chosen.into_iter().map(|index| index.0).collect()
    }

    #[test]
    fn what_the_cursor_waits_for_is_asked_first() {
        let holes = [hole(10, 11), hole(20, 500)];
        assert_eq!(positions(choose(&holes, &asked([]), 1, spread(1))), [10]);
        assert_eq!(
            positions(choose(&holes, &asked([]), 2, spread(2))),
            [10, 20]
        );
    }

    #[test]
    fn only_what_nobody_may_answer_is_asked_with_caution() {
        let holes = [hole(10, 500), hole(600, 601), hole(700, 701)];
        let chosen = choose(&holes, &asked([]), 8, spread(1));
        assert_eq!(positions(chosen), [10, 600, 700]);
        let chosen = choose(&holes, &asked([]), 8, spread(4));
        assert_eq!(positions(chosen), [10, 600, 700, 255]);
    }

    #[test]
    fn nothing_is_asked_twice() {
        let holes = [hole(10, 12), hole(20, 22)];
        assert_eq!(
            positions(choose(&holes, &asked([10, 20]), 4, spread(4))),
            [0u64; 0]
        );
    }

    #[test]
    fn a_wide_hole_is_asked_in_parts() {
        let holes = [hole(0, 1000)];
        assert_eq!(
            positions(choose(&holes, &asked([]), 4, spread(4))),
            [0, 500, 750, 250]
        );
        assert_eq!(
            positions(choose(&holes, &asked([0, 500]), 1, spread(1))),
            [750]
        );
    }

    #[test]
    fn what_is_asked_twice_is_known_from_the_testimonies() {
        let testimony = |after, upto, asked| Testimony {
            after: Index(after),
            upto: Index(upto),
            asked,
            served: Some(asked),
        };
        let reach = |spans: &[(u64, u64)]| {
            let asked = spans.iter().zip(1..);
            let spans: Vec<Testimony> = asked
                .map(|(&(after, upto), asked)| testimony(after, upto, asked))
                .collect();
            covered_twice(Index(5), &spans).0
        };
        assert_eq!(reach(&[]), 5);
        assert_eq!(reach(&[(5, 9)]), 5);
        assert_eq!(reach(&[(5, 9), (5, 12)]), 9);
        assert_eq!(reach(&[(5, 9), (5, 12), (9, 20)]), 12);
        assert_eq!(reach(&[(5, 9), (5, 9), (10, 12), (10, 12)]), 9);
        // Asked together.
        let together = [testimony(5, 9, 1), testimony(5, 9, 1)];
        assert_eq!(covered_twice(Index(5), &together).0, 5);
    }

    #[test]
    fn a_narrow_hole_is_not() {
        let chosen = choose(&[hole(0, 3)], &asked([0]), 4, spread(4));
        assert_eq!(positions(chosen), [0u64; 0]);
    }
}
