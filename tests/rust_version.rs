//! The `rust-version` of Cargo.toml is not below that of anything an application builds with it.
//! (That the code itself asks for no more, clippy's `incompatible_msrv` sees to.)

use std::{
    collections::{HashMap, HashSet},
    process::Command,
};

use serde_json::Value;

#[test]
fn no_dependency_asks_for_a_newer_rust() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--all-features",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages: HashMap<_, _> = array(&metadata["packages"])
        .map(|package| (text(&package["id"]), package))
        .collect();
    let nodes: HashMap<_, _> = array(&metadata["resolve"]["nodes"])
        .map(|node| (text(&node["id"]), node))
        .collect();

    // What is compiled into an application: everything but the dependencies of the tests.
    let local = packages
        .values()
        .find(|package| package["name"] == "clef-dev");
    let mut next = vec![
        text(&metadata["resolve"]["root"]),
        text(&local.unwrap()["id"]),
    ];
    let mut seen: HashSet<_> = next.iter().copied().collect();
    while let Some(id) = next.pop() {
        for dependency in array(&nodes[id]["deps"]) {
            let for_tests_only =
                array(&dependency["dep_kinds"]).all(|kind| kind["kind"].as_str() == Some("dev"));
            let id = text(&dependency["pkg"]);
            if !for_tests_only && seen.insert(id) {
                next.push(id);
            }
        }
    }
    assert!(seen.len() > 50, "the dependencies are read");

    let ours = version(env!("CARGO_PKG_RUST_VERSION"));
    for id in seen {
        if let Some(theirs) = packages[id]["rust_version"].as_str() {
            assert!(version(theirs) <= ours, "{id} asks for Rust {theirs}");
        }
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn version(text: &str) -> [u32; 3] {
    let mut parts = text.split('.').map(|part| part.parse().unwrap());
    [(); 3].map(|()| parts.next().unwrap_or(0))
}
