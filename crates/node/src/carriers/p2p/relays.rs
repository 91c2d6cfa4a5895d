//! Relays: servers that carry sealed packets between two nodes that find no direct path, and help them to find one. None is
//! contacted before a room needs one and a person has been told which; and only those are that are set or that the
//! ticket of a room named. Must not dial peers.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iroh::{Endpoint, RelayConfig, RelayMode, RelayUrl};
use parlor_wire::ticket::DEFAULT_RELAYS;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::config::RelaySetting;

/// Relays named by tickets that are kept in mind.
const MAX_NAMED: usize = 32;

/// The relays of a setting.
fn urls(setting: &RelaySetting) -> Vec<RelayUrl> {
    match setting {
        RelaySetting::Default => RelayMode::Default.relay_map().urls(),
        RelaySetting::Off => Vec::new(),
        RelaySetting::Urls(urls) => urls.iter().filter_map(|url| url.parse().ok()).collect(),
    }
}

/// Certificates a relay may show besides those of well-known authorities.
#[derive(Debug, Clone, Default)]
pub struct TrustedRoots(pub Vec<CertificateDer<'static>>);

impl TrustedRoots {
    /// From a PEM file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match read {
            Ok(roots) if !roots.is_empty() => Ok(Self(roots)),
            Ok(_) => Err(format!("{} holds no certificate", path.display())),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }
}

/// What is known of relays now.
#[derive(Debug)]
pub(super) struct Relays {
    setting: RelaySetting,
    state: Mutex<State>,
    /// One change of the endpoint after the other.
    applying: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// A person has been told.
    allowed: bool,
    /// A room needs them.
    needed: bool,
    named: BTreeSet<RelayUrl>,
    /// The endpoint has been given those that are set.
    on: bool,
}

impl State {
    fn is_on(&self) -> bool {
        self.allowed && self.needed
    }
}

impl Relays {
    pub(super) fn new(setting: RelaySetting) -> Self {
        Self { setting, state: Mutex::default(), applying: tokio::sync::Mutex::default() }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is anything to contact at all.
    pub(super) fn is_off(&self) -> bool {
        self.setting == RelaySetting::Off
    }

    pub(super) fn set(&self) -> Vec<String> {
        urls(&self.setting).iter().map(ToString::to_string).collect()
    }

    /// A person has been told. True when that is news.
    pub(super) fn allow(&self) -> bool {
        !std::mem::replace(&mut self.locked().allowed, true)
    }

    /// Whether rooms need relays, and which their tickets named. True when that is news.
    pub(super) fn need(&self, named: Option<Vec<String>>) -> bool {
        let needed = named.is_some();
        let named = named.unwrap_or_default();
        let named = named.iter().take(MAX_NAMED).filter_map(|url| url.parse().ok());
        let named: BTreeSet<RelayUrl> = named.collect();
        let mut state = self.locked();
        let news = (state.needed, &state.named) != (needed, &named);
        (state.needed, state.named) = (needed, named);
        news
    }

    /// Gives the endpoint the relays that are set, or takes them away.
    pub(super) async fn apply(&self, endpoint: &Endpoint) {
        let _one = self.applying.lock().await;
        let now = {
            let mut state = self.locked();
            let now = state.is_on();
            if std::mem::replace(&mut state.on, now) == now {
                return;
            }
            now
        };
        for url in urls(&self.setting) {
            if now {
                endpoint.insert_relay(url.clone(), Arc::new(config(&url))).await;
            } else {
                endpoint.remove_relay(&url).await;
            }
        }
        tracing::info!(on = now, relays = ?self.set(), "relays");
    }

    /// What others are told of where to call this node, as long as the endpoint has not chosen one.
    pub(super) fn word(&self) -> Option<String> {
        match &self.setting {
            RelaySetting::Default => Some(DEFAULT_RELAYS.to_owned()),
            RelaySetting::Off => None,
            RelaySetting::Urls(_) => urls(&self.setting).first().map(ToString::to_string),
        }
    }

    /// Of relays somebody named, those that may be contacted now.
    pub(super) fn dialable(&self, said: &[String]) -> Vec<RelayUrl> {
        let state = self.locked();
        if !state.is_on() || self.is_off() {
            return Vec::new();
        }
        let set = urls(&self.setting);
        let may = |url: &RelayUrl| set.contains(url) || state.named.contains(url);
        let mut kept: Vec<RelayUrl> = Vec::new();
        for word in said {
            let meant = match word == DEFAULT_RELAYS {
                true if self.setting == RelaySetting::Default => set.clone(),
                true => Vec::new(),
                false => word.parse().ok().into_iter().collect(),
            };
            for url in meant.into_iter().filter(may) {
                if !kept.contains(&url) {
                    kept.push(url);
                }
            }
        }
        kept
    }
}

/// Whoever runs a relay without TLS runs no address discovery either.
fn config(url: &RelayUrl) -> RelayConfig {
    match url.scheme() {
        "http" => RelayConfig::new(url.clone(), None),
        _ => RelayConfig::from(url.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://relay.example/";
    const OTHER: &str = "https://elsewhere.example/";

    fn dialled(relays: &Relays, said: &[&str]) -> Vec<String> {
        let said: Vec<String> = said.iter().map(|word| (*word).to_owned()).collect();
        relays.dialable(&said).iter().map(ToString::to_string).collect()
    }

    fn own() -> Relays {
        Relays::new(RelaySetting::Urls(vec![OWN.into()]))
    }

    #[test]
    fn no_relay_is_dialled_before_a_room_needs_it_and_a_person_was_told() {
        let relays = own();
        assert!(dialled(&relays, &[OWN]).is_empty());
        assert!(relays.allow());
        assert!(dialled(&relays, &[OWN]).is_empty(), "no room");
        assert!(relays.need(Some(Vec::new())));
        assert_eq!(dialled(&relays, &[OWN]), [OWN]);
        assert!(relays.need(None));
        assert!(dialled(&relays, &[OWN]).is_empty(), "no room any more");
        let untold = own();
        untold.need(Some(Vec::new()));
        assert!(dialled(&untold, &[OWN]).is_empty(), "nobody was told");
    }

    #[test]
    fn a_member_cannot_send_a_node_to_a_relay_that_is_neither_set_nor_in_a_ticket() {
        let relays = own();
        relays.allow();
        relays.need(Some(vec!["https://ticket.example/".into()]));
        let said = [OTHER, OWN, "https://ticket.example/", "no url", DEFAULT_RELAYS, OWN];
        assert_eq!(dialled(&relays, &said), [OWN, "https://ticket.example/"]);
    }

    #[test]
    fn where_relays_are_off_none_is_dialled_whoever_names_it() {
        let relays = Relays::new(RelaySetting::Off);
        relays.allow();
        relays.need(Some(vec![OTHER.into()]));
        assert!(dialled(&relays, &[OTHER, DEFAULT_RELAYS]).is_empty());
        assert_eq!(relays.word(), None);
    }

    #[test]
    fn the_word_default_means_the_default_relays_where_they_are_set() {
        let relays = Relays::new(RelaySetting::Default);
        relays.allow();
        relays.need(Some(Vec::new()));
        let meant = dialled(&relays, &[DEFAULT_RELAYS]);
        assert_eq!(meant, relays.set());
        assert!(!meant.is_empty());
    }
}
