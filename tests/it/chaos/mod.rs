//! Faults while others write: nothing is lost silently, nothing comes twice, all in order, and
//! the consumer ends with the server's state.
//!
//! | room | what it is for |
//! |---|---|
//! | [`faults`] | what goes wrong, drawn from a seed |
//! | [`writers`] | who writes meanwhile, and what of it certainly happened |
//! | [`rivals`] | who watches: the tool, and `curl` and `etcdctl` beside it |
//! | [`speech`] | by which API is written and watched |
//! | [`arena`] | servers, and the course of a run |
//! | [`behind`] | the run in which a member catches up by a snapshot |
//! | [`rebuilt`] | the run in which the store is made anew |
//! | [`score`] | what came of it, counted and in a table |
//! | [`suite`] | the tests, and the soak that `tests/soak.sh` runs |

mod arena;
mod behind;
mod faults;
mod rebuilt;
mod rivals;
mod score;
mod speech;
mod suite;
mod writers;
