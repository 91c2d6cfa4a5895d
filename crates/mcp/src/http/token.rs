//! What agent programs show to be let in: kept in the home, readable by its owner alone. Must not appear in a log, an error
//! or a debug text.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use parlor_api::paths::Home;
use subtle::ConstantTimeEq;

/// As many as nobody guesses.
const TOKEN_BYTES: usize = 32;
const OTHERS: u32 = 0o077;

/// The token.
pub struct Token(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("the token of HTTP in {} cannot be kept: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Other users of this machine may have read it.
    #[error("the token of HTTP in {} may be read by others", .0.display())]
    Open(PathBuf),
    /// It is something else.
    #[error("what is in {} is no token of HTTP", .0.display())]
    Garbled(PathBuf),
}

impl Token {
    /// The token of this home, made when there is none. The home must exist.
    pub fn of_home(home: &Home) -> Result<Self, TokenError> {
        let path = home.mcp_token();
        match fs::metadata(&path) {
            Ok(found) if found.permissions().mode() & OTHERS != 0 => Err(TokenError::Open(path)),
            Ok(_) => read(path),
            Err(error) if error.kind() == ErrorKind::NotFound => Self::renew(home),
            Err(source) => Err(TokenError::File { path, source }),
        }
    }

    /// A new token of this home; the one before lets nobody in from the next start on.
    pub fn renew(home: &Home) -> Result<Self, TokenError> {
        let path = home.mcp_token();
        let token = Self::draw().and_then(|token| {
            // Readable by its owner alone from the first moment, and never half there.
            let mut file = tempfile::NamedTempFile::new_in(home.dir())?;
            file.write_all(format!("{}\n", token.0).as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(token)
        });
        token.map_err(|source| TokenError::File { path, source })
    }

    fn draw() -> std::io::Result<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(data_encoding::HEXLOWER.encode(&bytes)))
    }

    /// Its text, for whoever is to show it.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether this is it. How long that takes says nothing about it.
    pub(super) fn is(&self, shown: &str) -> bool {
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

fn read(path: PathBuf) -> Result<Token, TokenError> {
    let text = fs::read_to_string(&path).map_err(|source| TokenError::File { path: path.clone(), source })?;
    let text = text.trim_end();
    let is_one =
        data_encoding::HEXLOWER.decode(text.as_bytes()).is_ok_and(|bytes| bytes.len() == TOKEN_BYTES);
    if is_one { Ok(Token(text.to_owned())) } else { Err(TokenError::Garbled(path)) }
}

impl TokenError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::File { path, .. } | Self::Open(path) | Self::Garbled(path) => path,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn wound_31_the_token_is_kept_for_its_owner_alone_and_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        let first = Token::of_home(&home).unwrap();
        assert_eq!(first.text().len(), 2 * TOKEN_BYTES);
        let mode = || fs::metadata(home.mcp_token()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        assert_eq!(Token::of_home(&home).unwrap().text(), first.text());
        assert_ne!(Token::renew(&home).unwrap().text(), first.text());
        assert_eq!(mode(), 0o600);
        fs::set_permissions(home.mcp_token(), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Token::of_home(&home), Err(TokenError::Open(_))));
        Token::renew(&home).unwrap();
        assert_eq!(mode(), 0o600, "a new one is nobody else's again");
    }

    #[test]
    fn only_a_whole_token_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        let token = Token::of_home(&home).unwrap();
        let text = token.text().to_owned();
        assert!(token.is(&text));
        assert!(!token.is("") && !token.is(&text[1..]) && !token.is(&format!("{text}0")));
        for bad in ["", "\n", &text[2..], "zz"] {
            fs::write(home.mcp_token(), bad).unwrap();
            assert!(matches!(Token::of_home(&home), Err(TokenError::Garbled(_))), "{bad:?}");
        }
    }
}
