//! The names in a certificate, as the gRPC front knows backends by them.

use fanline_grpc::backends::PeerCertificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The names in the certificate (DER) that a peer has shown. TLS has verified who issued it. One that cannot be read has
/// no names.
pub(super) fn names_in(certificate: &[u8]) -> PeerCertificate {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return PeerCertificate::new(Vec::new());
    };
    let mut names = Vec::new();
    if let Ok(Some(alternative)) = certificate.subject_alternative_name() {
        names.extend(alternative.value.general_names.iter().filter_map(name_of));
    }
    let common = certificate.subject().iter_common_name();
    names.extend(common.filter_map(|name| Some(format!("cn:{}", name.as_str().ok()?))));
    PeerCertificate::new(names)
}

fn name_of(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::DNSName(name) = name {
        // RFC 4343: case does not count.
        return Some(format!("dns:{}", name.to_ascii_lowercase()));
    }
    if let GeneralName::URI(name) = name {
        return Some(format!("uri:{name}"));
    }
    if let GeneralName::RFC822Name(name) = name {
        return Some(format!("email:{name}"));
    }
    // Addresses and the rest name no service.
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    #[test]
    fn alternative_names_and_the_common_name_are_told_apart() {
        let mut params = CertificateParams::new(vec!["Orders.internal".to_owned()]).unwrap();
        let uri = "spiffe://prod/orders".try_into().unwrap();
        params.subject_alt_names.push(SanType::URI(uri));
        params.distinguished_name.push(DnType::CommonName, "orders");
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let names = names_in(certificate.der()).to_string();
        assert_eq!(names, "dns:orders.internal, uri:spiffe://prod/orders, cn:orders");
    }

    #[test]
    fn what_is_no_certificate_has_no_names() {
        assert_eq!(names_in(b"nothing"), PeerCertificate::new(Vec::new()));
    }
}
