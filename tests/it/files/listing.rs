//! What is in a directory.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use edgeloop::server::pool::{Pool, PoolLimits};
use edgeloop::web::Files;

use super::{Answer, MODIFIED_TEXT, Site, directory, write};

fn site(set: impl FnOnce(Files) -> Files) -> Site {
    let root = directory(&[
        ("public/dir/b.txt", b"twelve bytes"),
        ("public/dir/<script>alert(1)<.html", b""),
        ("public/dir/sub/file", b""),
        ("public/dir/.env", b"secret"),
        ("public/.well-known/a", b""),
        ("public/index/index.html", b"the index"),
        ("secret", b"secret"),
    ]);
    let dir = root.join("public/dir");
    write(
        &dir.join(std::ffi::OsStr::from_bytes(b"not UTF-8 \xff")),
        b"x",
    );
    symlink("../../secret", dir.join("out")).expect("a link");
    symlink("../index", dir.join("link")).expect("a link");
    symlink("none", dir.join("dangling")).expect("a link");
    nix::unistd::mkfifo(&dir.join("fifo"), nix::sys::stat::Mode::S_IRWXU).expect("a new name");
    fs::create_dir(root.join("public/empty")).expect("a new directory");
    let files = Files::new(root.join("public")).expect("a directory");
    Site::serve_files(root, set(files))
}

const JSON: &str = "Accept: application/json";

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.field("content-type"), Some("application/json"));
    let value: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    let entries = value["entries"].as_array().expect("an array");
    let text = |value: &serde_json::Value| value.as_str().expect("a string").to_owned();
    entries.iter().map(|entry| text(&entry["href"])).collect()
}

const LISTED: [&str; 5] = [
    "./link/",
    "./sub/",
    "./%3Cscript%3Ealert%281%29%3C.html",
    "./b.txt",
    "./not%20UTF-8%20%FF",
];

#[test]
fn a_directory_without_an_index_is_listed_if_it_is_to_be() {
    for pool in [None, Some(Pool::new(PoolLimits::default()))] {
        let site = site(|files| match pool {
            Some(pool) => files.with_listings().with_pool(pool),
            None => files.with_listings(),
        });
        let answer = site.check("GET /dir/", &[JSON], 200);
        assert_eq!(names(&answer), LISTED);
        assert_eq!(answer.field("vary"), Some("Accept"));
        let value: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(value["complete"], true);
        let file = &value["entries"][3];
        assert_eq!(
            (&file["size"], &file["modified"]),
            (&12.into(), &MODIFIED_TEXT.into())
        );
        // All that is listed is there.
        for name in LISTED {
            site.check(&format!("GET /dir/{}", &name[2..]), &[], 200);
        }
        assert_eq!(
            names(&site.check("GET /", &[JSON], 200)),
            ["./.well-known/", "./dir/", "./empty/", "./index/"]
        );
        assert!(names(&site.check("GET /empty/", &[JSON], 200)).is_empty());
        assert_eq!(site.check("GET /index/", &[JSON], 200).body, b"the index");
        site.check("GET /none/", &[], 404);
        site.check("GET /dir/b.txt/", &[], 404);
        site.check("GET /dir", &[], 308);
        let head = site.check("HEAD /dir/", &[JSON], 200);
        let length = answer.body.len().to_string();
        assert_eq!(
            (head.field("content-length"), &*head.body),
            (Some(&*length), b"" as &[u8])
        );
    }
    site(|files| files).check("GET /dir/", &[], 404);
}

#[test]
fn people_get_a_page_in_which_names_are_text() {
    let site = site(Files::with_listings);
    for accept in ["Accept: text/html, */*;q=0.8", "Accept: */*", "X: none"] {
        let answer = site.check("GET /dir/", &[accept], 200);
        assert_eq!(
            answer.field("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        let page = String::from_utf8(answer.body).expect("UTF-8");
        for wanted in [
            "<title>/dir/</title>",
            "<a href=\"../\">",
            "<a href=\"./sub/\"><bdi>sub</bdi>/</a>",
            "&lt;script&gt;alert(1)&lt;.html",
            "12 B<td>06 Nov 1994 08:49",
        ] {
            assert!(page.contains(wanted), "{wanted}\n{page}");
        }
        assert!(!page.contains("<script") && !page.contains("secret") && !page.contains("fifo"));
    }
    assert!(
        !site
            .check("GET /", &[], 200)
            .body
            .windows(4)
            .any(|four| four == b"\"../")
    );
}

#[test]
fn dotfiles_are_listed_where_they_are_served() {
    let site = site(|files| files.with_listings().with_dotfiles());
    let names = names(&site.check("GET /dir/", &[JSON], 200));
    assert!(names.contains(&"./.env".to_owned()), "{names:?}");
}

#[test]
fn a_directory_of_more_than_a_thousand_names_is_cut_and_says_so() {
    let root = directory(&[]);
    for at in 0..1001 {
        fs::write(root.join(at.to_string()), "").expect("a file");
    }
    let files = Files::new(&root).expect("a directory").with_listings();
    let site = Site::serve_files(root, files);
    let answer = site.check("GET /", &[JSON], 200);
    assert_eq!(names(&answer).len(), 1000);
    let value: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(value["complete"], false);
    fs::remove_file(site.root.join("0")).expect("ours");
    let answer = site.check("GET /", &[JSON], 200);
    let value: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(value["complete"], true);
}

#[test]
fn what_is_in_memory_is_listed_too() {
    let files = [
        ("a/b/c", "c"),
        ("a/b/d", "d"),
        ("a/b-e", "e"),
        ("a/.f", "f"),
    ];
    let files = Files::memory(files).expect("paths").with_listings();
    let site = Site::serve(directory(&[]), files);
    assert_eq!(names(&site.check("GET /", &[JSON], 200)), ["./a/"]);
    assert_eq!(
        names(&site.check("GET /a/", &[JSON], 200)),
        ["./b/", "./b-e"]
    );
    assert_eq!(
        names(&site.check("GET /a/b/", &[JSON], 200)),
        ["./c", "./d"]
    );
    site.check("GET /a/c/", &[], 404);
}

#[test]
fn an_index_that_may_not_be_read_is_no_reason_to_list() {
    let site = site(Files::with_listings);
    let handler = {
        use std::os::unix::fs::PermissionsExt;
        let root = site.root.join("public");
        let closed = fs::Permissions::from_mode(0o000);
        fs::set_permissions(root.join("index/index.html"), closed).expect("ours");
        let files = Files::new(root).expect("a directory").with_listings();
        move |req: &edgeloop::Request<'_>, res: edgeloop::ResponseWriter<'_>| {
            nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
            edgeloop::Handler::on_request(&mut files.clone(), req, res)
        }
    };
    let site = Site::serve(site.root.clone(), handler);
    site.check("GET /index/", &[], 403);
}

/// Which of them are listed does not depend on the order that the file system has.
#[test]
fn of_too_many_names_the_first_ones_are_listed() {
    let root = directory(&[]);
    for number in 0..1_100 {
        fs::write(root.join(format!("{number:04}")), "").expect("ours");
        fs::write(root.join(format!(".{number:04}")), "").expect("ours");
    }
    let files = Files::new(&root).expect("a directory").with_listings();
    let site = Site::serve_files(root, files);
    let names = names(&site.check("GET /", &[JSON], 200));
    let expected: Vec<String> = (0..1_000).map(|it| format!("./{it:04}")).collect();
    assert!(names == expected, "{} names", names.len());
}
