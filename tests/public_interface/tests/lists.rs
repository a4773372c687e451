//! A change of the public interface shows in its list. With `UPDATE=1` before the command, the
//! lists are written anew.

use std::{collections::BTreeSet, env, fs};

use public_interface::{interface, list};

#[test]
#[ignore = "needs Rust 1.95: cargo test -- --ignored, in tests/public_interface"]
fn the_public_interface_is_as_listed() {
    for package in ["axum-clef"] {
        let (file, is) = (list(package), interface(package));
        assert!(is.lines().count() > 50, "{package}: the items are read");
        if env::var_os("UPDATE").is_some() {
            fs::write(&file, &is).unwrap();
            continue;
        }
        let was = fs::read_to_string(&file).unwrap();
        let (was, is): (BTreeSet<_>, BTreeSet<_>) = (was.lines().collect(), is.lines().collect());
        let removed = was.difference(&is).map(|line| format!("- {line}\n"));
        let added = is.difference(&was).map(|line| format!("+ {line}\n"));
        let changes: String = removed.chain(added).collect();
        assert!(
            changes.is_empty(),
            "the public interface of {package} has changed:\n{changes}\
             Is that intended? Then run UPDATE=1 cargo test -- --ignored in tests/public_interface"
        );
    }
}
