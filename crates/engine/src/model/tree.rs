//! A key or a directory with what is below it.

use super::Index;

/// A key, or a directory with the children that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The key, any bytes.
    pub key: Vec<u8>,
    /// The value; none for a directory.
    pub value: Option<Vec<u8>>,
    /// Whether it is a directory. v3 has none: what lies before a `/` is shown as one.
    pub dir: bool,
    /// What is in it.
    pub nodes: Vec<Tree>,
    /// The index of its last change; 0 where it has none.
    pub modified: Index,
    /// The index of its creation; 0 where it has none.
    pub created: Index,
    /// How often it was written since it was created (v3); 0 where that is not known.
    pub version: u64,
    /// The lease it hangs on (v3); 0 for none.
    pub lease: i64,
}

impl Tree {
    /// A directory at `key` with `leaves`, which begin with `key` and a `/` and are in order: one
    /// level of it, or where `recursive`, all.
    #[must_use]
    pub fn directory(key: &[u8], leaves: Vec<Self>, recursive: bool) -> Self {
        let mut prefix = key.to_owned();
        if !prefix.ends_with(b"/") {
            prefix.push(b'/');
        }
        Self {
            key: key.to_owned(),
            dir: true,
            nodes: children(&prefix, leaves, recursive),
            ..Self::default()
        }
    }
}

/// What is directly below `prefix`, which ends in a `/`.
fn children(prefix: &[u8], leaves: Vec<Tree>, recursive: bool) -> Vec<Tree> {
    let mut nodes = Vec::new();
    let mut leaves = leaves.into_iter().peekable();
    while let Some(leaf) = leaves.next() {
        let rest = leaf.key.get(prefix.len()..).unwrap_or_default();
        let Some(slash) = rest.iter().position(|byte| *byte == b'/') else {
            nodes.push(leaf);
            continue;
        };
        let end = prefix.len() + slash;
        let deeper = leaf.key.get(..=end).unwrap_or_default().to_owned();
        let mut below = vec![leaf];
        while let Some(next) = leaves.next_if(|next| next.key.starts_with(&deeper)) {
            below.push(next);
        }
        nodes.push(Tree {
            key: deeper.get(..end).unwrap_or_default().to_owned(),
            dir: true,
            nodes: if recursive {
                children(&deeper, below, recursive)
            } else {
                Vec::new()
            },
            ..Tree::default()
        });
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(key: &str) -> Tree {
        Tree {
            key: key.as_bytes().to_owned(),
            value: Some(Vec::new()),
            ..Tree::default()
        }
    }

    fn shown(tree: &Tree, out: &mut Vec<String>) {
        let slash = if tree.dir { "/" } else { "" };
        out.push(format!("{}{slash}", String::from_utf8_lossy(&tree.key)));
        tree.nodes.iter().for_each(|node| shown(node, out));
    }

    fn keys(key: &str, leaves: &[&str], recursive: bool) -> Vec<String> {
        let leaves = leaves.iter().map(|key| leaf(key)).collect();
        let mut out = Vec::new();
        shown(
            &Tree::directory(key.as_bytes(), leaves, recursive),
            &mut out,
        );
        out
    }

    #[test]
    fn what_lies_before_a_slash_is_a_directory() {
        let leaves = ["/a/b", "/a/d-e", "/a/d/x", "/a/d/y/z", "/a/e"];
        assert_eq!(
            keys("/a", &leaves, false),
            ["/a/", "/a/b", "/a/d-e", "/a/d/", "/a/e"]
        );
        assert_eq!(
            keys("/a", &leaves, true),
            [
                "/a/", "/a/b", "/a/d-e", "/a/d/", "/a/d/x", "/a/d/y/", "/a/d/y/z", "/a/e"
            ]
        );
    }

    #[test]
    fn keys_with_slashes_at_odd_places_stay_what_they_are() {
        assert_eq!(keys("/", &["//x", "/a"], true), ["//", "//", "//x", "/a"]);
        assert_eq!(
            keys("a", &["a/", "a/b/"], true),
            ["a/", "a/", "a/b/", "a/b/"]
        );
    }
}
