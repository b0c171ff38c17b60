//! What an operator wants to know before a watch is trusted.
//!
//! [`facts`] asks the endpoints; [`findings`] says what is wrong with the answers, and is pure;
//! [`table`] shows both.

pub mod facts;
pub mod findings;
pub mod table;
