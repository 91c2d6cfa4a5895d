//! Installing into Codex, Gemini CLI and OpenCode and uninstalling again, on real files: what is left behind, what is refused,
//! what their doctors say. The programs themselves are run by the tests that drive real agents.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use parlor_agents::{
    AgentProgram, Check, CheckState, CommandLine, FileError, InstallRequest, Invocation, Output, Place,
    PlanError, RunError, Scope, mcp_snippet, programs,
};
use serde_json::{Value, json};

/// A throw-away home with all programs on PATH.
struct Home {
    _directory: tempfile::TempDir,
    root: PathBuf,
    env: Vec<(&'static str, PathBuf)>,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for dir in ["bin", "home", "home/project"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        for program in ["codex", "gemini", "opencode", "parlor", "parlor-hook"] {
            fs::write(root.join("bin").join(program), "#!/bin/sh\n").unwrap();
            fs::set_permissions(root.join("bin").join(program), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let env = vec![("PATH", root.join("bin"))];
        Self { _directory: directory, root, env }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join("home").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn place(&self) -> Place {
        let env = self.env.iter().map(|(name, value)| ((*name).into(), value.clone().into()));
        Place::new(self.root.join("home"), env)
    }

    fn request(&self) -> InstallRequest {
        InstallRequest {
            hook: CommandLine::new(&self.root.join("bin/parlor-hook"), &[]).unwrap(),
            mcp: CommandLine::new(&self.root.join("bin/parlor"), &["mcp"]).unwrap(),
        }
    }

    fn install(&self, program: &dyn AgentProgram, scope: &Scope) {
        program.plan_install(&self.place(), scope, &self.request()).unwrap().apply(&nobody).unwrap();
    }

    fn uninstall(&self, program: &dyn AgentProgram, scope: &Scope) {
        program.plan_uninstall(&self.place(), scope).unwrap().apply(&nobody).unwrap();
    }

    fn doctor(&self, program: &dyn AgentProgram) -> Vec<Check> {
        program.doctor(&self.place(), &Scope::User, &answers)
    }

    /// Every file with its mode and bytes, every directory.
    fn tree(&self) -> BTreeMap<PathBuf, (u32, String)> {
        let mut tree = BTreeMap::new();
        walk(&self.root.join("home"), &mut tree);
        tree
    }
}

fn walk(path: &Path, tree: &mut BTreeMap<PathBuf, (u32, String)>) {
    let meta = fs::symlink_metadata(path).unwrap();
    let content = if meta.is_file() {
        fs::read_to_string(path).unwrap()
    } else {
        fs::read_dir(path).unwrap().for_each(|entry| walk(&entry.unwrap().path(), tree));
        String::new()
    };
    tree.insert(path.to_owned(), (meta.mode(), content));
}

/// Their settings are edited, none of their commands is run for it.
fn nobody(run: &Invocation) -> Result<Output, RunError> {
    panic!("{run:?}")
}

/// What each says of its version.
fn answers(run: &Invocation) -> Result<Output, RunError> {
    let said = match run.program.file_name().unwrap().to_str().unwrap() {
        "codex" => "codex-cli 0.169.0",
        "gemini" => "0.61.0",
        "opencode" => "1.18.33",
        other => other,
    };
    assert_eq!(run.args, ["--version"]);
    Ok(Output { code: Some(0), stdout: format!("{said}\n"), stderr: String::new() })
}

fn others() -> impl Iterator<Item = &'static dyn AgentProgram> {
    programs().iter().copied().filter(|program| program.name() != "claude")
}

fn state(checks: &[Check], name: &str) -> CheckState {
    checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{name}: {checks:?}")).state
}

const SETTINGS: [(&str, &str); 4] = [
    (".codex/config.toml", "# mine\nmodel = \"gpt-5\" # that one\n\n[mcp_servers.other]\ncommand = \"x\"\n"),
    (
        ".codex/hooks.json",
        "{\"hooks\": {\"Stop\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"other\"}]}]}}",
    ),
    (
        ".gemini/settings.json",
        "{\n  // mine\n  \"theme\": \"x\",\n  \"mcpServers\": {},\n  \"hooks\": {}\n}\n",
    ),
    (".config/opencode/opencode.json", "{\n  // mine\n  \"theme\": \"x\",\n}\n"),
];

#[test]
fn wound_39_uninstall_leaves_what_it_found() {
    for with_settings in [false, true] {
        let home = Home::new();
        if with_settings {
            SETTINGS.iter().for_each(|(path, text)| home.write(path, text));
        }
        for program in others() {
            for scope in [Scope::User, Scope::Project(home.path("project"))] {
                let before = home.tree();
                home.install(program, &scope);
                let there = home.tree();
                assert_ne!(there, before);
                home.install(program, &scope);
                assert_eq!(home.tree(), there, "{}: a second install changes nothing", program.name());
                home.uninstall(program, &scope);
                assert_eq!(home.tree(), before, "{} {scope:?}", program.name());
                home.uninstall(program, &scope);
                assert_eq!(home.tree(), before);
            }
        }
    }
}

#[test]
fn wound_39_what_changed_since_stays_and_only_parlors_goes() {
    let home = Home::new();
    SETTINGS.iter().for_each(|(path, text)| home.write(path, text));
    others().for_each(|program| home.install(program, &Scope::User));
    for (path, text) in SETTINGS {
        let after = home.read(path);
        assert_ne!(after, text, "{path}");
        let since = after.replace("mine", "mine, since").replace("\"other\"", "\"another\"");
        home.write(path, &since);
    }
    others().for_each(|program| home.uninstall(program, &Scope::User));
    for (path, text) in SETTINGS {
        let wanted = text.replace("mine", "mine, since").replace("\"other\"", "\"another\"");
        assert_eq!(home.read(path), wanted, "{path}");
    }
    assert!(!home.path(".config/opencode/plugin").exists());
}

#[test]
fn what_is_written_is_what_each_program_was_seen_to_read() {
    let home = Home::new();
    others().for_each(|program| home.install(program, &Scope::User));
    let bin = home.root.join("bin").display().to_string();
    let codex: Value = serde_json::from_str(&home.read(".codex/hooks.json")).unwrap();
    let hook = json!({ "type": "command", "command": format!("{bin}/parlor-hook codex"), "timeout": 3 });
    assert_eq!(codex["hooks"]["SessionEnd"], json!([{ "hooks": [hook] }]));
    assert_eq!(codex["hooks"].as_object().unwrap().len(), 5);
    assert!(home.read(".codex/config.toml").contains("[mcp_servers.parlor]"));
    let gemini: Value = serde_json::from_str(&home.read(".gemini/settings.json")).unwrap();
    let hook = &gemini["hooks"]["BeforeAgent"][0]["hooks"][0];
    assert_eq!(hook["command"], format!("{bin}/parlor-hook gemini 2>/dev/null || exit 0"), "fails open");
    assert_eq!(hook["timeout"], 5000, "milliseconds");
    assert_eq!(
        gemini["mcpServers"]["parlor"],
        json!({ "command": format!("{bin}/parlor"), "args": ["mcp"] })
    );
    let opencode: Value = serde_json::from_str(&home.read(".config/opencode/opencode.json")).unwrap();
    let server = json!({ "type": "local", "command": [format!("{bin}/parlor"), "mcp"], "enabled": true });
    assert_eq!(opencode["mcp"]["parlor"], server);
    assert!(
        home.read(".config/opencode/plugin/parlor.js")
            .contains(&format!("[\"{bin}/parlor-hook\",\"opencode\"]"))
    );
    assert_eq!(mcp_snippet(&home.request().mcp)["mcpServers"]["parlor"], gemini["mcpServers"]["parlor"]);
}

#[test]
fn directories_of_their_own_are_honoured() {
    let mut home = Home::new();
    for (variable, dir) in [("CODEX_HOME", "cx"), ("GEMINI_CLI_HOME", "gm"), ("XDG_CONFIG_HOME", "xdg")] {
        fs::create_dir(home.path(dir)).unwrap();
        home.env.push((variable, home.path(dir)));
    }
    let before = home.tree();
    others().for_each(|program| home.install(program, &Scope::User));
    for path in
        ["cx/hooks.json", "cx/config.toml", "gm/.gemini/settings.json", "xdg/opencode/plugin/parlor.js"]
    {
        assert!(home.path(path).exists(), "{path}");
    }
    assert!(
        !home.path(".codex").exists() && !home.path(".gemini").exists() && !home.path(".config").exists()
    );
    others().for_each(|program| home.uninstall(program, &Scope::User));
    assert_eq!(home.tree(), before);
}

#[test]
fn wound_39_what_does_not_parse_is_refused_and_everything_stays() {
    for (path, text) in [
        (".codex/hooks.json", "{,}"),
        (".codex/config.toml", "a = = 1\n"),
        (".gemini/settings.json", "[]"),
        (".config/opencode/opencode.json", "{\"mcp\": []}"),
        (".config/opencode/plugin/parlor.js", "// somebody's own"),
    ] {
        let home = Home::new();
        home.write(path, text);
        let before = home.tree();
        let program = others().find(|program| path.contains(program.name())).unwrap();
        let refused = program.plan_install(&home.place(), &Scope::User, &home.request()).unwrap_err();
        assert!(matches!(refused, PlanError::Syntax { .. } | PlanError::Shape { .. }), "{path}: {refused}");
        assert_eq!(home.tree(), before);
    }
}

/// The second of two files cannot be written: the first is as it was, too.
#[test]
fn two_files_are_changed_both_or_neither() {
    let home = Home::new();
    home.write(".codex/hooks.json", "{}");
    home.write(".codex/config.toml", "a = 1\n");
    let program = parlor_agents::program("codex").unwrap();
    let plan = program.plan_install(&home.place(), &Scope::User, &home.request()).unwrap();
    home.write(".codex/config.toml", "a = 2\n");
    let before = home.tree();
    assert!(matches!(plan.apply(&nobody), Err(FileError::ChangedMeanwhile(_))));
    assert_eq!(home.tree(), before);
}

#[test]
fn somebody_elses_server_of_the_same_name_is_left_alone() {
    for (name, path, text) in [
        ("codex", ".codex/config.toml", "[mcp_servers.parlor]\nurl = \"http://x\"\n"),
        ("gemini", ".gemini/settings.json", "{\"mcpServers\": {\"parlor\": {\"url\": \"http://x\"}}}"),
        ("opencode", ".config/opencode/opencode.json", "{\"mcp\": {\"parlor\": {\"type\": \"remote\"}}}"),
    ] {
        let home = Home::new();
        home.write(path, text);
        let program = parlor_agents::program(name).unwrap();
        let plan = program.plan_install(&home.place(), &Scope::User, &home.request()).unwrap();
        assert!(plan.warnings.iter().any(|warning| warning.contains("already called parlor")), "{name}");
        plan.apply(&nobody).unwrap();
        assert!(home.read(path).contains("http://x") || home.read(path).contains("remote"));
        assert_eq!(state(&home.doctor(program), "MCP server"), CheckState::Fail);
        home.uninstall(program, &Scope::User);
        assert_eq!(home.read(path), text);
    }
}

#[test]
fn doctors_name_each_missing_link() {
    let home = Home::new();
    let program = |name: &str| parlor_agents::program(name).unwrap();
    let state_of = |name: &str, check: &str| state(&home.doctor(program(name)), check);
    assert_eq!(state_of("codex", "settings"), CheckState::Fail);
    assert_eq!(state_of("gemini", "settings"), CheckState::Fail);
    assert_eq!(state_of("opencode", "plugin"), CheckState::Fail);
    others().for_each(|program| home.install(program, &Scope::User));
    for (name, title) in [("codex", "Codex"), ("gemini", "Gemini CLI"), ("opencode", "OpenCode")] {
        let checks = home.doctor(program(name));
        assert_eq!(state(&checks, title), CheckState::Ok, "{checks:?}");
        let fails: Vec<_> = checks.iter().filter(|check| check.state != CheckState::Ok).collect();
        let wanted = if name == "codex" { vec!["trust"] } else { vec![] };
        assert_eq!(fails.iter().map(|check| check.name.as_str()).collect::<Vec<_>>(), wanted, "{fails:?}");
    }
    let config = home.read(".codex/config.toml");
    home.write(".codex/config.toml", &format!("{config}\n[features]\nhooks = false\n"));
    let codex = home.doctor(program("codex"));
    assert!(codex.iter().any(|check| check.detail.contains("features.hooks = false")), "{codex:?}");
    let gemini = home.read(".gemini/settings.json");
    for off in ["{\"enabled\": false}", "{\"disabled\": [\"parlor\"]}"] {
        home.write(".gemini/settings.json", &gemini.replacen('{', &format!("{{\"hooksConfig\": {off},"), 1));
        assert_eq!(state_of("gemini", "settings"), CheckState::Fail, "{off}");
    }
    home.write(".gemini/settings.json", &gemini);
    fs::remove_file(home.root.join("bin/parlor-hook")).unwrap();
    assert_eq!(state_of("gemini", "hook command"), CheckState::Fail);
    assert_eq!(state_of("codex", "hook command"), CheckState::Fail);
    assert_eq!(state_of("opencode", "plugin"), CheckState::Fail);
    let newer =
        |_: &Invocation| Ok(Output { code: Some(0), stdout: "9.9.9\n".into(), stderr: String::new() });
    let checks = program("gemini").doctor(&home.place(), &Scope::User, &newer);
    assert_eq!(state(&checks, "Gemini CLI"), CheckState::Warn, "another version than was measured");
}
