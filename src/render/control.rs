//! Control records, which etcdwatch adds to those of keys and events: gap, reset, synced and status.

use etcdwatch_engine::model::{Gap, Index};
use etcdwatch_engine::watch::{Status, Update};

/// A record that is not about a key or an event, but about the watch.
#[derive(Clone, Copy, Debug)]
pub struct ControlRecord<'r> {
    /// The watched keys.
    pub scope: &'r str,
    /// The kind of the record, with its data.
    pub content: Content<'r>,
}

/// The kind of a control record, with its data.
#[derive(Clone, Copy, Debug)]
pub enum Content<'r> {
    /// Events were lost, or may have been.
    Gap(&'r Gap),
    /// The state before is void, and the present state follows.
    Reset(Index),
    /// The state, or the list of differences, is complete.
    Synced(Index),
    /// The state of the watch has changed, at the endpoint with this URL.
    Status(&'r Status, &'r str),
}

impl<'r> ControlRecord<'r> {
    /// The record for `update`; `None` if it has none. `url` returns the URL of an endpoint by its place.
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

    /// Its position among all records.
    #[must_use]
    pub fn index(&self) -> Index {
        match self.content {
            Content::Gap(gap) => gap.index,
            Content::Reset(index) | Content::Synced(index) => index,
            Content::Status(status, _) => status.index,
        }
    }

    /// The name of its kind.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self.content {
            Content::Gap(_) => "gap",
            Content::Reset(_) => "reset",
            Content::Synced(_) => "synced",
            Content::Status(..) => "status",
        }
    }

    /// The field in place of a key: the watched keys, or the state of the watch.
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

    /// The reason for the state of the watch, if it is a status.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        let Content::Status(status, _) = self.content else {
            return None;
        };
        let cause = status.cause.as_ref()?.to_string();
        (!cause.is_empty()).then_some(cause)
    }

    /// The record as one line, for a notice.
    #[must_use]
    pub fn sentence(&self) -> String {
        let start = format!("{} {} {}", self.index(), self.action(), self.subject());
        let parts = [start].into_iter().chain(self.details());
        parts.collect::<Vec<_>>().join(" ")
    }
}
