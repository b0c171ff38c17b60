//! Certificates of authorities, servers and clients: good ones, and bad ones of each kind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

/// Who issues certificates.
pub struct Authority {
    name: String,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, both in PEM.
pub struct Issued {
    pub certificate: String,
    pub key: KeyPair,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    Now,
    Expired,
    Future,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            name: name.to_owned(),
            certificate: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Its own certificate.
    pub fn pem(&self) -> &str {
        &self.certificate
    }

    /// A certificate for who has these names, as a server or a client.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_for(names, &BOTH, Validity::Now)
    }

    pub fn issue_for(
        &self,
        names: &[&str],
        purposes: &[ExtendedKeyUsagePurpose],
        validity: Validity,
    ) -> Issued {
        let key = KeyPair::generate().expect("a key");
        self.issue_to(key, names, purposes, validity)
    }

    pub fn issue_to(
        &self,
        key: KeyPair,
        names: &[&str],
        purposes: &[ExtendedKeyUsagePurpose],
        validity: Validity,
    ) -> Issued {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params
            .distinguished_name
            .push(DnType::CommonName, format!("issued by {}", self.name));
        params.extended_key_usages = purposes.to_vec();
        (params.not_before, params.not_after) = match validity {
            Validity::Now => (date_time_ymd(2020, 1, 1), date_time_ymd(2120, 1, 1)),
            Validity::Expired => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
            Validity::Future => (date_time_ymd(2119, 1, 1), date_time_ymd(2120, 1, 1)),
        };
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Issued {
            certificate: certificate.pem(),
            key,
        }
    }
}

/// For servers and for clients: etcd's gateway is a client of its own server.
pub const BOTH: [ExtendedKeyUsagePurpose; 2] = [
    ExtendedKeyUsagePurpose::ServerAuth,
    ExtendedKeyUsagePurpose::ClientAuth,
];

/// Writes a file into a directory, for nobody but the owner; its path.
pub fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner's");
    path
}

/// A key of an elliptic curve as SEC1 has it: what is inside of its PKCS#8.
pub fn sec1(key: &KeyPair) -> String {
    let whole = key.serialize_der();
    // An ECPrivateKey begins with its version, 1, and 32 bytes.
    let inner = [0x02, 0x01, 0x01, 0x04, 0x20];
    let place = whole
        .windows(inner.len())
        .position(|window| window == inner)
        .expect("a key of an elliptic curve");
    // Its head is two bytes: it is shorter than 128.
    pem("EC PRIVATE KEY", &whole[place - 2..])
}

/// Text for what is in DER.
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("ASCII"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
