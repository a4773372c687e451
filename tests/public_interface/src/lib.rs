//! The public interface of a crate of the workspace, as text: one item a line.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use public_api::Builder;

/// The folder of this crate.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Where the list of a crate is kept.
pub fn list(package: &str) -> PathBuf {
    Path::new(HERE).join(format!("{package}.txt"))
}

/// The public items of a crate with all features, one a line and sorted. What derives and auto
/// traits implement is in it, since an application may rely on it.
///
/// # Panics
///
/// If the documentation does not build, or this Rust writes it in another format than `public-api`
/// reads.
pub fn interface(package: &str) -> String {
    let root = Path::new(HERE).join("../..");
    let status = Command::new(env!("CARGO"))
        .args(["rustdoc", "--locked", "--lib", "--all-features", "-p"])
        .args([package, "--message-format=short", "--"])
        .args([
            "-Zunstable-options",
            "--output-format=json",
            "--cap-lints=allow",
        ])
        // Not in the environment of cargo, which would build every dependency anew.
        .env("RUSTDOC", Path::new(HERE).join("rustdoc"))
        .current_dir(&root)
        .status()
        .unwrap();
    assert!(status.success(), "{package} has no documentation");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let file = target.join("doc").join(package.replace('-', "_"));
    let built = Builder::from_rustdoc_json(file.with_extension("json"))
        .omit_blanket_impls(true)
        .build();
    let built = built.unwrap_or_else(|error| {
        panic!("{error}\nThe lists are made by Rust 1.95; see the version of public-api")
    });
    let guide = format!("pub mod {}::guide", package.replace('-', "_"));
    let mut lines = String::new();
    for item in built.items().map(ToString::to_string) {
        // The chapters are documentation alone.
        if !item.starts_with(&guide) {
            lines.push_str(&item);
            lines.push('\n');
        }
    }
    lines
}
