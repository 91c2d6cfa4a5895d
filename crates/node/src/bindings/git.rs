//! Where a git repository is, found by reading `.git` only. Must not run git, which may run what a repository
//! tells it to.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Longest `.git` or `commondir` file that is one.
const MAX_POINTER_BYTES: u64 = 8192;

/// The directory by which all work trees of the repository around `dir` are known: the one above git's common
/// directory; for a bare repository the repository itself; for a submodule its work tree.
pub(super) fn shared_root(dir: &Path) -> Option<PathBuf> {
    let tree = dir.ancestors().find(|dir| dir.join(".git").symlink_metadata().is_ok())?;
    let dot_git = tree.join(".git");
    if dot_git.is_dir() {
        return is_git_dir(&dot_git).then(|| tree.into());
    }
    let git_dir = resolved(tree, &pointer(&dot_git, "gitdir: ")?)?;
    // Only a linked work tree has one: a submodule's directory is a repository of its own.
    let Some(common) = pointer(&git_dir.join("commondir"), "") else { return Some(tree.into()) };
    let common = resolved(&git_dir, &common)?;
    if common.file_name() == Some(".git".as_ref()) {
        common.parent().map(Path::to_path_buf)
    } else {
        Some(common)
    }
}

fn is_git_dir(dir: &Path) -> bool {
    dir.join("HEAD").symlink_metadata().is_ok()
}

/// The path a one-line file names.
fn pointer(file: &Path, head: &str) -> Option<PathBuf> {
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open(file).ok()?.take(MAX_POINTER_BYTES).read_to_string(&mut text).ok()?;
    let path = text.strip_prefix(head)?.trim_end_matches(['\n', '\r']);
    (!path.is_empty()).then(|| path.into())
}

/// A path that may be relative to `base`, without links and dots.
fn resolved(base: &Path, path: &Path) -> Option<PathBuf> {
    let whole = base.join(path);
    let plain = whole.canonicalize().ok()?;
    plain.components().all(|part| part != Component::ParentDir).then_some(plain)
}
