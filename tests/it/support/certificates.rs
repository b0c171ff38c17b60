//! Certificates of authorities, servers and clients, valid ones and each kind of invalid one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

/// A certificate authority.
pub struct Authority {
    name: String,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
pub struct Issued {
    /// The certificate in PEM.
    pub certificate: String,
    /// Its private key.
    pub key: KeyPair,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// From 2020 to 2119.
    Now,
    /// Until 2020-12-31.
    Expired,
    /// From 2119.
    Future,
}

impl Authority {
    /// Creates an authority with a self-signed certificate.
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

    /// Issues a certificate for these names, for servers and clients.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_for(names, &BOTH, Validity::Now)
    }

    /// Issues a certificate for these names and purposes.
    pub fn issue_for(
        &self,
        names: &[&str],
        purposes: &[ExtendedKeyUsagePurpose],
        validity: Validity,
    ) -> Issued {
        let key = KeyPair::generate().expect("a key");
        self.issue_to(key, names, purposes, validity)
    }

    /// Issues a certificate for an existing key.
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

/// The purposes of a server that is also a client, as etcd's gateway is of its own server.
pub const BOTH: [ExtendedKeyUsagePurpose; 2] = [
    ExtendedKeyUsagePurpose::ServerAuth,
    ExtendedKeyUsagePurpose::ClientAuth,
];

/// Writes a file that only its owner can read, and returns its path.
pub fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner's");
    path
}

/// An EC key in the SEC1 format, which is inside its PKCS#8 encoding.
pub fn sec1(key: &KeyPair) -> String {
    let whole = key.serialize_der();
    // An ECPrivateKey begins with version 1 and an octet string of 32 bytes.
    let inner = [0x02, 0x01, 0x01, 0x04, 0x20];
    let place = whole
        .windows(inner.len())
        .position(|window| window == inner)
        .expect("a key of an elliptic curve");
    // Its DER header has two bytes, because it is shorter than 128 bytes.
    pem("EC PRIVATE KEY", &whole[place - 2..])
}

/// Encodes DER as PEM.
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
