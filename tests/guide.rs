//! The links of the README and the guide lead to a file and a heading, in the repository and in
//! rustdoc, and every chapter is short and listed.

use std::{fs, path::Path};

const GUIDE: &str = include_str!("../src/guide.rs");
const README: &str = include_str!("../README.md");

/// For readers of the repository alone, or included elsewhere.
const NOT_IN_RUSTDOC: &[&str] = &["architecture", "quickstart", "settings", "working_on_it"];

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut links = 0;
    let mut files = chapters();
    files.push(("README".to_owned(), README.to_owned()));
    for (name, text) in files {
        let folder = root().join(if name == "README" { "" } else { "docs" });
        for target in targets(&text) {
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let other = match file {
                "" => text.clone(),
                file if file.ends_with(".md") => fs::read_to_string(folder.join(file))
                    .unwrap_or_else(|error| panic!("{name} links to {target}: {error}")),
                file => {
                    assert!(folder.join(file).exists(), "{name} links to {target}");
                    continue;
                }
            };
            let headings = other.lines().filter(|line| line.starts_with('#'));
            let mut anchors = headings.map(anchor);
            assert!(
                heading.is_empty() || anchors.any(|anchor| anchor == heading),
                "{name} links to {target}, which is no heading"
            );
            links += 1;
        }
    }
    assert!(links > 50, "the links are read");
}

/// `[label]: file.md#heading` is `[label]: crate::guide::file#heading` there, which counts first.
#[test]
fn every_link_between_chapters_is_one_in_rustdoc() {
    for (name, text) in chapters() {
        if NOT_IN_RUSTDOC.contains(&name.as_str()) {
            continue;
        }
        for line in text.lines().filter(|line| line.starts_with('[')) {
            let Some((label, target)) = line.split_once("]: ") else {
                continue;
            };
            let path = target.replacen(".md", "", 1);
            assert_eq!(label[1..], path, "{name}: the label is the target");
            assert!(GUIDE.contains(&format!("\"{label}]: crate::")), "{label}]");
        }
        let inline = text.replace("](#", "").replace("](http", "");
        assert!(!inline.contains("]("), "{name}: links are by label");
    }
}

#[test]
fn every_chapter_is_short_and_listed() {
    assert!(README.lines().count() <= 200);
    for (name, text) in chapters() {
        assert!(text.lines().count() <= 200, "{name} is long");
        assert!(README.contains(&format!("(docs/{name}.md)")), "{name}");
        let module = GUIDE.contains(&format!("\n    {name}\n"));
        assert_ne!(module, NOT_IN_RUSTDOC.contains(&name.as_str()), "{name}");
        assert!(!module || GUIDE.contains(&format!("]({name})")), "{name}");
    }
}

#[test]
fn the_tests_that_the_chapter_on_conformance_names_exist() {
    let chapter = fs::read_to_string(root().join("docs/conformance.md")).unwrap();
    let mut named = 0;
    for code in chapter.split('`').skip(1).step_by(2) {
        let Some((file, test)) = code.split_once("::") else {
            continue;
        };
        // Types of the crate are written so too.
        if file.starts_with(char::is_uppercase) || file == "file" {
            continue;
        }
        let folder = if file.contains('/') { "" } else { "oidc/" };
        let path = root().join(format!("tests/{folder}{file}.rs"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{code}: {error}"));
        assert!(text.contains(&format!("async fn {test}()")), "{code}");
        named += 1;
    }
    assert!(named > 30, "the names are read: {named}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The name and the text of each file in `docs`.
fn chapters() -> Vec<(String, String)> {
    let mut chapters = Vec::new();
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            chapters.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    chapters
}

/// Where the links of a text lead: `](target)` and `[label]: target`, outside of code. Links to
/// other sites and to items of the crate are left out.
fn targets(text: &str) -> Vec<String> {
    let prose = text.split("```").step_by(2).collect::<String>();
    let inline = prose.split("](").skip(1);
    let inline = inline.filter_map(|rest| rest.split(')').next());
    let lines = prose.lines().filter(|line| line.starts_with('['));
    let labelled = lines.filter_map(|line| Some(line.split_once("]: ")?.1));
    let targets = inline.chain(labelled);
    let targets = targets.filter(|target| !target.contains("::") && !target.contains("://"));
    targets.map(str::to_owned).collect()
}

/// The anchor of a heading, as web pages and rustdoc make it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
