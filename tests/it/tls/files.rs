//! Certificate and key files: invalid, named in the environment, and replaced during a watch.

use super::{Files, OWN};
use crate::support::certificates::Authority;
use crate::support::etcd::{Etcd, Version};
use crate::support::tool::{Program, assert_ends, tool};
use crate::support::{follow, v2};

#[test]
fn invalid_certificate_and_key_files_are_named_with_the_reason() {
    let files = Files::new();
    files.write("empty.pem", "");
    files.write("text.pem", "my notes\n");
    files.write_issued("other", &files.authority.issue(&["other"]));
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    files.write("locked.key", locked);
    let (client, missing) = (files.named("client.pem"), files.named("missing"));
    let name = |name: &str| files.named(name);
    for (options, parts) in [
        (vec!["--cacert", &missing], ["--cacert", "missing"]),
        (
            vec!["--cacert", &name("empty.pem")],
            ["empty.pem", "no certificate"],
        ),
        (
            vec!["--cacert", &name("text.pem")],
            ["text.pem", "no certificate"],
        ),
        (
            vec!["--cert", &client, "--key", &name("other.key")],
            ["other.key", "does not match"],
        ),
        (
            vec!["--cert", &client, "--key", &name("text.pem")],
            ["text.pem", "no key"],
        ),
        (vec!["--cert", &client], ["client.pem", "no key"]),
        (
            vec!["--cert", &client, "--key", &name("locked.key")],
            ["locked.key", "passphrase"],
        ),
        (vec!["--key", &name("client.key")], ["--key", "--cert"]),
    ] {
        let url = "https://127.0.0.1:1";
        let output = tool(&[&["--endpoints", url, "get", "/k"], &options[..]].concat());
        assert_ends(&output, 2, &parts);
    }
    // Variables may be meant for another cluster, so that an endpoint without TLS ignores them.
    let etcd = Etcd::start(Version::V3_5);
    let get = ["--api", "v2", "--endpoints", &etcd.url(), "get", "/"];
    let output = Program::tool(&get).env("ETCDCTL_CACERT", missing).run();
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
}

#[test]
fn certificates_come_from_the_etcdctl_environment() {
    let files = Files::new();
    let etcd = files.server_requiring_certificates(Version::V3_5);
    let address = etcd.tls_url().replace("https://", "");
    for names in [
        ["ETCDCTL_CACERT", "ETCDCTL_CERT", "ETCDCTL_KEY"],
        ["ETCDCTL_CA_FILE", "ETCDCTL_CERT_FILE", "ETCDCTL_KEY_FILE"],
    ] {
        let mut program = Program::tool(&["set", "/k", "v"]).env("ETCDCTL_ENDPOINTS", &address);
        for (name, file) in names
            .into_iter()
            .zip(["ca.pem", "client.pem", "client.key"])
        {
            program = program.env(name, files.named(file));
        }
        let output = program.run();
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    }
}

#[test]
fn replaced_certificates_are_read_again() {
    let files = Files::new();
    let etcd = files.server_requiring_certificates(Version::V3_5);
    let url = etcd.tls_url();
    let options = files.client_options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let watch = [&["--api", "v2", "-r", "/"], &options[..]].concat();
    let running = follow::live(&url, &watch);
    v2::put(&etcd.url(), "/k", "before");
    follow::wait_for_value(&running, "/k", "before");
    // Another authority replaces the old one, whose certificates are no longer accepted.
    let next = Authority::new("the next authority");
    files.write("ca.pem", next.pem());
    files.write_issued("client", &next.issue(&["client"]));
    files.write_issued("server", &next.issue(&OWN));
    etcd.restart();
    v2::put(&etcd.url(), "/k", "after");
    let records = follow::wait_for_value(&running, "/k", "after");
    assert!(
        records.iter().all(|record| record["action"] != "gap"),
        "{records:?}"
    );
}
