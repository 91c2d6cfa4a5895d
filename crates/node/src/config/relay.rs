//! What `relay` in `config.toml` says, as one text: `default`, `off`, or addresses. Must not reach anything.

use iroh::RelayUrl;
use serde::Deserialize;

/// More relays of one's own than anybody runs; each is measured at every start.
const MAX_RELAYS: usize = 8;

/// Through what peers are reached to whom no direct way leads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum RelaySetting {
    /// Those of the makers of iroh.
    #[default]
    Default,
    /// Nothing.
    Off,
    /// These relays: `http` or `https`, each a URL that was parsed.
    Urls(Vec<String>),
}

impl TryFrom<String> for RelaySetting {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl RelaySetting {
    /// Reads it; between addresses stand spaces or commas.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words: Vec<&str> =
            text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => return Err("it is empty: say `default`, `off`, or the URL of a relay".into()),
            ["default"] => return Ok(Self::Default),
            ["off"] => return Ok(Self::Off),
            _ => {}
        }
        words.iter().try_for_each(|word| check(word))?;
        let mut seen = std::collections::BTreeSet::new();
        words.retain(|word| seen.insert(*word));
        if words.len() > MAX_RELAYS {
            return Err(format!("it names {} relays, and {MAX_RELAYS} are the most", words.len()));
        }
        Ok(Self::Urls(words.into_iter().map(String::from).collect()))
    }
}

impl std::fmt::Display for RelaySetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Off => f.write_str("off"),
            Self::Urls(urls) => f.write_str(&urls.join(" ")),
        }
    }
}

fn check(word: &str) -> Result<(), String> {
    let no_url =
        || format!("`{word}` is neither `default` nor `off` nor a URL like https://relay.example.org");
    if matches!(word, "default" | "off") {
        return Err(format!("`{word}` stands alone, without addresses beside it"));
    }
    let url: RelayUrl = word.parse().map_err(|_| no_url())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(no_url());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "`{}` would show a name or password to whoever sees it",
            url.host_str().unwrap_or("it")
        ));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_word_or_addresses_with_spaces_or_commas_between() {
        let urls = |urls: &[&str]| RelaySetting::Urls(urls.iter().map(|url| (*url).into()).collect());
        for (text, setting, shown) in [
            ("default", RelaySetting::Default, "default"),
            (" off ", RelaySetting::Off, "off"),
            ("https://a.example", urls(&["https://a.example"]), "https://a.example"),
            (
                "http://10.0.0.7:3340, https://a.example,http://10.0.0.7:3340",
                urls(&["http://10.0.0.7:3340", "https://a.example"]),
                "http://10.0.0.7:3340 https://a.example",
            ),
        ] {
            assert_eq!(RelaySetting::parse(text).as_ref(), Ok(&setting), "{text}");
            assert_eq!(setting.to_string(), shown);
            assert_eq!(RelaySetting::parse(shown), Ok(setting), "what is shown can be typed");
        }
    }

    #[test]
    fn what_is_no_relay_is_refused_with_the_word_that_is_none() {
        for (text, says) in [
            ("", "empty"),
            (" , ", "empty"),
            ("of", "`of`"),
            ("relay.example", "`relay.example`"),
            ("ftp://a.example", "`ftp://a.example`"),
            ("https://", "`https://`"),
            ("off https://a.example", "`off` stands alone"),
            ("https://a.example default", "`default` stands alone"),
        ] {
            let error = RelaySetting::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        let error = RelaySetting::parse("https://alice:secret@a.example").unwrap_err();
        assert!(error.contains("a.example") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn more_relays_than_the_limit_are_refused() {
        let urls = |count: usize| (0..count).map(|n| format!("https://{n}.example ")).collect::<String>();
        assert!(RelaySetting::parse(&urls(MAX_RELAYS)).is_ok());
        assert!(RelaySetting::parse(&urls(MAX_RELAYS + 1)).unwrap_err().contains('8'));
    }
}
