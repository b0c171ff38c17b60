//! The keys to watch, as the user typed them.

use super::choices::ApiChoice;
use crate::error::Error;
use etcdwatch_engine::model::{Key, KeyError, Scope};

/// The keys to watch, with `-r` and `--prefix`.
#[derive(Clone, Debug)]
pub struct WatchedKeys {
    /// The keys, at least one.
    pub keys: Vec<String>,
    /// Whether the keys below them are watched as well.
    pub recursive: bool,
    /// Whether every key that begins with one of the keys is watched (v3).
    pub prefix: bool,
}

impl WatchedKeys {
    /// The keys, for the spinner.
    #[must_use]
    pub fn name(&self) -> String {
        self.keys.join(" ")
    }

    /// The scope for each API that may be used, in the order in which the APIs are tried.
    ///
    /// # Errors
    /// If a key is invalid, or `--prefix` is used with the v2 API.
    pub fn scopes(&self, asked: ApiChoice) -> Result<Vec<Scope>, Error> {
        let scope = |parse: &dyn Fn(&str) -> Result<Key, KeyError>| {
            let parts = self.keys.iter().map(|key| {
                let parsed = parse(key);
                let parsed = parsed.map_err(|error| Error::Usage(format!("key '{key}': {error}")));
                Ok(Scope::new(parsed?, self.recursive))
            });
            let parts: Vec<Scope> = parts.collect::<Result<_, Error>>()?;
            Scope::several(&parts).map_err(|error| Error::Usage(error.to_string()))
        };
        let v2 = || scope(&Key::parse);
        let v3 = || {
            if self.prefix {
                scope(&|key| Ok(Key::prefix(key)))
            } else {
                scope(&Key::literal)
            }
        };
        match (asked, self.prefix) {
            (ApiChoice::V2, true) => Err(Error::Usage("--prefix needs --api v3".to_owned())),
            (ApiChoice::V2, false) => Ok(vec![v2()?]),
            (ApiChoice::V3, _) | (ApiChoice::Auto, true) => Ok(vec![v3()?]),
            (ApiChoice::Auto, false) => Ok(vec![v2()?, v3()?]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(prefix: bool) -> WatchedKeys {
        WatchedKeys {
            keys: vec!["a".to_owned()],
            recursive: !prefix,
            prefix,
        }
    }

    #[test]
    fn v2_keys_are_paths_and_v3_keys_are_literal() {
        let keys = |watched: WatchedKeys, asked| -> Vec<String> {
            let scopes = watched.scopes(asked).unwrap();
            let render = |scope: &Scope| format!("{} {}", scope.api().name(), scope.key);
            scopes.iter().map(render).collect()
        };
        assert_eq!(keys(watched(false), ApiChoice::Auto), ["v2 /a", "v3 a"]);
        assert_eq!(keys(watched(false), ApiChoice::V2), ["v2 /a"]);
        assert_eq!(keys(watched(true), ApiChoice::Auto), ["v3 a"]);
        assert!(watched(true).scopes(ApiChoice::V2).is_err());
    }
}
