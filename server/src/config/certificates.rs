//! `[[grpc.certificates]]`: the backends that are known by their certificate.

use fanline_grpc::backends::{KnownCertificate, Rights};

use super::checker::Checker;
use super::path::Path;
use super::section::section;

/// The kinds of names in a certificate, as they stand before a name.
const KINDS: [&str; 4] = ["dns:", "uri:", "email:", "cn:"];

section! {
    /// A backend that needs no API key, as its certificate says who it is. Needs client_ca in `[grpc]`.
    CertificateConfig {
        /// Name of the backend, for logs.
        name: Option<String> = None, like r#""billing""#;
        /// A name in its certificate: "dns:", "uri:" or "email:" and an alternative name, or "cn:" and the common name.
        subject: Option<String> = None, like r#""dns:billing.internal""#;
        /// What it may do: publish, subscribe, presence, history, connections, commands, catalog.
        scopes: Vec<String> = Vec::new(), like r#"["publish"]"#;
        /// Channels in which it may, by patterns; * stands for any run of characters.
        channels: Vec<String> = Vec::new(), like r#"["billing:*"]"#;
        /// Methods that it may answer with the scope commands, by patterns. Not set: any.
        methods: Vec<String> = Vec::new(), like r#"["billing.*"]"#;
    }
}

/// All of them, checked. `has_authority`: whether certificates are asked for at all.
pub(crate) fn check(
    certificates: &[CertificateConfig],
    has_authority: bool,
    checker: &mut Checker<'_>,
) -> Vec<KnownCertificate> {
    let path = Path::of(&["grpc"]).key("certificates");
    checker.require(
        has_authority || certificates.is_empty(),
        &path,
        "needs client_ca in [grpc]: without it no certificate is asked for",
    );
    for (index, certificate) in certificates.iter().enumerate() {
        let subject = &certificate.subject;
        let doubled = certificates[..index]
            .iter()
            .any(|other| subject.is_some() && other.subject == *subject);
        checker.require(!doubled, &path.item(index).key("subject"), "is that of another one too");
    }
    let checked = certificates.iter().enumerate();
    checked.filter_map(|(index, one)| one.check(&path.item(index), checker)).collect()
}

impl CertificateConfig {
    fn check(&self, path: &Path, checker: &mut Checker<'_>) -> Option<KnownCertificate> {
        for (key, list) in [("scopes", &self.scopes), ("channels", &self.channels)] {
            checker.require(
                !list.is_empty(),
                &path.key(key),
                "is missing: the backend could do nothing",
            );
        }
        let name = checker.needed(self.name.as_ref(), &path.key("name"));
        let subject = checker.needed(self.subject.as_ref(), &path.key("subject"))?;
        let kind = KINDS.iter().find(|kind| subject.starts_with(*kind));
        checker.require(
            kind.is_some_and(|kind| subject.len() > kind.len()),
            &path.key("subject"),
            "must be \"dns:\", \"uri:\", \"email:\" or \"cn:\" and a name",
        );
        let rights = Rights {
            scopes: checker.parse_all(&self.scopes, &path.key("scopes")),
            channels: checker.parse_all(&self.channels, &path.key("channels")),
            methods: checker.parse_all(&self.methods, &path.key("methods")),
        };
        // RFC 4343: the case of a DNS name does not count.
        let subject = match subject.starts_with("dns:") {
            true => subject.to_ascii_lowercase(),
            false => subject,
        };
        Some(KnownCertificate { name: name?, subject, rights })
    }
}
