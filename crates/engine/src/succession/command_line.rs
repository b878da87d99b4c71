//! Defines the command line that a process was started with: what a reload executes anew.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

static CAPTURED: OnceLock<CommandLine> = OnceLock::new();

/// How a process was started, all as it was typed: a `current` symlink in it leads to where it leads by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// Its arguments, the name of the program first.
    pub arguments: Vec<OsString>,
    /// The file that was executed, for where the name leads nowhere.
    pub executable: Option<PathBuf>,
    /// The working directory.
    pub directory: Option<PathBuf>,
    /// The environment, as it was before any code of the application's changed it.
    pub environment: Vec<(OsString, OsString)>,
}

/// Notes how this process was started, and takes what a reload has handed to it. To be called before anything changes the process: its title, its
/// environment, its working directory.
pub fn capture() {
    super::inheritance::receive();
    CAPTURED.get_or_init(CommandLine::of_this_process);
}

/// How this process was started, where that was noted in time.
#[must_use]
pub fn captured() -> Option<&'static CommandLine> {
    CAPTURED.get()
}

impl CommandLine {
    fn of_this_process() -> Self {
        // The system first: PHP's command line has made its arguments but the first empty by the time a module starts, to have room for a title.
        let line = std::fs::read("/proc/self/cmdline").unwrap_or_default();
        let parts = line.strip_suffix(&[0]).unwrap_or(&line).split(|byte| *byte == 0);
        let told = parts.map(|part| OsString::from_vec(part.to_vec()));
        let arguments = if line.is_empty() { std::env::args_os().collect() } else { told.collect() };
        Self {
            arguments,
            executable: std::env::current_exe().ok(),
            directory: directory(),
            environment: std::env::vars_os().collect(),
        }
    }

    /// The files to try, in this order: by name as it was typed (from the working directory, or by the search path), then the one that was executed.
    #[must_use]
    pub fn candidates(&self) -> Vec<CString> {
        let name = self.arguments.first().map(PathBuf::from).unwrap_or_default();
        let mut found = Vec::new();
        if name.as_os_str().as_bytes().contains(&b'/') {
            found.push(name);
        } else if !name.as_os_str().is_empty() {
            let path = self.environment.iter().find(|(key, _)| key == "PATH").map(|(_, path)| path.clone()).unwrap_or_default();
            found.extend(std::env::split_paths(&path).map(|directory| directory.join(&name)).filter(|file| is_executable(file)));
        }
        found.extend(self.executable.clone());
        found.into_iter().filter_map(|file| CString::new(file.into_os_string().into_vec()).ok()).collect()
    }
}

/// The working directory as it was typed, where the shell tells it and that is true.
fn directory() -> Option<PathBuf> {
    let real = std::env::current_dir().ok();
    let typed = std::env::var_os("PWD").map(PathBuf::from).filter(|typed| typed.is_absolute());
    let same = |a: &Path, b: &Path| match (a.metadata(), b.metadata()) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    };
    match (typed, real) {
        (Some(typed), Some(real)) if same(&typed, &real) => Some(typed),
        (_, real) => real,
    }
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, path: &str) -> CommandLine {
        CommandLine {
            arguments: vec![name.into(), "run".into()],
            executable: Some("/real/php8.2".into()),
            directory: None,
            environment: vec![("PATH".into(), path.into())],
        }
    }

    #[test]
    fn a_program_is_found_as_it_was_typed_and_else_where_it_was() {
        let names = |line: CommandLine| line.candidates().into_iter().map(|name| name.into_string().unwrap()).collect::<Vec<_>>();
        assert_eq!(names(line("./php", "/bin")), ["./php", "/real/php8.2"]);
        assert_eq!(names(line("no-such-program", "/bin:/usr/bin")), ["/real/php8.2"]);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("program");
        std::fs::write(&file, "").unwrap();
        let path = directory.path().to_str().unwrap();
        assert_eq!(names(line("program", path)), ["/real/php8.2"], "not executable");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(names(line("program", path)), [file.to_str().unwrap(), "/real/php8.2"]);
    }

    #[test]
    fn this_process_is_found() {
        let line = CommandLine::of_this_process();
        assert!(!line.arguments.is_empty() && line.directory.is_some() && !line.candidates().is_empty(), "{line:?}");
    }
}
