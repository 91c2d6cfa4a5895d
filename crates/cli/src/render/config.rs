//! Settings as people read them. Pure, like all of `render`.

use parlor_node::config::{Key, Otherwise, Setting};

use super::{bold, columns, dim};

/// What holds where a key is not set.
pub fn otherwise(key: &Key) -> &'static str {
    match key.otherwise {
        Otherwise::Value(words) | Otherwise::Words(words) => words,
    }
}

/// All keys: first what they are, then what for.
pub fn list(settings: &[Setting]) -> Vec<String> {
    let row = |setting: &Setting| {
        let value = setting.set.as_deref().map_or_else(|| dim(otherwise(setting.key)), bold);
        vec![setting.key.name.to_owned(), value, dim(setting.key.takes())]
    };
    let rows = columns(&settings.iter().map(row).collect::<Vec<_>>());
    let says = |setting: &Setting| format!("    {}", setting.key.says);
    rows.into_iter().zip(settings).flat_map(|(row, setting)| [row, says(setting)]).collect()
}

/// One key, after it was changed.
pub fn now(setting: &Setting) -> String {
    match &setting.set {
        Some(value) => format!("{} = {value}", setting.key.name),
        None => format!("{} is not set: {}", setting.key.name, otherwise(setting.key)),
    }
}
