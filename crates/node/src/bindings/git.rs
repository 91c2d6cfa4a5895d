//! Where a git repository is, found by reading `.git` only. Must not run git, which may run what a repository
//! tells it to.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Longest `.git` or `commondir` file that is one.
const MAX_POINTER_BYTES: u64 = 8192;
/// How many characters of a commit people are shown, as git does.
const SHORT_COMMIT_CHARS: usize = 7;

/// The directory by which all work trees of the repository around `dir` are known: the one above git's common
/// directory; for a bare repository the repository itself; for a submodule its work tree.
pub(super) fn shared_root(dir: &Path) -> Option<PathBuf> {
    let tree = tree_around(dir)?;
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

/// The branch the work tree around `dir` is on, or the beginning of the commit if it is on none.
pub(super) fn branch(tree: &Path) -> Option<String> {
    let dot_git = tree.join(".git");
    // A linked work tree and a submodule have a head of their own, not in the common directory.
    let git_dir = if dot_git.is_dir() { dot_git } else { resolved(tree, &pointer(&dot_git, "gitdir: ")?)? };
    let head = pointer(&git_dir.join("HEAD"), "")?;
    let head = head.to_str()?;
    match head.strip_prefix("ref: ") {
        Some(name) => branch_name(name.trim()),
        None => {
            let is_commit = head.len() >= SHORT_COMMIT_CHARS && head.chars().all(|c| c.is_ascii_hexdigit());
            is_commit.then(|| head.chars().take(SHORT_COMMIT_CHARS).collect())
        }
    }
}

fn branch_name(name: &str) -> Option<String> {
    // What keeps its refs elsewhere than in files writes this instead of a branch.
    let name = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/")).unwrap_or(name);
    (!name.is_empty() && name != ".invalid").then(|| name.to_owned())
}

/// The work tree around `dir`.
pub(super) fn tree_around(dir: &Path) -> Option<&Path> {
    dir.ancestors().find(|dir| dir.join(".git").symlink_metadata().is_ok())
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
