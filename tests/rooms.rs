//! The rooms of `src` and their files: what may know what. An arrow that runs upwards, or a circle,
//! is red. `docs/architecture.md` says what is in each room.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
};

/// The rooms in their order, and what each may know: itself, and what is listed.
const ROOMS: &[(&str, &[&str])] = &[
    ("timestamp", &[]),
    ("identity", &[]),
    ("log_limit", &[]),
    ("metrics", &[]),
    ("address", &[]),
    ("bearer", &[]),
    ("cookies", &[]),
    ("texts", &[]),
    ("page", &["texts"]),
    ("calls", &["address"]),
    ("site", &["address"]),
    ("time_limit", &[]),
    ("users", &["timestamp", "identity", "texts"]),
    ("postgres_connection", &[]),
    (
        "stores",
        &["timestamp", "identity", "users", "postgres_connection"],
    ),
    ("sessions", &["timestamp", "identity", "cookies", "site"]),
    ("provider", &["timestamp", "identity", "bearer"]),
    ("clef", &["identity", "address", "calls", "provider"]),
    ("jose", &["log_limit", "address", "calls"]),
    ("token_request", &["identity", "calls", "provider"]),
    (
        "oauth2",
        &["identity", "address", "calls", "provider", "token_request"],
    ),
    (
        "oidc",
        &[
            "timestamp",
            "identity",
            "address",
            "calls",
            "jose",
            "provider",
            "token_request",
        ],
    ),
    (
        "security_events",
        &[
            "timestamp",
            "identity",
            "log_limit",
            "time_limit",
            "address",
            "calls",
            "jose",
            "provider",
        ],
    ),
    (
        "revocation",
        &[
            "timestamp",
            "identity",
            "log_limit",
            "metrics",
            "users",
            "provider",
        ],
    ),
    (
        "live",
        &[
            "timestamp",
            "identity",
            "log_limit",
            "time_limit",
            "users",
            "sessions",
            "revocation",
        ],
    ),
    (
        "auth",
        &[
            "timestamp",
            "identity",
            "log_limit",
            "metrics",
            "bearer",
            "cookies",
            "texts",
            "page",
            "site",
            "time_limit",
            "users",
            "sessions",
            "provider",
            "revocation",
            "live",
        ],
    ),
    (
        "extract",
        &[
            "timestamp",
            "identity",
            "log_limit",
            "texts",
            "page",
            "site",
            "time_limit",
            "users",
            "sessions",
            "revocation",
            "live",
            "auth",
        ],
    ),
    (
        "routes",
        &[
            "timestamp",
            "identity",
            "log_limit",
            "metrics",
            "cookies",
            "texts",
            "page",
            "site",
            "time_limit",
            "users",
            "sessions",
            "provider",
            "clef",
            "revocation",
            "live",
            "auth",
            "extract",
        ],
    ),
    (
        "layer",
        &[
            "timestamp",
            "identity",
            "log_limit",
            "metrics",
            "address",
            "texts",
            "page",
            "site",
            "users",
            "sessions",
            "provider",
            "security_events",
            "revocation",
            "live",
            "auth",
            "extract",
            "routes",
        ],
    ),
    (
        "leased",
        &["timestamp", "identity", "log_limit", "time_limit", "users"],
    ),
    ("testing", &["timestamp", "identity", "users"]),
    ("guide", &["layer"]),
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
                other == room || other == "lib" || may_know.contains(&other.as_str()),
                "{} knows {other}, which is not for {room}",
                inside.display()
            );
        }
    }
    assert!(arrows > 50, "the sources are read");
}

/// The core is compiled without the feature `live` too.
#[test]
fn the_core_meets_live_in_one_file() {
    let auth = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/auth");
    let mut files = Vec::new();
    collect(&auth, &mut files);
    files.retain(|file| names(&fs::read_to_string(file).unwrap()).contains(&"live".to_owned()));
    assert_eq!(files, [auth.join("listeners.rs")]);
}

/// The table says what makes each setting an error of `build`.
#[test]
fn every_setting_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("docs/settings.md")).unwrap();
    let mut files = Vec::new();
    collect(&root.join("src/layer"), &mut files);
    let mut settings = 0;
    for file in files {
        let source = code(&fs::read_to_string(file).unwrap());
        for (at, start) in source.match_indices("    pub fn ") {
            let rest = &source[at + start.len()..];
            let end = rest.find('{').unwrap();
            if rest[..end].contains("-> Self") {
                let name = word(rest);
                settings += 1;
                assert!(table.contains(&format!("`{name}`")), "{name}");
            }
        }
    }
    assert!(settings > 20, "the sources are read");
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

/// Also between its `mod.rs` and the others: what several files share stands in a file of its own. The
/// same holds for a folder in a room.
#[test]
fn the_files_of_a_room_know_each_other_in_one_direction() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut circles = Vec::new();
    let mut arrows = 0;
    let mut modules = Vec::new();
    collect(&source, &mut modules);
    modules.retain(|file| file.ends_with("mod.rs"));
    for module in modules {
        let folder = module.parent().unwrap();
        let files = knowledge(folder);
        arrows += files.values().map(BTreeSet::len).sum::<usize>();
        let in_a_circle = files.keys().filter(|file| reaches(&files, file, file));
        let circle: Vec<_> = in_a_circle.cloned().collect();
        if !circle.is_empty() {
            circles.push((folder.to_owned(), circle));
        }
    }
    assert!(arrows > 50, "the sources are read");
    assert!(circles.is_empty(), "{circles:#?}");
}

/// The files of a room, and for each the others that it names by `super::` or, in `mod.rs`, calls
/// by `self::` without passing them on.
fn knowledge(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut sources = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            sources.insert(name, code(&fs::read_to_string(&path).unwrap()));
        }
    }
    let passed_on = exports(&sources["mod"]);
    let mut files = BTreeMap::new();
    for (file, code) in &sources {
        let paths = match file.as_str() {
            // Only what it calls itself is an arrow, and not what it passes on.
            "mod" => Vec::new(),
            _ => paths(code, "super::"),
        };
        let known = paths.iter().map(|path| {
            let first = word(path);
            match sources.contains_key(&first) {
                true => first,
                false => passed_on.get(&first).cloned().unwrap_or("mod".to_owned()),
            }
        });
        files.insert(file.clone(), known.filter(|known| known != file).collect());
    }
    let own = without_uses(&sources["mod"]);
    let called = sources
        .keys()
        .filter(|file| own.contains(&format!("{file}::")));
    let used = private_uses(&sources["mod"]);
    let used = used.iter().map(|path| word(path));
    let known: BTreeSet<_> = called.cloned().chain(used).collect();
    files.insert("mod".to_owned(), known);
    files
}

fn reaches(files: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut next: Vec<_> = files[from].iter().collect();
    while let Some(file) = next.pop() {
        if file == to {
            return true;
        }
        if seen.insert(file) {
            next.extend(files.get(file).into_iter().flatten());
        }
    }
    false
}

/// What `mod.rs` passes on, and from which file.
fn exports(code: &str) -> HashMap<String, String> {
    let mut files = HashMap::new();
    for (at, _) in code.match_indices("use self::") {
        let list = &code[at + "use self::".len()..];
        let list = &list[..list.find(';').unwrap()];
        let mut file = String::new();
        let mut rest = list;
        while let Some(start) = rest.find(|c: char| c.is_alphanumeric() || c == '_') {
            let name = word(&rest[start..]);
            rest = &rest[start + name.len()..];
            if rest.starts_with("::") && !name.starts_with(char::is_uppercase) {
                file = name;
            } else {
                files.insert(name, file.clone());
            }
        }
    }
    files
}

/// The paths behind `use self::` without `pub`.
fn private_uses(code: &str) -> Vec<String> {
    let mut uses = Vec::new();
    for line in code.match_indices("\nuse self::") {
        let rest = &code[line.0 + "\nuse ".len()..];
        uses.extend(paths(&rest[..rest.find(';').unwrap()], "self::"));
    }
    uses
}

fn without_uses(code: &str) -> String {
    let mut rest = code;
    let mut own = String::new();
    while let Some(at) = rest.find("use ") {
        own += &rest[..at];
        let end = rest[at..].find(';').map_or(rest.len(), |end| at + end + 1);
        rest = &rest[end..];
    }
    own + rest
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
    // What the root itself defines is no room.
    let mut rooms = HashMap::from([("BoxError".to_owned(), "lib".to_owned())]);
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
    let paths = paths(&code(source), "crate::");
    paths.iter().map(|path| word(path)).collect()
}

/// A source without comments, and without the tests at its end.
fn code(source: &str) -> String {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands behind each of these starts, one by one where it is a list.
fn paths(code: &str, start: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices(start) {
        let rest = &code[at + start.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            paths.push(path(rest));
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
                    paths.push(path(&list[index..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    paths
}

fn path(text: &str) -> String {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    text[..end.unwrap_or(text.len())].to_owned()
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .collect()
}
