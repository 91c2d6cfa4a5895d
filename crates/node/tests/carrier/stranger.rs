//! A peer that does not keep to the rules: a bare endpoint that speaks our protocol's name.

use std::net::SocketAddr;

use iroh::endpoint::{Connection, PortmapperConfig, RecvStream, RelayMode, SendStream, presets};
use iroh::{Endpoint, EndpointAddr, EndpointId, SecretKey};
use parlor_wire::PeerId;
use parlor_wire::frame::ALPN;
use tokio::runtime::Runtime;

use crate::side::secret;

pub struct Stranger {
    _endpoint: Endpoint,
    pub connection: Connection,
    pub runtime: Runtime,
}

impl Stranger {
    pub fn connect(letter: u8, peer: PeerId, at: SocketAddr) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (endpoint, connection) = runtime.block_on(async {
            let endpoint = Endpoint::builder(presets::Minimal)
                .secret_key(SecretKey::from_bytes(&secret(letter)))
                .relay_mode(RelayMode::Disabled)
                .portmapper_config(PortmapperConfig::Disabled)
                .bind()
                .await
                .unwrap();
            let id = EndpointId::from_bytes(&peer.0).unwrap();
            let connection = endpoint.connect(EndpointAddr::new(id).with_ip_addr(at), ALPN).await.unwrap();
            (endpoint, connection)
        });
        Self { _endpoint: endpoint, connection, runtime }
    }

    /// Opens a stream and writes `bytes` as they are.
    pub fn open(&self, bytes: &[u8]) -> (SendStream, RecvStream) {
        self.runtime.block_on(async {
            let (mut send, recv) = self.connection.open_bi().await.unwrap();
            send.write_all(bytes).await.unwrap();
            (send, recv)
        })
    }
}
