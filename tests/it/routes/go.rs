//! The rules of Go's `ServeMux` as cases: patterns, requests, and who takes them.

use edgeloop::web::Routes;

use super::site;

/// Each line is `METHOD HOST PATH`, and what becomes of it: the pattern that takes it, or the status and what it says.
fn check(patterns: &[&str], requests: &[(&str, &str)]) {
    let mut routes = Routes::new();
    for pattern in patterns {
        routes = routes.handle_fn(*pattern, |req, res| {
            res.status(200).text(req.pattern().unwrap_or("none"))
        });
    }
    let mut site = site(routes);
    for (request, expected) in requests {
        let mut words = request.split(' ');
        let mut word = || words.next().expect("three words");
        let (method, host, path) = (word(), word(), word());
        let answer = site.ask(&format!("{method} {path}"), &[&format!("Host: {host}")]);
        let said = match answer.status {
            200 if method == "HEAD" => "200".to_owned(),
            200 => answer.body.clone(),
            308 => format!("308 {}", answer.field("Location").expect("a place")),
            405 => format!("405 {}", answer.field("Allow").expect("methods")),
            204 => format!("204 {}", answer.field("Allow").expect("methods")),
            status => status.to_string(),
        };
        assert_eq!(said, *expected, "{request} of {patterns:?}");
    }
}

#[test]
fn the_most_specific_pattern_takes_the_request() {
    let patterns = [
        "/",
        "/items/{id}",
        "/items/new",
        "GET /items/new",
        "/items/{id}/parts/{part...}",
        "/items/{id}/parts/{$}",
        "/items/{id}/parts/spare",
    ];
    check(
        &patterns,
        &[
            ("GET a /", "/"),
            ("GET a /else", "/"),
            ("GET a /items", "/"),
            ("GET a /items/", "/"),
            ("GET a /items/7", "/items/{id}"),
            ("GET a /items/new", "GET /items/new"),
            ("HEAD a /items/new", "200"),
            ("PUT a /items/new", "/items/new"),
            ("GET a /items/new/", "/"),
            ("GET a /items/7/parts", "308 /items/7/parts/"),
            ("GET a /items/7/parts/", "/items/{id}/parts/{$}"),
            ("GET a /items/7/parts/spare", "/items/{id}/parts/spare"),
            ("GET a /items/7/parts/1", "/items/{id}/parts/{part...}"),
            ("GET a /items/7/parts/1/2/", "/items/{id}/parts/{part...}"),
            ("GET a /items/new/parts/1", "/items/{id}/parts/{part...}"),
        ],
    );
}

#[test]
fn a_literal_that_leads_nowhere_gives_way_to_a_wildcard() {
    check(
        &["/a/b/c", "/{x}/b/d", "/{x}/{y}/e", "/{x}/{y}/{z...}"],
        &[
            ("GET a /a/b/c", "/a/b/c"),
            ("GET a /a/b/d", "/{x}/b/d"),
            ("GET a /a/b/e", "/{x}/{y}/e"),
            ("GET a /a/b/f", "/{x}/{y}/{z...}"),
            ("GET a /a/b/c/d", "/{x}/{y}/{z...}"),
            ("GET a /a/b", "308 /a/b/"),
            ("GET a /a", "404"),
        ],
    );
}

#[test]
fn a_trailing_slash_is_a_subtree_and_a_dollar_is_not() {
    check(
        &["/tree/", "/leaf/{$}", "/both", "/both/"],
        &[
            ("GET a /tree", "308 /tree/"),
            ("GET a /tree?a=b&c", "308 /tree/?a=b&c"),
            ("GET a /tree/", "/tree/"),
            ("GET a /tree/a/b", "/tree/"),
            ("GET a /leaf", "308 /leaf/"),
            ("GET a /leaf/", "/leaf/{$}"),
            ("GET a /leaf/a", "404"),
            ("GET a /both", "/both"),
            ("GET a /both/", "/both/"),
            ("GET a /", "404"),
        ],
    );
}

#[test]
fn hosts_go_before_methods_and_paths_whatever_their_case_and_port() {
    check(
        &["/", "GET /a", "Example.COM/", "example.com/a/{x}", "[::1]/"],
        &[
            ("GET example.com /a", "Example.COM/"),
            ("GET EXAMPLE.com:8080 /a", "Example.COM/"),
            ("GET example.com /a/b", "example.com/a/{x}"),
            ("GET www.example.com /a", "GET /a"),
            ("GET [::1]:80 /a", "[::1]/"),
            ("GET [::1] /a", "[::1]/"),
            ("GET [::2] /b", "/"),
            ("GET example.com http://other/a", "GET /a"),
            ("GET other http://example.com:1/a", "Example.COM/"),
        ],
    );
}

#[test]
fn methods_decide_where_paths_are_equal() {
    check(
        &[
            "GET /a",
            "POST /a",
            "/a",
            "HEAD /b",
            "GET /b",
            "POST /c/{x}",
            "GET /c/d",
        ],
        &[
            ("GET a /a", "GET /a"),
            ("POST a /a", "POST /a"),
            ("PUT a /a", "/a"),
            ("BREW a /a", "/a"),
            ("HEAD a /b", "200"),
            ("POST a /c/d", "POST /c/{x}"),
            ("PUT a /b", "405 GET, HEAD, OPTIONS"),
            ("PUT a /c/d", "405 GET, HEAD, OPTIONS, POST"),
        ],
    );
}

#[test]
fn another_method_is_405_with_what_would_be_allowed() {
    check(
        &[
            "GET /a",
            "POST /a",
            "DELETE /c/",
            "PUT /c/{x}",
            "OPTIONS /own",
            "GET /own",
        ],
        &[
            ("GET a /a", "GET /a"),
            ("HEAD a /a", "200"),
            ("POST a /a", "POST /a"),
            ("PUT a /a", "405 GET, HEAD, OPTIONS, POST"),
            ("BREW a /a", "405 GET, HEAD, OPTIONS, POST"),
            ("OPTIONS a /a", "204 GET, HEAD, OPTIONS, POST"),
            ("GET a /c/x", "405 DELETE, OPTIONS, PUT"),
            ("GET a /c", "405 DELETE, OPTIONS"),
            ("DELETE a /c", "308 /c/"),
            ("OPTIONS a /own", "OPTIONS /own"),
            ("GET a /none", "404"),
            ("OPTIONS a /none", "404"),
            ("BREW a /none", "501"),
        ],
    );
}

#[test]
fn options_of_a_path_that_has_routes_does_not_go_to_who_takes_everything() {
    check(
        &[
            "/",
            "GET /api/items",
            "OPTIONS /api/own",
            "GET /api/own",
            "/api/all",
            "GET /api/all",
        ],
        &[
            ("OPTIONS a /api/items", "204 GET, HEAD, OPTIONS"),
            ("POST a /api/items", "/"),
            ("OPTIONS a /api/own", "OPTIONS /api/own"),
            ("OPTIONS a /api/all", "/api/all"),
            ("OPTIONS a /else", "/"),
        ],
    );
}

#[test]
fn paths_are_cleaned_by_a_redirect_that_keeps_the_query_and_the_host() {
    check(
        &["/a/b", "GET /evil", "/tree/"],
        &[
            ("GET a //a/b", "308 /a/b"),
            ("GET a /a//b?x=//y", "308 /a/b?x=//y"),
            ("GET a /a/./b", "308 /a/b"),
            ("GET a /x/../a/b", "308 /a/b"),
            ("GET a /../../a/b", "308 /a/b"),
            ("GET a //evil", "308 /evil"),
            ("GET a ///evil", "308 /evil"),
            ("GET a /.//evil", "308 /evil"),
            ("POST a //evil", "308 /evil"),
            ("GET a //tree", "308 /tree/"),
            ("GET a //none", "404"),
            ("BREW a //none", "501"),
            ("GET a http://b//a/b", "308 /a/b"),
            ("GET a /a/%2e%2e/b", "404"),
        ],
    );
}

#[test]
fn octets_are_the_same_encoded_or_not_but_for_the_slash() {
    check(
        &["/a%20b", "/a%2Fb", "/x/{y}", "/é"],
        &[
            ("GET a /a%20b", "/a%20b"),
            ("GET a /%61%20%62", "/a%20b"),
            ("GET a /a%2fb", "/a%2Fb"),
            ("GET a /a/b", "404"),
            ("GET a /x/%2F", "/x/{y}"),
            ("GET a /x/a/b", "404"),
            ("GET a /%78/1", "/x/{y}"),
            ("GET a /%C3%A9", "/é"),
        ],
    );
}
