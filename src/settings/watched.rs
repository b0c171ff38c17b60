//! The keys to watch.

use super::choices::ApiChoice;
use crate::error::Error;
use etcdwatch_engine::model::{Key, KeyError, Scope};

/// What is watched, as it was typed.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The keys, at least one.
    pub keys: Vec<String>,
    /// With all below them.
    pub recursive: bool,
    /// With all that begins so (v3).
    pub prefix: bool,
}

impl Watched {
    /// The keys as they are named to a person.
    #[must_use]
    pub fn name(&self) -> String {
        self.keys.join(" ")
    }

    /// What that is by each API that may be spoken, in the order in which they are tried.
    ///
    /// # Errors
    /// Where it is nothing.
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

    fn watched(prefix: bool) -> Watched {
        Watched {
            keys: vec!["a".to_owned()],
            recursive: !prefix,
            prefix,
        }
    }

    #[test]
    fn each_api_has_its_own_idea_of_a_key() {
        let keys = |watched: Watched, asked| -> Vec<String> {
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
