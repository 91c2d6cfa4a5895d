//! Bindings against real repositories, work trees and links. Nothing here is part of a release.

use std::process::Command;

use super::*;

const A: RoomId = RoomId([1; 32]);
const B: RoomId = RoomId([2; 32]);

fn git(dir: &Path, args: &[&str]) {
    let identity = ["-c", "user.name=alice", "-c", "user.email=alice@example.org"];
    let mut command = Command::new("git");
    command
        .current_dir(dir)
        .args(identity)
        .args(args)
        .env_remove("GIT_DIR")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn repository(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    git(dir, &["init", "-q"]);
    git(dir, &["commit", "-q", "--allow-empty", "-m", "first"]);
}

fn root() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    (dir, path)
}

fn rooms(bindings: &Bindings, dir: &Path) -> Vec<RoomId> {
    bindings.heard(&key_of(dir)).into_iter().map(|heard| heard.room).collect()
}

fn bind(bindings: &mut Bindings, dir: &Path, room: RoomId, bound_at: u64) {
    let change = bindings.bind(&key_of(dir), room, bound_at, 0);
    bindings.apply(&change);
}

#[test]
fn all_of_a_repository_is_one_directory_and_its_work_trees_share_it() {
    let (_dir, root) = root();
    let main = root.join("main");
    repository(&main);
    let tree = root.join("elsewhere").join("tree");
    git(&main, &["worktree", "add", "-q", tree.to_str().unwrap()]);
    std::fs::create_dir_all(tree.join("src/deep")).unwrap();
    std::fs::create_dir_all(main.join("src")).unwrap();
    for dir in [main.clone(), main.join("src"), tree.clone(), tree.join("src/deep")] {
        assert_eq!(key_of(&dir), main, "{}", dir.display());
    }
}

#[test]
fn a_branch_is_read_from_the_work_trees_own_head_and_only_from_files() {
    let (_dir, root) = root();
    let main = root.join("main");
    repository(&main);
    git(&main, &["checkout", "-q", "-b", "fix/login"]);
    let tree = root.join("tree");
    git(&main, &["worktree", "add", "-q", "-b", "postgres", tree.to_str().unwrap()]);
    std::fs::create_dir_all(tree.join("src/deep")).unwrap();
    assert_eq!(branch_of(&main).as_deref(), Some("fix/login"));
    assert_eq!(branch_of(&tree.join("src/deep")).as_deref(), Some("postgres"));
    git(&tree, &["checkout", "-q", "--detach"]);
    let commit = std::fs::read_to_string(main.join(".git/refs/heads/postgres")).unwrap();
    assert_eq!(branch_of(&tree).as_deref(), Some(&commit[..7]), "no branch: the beginning of the commit");
    let fresh = root.join("fresh");
    std::fs::create_dir(&fresh).unwrap();
    git(&fresh, &["init", "-q", "-b", "trunk"]);
    assert_eq!(branch_of(&fresh).as_deref(), Some("trunk"), "nothing is committed yet");
    assert_eq!(branch_of(&root), None);
    for head in ["", "ref: refs/heads/.invalid\n", "ref: \n", "zzzzzzzzzz\n", "abc\n"] {
        std::fs::write(fresh.join(".git/HEAD"), head).unwrap();
        assert_eq!(branch_of(&fresh), None, "{head:?}");
    }
    std::fs::remove_file(fresh.join(".git/HEAD")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(fresh.join(".git/HEAD")).status().unwrap();
    assert!(pipe.success());
    assert_eq!(branch_of(&fresh), None, "a pipe would never end");
}

#[test]
fn work_trees_of_a_bare_repository_share_it_and_nothing_beside_it() {
    let (_dir, root) = root();
    let seed = root.join("seed");
    repository(&seed);
    git(&root, &["clone", "-q", "--bare", seed.to_str().unwrap(), "api.git"]);
    let bare = root.join("api.git");
    git(&bare, &["worktree", "add", "-q", "../one", "-b", "one"]);
    git(&bare, &["worktree", "add", "-q", "../two", "-b", "two"]);
    assert_eq!(key_of(&root.join("one")), bare);
    assert_eq!(key_of(&root.join("two")), bare);
}

#[test]
fn a_submodule_is_its_own_repository_inside_the_other() {
    let (_dir, root) = root();
    let (outer, inner) = (root.join("outer"), root.join("inner"));
    repository(&outer);
    repository(&inner);
    let allow = ["-c", "protocol.file.allow=always"];
    git(&outer, &[&allow[..], &["submodule", "--quiet", "add", inner.to_str().unwrap(), "lib"]].concat());
    let lib = outer.join("lib");
    assert!(lib.join(".git").is_file());
    assert_eq!(key_of(&lib), lib);
    let mut bindings = Bindings::default();
    bind(&mut bindings, &outer, A, 0);
    assert_eq!(rooms(&bindings, &lib), [A]);
}

#[test]
fn what_only_looks_like_git_is_a_directory() {
    let (_dir, root) = root();
    for (name, content) in
        [("empty", ""), ("lies", "gitdir: /nowhere/at/all\n"), ("long", &"x".repeat(100_000))]
    {
        let dir = root.join(name);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(".git"), content).unwrap();
        assert_eq!(key_of(&dir), dir);
    }
    std::fs::create_dir_all(root.join("hollow/.git")).unwrap();
    assert_eq!(key_of(&root.join("hollow")), root.join("hollow"));
}

#[test]
fn links_are_followed_and_what_is_gone_is_taken_as_written() {
    let (_dir, root) = root();
    std::fs::create_dir_all(root.join("real")).unwrap();
    std::os::unix::fs::symlink(root.join("real"), root.join("link")).unwrap();
    assert_eq!(key_of(&root.join("link")), root.join("real"));
    assert_eq!(key_of(Path::new("/nowhere/at/all")), Path::new("/nowhere/at/all"));
}

#[test]
fn the_root_the_home_and_what_is_above_it_are_too_wide() {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap().canonicalize().unwrap();
    for dir in home.ancestors() {
        assert!(is_too_wide(dir), "{}", dir.display());
    }
    assert!(!is_too_wide(&home.join("project")));
}

#[test]
fn the_nearest_bound_directory_wins_alone() {
    let (_dir, root) = root();
    let (outer, inner) = (root.join("outer"), root.join("outer/inner"));
    std::fs::create_dir_all(&inner).unwrap();
    let mut bindings = Bindings::default();
    assert!(bindings.heard(&inner).is_empty());
    bind(&mut bindings, &outer, A, 7);
    assert_eq!(rooms(&bindings, &inner), [A]);
    bind(&mut bindings, &inner, B, 0);
    assert_eq!(rooms(&bindings, &inner), [B]);
    assert_eq!(rooms(&bindings, &outer), [A]);
    assert_eq!(bindings.nearest_dir(&inner), Some(inner.clone()));
    assert!(rooms(&bindings, &root).is_empty());
}

#[test]
fn the_room_bound_last_is_the_default_and_keeps_its_first_arrival_number() {
    let (_dir, root) = root();
    let mut bindings = Bindings::default();
    bind(&mut bindings, &root, A, 7);
    bind(&mut bindings, &root, B, 9);
    assert_eq!(rooms(&bindings, &root), [B, A]);
    bind(&mut bindings, &root, A, 100);
    let heard = bindings.heard(&root);
    assert_eq!(heard, [TakeRoom { room: A, bound_at: 7 }, TakeRoom { room: B, bound_at: 9 }]);
    assert_eq!(bindings.dirs_of(&A), std::slice::from_ref(&root));
    for change in bindings.unbind(&root, Some(A)) {
        bindings.apply(&change);
    }
    assert_eq!(rooms(&bindings, &root), [B]);
    assert_eq!(bindings.unbind(&root, Some(A)).len(), 0);
}

#[test]
fn they_come_back_from_the_store() {
    use std::os::unix::ffi::OsStringExt;
    let odd = PathBuf::from(std::ffi::OsString::from_vec(b"/srv/\xff\xfe".to_vec()));
    let mut bindings = Bindings::default();
    let changes = [bindings.bind(&odd, A, 3, 1), bindings.bind(Path::new("/srv"), B, 4, 2)];
    let mut snapshot = Snapshot::default();
    for change in &changes {
        bindings.apply(change);
        let (key, value) = change.to_row();
        snapshot.records.push((Table::Binding, key, value.unwrap()));
    }
    snapshot.records.push((Table::Binding, b"short".to_vec(), b"{}".to_vec()));
    assert_eq!(Bindings::restore(&snapshot).by_dir, bindings.by_dir);
}

#[test]
fn a_room_made_by_itself_hides_none_and_is_the_last_that_is_heard() {
    let (_dir, root) = root();
    let (above, below) = (root.join("work"), root.join("work/api"));
    repository(&below);
    let mut bindings = Bindings::default();
    bind(&mut bindings, &above, A, 0);
    let made = bindings.bind_by_itself(&key_of(&below), B, 0);
    bindings.apply(&made);
    assert_eq!(rooms(&bindings, &below), [A, B], "what is bound above is heard on, and first");
    assert_eq!(rooms(&bindings, &above), [A]);
    assert_eq!(rooms(&bindings, &below.join("src")), [A, B], "all of the repository is one directory");
    assert!(bindings.is_by_itself(&B) && !bindings.is_by_itself(&A));
    let (key, value) = made.to_row();
    let records = vec![(Table::Binding, key, value.unwrap())];
    let again = Bindings::restore(&Snapshot { records, ..Snapshot::default() });
    assert!(again.is_by_itself(&B));
    // Bound by a person after all, it is a room like any other.
    bind(&mut bindings, &below, B, 0);
    assert_eq!((rooms(&bindings, &below), bindings.is_by_itself(&B)), (vec![B], false));
}

#[test]
fn a_level_is_of_the_binding_by_which_a_room_is_heard() {
    let (_dir, root) = root();
    let (above, below) = (root.join("work"), root.join("work/api"));
    std::fs::create_dir_all(&below).unwrap();
    let mut bindings = Bindings::default();
    bind(&mut bindings, &above, A, 0);
    let quiet = Disturbed { muted_until_ms: Some(7), ..Disturbed::default() };
    let change = bindings.disturb(&key_of(&below), &A, quiet).unwrap();
    bindings.apply(&change);
    assert_eq!(bindings.disturbed(&key_of(&above), &A), Some(quiet));
    assert_eq!(bindings.dir_of(&key_of(&below), &A), Some(above.clone()));
    assert_eq!(bindings.disturbed(&key_of(&below), &B), None);
    bind(&mut bindings, &above, A, 0);
    assert_eq!(bindings.disturbed(&key_of(&above), &A), Some(quiet), "binding again changes nothing of it");
    let (key, value) = change.to_row();
    let records = vec![(Table::Binding, key, value.unwrap())];
    let again = Bindings::restore(&Snapshot { records, ..Snapshot::default() });
    assert_eq!(again.disturbed(&key_of(&above), &A), Some(quiet));
}
