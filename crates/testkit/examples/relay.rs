//! A relay of our own for tests: `relay IP CERTIFICATE`, the address it serves at and the file its certificate is written
//! to. It is iroh's own relay server with TLS and address discovery. Says `ready` when it serves. Must not be part of anything that is released.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use iroh_relay::server::{CertConfig, QuicConfig, RelayConfig, Server, ServerConfig, TlsConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Where the plain pages are, which nobody needs.
const HTTP_PORT: u16 = 3340;
/// Where clients come.
const HTTPS_PORT: u16 = 3343;
/// Where they learn their addresses: the port that clients take for granted.
const QUIC_PORT: u16 = 7842;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[allow(clippy::print_stdout)]
fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(ip), Some(certificate)) = (args.next(), args.next()) else {
        return Err("usage: relay IP CERTIFICATE".into());
    };
    let ip: IpAddr = ip.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let server = Server::spawn(config(ip, &certificate)?).await?;
        println!("ready");
        std::future::pending::<()>().await;
        drop(server);
        Ok(())
    })
}

/// The certificate and its key: those of an earlier run, or new ones.
fn identity(ip: IpAddr, certificate: &str) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>)> {
    let key = format!("{certificate}.key");
    if !std::path::Path::new(&key).exists() {
        let made = rcgen::generate_simple_self_signed(vec![ip.to_string()])?;
        std::fs::write(certificate, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
    }
    Ok((CertificateDer::from_pem_file(certificate)?, PrivateKeyDer::from_pem_file(&key)?))
}

fn config(ip: IpAddr, certificate: &str) -> Result<ServerConfig> {
    let (made, key) = identity(ip, certificate)?;
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made], key)?;
    let at = |port| SocketAddr::new(ip, port);
    let mut relay = RelayConfig::new(at(HTTP_PORT));
    relay.tls = Some(TlsConfig::new(at(HTTPS_PORT), CertConfig::Manual { server_config: tls.clone() }));
    let mut quic = QuicConfig::new(at(QUIC_PORT));
    quic.server_config = Some(tls);
    let mut config = ServerConfig::default();
    config.relay = Some(relay);
    config.quic = Some(quic);
    Ok(config)
}
