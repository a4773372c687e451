//! What is published holds what builds, and nothing of the tests.

use std::process::Command;

/// The paths in the package of a crate.
fn files(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "package",
            "--list",
            "--allow-dirty",
            "--offline",
            "-p",
            package,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{package}: {error}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_package_holds_what_builds_and_no_tests() {
    let of_cargo = [
        "Cargo.toml",
        "Cargo.toml.orig",
        "Cargo.lock",
        ".cargo_vcs_info.json",
    ];
    let own = ["LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md"];
    for package in ["axum-clef", "clef-dev"] {
        let files = files(package);
        for file in &files {
            let is_code = ["src/", "migrations/"]
                .iter()
                .any(|folder| file.starts_with(folder));
            let is_document = file.starts_with("docs/") && file.ends_with(".md");
            let is_picture = file == "docs/flow.svg";
            let is_listed = of_cargo.contains(&&**file) || own.contains(&&**file);
            assert!(
                is_code || is_document || is_picture || is_listed,
                "{package}: {file}"
            );
        }
        for needed in ["LICENSE", "README.md", "src/lib.rs"] {
            assert!(
                files.iter().any(|file| file == needed),
                "{package} lacks {needed}"
            );
        }
    }
}
