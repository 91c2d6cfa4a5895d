//! Installing into Claude Code and uninstalling again, on real files: what is left behind, what is refused, what is reported.
//! Claude Code itself is stood in for by a function that edits its MCP files as the real one was seen to; the real one is run
//! by the tests that drive real agents.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use parlor_agents::claude::Claude;
use parlor_agents::{
    AgentProgram, Applied, Check, CheckState, CommandLine, CommandOutcome, FileError, InstallRequest,
    Invocation, Output, Place, PlanError, RunError, Scope,
};
use serde_json::{Value, json};

/// A throw-away home, with an executable called `claude` on PATH unless told otherwise.
struct Home {
    _directory: tempfile::TempDir,
    root: PathBuf,
    env: Vec<(&'static str, PathBuf)>,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("bin")).unwrap();
        fs::create_dir_all(root.join("home")).unwrap();
        for program in ["claude", "parlor-hook"] {
            fs::write(root.join("bin").join(program), "#!/bin/sh\n").unwrap();
            fs::set_permissions(root.join("bin").join(program), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let env = vec![("PATH", root.join("bin"))];
        Self { _directory: directory, root, env }
    }

    fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    fn settings(&self) -> PathBuf {
        self.home().join(".claude/settings.json")
    }

    fn with_settings(text: &str) -> Self {
        let home = Self::new();
        home.write(&home.settings(), text);
        home
    }

    fn write(&self, path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn place(&self) -> Place {
        Place::new(self.home(), self.env.iter().map(|(name, value)| ((*name).into(), value.clone().into())))
    }

    fn request(&self) -> InstallRequest {
        request_at(&self.root.join("bin"))
    }

    fn install(&self, scope: &Scope) -> Applied {
        let plan = Claude.plan_install(&self.place(), scope, &self.request()).unwrap();
        plan.apply(&claude_mcp).unwrap()
    }

    fn uninstall(&self, scope: &Scope) -> Applied {
        Claude.plan_uninstall(&self.place(), scope).unwrap().apply(&claude_mcp).unwrap()
    }

    /// Every file with its mode and bytes, every directory, every link.
    fn tree(&self) -> BTreeMap<PathBuf, (u32, String)> {
        let mut tree = BTreeMap::new();
        walk(&self.home(), &mut tree);
        tree
    }
}

fn request_at(bin: &Path) -> InstallRequest {
    InstallRequest {
        hook: CommandLine::new(&bin.join("parlor-hook"), &[]).unwrap(),
        mcp: CommandLine::new(&bin.join("parlor"), &["mcp"]).unwrap(),
    }
}

fn walk(path: &Path, tree: &mut BTreeMap<PathBuf, (u32, String)>) {
    let meta = fs::symlink_metadata(path).unwrap();
    let content = if meta.is_symlink() {
        fs::read_link(path).unwrap().display().to_string()
    } else if meta.is_file() {
        fs::read_to_string(path).unwrap()
    } else {
        fs::read_dir(path).unwrap().for_each(|entry| walk(&entry.unwrap().path(), tree));
        String::new()
    };
    tree.insert(path.to_owned(), (meta.mode(), content));
}

/// Does to the MCP files what `claude mcp add` and `claude mcp remove` of version 2.1.329 do.
fn claude_mcp(run: &Invocation) -> Result<Output, RunError> {
    let args: Vec<&str> = run.args.iter().map(String::as_str).collect();
    let ["mcp", verb, "--scope", scope, "parlor", rest @ ..] = args.as_slice() else { panic!("{args:?}") };
    let variable = |name: &str| run.env.get(std::ffi::OsStr::new(name)).map(PathBuf::from);
    let path = match *scope {
        "user" => variable("CLAUDE_CONFIG_DIR").or(variable("HOME")).unwrap().join(".claude.json"),
        _ => run.cwd.join(".mcp.json"),
    };
    let text = fs::read_to_string(&path).unwrap_or("{}".into());
    let mut value: Value = serde_json::from_str(&text).unwrap();
    let servers =
        value.as_object_mut().unwrap().entry("mcpServers").or_insert(json!({})).as_object_mut().unwrap();
    let known = servers.contains_key("parlor");
    match *verb {
        "add" if !known => {
            let server = json!({"type": "stdio", "command": rest[1], "args": rest[2..], "env": {}});
            servers.insert("parlor".into(), server);
        }
        "remove" if known => drop(servers.shift_remove("parlor")),
        _ => return Ok(Output { code: Some(1), stdout: String::new(), stderr: "it is not so\n".into() }),
    }
    fs::write(&path, serde_json::to_string_pretty(&value).unwrap()).unwrap();
    Ok(Output { code: Some(0), stdout: "done\n".into(), stderr: String::new() })
}

fn servers(path: &Path) -> Value {
    serde_json::from_str::<Value>(&fs::read_to_string(path).unwrap()).unwrap()["mcpServers"].clone()
}

const ODD: &str = "{\n   \"model\":\"opus\" ,\n\n \"hooks\": { \"PreToolUse\": [ ], \"SessionEnd\" : [{\"hooks\":[{\"type\":\"command\",\"command\":\"other\"}]}] }}";

#[test]
fn wound_39_uninstall_leaves_what_it_found() {
    for text in [
        ODD,
        "{}",
        "{ }\n",
        "",
        "{\"hooks\":{}}",
        "{ /* c */ }",
        "\u{feff}{\r\n}\r\n",
        "{\"hooks\":{\"SessionStart\":[\n]}}",
    ] {
        let home = Home::with_settings(text);
        home.write(&home.home().join(".claude.json"), "{\n  \"mcpServers\": {}\n}");
        home.write(&home.settings().with_file_name("settings.json.bak"), "another tool's");
        home.write(
            &home.settings().with_file_name("settings.json.parlor-backup-2"),
            "{\"also\": \"not ours\"}",
        );
        fs::set_permissions(home.settings(), fs::Permissions::from_mode(0o640)).unwrap();
        let before = home.tree();
        let applied = home.install(&Scope::User);
        assert!(applied.settings_changed && applied.command == CommandOutcome::Done);
        assert_eq!(applied.backups, [home.settings().with_file_name("settings.json.parlor-backup-3")]);
        assert_eq!(fs::metadata(home.settings()).unwrap().mode() & 0o777, 0o640);
        home.uninstall(&Scope::User);
        assert_eq!(home.tree(), before, "{text:?}");
    }
}

#[test]
fn wound_39_uninstall_removes_the_file_and_directory_the_install_made() {
    let home = Home::new();
    home.write(&home.home().join(".claude.json"), "{\n  \"mcpServers\": {}\n}");
    let before = home.tree();
    let applied = home.install(&Scope::User);
    assert!(applied.backups.is_empty());
    assert_eq!(fs::metadata(home.settings()).unwrap().mode() & 0o777, 0o600);
    home.uninstall(&Scope::User);
    assert_eq!(home.tree(), before);
}

#[test]
fn wound_39_an_upgrade_between_changes_nothing_about_that() {
    let home = Home::with_settings(ODD);
    home.write(&home.home().join(".claude.json"), "{\n  \"mcpServers\": {}\n}");
    let before = home.tree();
    home.install(&Scope::User);
    let newer = request_at(Path::new("/opt/new place"));
    let plan = Claude.plan_install(&home.place(), &Scope::User, &newer).unwrap();
    assert!(plan.changes.iter().any(|change| change.contains("instead of")), "{:?}", plan.changes);
    assert_eq!(plan.apply(&claude_mcp).unwrap().command, CommandOutcome::Done);
    let server = &servers(&home.home().join(".claude.json"))["parlor"];
    assert_eq!(server["command"], "/opt/new place/parlor");
    home.uninstall(&Scope::User);
    assert_eq!(home.tree(), before);
}

#[test]
fn wound_39_what_changed_since_stays_and_so_does_the_backup() {
    let home = Home::with_settings(ODD);
    let backup = home.install(&Scope::User).backups.remove(0);
    let edited = fs::read_to_string(home.settings()).unwrap().replace("opus", "sonnet");
    home.write(&home.settings(), &edited);
    home.uninstall(&Scope::User);
    assert_eq!(fs::read_to_string(home.settings()).unwrap(), ODD.replace("opus", "sonnet"));
    assert_eq!(fs::read_to_string(backup).unwrap(), ODD);
}

#[test]
fn wound_39_a_file_that_does_not_parse_is_refused_untouched() {
    let home = Home::with_settings("{\n  \"model\": \"opus\",\n  \"hooks\": {\"Stop\": [}\n}\n");
    let before = home.tree();
    let install = Claude.plan_install(&home.place(), &Scope::User, &home.request()).unwrap_err();
    let uninstall = Claude.plan_uninstall(&home.place(), &Scope::User).unwrap_err();
    for error in [install, uninstall] {
        assert!(
            matches!(&error, PlanError::Syntax { source, .. } if (source.line, source.column) == (3, 22)),
            "{error}"
        );
        let text = error.to_string();
        assert!(
            text.contains("line 3, column 22") && text.contains("untouched") && text.contains("repair"),
            "{text}"
        );
    }
    assert_eq!(home.tree(), before);
}

#[test]
fn installing_twice_changes_nothing_and_a_second_uninstall_neither() {
    let home = Home::with_settings(ODD);
    home.install(&Scope::User);
    let once = home.tree();
    let again = Claude.plan_install(&home.place(), &Scope::User, &home.request()).unwrap();
    assert!(
        again.is_nothing()
            && again.changes.is_empty()
            && again.diff().is_empty()
            && again.commands().is_empty()
    );
    let applied = again.apply(&claude_mcp).unwrap();
    assert_eq!(
        applied,
        Applied { settings_changed: false, backups: vec![], command: CommandOutcome::Unchanged }
    );
    assert_eq!(home.tree(), once);
    home.uninstall(&Scope::User);
    let gone = Claude.plan_uninstall(&home.place(), &Scope::User).unwrap();
    assert!(gone.is_nothing() && gone.changes.is_empty());
}

#[test]
fn a_plan_changes_nothing_and_shows_what_would() {
    let home = Home::with_settings("{\n  \"env\": {\"API_KEY\": \"sk-hidden\"}\n}\n");
    let before = home.tree();
    let plan = Claude.plan_install(&home.place(), &Scope::User, &home.request()).unwrap();
    let diff = plan.diff();
    assert_eq!(home.tree(), before);
    assert!(diff.contains("+  \"hooks\": {") && diff.contains("parlor-hook"), "{diff}");
    assert_eq!(plan.changes.len(), 8, "{:?}", plan.changes);
    let parlor = home.root.join("bin/parlor");
    assert_eq!(plan.commands(), [format!("claude mcp add --scope user parlor -- {} mcp", parlor.display())]);
    assert!(!diff.contains("sk-hidden"), "{diff}");
}

#[test]
fn wound_31_what_is_installed_names_paths_and_nothing_else() {
    let home = Home::with_settings("{}");
    let store = home.root.join("my home");
    let request = InstallRequest {
        hook: CommandLine::new(Path::new("/opt/parlor-hook"), &[]).unwrap().with_home(&store).unwrap(),
        mcp: CommandLine::new(Path::new("/opt/parlor"), &["mcp"]).unwrap().with_home(&store).unwrap(),
    };
    Claude.plan_install(&home.place(), &Scope::User, &request).unwrap().apply(&claude_mcp).unwrap();
    let settings: Value = serde_json::from_str(&fs::read_to_string(home.settings()).unwrap()).unwrap();
    for event in ["SessionStart", "UserPromptSubmit", "SessionEnd"] {
        let hook = &settings["hooks"][event][0]["hooks"][0];
        let command = format!("/opt/parlor-hook --home '{}'", store.display());
        assert_eq!(*hook, json!({"type": "command", "command": command, "timeout": 5}));
    }
    let server = &servers(&home.home().join(".claude.json"))["parlor"];
    assert_eq!(server["args"], json!(["mcp", "--home", store]));
    assert_eq!(server["env"], json!({}));
}

#[test]
fn read_only_settings_are_refused_and_everything_stays() {
    let home = Home::with_settings(ODD);
    let refused = |home: &Home| {
        let before = home.tree();
        let error = Claude.plan_install(&home.place(), &Scope::User, &home.request()).unwrap_err();
        assert!(matches!(&error, PlanError::File(FileError::ReadOnly(_))), "{error}");
        assert!(error.to_string().contains("chmod"), "{error}");
        assert_eq!(home.tree(), before);
    };
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(&home.settings(), 0o444);
    refused(&home);
    set(&home.settings(), 0o644);
    set(home.settings().parent().unwrap(), 0o555);
    refused(&home);
    set(home.settings().parent().unwrap(), 0o755);
    home.install(&Scope::User);
    set(&home.settings(), 0o444);
    let before = home.tree();
    assert!(matches!(
        Claude.plan_uninstall(&home.place(), &Scope::User),
        Err(PlanError::File(FileError::ReadOnly(_)))
    ));
    assert_eq!(home.tree(), before);
}

#[test]
fn a_settings_file_that_is_a_link_stays_one() {
    let home = Home::new();
    let real = home.home().join("dotfiles/claude.json");
    home.write(&real, ODD);
    fs::create_dir_all(home.settings().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&real, home.settings()).unwrap();
    home.write(&home.home().join(".claude.json"), "{\n  \"mcpServers\": {}\n}");
    let before = home.tree();
    home.install(&Scope::User);
    assert!(fs::symlink_metadata(home.settings()).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("parlor-hook"));
    home.uninstall(&Scope::User);
    assert_eq!(home.tree(), before);
}

#[test]
fn a_config_directory_of_its_own_is_honoured() {
    let mut home = Home::new();
    home.env.push(("CLAUDE_CONFIG_DIR", home.home().join("elsewhere")));
    home.write(&home.home().join("elsewhere/.claude.json"), "{}");
    home.install(&Scope::User);
    assert!(home.home().join("elsewhere/settings.json").exists() && !home.settings().exists());
    assert!(servers(&home.home().join("elsewhere/.claude.json"))["parlor"].is_object());
}

#[test]
fn wound_39_a_project_gets_its_files_back() {
    for mcp in [
        None,
        Some("{ \"mcpServers\": { \"x\": {\"command\": \"y\"} } }\n"),
        Some("{}"),
        Some("{\"mcpServers\": {}}"),
    ] {
        let home = Home::new();
        let project = home.home().join("repo");
        fs::create_dir(&project).unwrap();
        if let Some(mcp) = mcp {
            home.write(&project.join(".mcp.json"), mcp);
        }
        let before = home.tree();
        let scope = Scope::Project(project.clone());
        assert_eq!(home.install(&scope).command, CommandOutcome::Done);
        assert!(project.join(".claude/settings.json").exists());
        assert!(servers(&project.join(".mcp.json"))["parlor"].is_object());
        assert_eq!(home.uninstall(&scope).command, CommandOutcome::Done);
        assert_eq!(home.tree(), before, "{mcp:?}");
    }
}

#[test]
fn a_project_that_is_not_there_is_refused() {
    let home = Home::new();
    let scope = Scope::Project(home.home().join("nowhere"));
    let error = Claude.plan_install(&home.place(), &scope, &home.request()).unwrap_err();
    assert!(matches!(&error, PlanError::File(FileError::Io { .. })), "{error}");
}

#[test]
fn without_claude_on_path_the_exact_command_is_told() {
    let mut home = Home::with_settings("{}");
    home.env = vec![("PATH", home.root.join("nothing"))];
    assert_eq!(Claude.detect(&home.place()), None);
    let applied = home.install(&Scope::User);
    let line =
        format!("claude mcp add --scope user parlor -- {} mcp", home.root.join("bin/parlor").display());
    assert_eq!(applied.command, CommandOutcome::ToType(vec![line]));
    assert!(fs::read_to_string(home.settings()).unwrap().contains("parlor-hook"));
}

#[test]
fn a_failing_mcp_command_is_told_and_running_again_completes_it() {
    let home = Home::with_settings("{}");
    let plan = Claude.plan_install(&home.place(), &Scope::User, &home.request()).unwrap();
    let broken =
        |_: &Invocation| Ok(Output { code: Some(1), stdout: String::new(), stderr: "no luck\n".into() });
    let applied = plan.apply(&broken).unwrap();
    assert!(applied.settings_changed);
    assert!(
        matches!(&applied.command, CommandOutcome::Failed { command, detail } if command.starts_with("claude mcp add") && detail == "no luck")
    );
    let again = home.install(&Scope::User);
    assert_eq!((again.settings_changed, again.command), (false, CommandOutcome::Done));
}

#[test]
fn somebody_elses_server_of_the_same_name_is_left_alone() {
    let home = Home::with_settings("{}");
    let theirs = "{\"mcpServers\": {\"parlor\": {\"command\": \"/opt/tea-room\", \"args\": []}}}";
    home.write(&home.home().join(".claude.json"), theirs);
    let plan = Claude.plan_install(&home.place(), &Scope::User, &home.request()).unwrap();
    assert!(
        plan.warnings.iter().any(|warning| warning.contains("already called parlor")),
        "{:?}",
        plan.warnings
    );
    assert_eq!(plan.apply(&claude_mcp).unwrap().command, CommandOutcome::Unchanged);
    home.uninstall(&Scope::User);
    assert_eq!(fs::read_to_string(home.home().join(".claude.json")).unwrap(), theirs);
}

#[test]
fn a_file_claude_code_does_not_read_is_warned_about() {
    let home = Home::with_settings("{\n  // mine\n  \"a\": 1\n}");
    let plan = Claude.plan_install(&home.place(), &Scope::User, &home.request()).unwrap();
    assert!(
        plan.warnings.iter().any(|warning| warning.contains("plain JSON only") && warning.contains("line 2"))
    );
}

fn state(checks: &[Check], name: &str) -> CheckState {
    checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no {name} in {checks:?}")).state
}

/// Answers as `claude --version` and `claude mcp get parlor` do.
fn claude_says(status: &str) -> impl Fn(&Invocation) -> Result<Output, RunError> {
    let status = format!("parlor:\n  Scope: User config\n  Status: {status}\n  Type: stdio\n");
    move |run| {
        let stdout =
            if run.args == ["--version"] { "2.1.329 (Claude Code)\n".into() } else { status.clone() };
        Ok(Output { code: Some(0), stdout, stderr: String::new() })
    }
}

#[test]
fn doctor_tries_each_link() {
    let home = Home::new();
    let doctor = |home: &Home, status: &str| Claude.doctor(&home.place(), &Scope::User, &claude_says(status));
    let before = doctor(&home, "");
    assert_eq!(state(&before, "Claude Code"), CheckState::Ok);
    assert_eq!(
        (state(&before, "settings"), state(&before, "MCP server")),
        (CheckState::Fail, CheckState::Fail)
    );
    home.install(&Scope::User);
    let after = doctor(&home, "✔ Connected");
    assert!(after.iter().all(|check| check.state == CheckState::Ok), "{after:#?}");
    assert!(after[0].detail.contains("2.1.329"), "{after:#?}");
    assert_eq!(state(&doctor(&home, "✘ Failed to connect"), "MCP server"), CheckState::Fail);
    assert_eq!(state(&doctor(&home, "⏸ Pending approval"), "MCP server"), CheckState::Warn);
    fs::set_permissions(home.root.join("bin/parlor-hook"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(state(&doctor(&home, "✔ Connected"), "hook command"), CheckState::Fail);
    let text = fs::read_to_string(home.settings()).unwrap();
    home.write(&home.settings(), &text.replace("SessionEnd", "Notification"));
    assert_eq!(state(&doctor(&home, "✔ Connected"), "hooks"), CheckState::Fail);
    home.write(&home.settings(), &text.replacen('{', "{\"disableAllHooks\": true,", 1));
    assert_eq!(state(&doctor(&home, "✔ Connected"), "settings"), CheckState::Fail);
    home.write(&home.settings(), "{,}");
    assert_eq!(state(&doctor(&home, "✔ Connected"), "settings"), CheckState::Fail);
}

#[test]
fn doctor_without_claude_warns_and_fails_nothing_else() {
    let mut home = Home::with_settings("{}");
    home.install(&Scope::User);
    home.env = vec![("PATH", home.root.join("nothing"))];
    let checks = Claude.doctor(&home.place(), &Scope::User, &claude_says(""));
    assert_eq!(
        (state(&checks, "Claude Code"), state(&checks, "MCP server")),
        (CheckState::Warn, CheckState::Warn)
    );
    assert_eq!((state(&checks, "hooks"), state(&checks, "hook command")), (CheckState::Ok, CheckState::Ok));
}
