//! The TLS handshake, and what went wrong in it. Errors carry no names and no addresses: those
//! of rustls quote both.

use std::io::{self, ErrorKind};
use std::net::IpAddr;

use rustls::pki_types::{DnsName, ServerName};
use rustls::{AlertDescription, CertificateError};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use url::Host;

use crate::connect::ConnectError;
use crate::trust::Trust;

/// Why there is no encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The certificate begins later than our clock says.
    #[error("the server's certificate does not verify: it is not valid yet")]
    NotYetValid,
    /// It ended before.
    #[error("the server's certificate does not verify: it has expired")]
    Expired,
    /// Nobody whom we trust has signed it.
    #[error("the server's certificate does not verify: its issuer is unknown")]
    UnknownIssuer,
    /// It is somebody else's.
    #[error("the server's certificate does not verify: it is for another name")]
    WrongName,
    /// It does not verify for another reason.
    #[error("the server's certificate does not verify")]
    Certificate,
    /// The server ends the handshake with an alert.
    #[error("the server refuses ({0:?})")]
    Refused(AlertDescription),
    /// What answers does not speak our TLS.
    #[error("the handshake failed")]
    Protocol,
    /// The connection broke.
    #[error("{0}")]
    Broken(ErrorKind),
    /// It took longer than a limit of its own.
    #[error("the handshake took too long")]
    TimedOut,
}

impl TlsFault {
    fn of(error: &io::Error) -> TlsFault {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(fault)) => TlsFault::of_certificate(fault),
            Some(rustls::Error::AlertReceived(alert)) => TlsFault::Refused(*alert),
            Some(_) => TlsFault::Protocol,
            None => TlsFault::Broken(error.kind()),
        }
    }

    fn of_certificate(fault: &CertificateError) -> TlsFault {
        // Most have a form with and one without what they were compared with.
        let is = |plain: CertificateError| {
            std::mem::discriminant(fault) == std::mem::discriminant(&plain)
        };
        if matches!(fault, CertificateError::NotValidYetContext { .. })
            || is(CertificateError::NotValidYet)
        {
            TlsFault::NotYetValid
        } else if matches!(fault, CertificateError::ExpiredContext { .. })
            || is(CertificateError::Expired)
        {
            TlsFault::Expired
        } else if matches!(fault, CertificateError::NotValidForNameContext { .. })
            || is(CertificateError::NotValidForName)
        {
            TlsFault::WrongName
        } else if is(CertificateError::UnknownIssuer) || is(CertificateError::BadSignature) {
            // The second: somebody uses the name of an authority that we trust.
            TlsFault::UnknownIssuer
        } else {
            TlsFault::Certificate
        }
    }
}

/// Encrypts a connection to this host, whose certificate must name it.
pub(crate) async fn handshake(
    trust: &Trust,
    host: &Host<&str>,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let connector = trust.connector()?;
    let connected = connector.connect(server_name(host)?, stream).await;
    connected.map_err(|error| ConnectError::Tls(TlsFault::of(&error)))
}

fn server_name(host: &Host<&str>) -> Result<ServerName<'static>, ConnectError> {
    Ok(match host {
        Host::Ipv4(address) => ServerName::from(IpAddr::V4(*address)),
        Host::Ipv6(address) => ServerName::from(IpAddr::V6(*address)),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_owned();
            ServerName::DnsName(DnsName::try_from(name).map_err(|_| ConnectError::BadHost)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_certificates_are_distinguished() {
        let of = |fault| {
            TlsFault::of(&io::Error::new(
                ErrorKind::InvalidData,
                rustls::Error::InvalidCertificate(fault),
            ))
        };
        assert_eq!(of(CertificateError::Expired), TlsFault::Expired);
        assert_eq!(of(CertificateError::NotValidYet), TlsFault::NotYetValid);
        assert_eq!(of(CertificateError::NotValidForName), TlsFault::WrongName);
        assert_eq!(of(CertificateError::UnknownIssuer), TlsFault::UnknownIssuer);
        assert_eq!(of(CertificateError::BadSignature), TlsFault::UnknownIssuer);
        assert_eq!(of(CertificateError::BadEncoding), TlsFault::Certificate);
        let reset = ErrorKind::ConnectionReset;
        assert_eq!(TlsFault::of(&reset.into()), TlsFault::Broken(reset));
    }
}
