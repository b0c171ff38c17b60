//! The records that etcdwatch itself makes, beside those of keys.

use etcdwatch_engine::model::{Gap, Index};
use etcdwatch_engine::watch::{Status, Update};

/// A record of etcdwatch itself.
#[derive(Clone, Copy, Debug)]
pub struct OwnRecord<'r> {
    /// The keys that are watched.
    pub scope: &'r str,
    /// What it says of the watch.
    pub content: Content<'r>,
}

/// What a record of etcdwatch itself says.
#[derive(Clone, Copy, Debug)]
pub enum Content<'r> {
    /// Events were lost.
    Gap(&'r Gap),
    /// Everything printed before is to be forgotten.
    Reset(Index),
    /// The state, or the differences, are complete.
    Synced(Index),
    /// How the watch is, and the URL of the endpoint that this is about.
    Status(&'r Status, &'r str),
}

impl<'r> OwnRecord<'r> {
    /// The record that `update` is printed as; `None` where it is printed otherwise or not at all. `url`
    /// names an endpoint by its place.
    #[must_use]
    pub fn of(
        update: &'r Update,
        scope: &'r str,
        url: impl FnOnce(usize) -> &'r str,
    ) -> Option<Self> {
        let content = match update {
            Update::Gap(gap) => Content::Gap(gap),
            Update::Reset(index) => Content::Reset(*index),
            Update::Synced(index) => Content::Synced(*index),
            Update::Status(status) => Content::Status(status, url(status.endpoint)),
            _ => return None,
        };
        Some(Self { scope, content })
    }

    /// Where it stands among all other records.
    #[must_use]
    pub fn index(&self) -> Index {
        match self.content {
            Content::Gap(gap) => gap.index,
            Content::Reset(index) | Content::Synced(index) => index,
            Content::Status(status, _) => status.index,
        }
    }

    /// The name that tells its kind.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self.content {
            Content::Gap(_) => "gap",
            Content::Reset(_) => "reset",
            Content::Synced(_) => "synced",
            Content::Status(..) => "status",
        }
    }

    /// What stands where a record of a key has the key: the keys watched, or the state of the watch.
    #[must_use]
    pub fn subject(&self) -> &'r str {
        match self.content {
            Content::Status(status, _) => status.state.name(),
            _ => self.scope,
        }
    }

    /// The fields that follow the subject.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        match self.content {
            Content::Gap(gap) => {
                let to = gap.to.map_or_else(String::new, |to| to.to_string());
                let certain = if gap.certain { "certain" } else { "possible" };
                let range = format!("{}-{to}", gap.from);
                vec![range, certain.to_owned(), gap.cause.name().to_owned()]
            }
            Content::Reset(_) | Content::Synced(_) => Vec::new(),
            Content::Status(_, url) => {
                let url = [url.to_owned()].into_iter();
                url.chain(self.cause()).collect()
            }
        }
    }

    /// Why the state of the watch is what it is.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        let Content::Status(status, _) = self.content else {
            return None;
        };
        let cause = status.cause.as_ref()?.to_string();
        (!cause.is_empty()).then_some(cause)
    }

    /// The record in one line for a person, as a part of a notice.
    #[must_use]
    pub fn sentence(&self) -> String {
        let start = format!("{} {} {}", self.index(), self.action(), self.subject());
        let parts = [start].into_iter().chain(self.details());
        parts.collect::<Vec<_>>().join(" ")
    }
}
