//! The token that authenticates the user with the v3 API.
//!
//! A server shares the tokens it issues with the other members, so one token is enough for all
//! endpoints. It expires, and a member that restarts may not know it any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::credentials::Secret;

/// The authentication of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthToken {
    /// With this token.
    Token(Arc<Secret>),
    /// Without a token, because authentication is disabled in the cluster.
    NotNeeded,
}

/// The token that all connections use.
#[derive(Debug, Default)]
pub(super) struct TokenCache(Mutex<Option<AuthToken>>);

impl TokenCache {
    /// The current token, or the one that `take` requests. Other threads wait meanwhile.
    pub fn get<E>(&self, take: impl FnOnce() -> Result<AuthToken, E>) -> Result<AuthToken, E> {
        let mut known = self.lock();
        if let Some(pass) = &*known {
            return Ok(pass.clone());
        }
        let pass = take()?;
        *known = Some(pass.clone());
        Ok(pass)
    }

    /// Forgets a token that was refused, so that the next request takes a new one, unless another thread
    /// has taken one already.
    pub fn forget(&self, refused: &AuthToken) {
        let mut known = self.lock();
        if known.as_ref() == Some(refused) {
            *known = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<AuthToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> AuthToken {
        AuthToken::Token(Arc::new(Secret::new(text.to_owned())))
    }

    #[test]
    fn a_token_is_taken_once_and_again_after_it_was_refused() {
        let tokens = TokenCache::default();
        let take = |text| tokens.get(|| Ok::<_, ()>(token(text))).unwrap();
        assert_eq!(take("one"), token("one"));
        assert_eq!(take("two"), token("one"));
        tokens.forget(&token("an older one"));
        assert_eq!(take("two"), token("one"));
        tokens.forget(&token("one"));
        assert_eq!(take("two"), token("two"));
    }

    #[test]
    fn a_failed_token_request_is_retried() {
        let tokens = TokenCache::default();
        assert_eq!(tokens.get(|| Err("silent")), Err("silent"));
        assert_eq!(tokens.get(|| Ok::<_, &str>(token("one"))), Ok(token("one")));
    }
}
