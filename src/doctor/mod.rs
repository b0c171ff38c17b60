//! What an operator wants to know before a watch is trusted.
//!
//! [`facts`] asks the endpoints; [`history`] finds out how far back history reaches; [`findings`] says what is
//! wrong with the answers, and is pure; [`table`] shows them.

pub mod facts;
pub mod findings;
pub mod history;
pub mod table;
