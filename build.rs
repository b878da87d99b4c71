//! Refuses what the extension can't be built for, with the reason and what to install.

use std::process::{Command, exit};

/// What is supported, as `PHP_VERSION_ID` without the patch level.
const OLDEST: u32 = 801;
const NEWEST: u32 = 805;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for variable in ["PHP", "PHP_CONFIG", "PKG_CONFIG_PATH"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    if let Err(reason) = check_php().and_then(|()| check_libzmq()) {
        eprintln!("\nproletarier can't be built here: {reason}\n");
        exit(1);
    }
}

fn check_php() -> Result<(), String> {
    let config = std::env::var("PHP_CONFIG").unwrap_or_else(|_| "php-config".into());
    let Some(version) = output(&config, &["--vernum"]) else {
        return Err(format!(
            "{config} is missing. It comes with PHP's development files: apt-get install php-dev (Debian, Ubuntu), dnf install php-devel (Fedora), \
             brew install php (macOS). For one of several PHP versions set PHP_CONFIG, for example to /usr/bin/php-config8.2"
        ));
    };
    let version = version.parse::<u32>().unwrap_or(0) / 100;
    if !(OLDEST..=NEWEST).contains(&version) {
        let shown = |version: u32| format!("{}.{}", version / 100, version % 100);
        return Err(format!("{config} is of PHP {}; {} to {} are supported", shown(version), shown(OLDEST), shown(NEWEST)));
    }
    let include = output(&config, &["--include-dir"]).unwrap_or_default();
    let header = format!("{include}/main/php_config.h");
    let Ok(defines) = std::fs::read_to_string(&header) else {
        return Err(format!("{header} is missing: install PHP's development files (apt-get install php-dev)"));
    };
    let is_set = |name: &str| defines.lines().any(|line| line.split_whitespace().collect::<Vec<_>>() == ["#define", name, "1"]);
    if is_set("ZTS") {
        return Err("this PHP is thread-safe (ZTS). Workers are forked processes, so that only PHP without threads (NTS) is supported: build or install \
                    PHP without --enable-zts"
            .into());
    }
    if is_set("ZEND_DEBUG") {
        return Err("this PHP is a debug build, whose extensions must be debug builds of another kind: use a PHP built without --enable-debug".into());
    }
    Ok(())
}

fn check_libzmq() -> Result<(), String> {
    let install = "apt-get install libzmq3-dev (Debian, Ubuntu), dnf install zeromq-devel (Fedora), brew install zeromq (macOS)";
    if output("pkg-config", &["--version"]).is_none() {
        return Err("pkg-config is missing: apt-get install pkg-config".into());
    }
    match output("pkg-config", &["--atleast-version=4.1", "libzmq"]) {
        Some(_) => Ok(()),
        None => Err(format!("libzmq 4.1 or newer is missing: {install}")),
    }
}

/// What the command printed, if it went well.
fn output(command: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(command).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
