//! Pinned programs: the committed lock, one installation for all, nothing that fails its hash.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use parlor_testkit::cache::{
    CLAUDE_CODE, CLAUDE_CODE_VERSION, CODEX, CODEX_VERSION, Cache, GEMINI_CLI, GEMINI_CLI_VERSION, NpmPin,
    OPENCODE, OPENCODE_VERSION, claude_code, codex, gemini_cli, opencode,
};
use parlor_testkit::run::{Run, find_program};
use serde_json::{Value, json};

#[test]
fn the_real_programs_of_the_pinned_versions_are_there() {
    let home = tempfile::tempdir().unwrap();
    let version = |program: PathBuf| {
        Run::new(program).arg("--version").env("HOME", home.path()).ok().unwrap().out().trim().to_owned()
    };
    assert_eq!(version(claude_code().unwrap()), format!("{CLAUDE_CODE_VERSION} (Claude Code)"));
    assert_eq!(version(codex().unwrap()), format!("codex-cli {CODEX_VERSION}"));
    assert_eq!(version(gemini_cli().unwrap()), GEMINI_CLI_VERSION);
    assert_eq!(version(opencode().unwrap()), OPENCODE_VERSION);
}

#[test]
fn the_committed_locks_pin_every_package_by_hash_and_name_no_registry() {
    let pins = [
        (CLAUDE_CODE, CLAUDE_CODE_VERSION),
        (CODEX, CODEX_VERSION),
        (GEMINI_CLI, GEMINI_CLI_VERSION),
        (OPENCODE, OPENCODE_VERSION),
    ];
    for (pin, version) in pins {
        let lock: Value = serde_json::from_str(pin.lock).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        assert!(packages.len() > 1, "{}", pin.name);
        for (path, package) in packages.iter().filter(|(path, _)| !path.is_empty()) {
            assert!(package["integrity"].as_str().unwrap().starts_with("sha512-"), "{path}");
            assert!(package.get("resolved").is_none(), "{path}");
        }
        let wanted = lock["packages"][""]["dependencies"].as_object().unwrap();
        assert!(!wanted.is_empty() && wanted.values().all(|named| named == version), "{wanted:?}");
        assert!(!pin.lock.contains("://") && !pin.package.contains("://"), "{}", pin.name);
    }
}

/// A package of one file, as a tarball beside its lock; returns (package.json, package-lock.json).
fn tiny_package(dir: &Path) -> (String, String) {
    let source = dir.join("tiny");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("package.json"), r#"{"name": "tiny", "version": "1.0.0"}"#).unwrap();
    std::fs::write(source.join("index.js"), "").unwrap();
    let npm = find_program("npm", "nodejs npm").unwrap();
    let packed = Run::new(npm).args(["pack", "--json", "./tiny"]).cwd(dir).ok().unwrap();
    let packed: Value = serde_json::from_slice(&packed.stdout).unwrap();
    let packed = packed.get(0).or_else(|| packed.get("tiny")).unwrap();
    let tarball = format!("file:{}", dir.join("tiny-1.0.0.tgz").display());
    let package = json!({"name": "pin", "dependencies": {"tiny": tarball}});
    let installed = json!({"version": "1.0.0", "resolved": tarball, "integrity": packed["integrity"]});
    let packages = json!({"": package, "node_modules/tiny": installed});
    let lock = json!({"name": "pin", "lockfileVersion": 3, "requires": true, "packages": packages});
    (package.to_string(), lock.to_string())
}

#[test]
fn racing_callers_get_the_one_installation_and_a_killed_one_is_swept_away() {
    let dir = tempfile::tempdir().unwrap();
    let (package, lock) = tiny_package(dir.path());
    let pin = NpmPin { name: "pin", package: &package, lock: &lock };
    let place = dir.path().join("not/yet/there");
    std::fs::create_dir_all(place.join("pin.staging/half")).unwrap();
    let places: Vec<_> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| Cache::at(&place).npm(&pin).unwrap())).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert!(places.iter().all(|found| found == &places[0]));
    assert!(places[0].join("node_modules/tiny/index.js").is_file() && !places[0].join("half").exists());

    // A mark inside survives the next call: nothing is installed twice.
    std::fs::write(places[0].join("mark"), "").unwrap();
    assert_eq!(Cache::at(&place).npm(&pin).unwrap(), places[0]);
    assert!(places[0].join("mark").exists());
}

#[test]
fn a_package_that_fails_its_hash_is_refused_and_leaves_no_installation() {
    let dir = tempfile::tempdir().unwrap();
    let (package, lock) = tiny_package(dir.path());
    let mut lock: Value = serde_json::from_str(&lock).unwrap();
    let wrong = format!("sha512-{}==", "A".repeat(86));
    lock["packages"]["node_modules/tiny"]["integrity"] = json!(wrong);
    let lock = lock.to_string();
    let pin = NpmPin { name: "pin", package: &package, lock: &lock };
    let cache = Cache::at(dir.path().join("cache"));
    for _ in 0..2 {
        let refused = cache.npm(&pin).unwrap_err().to_string();
        assert!(refused.contains("EINTEGRITY"), "{refused}");
    }
}
