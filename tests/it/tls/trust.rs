//! Which servers are trusted: issuers, dates, names and purposes of certificates, and
//! `--insecure-skip-tls-verify`.

use rcgen::ExtendedKeyUsagePurpose;
use serde_json::Value;

use super::{Files, OWN, at};
use crate::support::certificates::{Authority, BOTH, Issued, Validity};
use crate::support::etcd::{Etcd, Version};
use crate::support::tool::{Program, assert_ends};
use crate::support::v2;

#[test]
fn an_untrusted_certificate_exits_3_with_the_reason_before_any_request() {
    let files = Files::new();
    let etcd = files.server(Version::V3_5);
    let url = etcd.tls_url();
    let other = Authority::new("another authority");
    files.write("other.pem", other.pem());
    let put = |issued: &Issued| files.write_issued("server", issued);
    let by = |names: &[&str], purposes: &[_], validity| {
        files.authority.issue_for(names, purposes, validity)
    };
    let is_refused = |api: &str, authority: &str, parts: &[&str]| {
        let options = ["--cacert".to_owned(), files.named(authority)];
        let output = at(&url, &options, &["--api", api, "set", "/k", "v"]);
        assert_ends(&output, 3, parts);
        assert!(output.stderr.contains(&url), "{output:?}");
    };
    let issuer = "the issuer of its certificate";
    is_refused("v2", "other.pem", &[issuer, "other.pem", "--cacert"]);
    let output = at(&url, &[], &["get", "/k"]);
    assert_ends(&output, 3, &[issuer, "of this system", "--cacert"]);

    // etcd reads its certificate again for each connection.
    put(&by(&OWN, &BOTH, Validity::Expired));
    is_refused(
        "v2",
        "ca.pem",
        &["certificate expired on 2021-01-01T00:00:00Z"],
    );
    is_refused(
        "v3",
        "ca.pem",
        &["certificate expired on 2021-01-01T00:00:00Z"],
    );
    put(&by(&OWN, &BOTH, Validity::Future));
    is_refused(
        "v2",
        "ca.pem",
        &["not valid before 2119-01-01T00:00:00Z", "clock"],
    );
    put(&by(&["etcd-1", "10.0.0.1"], &BOTH, Validity::Now));
    is_refused("v2", "ca.pem", &["is for etcd-1, not for 127.0.0.1"]);
    put(&by(&[], &BOTH, Validity::Now));
    is_refused("v2", "ca.pem", &["no DNS names", "127.0.0.1"]);
    put(&by(
        &OWN,
        &[ExtendedKeyUsagePurpose::ClientAuth],
        Validity::Now,
    ));
    is_refused("v2", "ca.pem", &["not a server certificate"]);
    // Another authority with the same name and another key.
    files.write(
        "other.pem",
        Authority::new("the authority of the tests").pem(),
    );
    put(&files.authority.issue(&OWN));
    is_refused(
        "v2",
        "other.pem",
        &["not signed by the authority that it names"],
    );
    assert_eq!(
        v2::request("GET", &etcd.url(), "/v2/keys/k", &[]).status,
        404
    );
    assert_eq!(
        at(
            &url,
            &files.ca_options(),
            &["--api", "v2", "set", "/k", "v"]
        )
        .code,
        0
    );
}

#[test]
fn an_untrusted_endpoint_is_skipped_and_reported_if_no_other_answers() {
    let files = Files::new();
    let etcd = files.server(Version::V3_5);
    let other = Files::new();
    let stranger = other.server(Version::V3_5);
    let both = format!("{},{}", stranger.tls_url(), etcd.tls_url());
    let set = ["--api", "v2", "set", "/k", "v"];
    assert_eq!(at(&both, &files.ca_options(), &set).code, 0);
    let output = at(&both, &[], &["-o", "json", "set", "/k", "v"]);
    let error: Value = serde_json::from_str(&output.stderr).expect("JSON");
    assert_eq!(error["error"]["kind"], "untrusted", "{output:?}");
    assert_eq!(error["error"]["exit"], 3);
}

#[test]
fn insecure_skip_tls_verify_prints_a_warning_on_every_run() {
    let files = Files::new();
    let etcd = files.server(Version::V3_4);
    let flag = ["--insecure-skip-tls-verify".to_owned()];
    for quiet in [&[][..], &["-q"]] {
        let output = at(
            &etcd.tls_url(),
            &flag,
            &[quiet, &["--api", "v2", "set", "/k", "v"]].concat(),
        );
        assert_ends(&output, 0, &["man-in-the-middle"]);
    }
    let output = at(&etcd.tls_url(), &flag, &["-o", "json", "get", "/k"]);
    let notice: Value = serde_json::from_str(&output.stderr).expect("JSON");
    assert_eq!(notice["notice"]["kind"], "unverified");
    // The option has no effect without TLS.
    let output = at(&etcd.url(), &flag, &["get", "/k"]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
}

#[test]
fn a_plaintext_connection_does_not_load_authorities() {
    let etcd = Etcd::start(Version::V3_5);
    // Authorities would be loaded from there.
    let get = ["--api", "v2", "--endpoints", &etcd.url(), "get", "/"];
    let output = Program::tool(&get)
        .env("SSL_CERT_FILE", "/nowhere")
        .env("SSL_CERT_DIR", "/nowhere")
        .run();
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let https = ["--endpoints", "https://127.0.0.1:1", "get", "/"];
    let output = Program::tool(&https)
        .env("SSL_CERT_FILE", "/nowhere")
        .env("SSL_CERT_DIR", "/nowhere")
        .run();
    assert_ends(&output, 2, &["--cacert"]);
}
