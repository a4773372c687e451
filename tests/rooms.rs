//! The rooms of the house: what may know what. An arrow that runs upwards, or a circle, is red.

use std::{collections::HashMap, fs, path::Path};

/// The rooms in their order, and what each may know: itself, and what is listed.
const ROOMS: &[(&str, &[&str])] = &[
    ("timestamp", &[]),
    ("profile", &[]),
    ("provider_session", &[]),
    ("logout_scope", &["profile", "provider_session"]),
    ("box_error", &[]),
    ("log_limit", &[]),
    ("address", &[]),
    ("calls", &["address"]),
    ("cookies", &[]),
    ("site", &["address"]),
    (
        "user",
        &[
            "timestamp",
            "profile",
            "provider_session",
            "logout_scope",
            "box_error",
        ],
    ),
    ("time_limit", &["box_error"]),
    (
        "session",
        &[
            "timestamp",
            "profile",
            "provider_session",
            "box_error",
            "cookies",
            "site",
        ],
    ),
    ("strangers", &["timestamp", "profile", "provider_session"]),
    (
        "pending",
        &[
            "timestamp",
            "profile",
            "provider_session",
            "logout_scope",
            "box_error",
            "log_limit",
            "user",
            "strangers",
        ],
    ),
    (
        "leased",
        &[
            "timestamp",
            "profile",
            "provider_session",
            "logout_scope",
            "box_error",
            "user",
            "time_limit",
            "strangers",
        ],
    ),
    (
        "live",
        &[
            "timestamp",
            "profile",
            "provider_session",
            "logout_scope",
            "box_error",
            "user",
            "time_limit",
            "session",
            "pending",
        ],
    ),
    (
        "provider",
        &["profile", "provider_session", "logout_scope", "box_error"],
    ),
    ("clef", &["profile", "address", "calls", "provider"]),
    (
        "oidc",
        &[
            "profile",
            "provider_session",
            "address",
            "calls",
            "provider",
        ],
    ),
    (
        "extract",
        &[
            "timestamp",
            "profile",
            "provider_session",
            "logout_scope",
            "box_error",
            "log_limit",
            "cookies",
            "user",
            "session",
            "strangers",
            "pending",
            "live",
            "time_limit",
        ],
    ),
    (
        "routes",
        &[
            "timestamp",
            "profile",
            "provider_session",
            "logout_scope",
            "box_error",
            "log_limit",
            "cookies",
            "site",
            "user",
            "session",
            "strangers",
            "pending",
            "live",
            "time_limit",
            "provider",
            "clef",
            "extract",
        ],
    ),
    (
        "layer",
        &[
            "timestamp",
            "profile",
            "box_error",
            "log_limit",
            "address",
            "cookies",
            "site",
            "user",
            "session",
            "strangers",
            "pending",
            "live",
            "time_limit",
            "provider",
            "clef",
            "extract",
            "routes",
        ],
    ),
    (
        "stores",
        &[
            "timestamp",
            "profile",
            "provider_session",
            "box_error",
            "user",
        ],
    ),
    (
        "testing",
        &[
            "timestamp",
            "profile",
            "provider_session",
            "box_error",
            "user",
        ],
    ),
];

#[test]
fn arrows_run_to_rooms_above_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let exported = exported(&fs::read_to_string(source.join("lib.rs")).unwrap());
    let mut files = Vec::new();
    collect(&source, &mut files);
    let mut arrows = 0;
    for file in files {
        let inside = file.strip_prefix(&source).unwrap();
        let first = inside.components().next().unwrap();
        let room = Path::new(first.as_os_str()).with_extension("");
        let room = room.to_str().unwrap();
        if room == "lib" {
            continue;
        }
        let listed = ROOMS.iter().find(|(name, _)| *name == room);
        let (_, may_know) = listed.unwrap_or_else(|| panic!("{room} is a room without a row"));
        for name in names(&fs::read_to_string(&file).unwrap()) {
            let other = exported.get(&name).unwrap_or(&name);
            arrows += 1;
            assert!(
                other == room || may_know.contains(&other.as_str()),
                "{} knows {other}, which is not for {room}",
                inside.display()
            );
        }
    }
    assert!(arrows > 50, "the sources are read");
}

#[test]
fn the_rooms_are_in_order() {
    for (index, (room, may_know)) in ROOMS.iter().enumerate() {
        for other in *may_know {
            let above = ROOMS[..index].iter().any(|(name, _)| name == other);
            assert!(above, "{room} knows {other}, which is not above it");
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Where each name that the crate's root exports comes from.
fn exported(lib: &str) -> HashMap<String, String> {
    let (_, list) = lib.split_once("pub use self::{").unwrap();
    let (list, _) = list.split_once("};").unwrap();
    let mut rooms = HashMap::new();
    let mut room = String::new();
    for word in list.split(|c: char| !c.is_alphanumeric() && c != '_') {
        match word.chars().next() {
            Some(first) if first.is_uppercase() => {
                rooms.insert(word.to_owned(), room.clone());
            }
            Some(_) => room = word.to_owned(),
            None => {}
        }
    }
    rooms
}

/// The first names behind each `crate::` outside of comments, and of the tests at the end.
fn names(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    let code: String = code
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n");
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            names.push(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (index, character) in list.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                _ if start && character.is_alphabetic() => {
                    names.push(word(&list[index..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .collect()
}
