//! `-v` prints requests, and `-vv` the decisions of a watch as well.

use crate::support::shared;

#[test]
fn vv_prints_the_decisions_of_a_watch_and_v_only_requests() {
    let subtree = shared::any();
    let key = subtree.key("verbose");
    for api in ["v2", "v3"] {
        let set = subtree.tool(&["--api", api, "set", &key, "1"]);
        assert_eq!(set.code, 0, "{set:?}");
        let watch = |verbose| {
            let until = ["watch", &key, "--until", "exists"];
            let output = subtree.tool(&[&["--api", api, verbose], &until[..]].concat());
            assert_eq!(output.code, 0, "{output:?}");
            output.stderr
        };
        let (requests, decisions) = (watch("-v"), watch("-vv"));
        for stderr in [&requests, &decisions] {
            assert!(stderr.contains("curl -sS"), "{stderr}");
        }
        let is_decision = |line: &&str| line.starts_with("* 0.");
        assert_eq!(requests.lines().find(is_decision), None);
        for what in [" phase now=", " send id=1 request=", " head id="] {
            let mut lines = decisions.lines().filter(is_decision);
            assert!(lines.any(|line| line.contains(what)), "{what}: {decisions}");
        }
    }
}
