//! The token by which v3 knows the user.
//!
//! A server that is asked for one tells the others of it, so that one is enough for all
//! endpoints. It expires, and a server that is started again may not know it any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::credentials::Secret;

/// What a request is sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pass {
    /// A token.
    Token(Arc<Secret>),
    /// Nothing: nobody is asked who one is.
    NotNeeded,
}

/// What is known of the token.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<Option<Pass>>);

impl Tokens {
    /// The pass that is known, or what `take` brings. While it is taken, the others wait for it.
    pub fn get<E>(&self, take: impl FnOnce() -> Result<Pass, E>) -> Result<Pass, E> {
        let mut known = self.lock();
        if let Some(pass) = &*known {
            return Ok(pass.clone());
        }
        let pass = take()?;
        *known = Some(pass.clone());
        Ok(pass)
    }

    /// It was refused: the next request takes another, unless one was taken since.
    pub fn forget(&self, refused: &Pass) {
        let mut known = self.lock();
        if known.as_ref() == Some(refused) {
            *known = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pass>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Pass {
        Pass::Token(Arc::new(Secret::new(text.to_owned())))
    }

    #[test]
    fn a_token_is_taken_once_and_again_after_it_was_refused() {
        let tokens = Tokens::default();
        let take = |text| tokens.get(|| Ok::<_, ()>(token(text))).unwrap();
        assert_eq!(take("one"), token("one"));
        assert_eq!(take("two"), token("one"));
        tokens.forget(&token("an older one"));
        assert_eq!(take("two"), token("one"));
        tokens.forget(&token("one"));
        assert_eq!(take("two"), token("two"));
    }

    #[test]
    fn one_that_could_not_be_had_is_asked_for_again() {
        let tokens = Tokens::default();
        assert_eq!(tokens.get(|| Err("silent")), Err("silent"));
        assert_eq!(tokens.get(|| Ok::<_, &str>(token("one"))), Ok(token("one")));
    }
}
