//! The table of what `config.toml` may say: each key with what it takes, its default and what it is for. From it come
//! `parlor config`, its errors and the documents' page. Must not read or write a file.

use std::path::Path;

use toml_edit::Value;

use super::{ConfigError, RelaySetting};

/// How far a mistyped key may be from one there is.
const NEAR: usize = 2;

/// What holds where a key is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// This value.
    Value(&'static str),
    /// What no value can say.
    Words(&'static str),
}

/// What stands after a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Text,
    Port,
    Bool,
    Relay,
    File,
    Bytes,
}

/// One key.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// Where it is not there.
    pub otherwise: Otherwise,
    /// What it is for, as sentences.
    pub says: &'static str,
    /// A value somebody might give it.
    pub example: &'static str,
    takes: Takes,
}

/// All of them, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    Key {
        name: "nick",
        takes: Takes::Text,
        otherwise: Otherwise::Words("your user name"),
        says: "What you call yourself, until `parlor nick` says otherwise. One word of at most 32 characters is made of it.",
        example: "alice",
    },
    Key {
        name: "port",
        takes: Takes::Port,
        otherwise: Otherwise::Words("the one of last time, at first any that is free"),
        says: "The UDP port peers reach this node at, for instance because a firewall lets it through. Where it is \
               taken, the node takes another and says so in its log. 0 is any that is free, at every start.",
        example: "4711",
    },
    Key {
        name: "lan",
        takes: Takes::Bool,
        otherwise: Otherwise::Value("true"),
        says: "Whether peers are looked for on the local network, by multicast DNS.",
        example: "false",
    },
    Key {
        name: "relay",
        takes: Takes::Relay,
        otherwise: Otherwise::Value("default"),
        says: "Through what peers are reached to whom no direct way leads: `default`, those of the makers of iroh (n0); `off`, \
               nothing; or the URLs of relays of your own, at most eight, with spaces between them.",
        example: "https://relay.example.org",
    },
    Key {
        name: "relay_ca",
        takes: Takes::File,
        otherwise: Otherwise::Words("none"),
        says: "The path of a PEM file with certificates by which a relay of your own may be certified, beside those \
               everybody trusts.",
        example: "/etc/ssl/relay-ca.pem",
    },
    Key {
        name: "local_rooms",
        takes: Takes::Bool,
        otherwise: Otherwise::Value("true"),
        says: "Whether the sessions of one directory are given a room by themselves that never leaves this machine, when one \
               speaks to another or a second one begins where nothing is heard. Those that were made stay.",
        example: "false",
    },
    Key {
        name: "files_auto_bytes",
        takes: Takes::Bytes,
        otherwise: Otherwise::Value("1048576"),
        says: "How long a file may be, in bytes, to be fetched by itself from rooms and peers of which you have allowed that \
               (`parlor allow files`). 0 fetches none.",
        example: "65536",
    },
];

impl Key {
    /// The key of this name; the error names the one that may have been meant.
    pub fn find(name: &str) -> Result<&'static Self, ConfigError> {
        let key = KEYS.iter().find(|key| key.name == name);
        key.ok_or_else(|| ConfigError::Unknown { key: name.into(), near: near(name) })
    }

    /// What it takes, as people are told.
    pub fn takes(&self) -> &'static str {
        match self.takes {
            Takes::Text => "text",
            Takes::Port => "a number from 0 to 65535",
            Takes::Bool => "true or false",
            Takes::Relay => "default, off, or URLs",
            Takes::File => "a path",
            Takes::Bytes => "a number of bytes",
        }
    }

    /// What was typed, as it stands in the file.
    pub(super) fn read(&self, typed: &str) -> Result<Value, ConfigError> {
        let bad = |message: String| ConfigError::Value { key: self.name.into(), message };
        match self.takes {
            Takes::Text if typed.trim().is_empty() => Err(bad("it is empty".into())),
            Takes::Text => Ok(typed.trim().into()),
            Takes::Port => {
                let port: Result<u16, _> = typed.parse();
                let port = port.map_err(|_| bad(format!("`{typed}` is not {}", self.takes())))?;
                Ok(i64::from(port).into())
            }
            Takes::Bool => {
                let told: Result<bool, _> = typed.parse();
                told.map(Value::from).map_err(|_| bad(format!("`{typed}` is not {}", self.takes())))
            }
            Takes::Relay => Ok(RelaySetting::parse(typed).map_err(bad)?.to_string().into()),
            Takes::Bytes => {
                let bytes: Option<i64> = typed.parse().ok().filter(|bytes| *bytes >= 0);
                let bytes = bytes.ok_or_else(|| bad(format!("`{typed}` is not {}", self.takes())))?;
                Ok(bytes.into())
            }
            Takes::File => readable(typed).map(Value::from).map_err(bad),
        }
    }
}

/// A path that leads from everywhere: the node runs in another directory than whoever typed it.
fn readable(typed: &str) -> Result<String, String> {
    let no = |error: std::io::Error| format!("`{typed}` cannot be read: {error}");
    let path = std::path::absolute(Path::new(typed)).map_err(no)?;
    if !std::fs::metadata(&path).map_err(no)?.is_file() {
        return Err(format!("`{typed}` is no file"));
    }
    std::fs::File::open(&path).map_err(no)?;
    path.into_os_string().into_string().map_err(|_| format!("`{typed}` is not UTF-8, as the file must be"))
}

fn near(name: &str) -> Vec<String> {
    let name = name.to_lowercase().replace('-', "_");
    let mut near: Vec<(usize, &str)> =
        KEYS.iter().map(|key| (strsim::damerau_levenshtein(&name, key.name), key.name)).collect();
    near.retain(|(distance, _)| *distance <= NEAR);
    near.sort_unstable();
    near.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// The page of the documents: all keys, made from the table above.
pub fn page() -> String {
    let mut page = String::from(HEAD);
    for key in KEYS {
        let otherwise = match key.otherwise {
            Otherwise::Value(value) => format!("`{value}`"),
            Otherwise::Words(words) => words.into(),
        };
        page += &format!("| `{}` | {} | {otherwise} | {} |\n", key.name, key.takes(), key.says);
    }
    page += "\n## Example\n\n```toml\n";
    for key in KEYS {
        let value = match key.takes {
            Takes::Port | Takes::Bool | Takes::Bytes => key.example.to_owned(),
            Takes::Text | Takes::Relay | Takes::File => format!("\"{}\"", key.example),
        };
        page += &format!("{} = {value}\n", key.name);
    }
    page + "```\n"
}

const HEAD: &str = "# Configuration

`config.toml` in the home (`parlor config path`) says what you want otherwise than usual. It need not be there. Write it by hand, or

```
parlor config list              # all keys: what they take, what they are, what they are for
parlor config get port
parlor config set port 4711     # comments and order of the file stay as they are
parlor config unset port        # as usual again
```

The node reads it when it starts. `set` and `unset` make a running node start again, which takes a moment and loses nothing; with
`--no-restart` it takes the change up at its next start (`parlor node stop`). A file that is no TOML, or a value that makes no sense, is an error
that says where, and nothing runs until it is corrected; a key nobody knows is a warning in `parlor node log` and of `parlor config list`, and `unset` takes it out. An agent may
read all this and change none of it.

## Keys

This table is made from the program's own (`crates/node/src/config/keys.rs`); a test compares them.

| key | takes | where it is not there | what it is for |
|---|---|---|---|
";

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn the_page_of_the_documents_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/config.md");
        if std::env::var_os("PARLOR_WRITE_DOCS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert_eq!(committed, page(), "PARLOR_WRITE_DOCS=1 with this test writes docs/guide/config.md anew");
    }

    #[test]
    fn a_node_reads_every_key_of_the_table() {
        for key in KEYS {
            let value = match key.takes {
                Takes::File => Value::from(key.example),
                _ => key.read(key.example).unwrap(),
            };
            let text = format!("{} = {value}\n", key.name);
            let config = Config::parse(Path::new("/h/config.toml"), &text).unwrap();
            assert_eq!(config.unknown, [""; 0], "{text}");
            assert_ne!(config, Config::default(), "{text} says something");
        }
    }

    #[test]
    fn a_default_that_is_a_value_can_be_typed() {
        for key in KEYS {
            if let Otherwise::Value(value) = key.otherwise {
                assert!(key.read(value).is_ok(), "{}", key.name);
            }
        }
    }

    #[test]
    fn a_mistyped_key_is_told_what_it_may_have_been() {
        for (typed, near) in
            [("nik", &["nick"][..]), ("Relay", &["relay"]), ("relay-ca", &["relay_ca"]), ("colour", &[])]
        {
            let Err(ConfigError::Unknown { near: found, .. }) = Key::find(typed) else { panic!("{typed}") };
            assert_eq!(found, near, "{typed}");
        }
        assert_eq!(Key::find("lan").unwrap().name, "lan");
    }

    #[test]
    fn what_a_key_does_not_take_is_refused() {
        for (name, typed) in [
            ("nick", " "),
            ("port", "65536"),
            ("port", "-1"),
            ("port", "x"),
            ("lan", "yes"),
            ("relay", "of"),
            ("relay_ca", "/nowhere/at/all.pem"),
            ("relay_ca", "/"),
        ] {
            let refused = Key::find(name).unwrap().read(typed).unwrap_err();
            assert!(matches!(refused, ConfigError::Value { key, .. } if key == name), "{name} {typed}");
        }
    }

    #[test]
    fn a_path_is_kept_so_that_it_leads_there_from_everywhere() {
        let value = Key::find("relay_ca").unwrap().read("Cargo.toml").unwrap();
        let here = std::env::current_dir().unwrap().join("Cargo.toml");
        assert_eq!(value.as_str(), here.to_str());
    }
}
