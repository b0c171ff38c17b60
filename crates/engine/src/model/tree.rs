//! A key, or a directory with the keys below it.

use super::Index;

/// A key, or a directory with the children that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The key, any bytes.
    pub key: Vec<u8>,
    /// The value; `None` for a directory.
    pub value: Option<Vec<u8>>,
    /// Whether this is a directory. v3 has no directories: the part of a key before a `/` is shown as
    /// one.
    pub dir: bool,
    /// The children that were read.
    pub nodes: Vec<Tree>,
    /// The index of the last change; 0 if there is none.
    pub modified: Index,
    /// The index of the creation; 0 if there is none.
    pub created: Index,
    /// The number of writes since the creation (v3); 0 if it is not known.
    pub version: u64,
    /// The ID of the lease (v3); 0 for none.
    pub lease: i64,
}

impl Tree {
    /// A directory at `key`. The keys of `leaves` are sorted, and begin with `key` and a `/`. If
    /// `recursive` is not set, the result has one level only.
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

/// The children directly below `prefix`, which ends in a `/`.
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
    fn the_part_of_a_key_before_a_slash_is_a_directory() {
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
    fn keys_with_empty_segments_keep_them() {
        assert_eq!(keys("/", &["//x", "/a"], true), ["//", "//", "//x", "/a"]);
        assert_eq!(
            keys("a", &["a/", "a/b/"], true),
            ["a/", "a/", "a/b/", "a/b/"]
        );
    }
}
