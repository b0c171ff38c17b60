//! etcdwatch
